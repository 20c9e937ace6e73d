"""Small artifacts made by hand, and ways to run the CLI: in this process, and in a fresh one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_infer import load
from edge_infer.cli.main import main
from edge_infer.goldens import Goldens, Tolerance, render_goldens
from edge_infer.manifest import (
    KEY_GOLDENS,
    KEY_MANIFEST,
    KEY_PARITY,
    Column,
    Cut,
    Inputs,
    Manifest,
    Needs,
    Output,
    Source,
    Tensor,
    render_manifest,
)

ROOT = Path(__file__).parents[2]
CLASSES = ("Adélie", "ok", "no")
SEX, TOWN = ("female", "male"), ("Köln", "日本", "NA")
_MISSING = "\0"


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """`edge-infer` in this process."""

    def call(*args: object) -> Ran:
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        sys.stdout.flush()
        return Ran(code, *capfd.readouterr())

    return call


def fresh(*args: object, stdin: bytes = b"", python: tuple[str, ...] = (), **environment: str) -> Ran:
    """`edge-infer` in a fresh process; bytes in, text out."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    done = subprocess.run(
        [sys.executable, *python, "-m", "edge_infer.cli.main", *map(str, args)],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "0", "COLUMNS": "80", **environment},
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


# --- artifacts --------------------------------------------------------------------------


def _encoder(name: str, source: str, categories: tuple[str, ...], first: int) -> onnx.NodeProto:
    known = [*categories, _MISSING]
    return helper.make_node(
        "LabelEncoder",
        [source],
        [name],
        domain="ai.onnx.ml",
        keys_strings=known,
        values_int64s=[first + i for i in range(len(known))],
        default_int64=first + len(known),
    )


def _classifier_graph() -> onnx.GraphProto:
    """codes and numbers → scores → label: the shape that the converter gives its graphs."""
    weights = np.array([[0, 0.1, -0.1], [0, 0.2, 0], [0, 0, 0.3], [0, 1, 0], [0, 0.5, 0.1], [1, 0, 0.2]], np.float32)
    constants = {
        "weights": weights,
        "zero": np.zeros((), np.float32),
        "labels": np.array(CLASSES, dtype=object),
    }
    nodes = [
        helper.make_node("Split", ["texts"], ["t0", "t1"], axis=1, num_outputs=2),
        _encoder("c0", "t0", SEX, 0),
        _encoder("c1", "t1", TOWN, 4),
        helper.make_node("Concat", ["c0", "c1"], ["codes"], axis=1),
        helper.make_node("Cast", ["codes"], ["coded"], to=TensorProto.FLOAT),
        helper.make_node("IsNaN", ["numbers"], ["gaps"]),
        helper.make_node("Where", ["gaps", "zero", "numbers"], ["filled"]),
        helper.make_node("Concat", ["filled", "coded"], ["features"], axis=1),
        helper.make_node("MatMul", ["features", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["scores"], ["label_index"], axis=1, keepdims=0),
        helper.make_node("Gather", ["labels", "label_index"], ["label"]),
    ]
    return helper.make_graph(
        nodes,
        "classifier",
        [
            helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [None, 4]),
            helper.make_tensor_value_info("texts", TensorProto.STRING, [None, 2]),
        ],
        [
            helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )


def classifier_manifest() -> Manifest:
    columns = (
        Column("age", "number", "float64", "numbers", 0, missing=True, range=(1.0, 80.0)),
        Column("Größe", "number", "float64", "numbers", 1, missing=True, range=(150.0, 200.0)),
        Column("visits", "integer", "int64", "numbers", 2, missing=False, range=(0.0, 9.0)),
        Column("alive", "boolean", "bool", "numbers", 3, missing=False),
        Column("sex", "string", "object", "texts", 0, missing=True, categories=SEX),
        Column("home.dest", "string", "object", "texts", 1, missing=True, unknown=False, categories=TOWN),
    )
    tensors = (Tensor("numbers", "float32", 4), Tensor("texts", "string", 2, missing=_MISSING))
    outputs = (
        Output("predict", ("label",), "object", (), classes=(CLASSES,), index="label_index"),
        Output("predict_proba", ("probabilities",), "float64", (3,)),
    )
    return Manifest(
        name="people",
        version="1.2.0",
        release=3,
        task="classification",
        precision="float32",
        precision_reason="proven equal on the probes",
        inputs=Inputs("columns", columns, tensors, Cut("codes", (0, 4))),
        outputs=outputs,
        source=Source("scikit-learn", "Pipeline", {"scikit-learn": "1.9.1"}),
        needs=Needs(10, {"": 18, "ai.onnx.ml": 3}, ("Concat",), "1.18"),
        missing_methods={"decision_function": "its graph has no scores"},
    )


RECORD = {"age": 29, "Größe": 1.5, "visits": 2, "alive": True, "sex": "female", "home.dest": "日本"}


def _model(graph: onnx.GraphProto, metadata: dict[str, bytes]) -> bytes:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value.decode())
    return model.SerializeToString()


def classifier_bytes(*, wrong_golden: bool = False, manifest: Manifest | None = None) -> bytes:
    manifest = manifest or classifier_manifest()
    metadata = {KEY_MANIFEST: render_manifest(manifest)}
    rows = (tuple(RECORD[column.name] for column in classifier_manifest().inputs.columns),)
    with load(_model(_classifier_graph(), metadata)) as model:
        answers = {name: getattr(model, name)(RECORD) for name in ("predict", "predict_proba")}
    label = "no" if answers["predict"] != "no" else "ok"
    goldens = Goldens(
        rows,
        {
            "predict": (label if wrong_golden else answers["predict"],),
            "predict_proba": (answers["predict_proba"].tolist(),),
        },
        {"predict": Tolerance(0.0, 0.0), "predict_proba": Tolerance(1e-5, 1.0)},
    )
    parity = b'{"rows":120,"borderline":1,"outputs":{"predict_proba":{"worst":1e-7,"tolerance":1e-5,"differing":0}}}'
    return _model(_classifier_graph(), {**metadata, KEY_GOLDENS: render_goldens(goldens), KEY_PARITY: parity})


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes from numbers, a boolean and texts; probabilities; the shape of a converted model."""
    path = tmp_path_factory.mktemp("artifacts") / "people-1.2.0.onnx"
    path.write_bytes(classifier_bytes())
    return path


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain ONNX file, y = 1 / x0 + x1: no metadata, and infinite at x0 = 0."""
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2),
        helper.make_node("Reciprocal", ["a"], ["inverse"]),
        helper.make_node("Add", ["inverse", "b"], ["sums"]),
        helper.make_node("Squeeze", ["sums", "axis"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )
    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    path.write_bytes(_model(graph, {}))
    return path
