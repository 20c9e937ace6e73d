"""A loaded model: its methods, its life, and the graph's own tensors."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import edge_infer
from edge_infer import EdgeInferError, InputError, Model, SessionOptions
from edge_infer.errors import (
    ArtifactError,
    GraphMismatchError,
    InferenceError,
    MethodError,
    NotAModelError,
    NotInstalledError,
    RuntimeFitError,
    UsageError,
)
from edge_infer_convert import convert
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, RECORD, digits, load, penguins, with_documents

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples", "transform")


# --- methods ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "there"),
    [
        (PENGUINS, METHODS[:4]),
        (DIGITS, METHODS[:4]),
        (DIABETES, METHODS[:1]),
    ],
    ids=["penguins", "digits", "diabetes"],
)
def test_a_model_has_just_the_methods_of_its_original(path: Path, there: tuple[str, ...]) -> None:
    assert tuple(method for method in METHODS if hasattr(load(path), method)) == there


def test_a_method_that_is_not_there_says_why_and_what_is() -> None:
    with pytest.raises(AttributeError, match=r"no transform: the original model has no such method.* has: predict,"):
        _ = load(PENGUINS).transform
    with pytest.raises(MethodError, match="no predict_log_proba"):
        _ = load(DIABETES).predict_log_proba


def test_the_reason_of_a_lost_method_is_the_manifests() -> None:
    lost = with_documents(PENGUINS, lambda m: m["missing_methods"].update(transform="it is too wide"))
    with pytest.raises(MethodError, match="no transform: it is too wide"):
        _ = edge_infer.load(lost).transform
    without_logs = with_documents(PENGUINS, lambda m: m["missing_methods"].update(predict_log_proba="never had it"))
    model = edge_infer.load(without_logs)
    assert hasattr(model, "predict_proba")
    with pytest.raises(MethodError, match="never had it"):
        _ = model.predict_log_proba


def test_the_class_itself_shows_its_methods() -> None:
    assert Model.predict.__doc__
    assert Model.transform.__doc__


def test_log_probabilities_are_the_originals() -> None:
    original, X = digits()
    np.testing.assert_allclose(load(DIGITS).predict_log_proba(X[:20]), original.predict_log_proba(X[:20]), rtol=1e-8)
    assert load(PENGUINS).predict_log_proba(RECORD).shape == (3,)


def test_impossible_classes_have_minus_infinite_logs_without_a_warning() -> None:
    far = {**RECORD, "bill_length_mm": -1e30}
    assert np.isneginf(load(PENGUINS).predict_log_proba(far)).any()


LABELS: dict[str, Any] = {
    "text": np.array(["no", "yes"]),
    "text of several lengths": np.array(["", "größer", "日本"]),
    "text as objects": np.array(["no", "maybe", "yes"], dtype=object),
    "booleans": np.array([False, True]),
    "negative": np.array([-7, -1, 3]),
    "far apart": np.array([-(2**40), 2**40]),
    "small whole numbers": np.array([-1, 1], dtype=np.int8),
    "unsigned": np.array([0, 65_535], dtype=np.uint16),
    "whole floats": np.array([-1.0, 2.0]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_keep_their_values_and_dtype(kind: str) -> None:
    labels = LABELS[kind]
    rng = np.random.default_rng(0)
    y = labels[np.arange(60) % len(labels)]
    X = rng.normal(size=(60, 2)) + np.arange(60)[:, None] % len(labels)
    original = LogisticRegression().fit(X, y)
    model = edge_infer.load(convert(original, data=X, name="labels").data)
    assert model.classes_.dtype == original.classes_.dtype
    np.testing.assert_array_equal(model.classes_, original.classes_)
    answers = model.predict(X)
    assert answers.dtype == original.predict(X).dtype
    np.testing.assert_array_equal(answers, original.predict(X))
    assert type(model.predict(X[0])) is type(original.classes_[:1].tolist()[0])


def test_a_classifier_of_one_class_gives_that_class() -> None:
    X = np.arange(20.0).reshape(10, 2)
    original = DecisionTreeClassifier().fit(X, np.full(10, "only"))
    model = edge_infer.load(convert(original, data=X, name="one").data)
    assert model.predict(X).tolist() == ["only"] * 10
    assert model.predict_proba(X).tolist() == [[1.0]] * 10


def test_a_regressor_has_no_classes() -> None:
    assert not hasattr(load(DIABETES), "classes_")
    with pytest.raises(MethodError, match="not a classifier"):
        _ = load(DIABETES).classes_


def test_names_are_as_scikit_learn_has_them() -> None:
    pipeline, _ = penguins()
    names = load(PENGUINS).feature_names_in_
    np.testing.assert_array_equal(names, pipeline.feature_names_in_)
    assert names.dtype == object
    assert load(DIGITS).n_features_in_ == 64


def test_columns_of_any_name_are_kept() -> None:
    names = ["home.dest", "Größe", "日本", "a b", "a_b", "a.b", '"quoted"', "\\", ""]
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(50, len(names))), columns=names)
    original = LogisticRegression().fit(X, rng.integers(0, 2, 50))
    model = edge_infer.load(convert(original, data=X, name="names").data)
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(model.predict(X[names[::-1]]), original.predict(X))


# --- life -------------------------------------------------------------------------------


def test_a_context_manager_closes_and_a_closed_model_says_so() -> None:
    with edge_infer.load(PENGUINS) as model:
        assert model.predict(RECORD) == "Gentoo"
        predict = model.predict
    model.close()  # again does no harm
    for call in (lambda: model.predict(RECORD), lambda: predict(RECORD), lambda: model.run({})):
        with pytest.raises(InferenceError, match="closed; load it again"):
            call()
    assert model.manifest.name == "penguins"


def test_a_closed_model_stays_closed_after_run() -> None:
    model = edge_infer.load(DIGITS)
    model.run({"numbers": np.zeros((1, 64))})
    model.close()
    with pytest.raises(InferenceError, match="closed"):
        model.run({"numbers": np.zeros((1, 64))})


def test_what_a_model_is_cannot_be_changed() -> None:
    model = edge_infer.load(PENGUINS)
    for name in ("manifest", "artifact", "classes_", "feature_names_in_", "n_features_in_"):
        with pytest.raises(AttributeError):
            setattr(model, name, None)
    with pytest.raises(ValueError, match="read-only"):
        model.classes_[0] = "other"
    model.feature_names_in_[0] = "other"
    assert model.feature_names_in_[0] == "island"
    answers = model.predict([RECORD])
    answers[0] = "other"
    assert model.predict(RECORD) == "Gentoo"


def test_a_model_pickles_by_path_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(PENGUINS.read_bytes())
    model = edge_infer.load(path, options=SessionOptions(threads=2))
    text = pickle.dumps(model)
    assert len(text) < 1000
    again = pickle.loads(text)
    assert again.predict(RECORD) == "Gentoo"
    assert again._options == SessionOptions(threads=2)


def test_a_relative_path_pickles_as_an_absolute_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(PENGUINS.read_bytes())
    monkeypatch.chdir(tmp_path)
    text = pickle.dumps(edge_infer.load("m.onnx"))
    monkeypatch.chdir("/")
    assert pickle.loads(text).predict(RECORD) == "Gentoo"


def test_a_file_that_changed_since_pickling_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(PENGUINS.read_bytes())
    text = pickle.dumps(edge_infer.load(path))
    path.write_bytes(DIGITS.read_bytes())
    with pytest.raises(UsageError, match=r"m\.onnx' has changed since this model was pickled"):
        pickle.loads(text)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(text)


@pytest.mark.parametrize("twin", [lambda m: pickle.loads(pickle.dumps(m)), copy.copy, copy.deepcopy])
def test_a_model_of_bytes_travels_by_its_bytes(twin: Callable[[Model], Model]) -> None:
    model = twin(edge_infer.load(PENGUINS.read_bytes()))
    assert model.predict(RECORD) == "Gentoo"
    assert model.artifact.source is None


def test_eight_threads_get_the_right_answers() -> None:
    original, X = digits()
    expected = original.predict(X[:300])
    model = edge_infer.load(DIGITS)
    record = edge_infer.load(PENGUINS)

    def work(offset: int) -> bool:
        rows = [(offset + 37 * call) % 300 for call in range(300)]
        return all(model.predict(X[row]) == expected[row] and record.predict(RECORD) == "Gentoo" for row in rows)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [True] * 8


def test_threads_that_run_first_at_once_share_the_whole_graph() -> None:
    model = edge_infer.load(DIGITS)
    feeds = {"numbers": digits()[1][:1]}
    with ThreadPoolExecutor(8) as pool:
        labels = list(pool.map(lambda _: model.run(feeds, ["label"])["label"][0], range(32)))
    assert len(set(labels)) == 1


_FORK = """
    import os, sys, edge_infer
    model = edge_infer.load(sys.argv[1], options=edge_infer.SessionOptions(threads=int(sys.argv[2])))
    record = {record!r}
    assert model.predict(record) == "Gentoo"
    child = os.fork()
    if child == 0:
        try:
            print(model.predict(record))
        except edge_infer.EdgeInferError as error:
            print(error)
            print(edge_infer.load(sys.argv[1]).predict(record))
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert model.predict(record) == "Gentoo"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(("threads", "says"), [(1, "Gentoo"), (2, "threads do not survive a fork: load it again")])
def test_a_forked_child_predicts_or_says_why_not(threads: int, says: str) -> None:
    program = textwrap.dedent(_FORK.format(record=RECORD))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(PENGUINS), str(threads)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert done.stdout.splitlines()[-1] == "Gentoo"


# --- loading ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["penguins", "penguins-latest", "日本"])
def test_a_bare_name_is_not_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(PENGUINS.read_bytes())
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "home"))
    with pytest.raises((NotInstalledError, UsageError), match=rf"its path is '\./{name}'"):
        edge_infer.load(name)
    assert edge_infer.load(f"./{name}").predict(RECORD) == "Gentoo"
    assert edge_infer.load(Path(name)).predict(RECORD) == "Gentoo"


@pytest.mark.parametrize("source", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_load(source: Callable[[bytes], Any]) -> None:
    assert edge_infer.load(source(PENGUINS.read_bytes())).predict(RECORD) == "Gentoo"


def test_paths_of_any_kind_load() -> None:
    for path in (PENGUINS, str(PENGUINS)):
        model = edge_infer.load(path)
        assert model.predict(RECORD) == "Gentoo"
        assert model.artifact.source == str(PENGUINS)


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.onnx"):
        edge_infer.load(tmp_path / "nothing.onnx")
    with pytest.raises(IsADirectoryError):
        edge_infer.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes of a name")
def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_bytes, DIGITS.read_bytes())
        assert edge_infer.load(pipe).n_features_in_ == 64


@pytest.mark.parametrize("threads", [0, -1, 257, 9999, "2", True, 1.0])
def test_a_number_of_threads_that_makes_no_sense_is_a_usage_error(threads: Any) -> None:
    with pytest.raises(UsageError, match="threads: expected a whole number from 1 to 256, or"):
        edge_infer.load(DIGITS, options=SessionOptions(threads=threads))


@pytest.mark.parametrize("options", [SessionOptions(2), SessionOptions(1, True, True)])
def test_options_do_not_change_answers(options: SessionOptions) -> None:
    original, X = digits()
    with edge_infer.load(DIGITS, options=options) as model:
        np.testing.assert_array_equal(model.predict(X[:50]), original.predict(X[:50]))


def test_the_repr_tells_what_it_is() -> None:
    assert repr(load(PENGUINS)) == "<edge_infer.Model penguins 1.0.0: classification, 6 columns, float32>"


@pytest.mark.parametrize(
    "error", [GraphMismatchError("why", "m.onnx"), RuntimeFitError("why", "m.onnx"), NotAModelError("why")]
)
def test_errors_keep_their_file_between_processes(error: ArtifactError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.reason, again.source, str(again)) == (type(error), "why", error.source, str(error))


# --- the graph's own tensors ------------------------------------------------------------


def foreign_feeds(model: Model, records: list[dict[str, Any]]) -> dict[str, Any]:
    """The tensors as FORMAT.md tells another host to make them."""
    feeds = {}
    for tensor in model.manifest.inputs.tensors:
        columns = sorted((c for c in model.manifest.inputs.columns if c.tensor == tensor.name), key=lambda c: c.index)
        gap = tensor.missing if tensor.dtype == "string" else np.nan
        cells = [[gap if record[c.name] is None else record[c.name] for c in columns] for record in records]
        feeds[tensor.name] = np.array(cells, dtype=object if tensor.dtype == "string" else tensor.dtype)
    return feeds


def test_a_foreign_hosts_way_gives_the_same_answers() -> None:
    model = load(PENGUINS)
    records = [RECORD | {"sex": sex, "island": island} for sex in ("male", None, "?") for island in ("Dream", None, "")]
    records += penguins()[1].astype(object).where(penguins()[1].notna(), None).to_dict("records")
    answers = model.run(foreign_feeds(model, records))
    np.testing.assert_array_equal(answers["label"], model.predict(records))
    np.testing.assert_array_equal(answers["probabilities"].astype(np.float64), model.predict_proba(records))
    np.testing.assert_array_equal(answers["scores"].astype(np.float64), model.decision_function(records))


def test_run_takes_lists_and_texts_of_numpys_own_type() -> None:
    model = load(PENGUINS)
    feeds = foreign_feeds(model, [RECORD])
    plain = {name: array.tolist() for name, array in feeds.items()}
    plain["numbers"] = np.array(plain["numbers"], dtype=np.float32)
    assert model.run(plain, ["label"])["label"].tolist() == ["Gentoo"]


BAD_FEEDS: dict[str, tuple[dict[str, Any], list[str] | None]] = {
    "none": ({}, None),
    "another name": ({"x": np.zeros((1, 64))}, None),
    "one too many": ({"numbers": np.zeros((1, 64)), "x": np.zeros(1)}, None),
    "another width": ({"numbers": np.zeros((1, 63))}, None),
    "another rank": ({"numbers": np.zeros(64)}, None),
    "another dtype": ({"numbers": np.zeros((1, 64), np.float32)}, None),
    "text": ({"numbers": [["a"] * 64]}, None),
    "an unknown output": ({"numbers": np.zeros((1, 64))}, ["nothing"]),
}


@pytest.mark.parametrize("case", BAD_FEEDS)
def test_feeds_that_do_not_fit_are_an_inference_error(case: str) -> None:
    with pytest.raises(InferenceError, match="onnxruntime"):
        load(DIGITS).run(*BAD_FEEDS[case])


# --- plain ONNX -------------------------------------------------------------------------


def plain(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: tuple[Any, ...] = ()) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def info(name: str, kind: int, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def doubled(kind: int = FLOAT, width: Any = 2, rows: Any = "rows") -> bytes:
    return plain(
        [helper.make_node("Add", ["x", "x"], ["y"])], [info("x", kind, rows, width)], [info("y", kind, rows, width)]
    )


def test_a_plain_file_of_numbers_runs_and_predicts() -> None:
    model = edge_infer.load(doubled())
    assert not model.artifact.described
    assert model.predict([[1.0, 2.0], [3.0, np.nan]]).tolist()[0] == [2.0, 4.0]
    assert model.predict({"x0": 1.0, "x1": np.inf}).tolist() == [2.0, np.inf]
    assert model.predict([1, 2]).dtype == np.float32
    assert model.run({"x": np.ones((1, 2), np.float32)})["y"].tolist() == [[2.0, 2.0]]
    assert [c.status for c in edge_infer.verify(doubled())][-2:] == ["not checked", "not checked"]


def test_a_plain_file_of_whole_numbers_does_not_cut_fractions_off() -> None:
    model = edge_infer.load(doubled(INT64))
    assert model.predict([[2**60, 3]]).tolist() == [[2**61, 6]]
    assert model.predict(np.array([[1.0, 2.0]])).tolist() == [[2, 4]]
    for data in ([[1.5, 2]], np.array([[1.5, 2.0]]), np.array([[np.nan, 2.0]]), {"x0": 1.5, "x1": 1}):
        with pytest.raises(InputError, match="x0"):
            model.predict(data)


def test_plain_inputs_whose_columns_would_share_a_name_are_told_apart() -> None:
    add = helper.make_node("Add", ["x", "x1"], ["y"])
    data = plain([add], [info("x", FLOAT, "n", 12), info("x1", FLOAT, "n", 1)], [info("y", FLOAT, "n", 12)])
    names = edge_infer.load(data).feature_names_in_.tolist()
    assert len(names) == len(set(names)) == 13


@pytest.mark.parametrize("width", [2**40, 2**62, 100_001, 0, "columns", None])
def test_a_plain_file_of_an_unusable_width_still_loads_to_run(width: Any) -> None:
    model = edge_infer.load(doubled(width=width))
    assert model.n_features_in_ == 0
    with pytest.raises(MethodError, match=r"no predict: a plain ONNX file says too little .* run\(\)"):
        _ = model.predict


def test_a_plain_file_of_images_or_text_runs() -> None:
    image = plain(
        [helper.make_node("Relu", ["x"], ["y"])], [info("x", FLOAT, "n", 3, 8, 8)], [info("y", FLOAT, "n", 3, 8, 8)]
    )
    assert edge_infer.load(image).run({"x": -np.ones((1, 3, 8, 8), np.float32)})["y"].max() == 0
    text = plain([helper.make_node("Identity", ["x"], ["y"])], [info("x", STRING, "n", 1)], [info("y", STRING, "n", 1)])
    model = edge_infer.load(text)
    assert not hasattr(model, "predict")
    assert model.run({"x": np.array([["ü"]], dtype=object)})["y"].tolist() == [["ü"]]


def test_a_plain_file_whose_answer_has_another_shape_than_it_says_is_a_typed_error() -> None:
    total = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    data = plain([total], [info("x", FLOAT, "n", 2)], [info("y", FLOAT, "n")])
    with pytest.raises(EdgeInferError):
        edge_infer.load(data).predict([[1.0, 2.0], [3.0, 4.0]])


def test_a_sample_without_its_metadata_is_a_plain_file() -> None:
    model = onnx.load(DIGITS)
    del model.metadata_props[:]
    original, X = digits()
    stripped = edge_infer.load(model.SerializeToString())
    np.testing.assert_array_equal(stripped.predict(X[:30]), original.predict(X[:30]))
