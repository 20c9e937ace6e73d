"""Ensembles of trees in parts: the same answers, read and written as bytes; and what cannot be split stays as it is."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier, LGBMRegressor
from onnx import numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

import edge_infer
from edge_infer import SessionOptions
from edge_infer.errors import ArtifactError
from edge_infer.session import Session
from edge_infer.split_trees import split_trees
from edge_infer.tensors import Batch
from edge_infer.varints import read_varints, varints
from edge_infer.wire_out import message
from edge_infer_convert import convert, parity
from edge_infer_convert.conversion import Conversion

RNG = np.random.default_rng(0)
X = np.round(RNG.normal(0, 5, (1200, 6)), 3)
Y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + RNG.normal(0, 0.5, 1200)
LABELS = (Y > 0).astype(int) + (Y > 8)
MODELS: dict[str, Any] = {
    "votes": RandomForestClassifier(30, bootstrap=False, random_state=0).fit(X, LABELS),
    "shares": RandomForestClassifier(30, min_samples_leaf=3, random_state=0).fit(X, LABELS),
    "averages": RandomForestRegressor(30, random_state=0).fit(X, Y),
    "one leaf among trees": ExtraTreesRegressor(30, max_leaf_nodes=2, min_samples_split=1199, random_state=0).fit(X, Y),
    "boosting": GradientBoostingClassifier(n_estimators=60, random_state=0).fit(X, LABELS > 0),
    "lightgbm": LGBMRegressor(n_estimators=60, random_state=0, n_jobs=1, verbose=-1).fit(X, Y),
    "isolation": IsolationForest(n_estimators=30, random_state=0).fit(X),
}


@cache
def converted(name: str) -> Conversion:
    return convert(MODELS[name], data=X[:300], name="trees")


def run(model: bytes, rows: Any) -> dict[str, Any]:
    session = Session(model)
    (name,) = session.inputs
    names = list(session.outputs)
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64}[session.inputs[name][0]]
    return dict(zip(names, session.run(names, {name: rows.astype(dtype)}), strict=True))


@pytest.mark.parametrize("part", [1, 7, 20])
@pytest.mark.parametrize("name", MODELS)
def test_parts_add_up_to_the_whole(name: str, part: int) -> None:
    data = converted(name).data
    split = split_trees(data, least=2, part=part)
    assert split is not None
    model = onnx.load_from_string(split)
    onnx.checker.check_model(model)
    assert sum(node.op_type == "TreeEnsemble" for node in model.graph.node) > 1
    rows = np.concatenate([X, X * 50, np.zeros((1, 6))])
    wanted, got = run(data, rows), run(split, rows)
    for output, values in wanted.items():
        if name == "votes" or values.dtype.kind != "f":
            np.testing.assert_array_equal(got[output], values, err_msg=output)
        else:
            np.testing.assert_allclose(got[output], values, rtol=1e-6 if values.dtype == np.float32 else 1e-12)


def test_trees_and_leaves_are_the_same_ones() -> None:
    (whole,) = _ensembles(converted("lightgbm").data)
    parts = _ensembles(split_trees(converted("lightgbm").data, least=2, part=100) or b"")
    for name in ("nodes_splits", "nodes_featureids", "nodes_missing_value_tracks_true"):
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), whole[name])
    assert sum(len(part["tree_roots"]) for part in parts) == len(whole["tree_roots"])
    assert max(len(part["nodes_splits"]) for part in parts) < 200


def _ensembles(data: bytes) -> list[dict[str, Any]]:
    nodes = [node for node in onnx.load_from_string(data).graph.node if node.op_type == "TreeEnsemble"]
    return [
        {a.name: numpy_helper.to_array(a.t) if a.HasField("t") else np.array(a.ints) for a in node.attribute}
        for node in nodes
    ]


def test_small_ensembles_and_graphs_without_trees_are_left_alone() -> None:
    data = converted("lightgbm").data
    branches = len(_ensembles(data)[0]["nodes_splits"])
    assert split_trees(data, least=branches + 1) is None
    assert split_trees(data, least=branches, part=branches) is None, "one part is the whole"
    assert split_trees(data, least=branches, part=branches // 3) is not None
    no_trees = [node for node in onnx.load_from_string(data).graph.node if node.op_type != "TreeEnsemble"]
    bare = onnx.load_from_string(data)
    del bare.graph.node[:]
    bare.graph.node.extend(no_trees)
    assert split_trees(bare.SerializeToString(), least=2) is None


def test_branches_on_sets_are_left_alone() -> None:
    coded = X.copy()
    coded[:, 0] = RNG.integers(0, 9, len(X))
    model = LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1, min_child_samples=5, max_cat_to_onehot=1)
    model.fit(coded, np.isin(coded[:, 0], (1, 4, 7)), categorical_feature=[0])
    data = convert(model, data=coded[:300], name="sets").data
    modes = {mode for ensemble in _ensembles(data) for mode in ensemble["nodes_modes"].tolist()}
    assert 6 in modes
    assert split_trees(data, least=2, part=20) is None


def _damaged(change: Any) -> bytes:
    model = onnx.load_from_string(converted("votes").data)
    node = next(node for node in model.graph.node if node.op_type == "TreeEnsemble")
    change({attribute.name: attribute for attribute in node.attribute})
    return bytes(model.SerializeToString())


def _set(name: str, value: int, place: int = 3) -> Any:
    def change(attributes: dict[str, Any]) -> None:
        attributes[name].ints[place] = value

    return change


def _share_a_leaf(attributes: dict[str, Any]) -> None:
    """The last branch with a leaf is given the first leaf, of another tree."""
    leaves = attributes["nodes_falseleafs"].ints
    last = max(place for place, leaf in enumerate(leaves) if leaf)
    attributes["nodes_falsenodeids"].ints[last] = 1


def _modes(attributes: dict[str, Any], last: int) -> onnx.TensorProto:
    modes = numpy_helper.to_array(attributes["nodes_modes"].t).copy()
    modes[-1] = last
    return numpy_helper.from_array(modes)


HOSTILE: dict[str, Any] = {
    "a child that is its own parent": _set("nodes_falsenodeids", 0, 0),
    "a child beyond the end": _set("nodes_truenodeids", 10**9),
    "a child below 0": _set("nodes_truenodeids", -(10**9)),
    "a root beyond the end": _set("tree_roots", 10**9),
    "two trees of one root": _set("tree_roots", 0),
    "too few modes": lambda a: a["nodes_modes"].t.CopyFrom(numpy_helper.from_array(np.zeros(2, np.uint8))),
    "too few leaves": lambda a: a["leaf_targetids"].ints.pop(),
    "a number in place of a list": lambda a: a["nodes_featureids"].ClearField("ints"),
    "no leaves": lambda a: a["leaf_targetids"].ClearField("ints"),
    "a leaf of two trees": _share_a_leaf,
    "no number of targets": lambda a: a["n_targets"].ClearField("i"),
    "a comparison that is not known": lambda a: a["nodes_modes"].t.CopyFrom(_modes(a, 9)),
    "modes as text": lambda a: a["nodes_modes"].t.CopyFrom(numpy_helper.from_array(np.array(["x"], dtype=object))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_ensembles_that_make_no_sense_are_left_to_onnxruntime(name: str) -> None:
    assert split_trees(_damaged(HOSTILE[name]), least=2, part=50) is None
    assert split_trees(_damaged(lambda attributes: None), least=2, part=50) is not None


@settings(max_examples=200)
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_a_flipped_byte_never_hangs_or_crashes(place: int, flip: int) -> None:
    data = bytearray(converted("boosting").data)
    data[place % len(data)] ^= flip
    with suppress(ArtifactError):  # no protobuf any more, which the scanner tells before
        split_trees(bytes(data), least=2, part=50)


@given(st.lists(st.integers(0, 2**63 - 1)))
def test_lists_of_whole_numbers_come_back(values: list[int]) -> None:
    assert read_varints(varints(np.array(values, np.int64))).tolist() == values


@pytest.mark.parametrize("data", [b"\x80", b"\x01\xff\xff", b"\xff" * 11 + b"\x01"])
def test_a_list_of_whole_numbers_that_is_cut_off_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|longer"):
        read_varints(data)


GAP = {"numbers": np.array([[np.nan]])}
ROUTES = "nodes_missing_value_tracks_true"


def test_where_no_number_is_missing_no_branch_looks_for_nan() -> None:
    """LightGBM sends NaN where it would send 0, so half of its branches have a route."""
    data = converted("lightgbm").data
    usual, bare = (_ensembles(split_trees(data, gaps=gaps, least=2, part=100) or b"") for gaps in (True, False))
    assert all(len(part[ROUTES]) for part in usual)
    assert not any(ROUTES in part for part in bare)
    split = split_trees(data, gaps=False, least=2, part=100)
    np.testing.assert_allclose(run(split or b"", X)["prediction"], run(data, X)["prediction"], rtol=1e-12)


def test_routes_stay_where_a_node_before_the_trees_can_make_nan() -> None:
    """The square root of a number below 0, where no cell of the row is missing."""
    scaled = make_pipeline(FunctionTransformer(np.sqrt), LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1))
    with np.errstate(invalid="ignore"):
        data = convert(scaled.fit(X, LABELS > 0), data=X[:300], name="roots").data
        wanted = scaled.predict(X)
    parts = split_trees(data, gaps=False, least=2, part=50)
    assert parts is not None
    assert all(ROUTES in part for part in _ensembles(parts))
    np.testing.assert_array_equal(run(parts, X)["label"], wanted)


def test_routes_stay_where_a_table_before_the_trees_holds_nan() -> None:
    """A missing text, where no number of the row is missing."""
    gap = RNG.random(1200)
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(t=RNG.choice(["x", "y", "z"], 1200))
    frame = frame.assign(t=frame["t"].where(gap < 0.8, None), a=frame["a"].where(gap > 0.1))
    target = np.where(frame["t"].isna(), 5, 0) + frame["b"] + RNG.normal(0, 0.3, 1200)
    encode = make_column_transformer((OrdinalEncoder(), ["t"]), remainder="passthrough")
    model = make_pipeline(encode, HistGradientBoostingRegressor(max_iter=400, max_leaf_nodes=31, random_state=0))
    model.fit(frame, target)
    loaded = edge_infer.load(convert(model, data=frame, name="table").data)
    assert loaded.manifest.splits
    for rows in (frame[frame["a"].notna()], frame):
        np.testing.assert_allclose(loaded.predict(rows), model.predict(rows), rtol=1e-5, atol=1e-6)


def test_names_of_the_parts_are_free_ones() -> None:
    model = onnx.load_from_string(converted("lightgbm").data)
    rename = {model.graph.output[0].name: "split0_0"}
    for node in model.graph.node:
        node.output[:] = [rename.get(name, name) for name in node.output]
    model.graph.output[0].name = "split0_0"
    split = split_trees(model.SerializeToString(), least=2, part=50)
    onnx.checker.check_model(onnx.load_from_string(split or b""))
    wanted, got = (run(data, X)["split0_0"] for data in (model.SerializeToString(), split or b""))
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_a_list_that_is_written_in_an_odd_way_leaves_the_ensemble_as_it_is() -> None:
    """Protobuf reads it: the tag of the last root takes two bytes, where one is usual."""
    usual = onnx.load_from_string(converted("lightgbm").data)
    bare = onnx.load_from_string(converted("lightgbm").data)
    del bare.graph.node[:]
    graph = bare.graph.SerializeToString() + b"".join(message(1, _odd_roots(node)) for node in usual.graph.node)
    bare.ClearField("graph")
    odd = bare.SerializeToString() + message(7, graph)
    assert onnx.load_from_string(odd) == onnx.load_from_string(converted("lightgbm").data)
    assert split_trees(odd, least=2, part=50) is None


def _odd_roots(node: onnx.NodeProto) -> bytes:
    attributes = list(node.attribute)
    bare = onnx.NodeProto()
    bare.CopyFrom(node)
    del bare.attribute[:]
    written = []
    for attribute in attributes:
        last = attribute.ints.pop() if attribute.name == "tree_roots" else None
        odd = b"" if last is None else b"\xc0\x00" + varints(np.array([last]))
        written.append(message(5, attribute.SerializeToString() + odd))
    return bytes(bare.SerializeToString()) + b"".join(written)


# --- when a model runs in parts -----------------------------------------------------------


@cache
def large() -> tuple[Any, Conversion]:
    model = RandomForestClassifier(200, random_state=0).fit(X, (X[:, 0] * X[:, 1] > RNG.normal(0, 5, 1200)))
    return model, convert(model, data=X[:300], name="large")


def test_many_rows_of_a_large_ensemble_run_in_parts_and_few_do_not() -> None:
    model, conversion = large()
    assert conversion.manifest.splits
    loaded = edge_infer.load(conversion.data, options=SessionOptions(split_rows=500))
    wanted = model.predict_proba(X)
    for rows, opened in ((1, False), (499, False), (500, True), (999, False), (1000, True), (1200, False)):
        before = len(loaded._graphs._in_parts)
        np.testing.assert_allclose(loaded.predict_proba(X[:rows]), wanted[:rows], rtol=0, atol=1e-6)
        assert (len(loaded._graphs._in_parts) > before) == opened, rows
    never = edge_infer.load(conversion.data, options=SessionOptions(split_rows=0))
    np.testing.assert_array_equal(never.predict(X), model.predict(X))
    assert not never._graphs._in_parts


def test_rows_with_and_without_gaps_answer_alike_in_parts() -> None:
    model = LGBMRegressor(n_estimators=400, num_leaves=31, random_state=0, n_jobs=1, verbose=-1).fit(X, Y)
    gaps = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
    loaded = edge_infer.load(convert(model, data=X[:300], name="gaps").data)
    assert loaded.manifest.splits
    for rows in (X, gaps, X[:999], gaps[:999], X[:99], gaps[:99]):
        np.testing.assert_allclose(loaded.predict(rows), model.predict(rows), rtol=1e-6)
    assert {(form.gaps, form.many) for _, form in loaded._graphs._in_parts} == set(product((True, False), repeat=2))
    assert len(set(loaded._graphs._in_parts.values())) == 4


def test_where_no_branch_tells_where_nan_goes_one_session_serves_rows_with_gaps_and_without() -> None:
    model = onnx.load_from_string(large()[1].data)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == ROUTES:
                attribute.ints[:] = [0] * len(attribute.ints)
    graphs = edge_infer.load(model.SerializeToString())._graphs
    batch = Batch({}, 2000, single=False, full=True)
    wanted = frozenset(["probabilities"])
    assert graphs.for_batch(batch, wanted) is graphs.for_batch(batch._replace(full=False, feeds=GAP), wanted)
    assert graphs.for_batch(batch, wanted) is not graphs.for_batch(batch._replace(rows=200), wanted)


def test_small_models_do_not_say_that_they_split() -> None:
    assert not converted("boosting").manifest.splits


def test_the_gate_decides_whether_parts_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no room for rounding, sums in another order do not hold."""
    monkeypatch.setattr(parity, "_SURE_IN_PARTS", 0.0)
    model = LGBMRegressor(n_estimators=400, num_leaves=31, random_state=0, n_jobs=1, verbose=-1).fit(X, Y)
    conversion = convert(model, data=X[:300], name="strict")
    assert not conversion.manifest.splits
    loaded = edge_infer.load(conversion.data, options=SessionOptions(split_rows=1))
    loaded.predict(X)
    assert not loaded._graphs._in_parts


def test_verification_replays_the_golden_rows_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    _, conversion = large()
    goldens = next(check for check in edge_infer.verify(conversion.data) if check.name == "goldens")
    assert goldens.status == "ok"
    monkeypatch.setattr("edge_infer.split_trees.split_trees", _doubled)
    goldens = next(check for check in edge_infer.verify(conversion.data) if check.name == "goldens")
    assert goldens.status == "failed"
    assert "with trees in parts" in goldens.detail


def _doubled(data: bytes, *, gaps: bool, part: int) -> bytes:
    """Parts whose sums are wrong: the leaves' weights doubled."""
    model = onnx.load_from_string(split_trees(data, gaps=gaps, part=part) or b"")
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "leaf_weights":
                weights = numpy_helper.to_array(attribute.t)
                attribute.t.CopyFrom(numpy_helper.from_array(weights * 2))
    return bytes(model.SerializeToString())
