"""The structural proof: the graph's trees are the fitted trees, and a change of any part of a node is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from onnx import ModelProto, NodeProto, numpy_helper
from sklearn.base import clone
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomTreesEmbedding,
    VotingClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier

from edge_infer.errors import ParityError
from edge_infer_convert.graph.assemble import Assembled, assemble
from edge_infer_convert.schema import make_schema
from edge_infer_convert.structural_proof import prove_trees
from tests.convert.operators.drawn import blobs

X, Y = blobs(11)
X[::7, 1] = np.nan
FULL = np.nan_to_num(X)
FORESTS = {
    "one tree": DecisionTreeClassifier(max_depth=4),
    "one leaf": DecisionTreeClassifier(max_depth=4, min_samples_split=1000),
    "one regressor": DecisionTreeRegressor(max_depth=4),
    "shares": RandomForestClassifier(6, max_depth=3, random_state=0),
    "votes": RandomForestClassifier(6, random_state=0),
    "numbers": ExtraTreesRegressor(6, max_depth=4, random_state=0),
    "one leaf among trees": RandomForestClassifier(4, max_leaf_nodes=2, min_samples_split=55, random_state=0),
    "isolation, some features": IsolationForest(n_estimators=5, max_features=2, random_state=0),
}
NO_GAPS = {
    "boosted": GradientBoostingClassifier(n_estimators=3, random_state=0),
    "votes of stumps": AdaBoostClassifier(n_estimators=4, random_state=0),
    "median": AdaBoostRegressor(n_estimators=4, random_state=0),
    "embedding": RandomTreesEmbedding(4, max_depth=2, random_state=0),
    "behind a scaler": make_pipeline(StandardScaler(), RandomForestClassifier(4, max_depth=3, random_state=0)),
    "in a vote": VotingClassifier([("a", DecisionTreeClassifier()), ("b", RandomForestClassifier(3))], voting="soft"),
}


def _assembled(estimator: Any, data: Any, precision: str = "float32") -> Assembled:
    return assemble(make_schema(estimator.fit(data, Y), data), precision)


def _fitted(estimator: Any) -> list[Any]:
    inner = estimator[-1] if hasattr(estimator, "steps") else estimator
    members = getattr(inner, "estimators_", [inner])
    if isinstance(members, np.ndarray):
        members = members.ravel().tolist()
    return [tree for member in members for tree in ([member.tree_] if hasattr(member, "tree_") else _fitted(member))]


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", [*FORESTS, *NO_GAPS])
def test_every_node_of_a_fitted_model_is_found_in_its_graph(name: str, precision: str) -> None:
    estimator, data = (FORESTS[name], X) if name in FORESTS else (NO_GAPS[name], FULL)
    assembled = _assembled(estimator, data, precision)
    trees = _fitted(estimator)
    proof = prove_trees(assembled.model.SerializeToString(), assembled.builder, assembled.ensembles)
    assert proof == (len(trees), sum(tree.node_count for tree in trees))


def _codes(seed: int) -> Any:
    """Numbers with gaps beside a column of category codes."""
    codes = np.random.default_rng(seed).integers(0, 9, len(X))
    return np.column_stack([X, codes]), (np.nan_to_num(X[:, 0]) > 0) ^ (codes % 3 == 0)


def _hist_nodes(model: Any) -> tuple[int, int]:
    trees = [tree for each in model._predictors for tree in each]
    return len(trees), sum(len(tree.nodes) for tree in trees)


def _xgboost_nodes(model: Any) -> tuple[int, int]:
    table = model.get_booster().trees_to_dataframe()
    return table["Tree"].nunique(), len(table)


def _lightgbm_nodes(model: Any) -> tuple[int, int]:
    leaves = [tree["num_leaves"] for tree in model.booster_.dump_model()["tree_info"]]
    return len(leaves), sum(2 * count - 1 for count in leaves)


def _catboost_nodes(model: Any) -> tuple[int, int]:
    leaves = np.array(model.get_tree_leaf_counts())
    return len(leaves), int((2 * leaves - 1).sum())


BOOSTERS: dict[str, tuple[Any, Callable[[Any], tuple[int, int]]]] = {
    "hist": (HistGradientBoostingClassifier(max_iter=4, categorical_features=[3], min_samples_leaf=4), _hist_nodes),
    "hist, 3 classes": (HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=4), _hist_nodes),
    "xgboost": (XGBClassifier(n_estimators=4, max_depth=3), _xgboost_nodes),
    "lightgbm": (LGBMClassifier(n_estimators=4, min_child_samples=3, verbose=-1), _lightgbm_nodes),
    "catboost": (CatBoostClassifier(iterations=4, depth=3, verbose=0, allow_writing_files=False), _catboost_nodes),
}


def _boosted(name: str, precision: str = "float64") -> tuple[Any, Assembled]:
    data, y = _codes(5)
    model = clone(BOOSTERS[name][0]).fit(data, Y if "3 classes" in name else y.astype(int))
    return model, assemble(make_schema(model, data), precision)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", BOOSTERS)
def test_every_node_that_a_booster_counts_is_found_in_its_graph(name: str, precision: str) -> None:
    model, assembled = _boosted(name, precision)
    assert prove_trees(assembled.model, assembled.builder, assembled.ensembles) == BOOSTERS[name][1](model)


BOOSTER_DAMAGE = {
    "feature": ("nodes_featureids", lambda feature: (feature + 1) % 3),
    "route of NaN": ("nodes_missing_value_tracks_true", lambda route: 1 - route),
    "sum of the leaf": ("leaf_targetids", lambda target: target + 1),
}


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("part", [*BOOSTER_DAMAGE, "threshold", "value of the leaf", "comparison"])
def test_a_change_of_a_boosters_node_is_found_and_named(part: str, name: str) -> None:
    assembled = _boosted(name)[1]
    starts = len(next(iter(assembled.builder.claims.values())).start)
    node, leaf = starts + 1, -starts - 2  # the first branches and last leaves only begin the sums
    if part in BOOSTER_DAMAGE:
        attribute, change = BOOSTER_DAMAGE[part]
        _ints(attribute, leaf if part == "sum of the leaf" else node, change)(assembled.model)
    else:
        attribute = {"threshold": "nodes_splits", "comparison": "nodes_modes"}.get(part, "leaf_weights")
        _tensor(attribute, leaf if part == "value of the leaf" else node, lambda value: value + 1)(assembled.model)
    with pytest.raises(ParityError, match=f"tree [0-9]+, node [0-9]+: {part}"):
        prove_trees(assembled.model, assembled.builder)


def test_a_change_of_a_set_of_categories_is_found() -> None:
    assembled = _boosted("hist")[1]
    _tensor("membership_values", 0, lambda code: code + 40)(assembled.model)
    with pytest.raises(ParityError, match="set of categories"):
        prove_trees(assembled.model, assembled.builder)


def test_trees_in_several_operators_are_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_infer_convert.operators.trees._PART_NODES", 20)
    for name in ("shares", "votes", "numbers"):
        assembled = _assembled(FORESTS[name], X)
        trees = _fitted(FORESTS[name])
        assert prove_trees(assembled.model, assembled.builder, assembled.ensembles)[:2] == (
            6,
            sum(tree.node_count for tree in trees),
        )
        assert name == "numbers" or len(assembled.builder.ensembles) > 1


def _ensemble(model: ModelProto) -> NodeProto:
    return next(node for node in model.graph.node if node.op_type == "TreeEnsemble")


def _ints(name: str, place: int, change: Callable[[int], int]) -> Callable[[ModelProto], None]:
    def damage(model: ModelProto) -> None:
        ints = next(a for a in _ensemble(model).attribute if a.name == name).ints
        ints[place] = change(ints[place])

    return damage


def _tensor(name: str, place: int, change: Callable[[Any], Any]) -> Callable[[ModelProto], None]:
    def damage(model: ModelProto) -> None:
        attribute = next(a for a in _ensemble(model).attribute if a.name == name)
        values = numpy_helper.to_array(attribute.t).copy()
        values[place] = change(values[place])
        attribute.t.CopyFrom(numpy_helper.from_array(values))

    return damage


def _swapped_children(model: ModelProto) -> None:
    attributes = {a.name: a for a in _ensemble(model).attribute}
    for yes, no in (("nodes_truenodeids", "nodes_falsenodeids"), ("nodes_trueleafs", "nodes_falseleafs")):
        a, b = attributes[yes].ints, attributes[no].ints
        a[1], b[1] = b[1], a[1]


def _table(model: ModelProto) -> None:
    tensor = next(t for t in model.graph.initializer if len(t.dims) == 2)
    values = numpy_helper.to_array(tensor).copy()
    values[3] = np.nextafter(values[3], 2)
    tensor.raw_data = values.tobytes()


DAMAGE = {
    "feature": _ints("nodes_featureids", 2, lambda feature: (feature + 1) % 3),
    "route of NaN": _ints("nodes_missing_value_tracks_true", 3, lambda route: 1 - route),
    "place of the leaf": _ints("leaf_targetids", 4, lambda target: target + 1),
    "threshold": _tensor("nodes_splits", 1, lambda split: np.nextafter(split, np.float32(np.inf))),
    "threshold below": _tensor("nodes_splits", 1, lambda split: np.nextafter(split, np.float32(-np.inf))),
    "comparison": _tensor("nodes_modes", 0, lambda mode: mode + 1),
    "number of the leaf": _tensor("leaf_weights", 2, lambda number: number + 1),
    "": _swapped_children,
    "values of the leaf": _table,
}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("part", DAMAGE)
def test_a_change_of_one_part_is_found_and_named(part: str, precision: str) -> None:
    assembled = _assembled(FORESTS["shares"], X, precision)
    DAMAGE[part](assembled.model)
    with pytest.raises(ParityError, match=f"TreeEnsemble 0: tree [0-9]+, node [0-9]+: {part.partition(' below')[0]}"):
        prove_trees(assembled.model, assembled.builder)


def test_a_missing_tree_is_found() -> None:
    assembled = _assembled(FORESTS["votes"], X)
    roots = next(a for a in _ensemble(assembled.model).attribute if a.name == "tree_roots").ints
    del roots[-1]
    with pytest.raises(ParityError, match="5 trees, the fitted model 6"):
        prove_trees(assembled.model, assembled.builder)


def test_sums_that_begin_elsewhere_are_found() -> None:
    assembled = _assembled(NO_GAPS["boosted"], FULL)
    attributes = {a.name: a for a in _ensemble(assembled.model).attribute}
    start = attributes["nodes_truenodeids"].ints[attributes["tree_roots"].ints[0]]
    _tensor("leaf_weights", start, lambda weight: weight + 1)(assembled.model)
    with pytest.raises(ParityError):
        prove_trees(assembled.model, assembled.builder)


@pytest.mark.parametrize("forest", [*FORESTS.values(), *NO_GAPS.values()], ids=[*FORESTS, *NO_GAPS])
def test_no_root_has_two_children_of_the_same_number(forest: Any) -> None:
    """onnxruntime 1.21 to 1.29 take such a root for a lone leaf, and give wrong sums without a word."""
    attributes = {a.name: a for a in _ensemble(_assembled(forest, FULL).model).attribute}
    for root in attributes["tree_roots"].ints:
        assert attributes["nodes_truenodeids"].ints[root] != attributes["nodes_falsenodeids"].ints[root]
