"""Same model, same bytes; a plain ONNX file; and nobody's rows in it."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

import edge_infer
from edge_infer.verification import verify
from edge_infer_convert import Conversion, convert
from edge_infer_convert.demo import load_penguins
from tests.convert.pipelines import PIPELINES, fitted

_NAMES = ("penguins", "penguins_hist_gradient_boosting", "scaled_forest_regressor", "union_of_transformers")
_DIGESTS = """
import hashlib
from edge_infer_convert import convert
from tests.convert.pipelines import fitted
for name in {names!r}:
    for precision in ("float32", "float64"):
        estimator, data = fitted(name)
        try:
            artifact = convert(estimator, data=data, name="m", precision=precision).data
        except ValueError as error:
            artifact = str(error).encode()
        print(name, precision, hashlib.sha256(artifact).hexdigest())
"""


@functools.cache
def _converted(name: str) -> Conversion:
    estimator, data = fitted(name)
    return convert(estimator, data=data, name="m")


def test_fresh_processes_with_other_hash_seeds_give_the_same_bytes() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _DIGESTS.format(names=_NAMES)],
            env=environment | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "20")
    ]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 2 * len(_NAMES)


def test_converting_twice_gives_the_same_bytes() -> None:
    """A clock in the bytes would show."""
    estimator, data = fitted("penguins")
    again = hashlib.sha256(convert(estimator, data=data, name="m").data).hexdigest()
    assert hashlib.sha256(_converted("penguins").data).hexdigest() == again


@pytest.mark.parametrize("name", PIPELINES)
def test_artifact_is_a_valid_onnx_model_of_standard_operators(name: str) -> None:
    model = onnx.ModelProto.FromString(_converted(name).data)
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain for opset in model.opset_import} <= {"", "ai.onnx.ml"}
    assert not any(node.op_type == "ZipMap" for node in model.graph.node)


def test_artifact_runs_in_plain_onnxruntime() -> None:
    estimator, X = fitted("penguins")
    conversion = _converted("penguins")
    session = onnxruntime.InferenceSession(conversion.data, providers=["CPUExecutionProvider"])
    inputs = conversion.manifest.inputs
    feeds = {}
    for tensor in inputs.tensors:
        columns = [X[column.name] for column in inputs.columns if column.tensor == tensor.name]
        if tensor.dtype == "string":
            feeds[tensor.name] = np.column_stack([column.fillna(tensor.missing).astype(object) for column in columns])
        else:
            feeds[tensor.name] = np.column_stack(columns).astype(tensor.dtype)
    label, probabilities = session.run(["label", "probabilities"], feeds)
    assert (label == estimator.predict(X)).all()
    np.testing.assert_allclose(probabilities, estimator.predict_proba(X), atol=1e-5)


def test_golden_rows_hold_no_row_of_the_training_data() -> None:
    X, _ = load_penguins()
    conversion = _converted("penguins")
    goldens = edge_infer.load(conversion.data).artifact.goldens()
    assert goldens is not None
    assert 20 <= len(goldens.rows) <= 128
    names = [column.name for column in conversion.manifest.inputs.columns]
    numbers = [i for i, name in enumerate(names) if name not in ("island", "sex")]
    people = {tuple(row) for row in X[[names[i] for i in numbers]].dropna().itertuples(index=False)}
    assert not people & {tuple(row[i] for i in numbers) for row in goldens.rows}


def test_goldens_are_replayed_by_verify() -> None:
    checks = verify(_converted("penguins").data)
    assert [check.status for check in checks if check.name == "goldens"] == ["ok"]
