"""Loading, methods, threads, fork, pickle, closing: a model as a part of somebody's application."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper

import edge_infer
from edge_infer.errors import EdgeInferError, MethodError, UsageError
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, RECORD, load, penguins

ROOT = Path(__file__).parents[2]


def fresh(code: str) -> str:
    """What Python prints for `code` in a fresh process."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_and_prediction_load_no_heavy_package() -> None:
    heavy = [
        "typer",
        "rich",
        "pydantic",
        "click",
        "onnx",
        "skl2onnx",
        "sklearn",
        "scipy",
        "pandas",
        "pyarrow",
        "google",
    ]
    code = f"""
import sys, json, edge_infer
edge_infer.load({str(PENGUINS)!r}).predict(json.loads({json.dumps(RECORD)!r}))
print([name for name in {heavy!r} if name in sys.modules])"""
    assert fresh(code) == "[]\n"


def test_all_public_names_exist() -> None:
    for name in edge_infer.__all__:
        assert getattr(edge_infer, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = edge_infer.nothing_of_this_name  # type: ignore[attr-defined]


def test_a_model_has_just_its_originals_methods() -> None:
    regressor, classifier = load(DIABETES), load(PENGUINS)
    assert not hasattr(regressor, "predict_proba")
    assert not hasattr(regressor, "classes_")
    assert not hasattr(classifier, "transform")
    assert hasattr(classifier, "decision_function")
    with pytest.raises(MethodError, match=r"no such method\. This model has: predict"):
        _ = regressor.predict_proba


def test_logarithms_of_probabilities_are_the_originals() -> None:
    original, X = penguins()
    np.testing.assert_allclose(load(PENGUINS).predict_log_proba(X), original.predict_log_proba(X), rtol=1e-4, atol=1e-6)


def test_a_bare_name_is_never_taken_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PENGUINS, tmp_path / "penguins")
    with pytest.raises(UsageError, match="bare name"):
        edge_infer.load("penguins")
    assert edge_infer.load("./penguins").manifest.name == "penguins"
    assert edge_infer.load(Path("penguins")).manifest.name == "penguins"


def test_eight_threads_share_a_model_and_each_gets_its_own_answers() -> None:
    model, (_, X) = edge_infer.load(PENGUINS), penguins()
    records = X.to_dict("records")
    expected = model.predict_proba(X)
    wrong: list[int] = []

    def ask(start: int) -> None:
        for i in range(start, start + 400):
            row = i % len(records)
            if not np.allclose(model.predict_proba(records[row]), expected[row], rtol=1e-5):
                wrong.append(row)

    threads = [threading.Thread(target=ask, args=(37 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_answers() -> None:
    code = f"""
import os, json, edge_infer
model = edge_infer.load({str(PENGUINS)!r})
record = json.loads({json.dumps(RECORD)!r})
model.predict(record)
child = os.fork()
if child == 0:
    os._exit(0 if model.predict(record) == "Gentoo" else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), model.predict(record))"""
    assert fresh(code) == "0 Gentoo\n"


def test_a_model_pickles_by_path_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    shutil.copy(PENGUINS, path)
    pickled = pickle.dumps(edge_infer.load(path))
    assert len(pickled) < 1000
    assert pickle.loads(pickled).predict(RECORD) == "Gentoo"
    shutil.copy(DIGITS, path)
    with pytest.raises(EdgeInferError, match="has changed since"):
        pickle.loads(pickled)
    assert pickle.loads(pickle.dumps(edge_infer.load(PENGUINS.read_bytes()))).predict(RECORD) == "Gentoo"


def test_a_closed_model_says_so() -> None:
    with edge_infer.load(PENGUINS) as model:
        assert model.predict(RECORD) == "Gentoo"
    with pytest.raises(EdgeInferError, match="closed"):
        model.predict(RECORD)
    with pytest.raises(EdgeInferError, match="closed"):
        model.run({})


def test_other_hosts_get_the_same_answers_from_the_whole_graph() -> None:
    model, (_, X) = load(PENGUINS), penguins()
    sentinel = next(t.missing for t in model.manifest.inputs.tensors if t.dtype == "string")
    texts = X[["island", "sex"]].astype(object)
    texts = texts.where(~texts.isna(), sentinel).to_numpy()
    numbers = X.drop(columns=["island", "sex"]).to_numpy(np.float32)
    order = [c.name for c in model.manifest.inputs.columns if c.kind == "string"]
    assert order == ["island", "sex"]
    whole = model.run({"strings": texts, "numbers": numbers})
    assert whole["label"].tolist() == model.predict(X).tolist()
    np.testing.assert_array_equal(whole["probabilities"], model.predict_proba(X).astype(np.float32))


def test_a_plain_onnx_file_loads_and_runs(tmp_path: Path) -> None:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "plain.onnx")
    loaded = edge_infer.load(tmp_path / "plain.onnx")
    np.testing.assert_array_equal(loaded.run({"x": np.ones((2, 3), np.float32)})["y"], -np.ones((2, 3)))
    np.testing.assert_array_equal(loaded.predict(np.ones((2, 3))), -np.ones((2, 3)))
    assert loaded.predict([1, 2, 3]).tolist() == [-1, -2, -3]
    assert edge_infer.verify(tmp_path / "plain.onnx")[0].detail == "plain ONNX, no edge_infer metadata"


def test_labels_and_features_are_named_as_in_scikit_learn() -> None:
    original, X = penguins()
    model = load(PENGUINS)
    assert model.classes_.tolist() == original.classes_.tolist()
    assert model.classes_.dtype == original.classes_.dtype
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert isinstance(model.predict(X.iloc[:0]), np.ndarray)
    assert isinstance(X, pd.DataFrame)
    assert model.n_features_in_ == 6
