"""CatBoost, read from its own JSON (https://catboost.ai/docs/en/concepts/json_model).

It compares float32 features with float32 borders (x > border) and adds float64 leaves; so do the nodes written here.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import catboost
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.boosters.reading import read_once
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import first_largest, flat, sigmoid, two_columns
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.tree_ensemble import (
    LEAF,
    LEQ,
    Trees,
    casted,
    computing_in,
    joined,
    tree_sums,
    vector_sums,
)

__all__ = ["category_codes", "feature_names", "from_file", "split_points"]

_CATEGORICAL: Final = (
    "categorical features (cat_features) are kept by CatBoost as hashes and counts only, from which a text cannot be "
    "found again; encode them before it (OrdinalEncoder, OneHotEncoder, TargetEncoder) and train without cat_features"
)


class _Model(NamedTuple):
    """`leaves`: a row for each leaf in node order, a column for each output."""

    trees: Trees
    leaves: NDArray[np.float64]
    scale: float
    bias: NDArray[np.float64]
    loss: str


class _Split(NamedTuple):
    """x[feature] > border; `missing`: what a NaN counts as."""

    feature: int
    border: float
    missing: bool


@operator(catboost.CatBoostRegressor)
def catboost_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """By CatBoostRegressor.predict: exp for Poisson and Tweedie, mean and variance for RMSEWithUncertainty."""
    with computing_in(builder, "float64"):
        read = _read(model)
        raw = _raw(builder, read, reads)
        kind = model._get_default_prediction_type()
        if kind == "Exponent":
            raw = builder.node("Exp", raw)
        elif kind == "RMSEWithUncertainty":
            variance = builder.node("Exp", builder.node("Add", raw, raw))
            raw = builder.node("Where", builder.constant([False, True], np.bool_), variance, raw)
    return {"predict": [casted(builder, raw)]}


@operator(catboost.CatBoostRanker, catboost.CatBoost)
def catboost_raw(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The raw sums."""
    with computing_in(builder, "float64"):
        raw = _raw(builder, _read(model), reads)
    return {"predict": [casted(builder, raw)]}


@operator(catboost.CatBoostClassifier)
def catboost_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Two classes: the probability above the threshold; more: the first largest; labels: each by itself."""
    with computing_in(builder, "float64"):
        read = _read(model)
        raw = _raw(builder, read, reads)
        several = read.loss in ("MultiLogloss", "MultiCrossEntropy")
        if len(read.bias) == 1:
            answers = _two_classes(builder, model, raw)
        elif several:
            above = builder.node("Greater", raw, builder.constant(0.0))
            answers = builder.node("Cast", above, to=TensorProto.INT64), sigmoid(builder, raw)
        else:
            each = read.loss == "MultiClassOneVsAll"
            probabilities = sigmoid(builder, raw) if each else builder.node("Softmax", raw, axis=1)
            answers = _labels(builder, model, first_largest(builder, raw)), probabilities
    return {"predict": [answers[0]], "predict_proba": [casted(builder, answers[1])]}


def _two_classes(builder: GraphBuilder, model: Any, raw: str) -> tuple[str, str]:
    share = model.get_probability_threshold()
    border = 0.0 if share is None else float(np.log(share / (1.0 - share)))
    above = builder.node("Greater", flat(builder, raw), builder.constant(border))
    return builder.node("Cast", above, to=TensorProto.INT64), two_columns(builder, sigmoid(builder, raw))


def _labels(builder: GraphBuilder, model: Any, positions: str) -> str:
    """CatBoost gives a column of labels for more than two classes. [rows, 1]"""
    labels = np.asarray(model.classes_)
    table = builder.constant(labels.tolist(), object if labels.dtype.kind in "OU" else labels.dtype)
    picked = builder.node("Gather", table, positions, axis=0)
    return builder.node("Reshape", picked, builder.constant([-1, 1], np.int64))


def _raw(builder: GraphBuilder, model: _Model, reads: str) -> str:
    """scale · Σ leaves + bias, [rows, outputs]; features are rounded to float32 first."""
    rounded = builder.node("Cast", reads, to=TensorProto.FLOAT)
    x = casted(builder, rounded)
    if model.leaves.shape[1] == 1:
        total = tree_sums(builder, model.trees, x, 1)
    else:
        total = vector_sums(builder, model.trees, model.leaves, x, np.zeros(model.leaves.shape[1]))
    if model.scale != 1:
        total = builder.node("Mul", total, builder.constant(model.scale))
    return builder.node("Add", total, builder.constant(model.bias)) if model.bias.any() else total


# --- reading ----------------------------------------------------------------------------


def _dump(model: Any) -> dict[str, Any]:
    """CatBoost writes JSON to files only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        dumped: dict[str, Any] = json.loads(path.read_text())
    return dumped


@read_once
def _read(model: Any) -> _Model:
    dumped = _dump(model)
    info = dumped["features_info"]
    others = sorted(set(info) - {"float_features", "categorical_features", "ctrs"})
    if info.get("categorical_features") or info.get("ctrs"):
        raise UnsupportedModelError(_CATEGORICAL)
    if others:
        raise UnsupportedModelError(
            f"{', '.join(others)} of CatBoost cannot be expressed; make numbers of them before it"
        )
    floats = info.get("float_features", [])
    places = {own["feature_index"]: own["flat_feature_index"] for own in floats}
    as_true = {own["feature_index"] for own in floats if own.get("nan_value_treatment") == "AsTrue"}

    def split(own: dict[str, Any]) -> _Split:
        feature = own["float_feature_index"]
        return _Split(places[feature], own["border"], feature in as_true)

    scale, bias = dumped["scale_and_bias"]
    start = np.asarray(bias, np.float64).reshape(-1)
    if "oblivious_trees" in dumped:
        parts = [_oblivious(tree, split, len(start)) for tree in dumped["oblivious_trees"]]
    else:
        parts = [_branching(tree, split, len(start)) for tree in dumped["trees"]]
    loss = dumped["model_info"].get("params", {}).get("loss_function", {}).get("type", "")
    trees, leaves = joined([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    return _Model(trees, leaves, float(scale), start, loss)


def _oblivious(
    tree: dict[str, Any], split: Callable[[dict[str, Any]], _Split], outputs: int
) -> tuple[Trees, NDArray[np.float64]]:
    """One split a level; bit i of a leaf's number tells whether split i holds. The last split stands at the root."""
    splits = [split(own) for own in tree["splits"] or []][::-1]
    depth = len(splits)
    inner = 2**depth - 1
    level = np.repeat(np.arange(depth), 2 ** np.arange(depth))  # of each inner node; children of i: 2i + 1, 2i + 2
    children = 2 * np.arange(inner) + 1
    leaves = np.asarray(tree["leaf_values"], np.float64).reshape(-1, outputs)

    def by_node(values: list[Any], dtype: Any) -> NDArray[Any]:
        own = np.asarray(values, dtype)[level] if depth else np.zeros(0, dtype)
        return np.concatenate([own, np.zeros(inner + 1, dtype)])

    nodes = _Nodes(
        feature=by_node([own.feature for own in splits], np.int64),
        border=by_node([own.border for own in splits], np.float64),
        missing=by_node([own.missing for own in splits], bool),
        leaf=np.arange(2 * inner + 1) >= inner,
        low=np.concatenate([children, np.zeros(inner + 1, np.int64)]),
        high=np.concatenate([children + 1, np.zeros(inner + 1, np.int64)]),
    )
    return _as_trees(nodes, leaves), leaves


class _Nodes(NamedTuple):
    """One tree: x > border goes to `high`, else to `low`."""

    feature: NDArray[np.int64]
    border: NDArray[np.float64]
    missing: NDArray[np.bool_]
    leaf: NDArray[np.bool_]
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def _as_trees(nodes: _Nodes, leaves: NDArray[np.float64]) -> Trees:
    value = np.zeros(len(nodes.leaf))
    value[nodes.leaf] = leaves[:, 0]
    return Trees(
        roots=np.zeros(1, np.int64),
        feature=nodes.feature,
        mode=np.where(nodes.leaf, LEAF, LEQ).astype(np.uint8),
        threshold=nodes.border,
        yes=nodes.low,
        no=nodes.high,
        missing_yes=~nodes.missing & ~nodes.leaf,
        target=np.zeros(len(nodes.leaf), np.int64),
        value=value,
    )


def _branching(
    tree: dict[str, Any], split: Callable[[dict[str, Any]], _Split], outputs: int
) -> tuple[Trees, NDArray[np.float64]]:
    """Lossguide and Depthwise: each node has its own split."""
    order = [tree]
    children = []
    for node in order:  # grows while it is walked
        branches = "left" in node
        children.append((len(order), len(order) + 1) if branches else (0, 0))
        order += [node["left"], node["right"]] if branches else []
    splits = [split(node["split"]) if "left" in node else _Split(0, 0.0, False) for node in order]
    low, high = np.asarray(children, np.int64).T
    nodes = _Nodes(
        feature=np.asarray([own.feature for own in splits], np.int64),
        border=np.asarray([own.border for own in splits], np.float64),
        missing=np.asarray([own.missing for own in splits], bool),
        leaf=np.asarray(["left" not in node for node in order]),
        low=low,
        high=high,
    )
    values = [np.reshape(node["value"], outputs) for node in order if "left" not in node]
    leaves = np.asarray(values, np.float64)
    return _as_trees(nodes, leaves), leaves


# --- what other stages ask --------------------------------------------------------------


def category_codes(model: Any) -> None:
    """None: models with categorical features are refused."""
    if model.get_cat_feature_indices():
        raise UnsupportedModelError(_CATEGORICAL)


def feature_names(model: Any) -> list[str] | None:
    """The columns' names where the model was trained on a table that had some."""
    names = list(model.feature_names_ or [])
    return None if names == [str(i) for i in range(len(names))] else names


def split_points(model: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Feature and border of every split."""
    trees = _read(model).trees
    return trees.feature[trees.mode == LEQ], trees.threshold[trees.mode == LEQ]


def from_file(path: Any) -> Any:
    """The model in a .cbm or .json file: a classifier where it has class labels, else a regressor."""
    kind = "json" if Path(path).suffix.lower() == ".json" else "cbm"
    if kind == "json":
        json.loads(Path(path).read_bytes())  # of a torn file, CatBoost takes what there is
    model = catboost.CatBoostClassifier().load_model(str(path), format=kind)
    if not len(model.classes_):
        model = catboost.CatBoostRegressor().load_model(str(path), format=kind)
    model._n_features_in = len(model.feature_names_)  # load_model of 1.2.10 leaves it 0
    return model
