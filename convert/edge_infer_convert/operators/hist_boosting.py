"""HistGradientBoosting, node by node from its predictors.

It compares float64 features with float64 thresholds (x ≤ t) and adds float64 leaves; so do the nodes written here.
Its own encoder of categories goes before it as a table (`category_codes`), a set of codes is one node.
(skl2onnx 1.20 cannot convert it beside protobuf 7.)
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from edge_infer_convert.boosters.codes import CategoryCodes
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import first_largest, flat, sigmoid, two_columns
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.tree_ensemble import (
    LEAF,
    LEQ,
    MEMBER,
    Trees,
    casted,
    computing_in,
    joined,
    tree_sums,
)

__all__ = ["category_codes", "split_points"]

_LOG_LINKS: Final = ("poisson", "gamma")


@operator(HistGradientBoostingRegressor)
def hist_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The sum of the trees, through exp for the losses with a log link."""
    with computing_in(builder, "float64"):
        raw = _raw(builder, model, reads)
        answer = builder.node("Exp", raw) if model.loss in _LOG_LINKS else raw
    return {"predict": [casted(builder, answer)]}


@operator(HistGradientBoostingClassifier)
def hist_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Two classes: the sigmoid of one sum; more: the softmax of a sum for each."""
    with computing_in(builder, "float64"):
        raw = _raw(builder, model, reads)
        if len(model.classes_) == 2:
            probabilities, scores = two_columns(builder, sigmoid(builder, raw)), flat(builder, raw)
        else:
            probabilities, scores = builder.node("Softmax", raw, axis=1), raw
        positions = first_largest(builder, probabilities)
    return {
        "predict": [positions],
        "predict_proba": [casted(builder, probabilities)],
        "decision_function": [casted(builder, scores)],
    }


def _raw(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Baseline, then the trees in order: [rows, trees of one iteration]."""
    x = casted(builder, reads)
    order = _order(model)
    if order is not None:
        x = builder.node("Gather", x, builder.constant(order, np.int64), axis=1)
    return tree_sums(builder, _trees(model), x, model.n_trees_per_iteration_, np.ravel(model._baseline_prediction))


def _order(model: Any) -> NDArray[np.int64] | None:
    """For each feature of the trees, the column of the input: categories come first; None where none are."""
    categorical = getattr(model, "is_categorical_", None)
    if categorical is None:
        return None
    return np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)])


def _trees(model: Any) -> Trees:
    return joined([_tree(own, target) for each in model._predictors for target, own in enumerate(each)])


def _tree(predictor: Any, target: int) -> Trees:
    nodes = predictor.nodes
    leaf, coded = nodes["is_leaf"].astype(bool), nodes["is_categorical"].astype(bool)
    coded &= ~leaf
    bits = np.unpackbits(predictor.raw_left_cat_bitsets.view(np.uint8), axis=1, bitorder="little")
    sets = nodes["bitset_idx"][coded].tolist()
    return Trees(
        roots=np.zeros(1, np.int64),
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        mode=np.where(leaf, LEAF, np.where(coded, MEMBER, LEQ)).astype(np.uint8),
        threshold=np.where(leaf | coded, 0.0, nodes["num_threshold"]),
        yes=np.where(leaf, 0, nodes["left"]).astype(np.int64),
        no=np.where(leaf, 0, nodes["right"]).astype(np.int64),
        missing_yes=nodes["missing_go_to_left"].astype(bool) & ~leaf,
        target=np.full(len(nodes), target),
        value=np.where(leaf, nodes["value"], 0.0),
        members=tuple(np.flatnonzero(bits[i]).astype(np.float64) for i in sets),
    )


# --- what other stages ask --------------------------------------------------------------


def category_codes(model: Any) -> CategoryCodes | None:
    """The categories of its own OrdinalEncoder; it treats unknown ones as missing."""
    preprocessor = getattr(model, "_preprocessor", None)
    if preprocessor is None or not model.is_categorical_.any():
        return None
    known = preprocessor.named_transformers_["encoder"].categories_
    columns = np.flatnonzero(model.is_categorical_).tolist()
    return CategoryCodes({i: _present(own) for i, own in zip(columns, known, strict=True)})


def _present(categories: NDArray[Any]) -> list[Any]:
    """Without None and NaN, which the encoder keeps last."""
    return [value for value in categories.tolist() if value is not None and value == value]


def split_points(model: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Input column and threshold of every numeric split."""
    trees = _trees(model)
    numeric = trees.mode == LEQ
    order = _order(model)
    features = trees.feature[numeric]
    return (features if order is None else order[features]), trees.threshold[numeric]
