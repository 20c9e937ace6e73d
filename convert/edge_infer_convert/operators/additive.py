"""GradientBoosting and IsolationForest: float64 sums over the leaves of scikit-learn's trees, then a link."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, IsolationForest

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column, first_largest, flat, sigmoid, two_columns
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.tree_ensemble import casted, computing_in
from edge_infer_convert.operators.trees import leaf_values, scalar_sums

__all__ = ["boosted_values", "path_lengths"]


# --- gradient boosting ------------------------------------------------------------------


@operator(GradientBoostingRegressor)
def gradient_boosting_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """start + learning rate × the trees; all its losses have the identity link."""
    return {"predict": [casted(builder, flat(builder, _boosted(builder, model, reads)))]}


@operator(GradientBoostingClassifier)
def gradient_boosting_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Two classes: the sigmoid of one sum (doubled for the exponential loss), label by score ≥ 0; more: softmax."""
    raw = _boosted(builder, model, reads)
    if len(model.classes_) == 2:
        above = builder.node("GreaterOrEqual", flat(builder, raw), builder.constant(0.0, np.float64))
        positions = builder.node("Cast", above, to=TensorProto.INT64)
        scores = casted(builder, flat(builder, raw))
        linked = builder.node("Mul", scores, builder.constant(2.0)) if model.loss == "exponential" else scores
        probabilities = two_columns(builder, sigmoid(builder, linked))
    else:
        positions = first_largest(builder, raw)
        scores = casted(builder, raw)
        probabilities = builder.node("Softmax", scores, axis=1)
    return {"predict": [positions], "predict_proba": [probabilities], "decision_function": [scores]}


def _boosted(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Float64 [rows, trees of one stage]. A constant start is the first term, as in scikit-learn."""
    trees = [member.tree_ for member in model.estimators_.ravel()]
    tables = [boosted_values(model, tree) for tree in trees]
    width = model.estimators_.shape[1]
    if isinstance(model.init_, str | DummyClassifier | DummyRegressor):
        start = np.ravel(model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32)))
        return scalar_sums(builder, trees, tables, reads, width=width, start=start)
    begun = _start(builder, model, reads)
    return builder.node("Add", begun, scalar_sums(builder, trees, tables, reads, width=width))


def boosted_values(model: Any, tree: Any) -> NDArray[np.float64]:
    """What a leaf adds, shape (leaves, 1)."""
    return np.asarray(model.learning_rate * leaf_values(tree), np.float64)


def _start(builder: GraphBuilder, model: Any, reads: str) -> str:
    """What an estimator given as `init` says of the float32 features, through the link; float64 [rows, sums]."""
    from edge_infer_convert.graph.leaf import convert_leaf  # leaf looks operators up: a ring otherwise

    rounded = casted(builder, builder.node("Cast", reads, to=TensorProto.FLOAT))
    answers = convert_leaf(builder, "init_", model.init_, rounded, model.n_features_in_)
    method = "predict_proba" if is_classifier(model) else "predict"
    said = answers[method][0]
    if method == "predict" and is_classifier(model.init_):  # positions in its classes
        said = builder.node("Gather", builder.constant(model.init_.classes_), said, axis=0)
    told = builder.node("Cast", said, to=TensorProto.DOUBLE)
    with computing_in(builder, "float64"):
        return _link(builder, model, told) if is_classifier(model) else column(builder, told)


def _link(builder: GraphBuilder, model: Any, probabilities: str) -> str:
    """Log odds (halved for the exponential loss), or the logs less their mean; sklearn._loss.link."""
    tiny = float(np.finfo(np.float64).eps)
    clipped = builder.node("Clip", probabilities, builder.constant(tiny), builder.constant(1 - tiny))
    if len(model.classes_) > 2:
        logs = builder.node("Log", clipped)
        return builder.node("Sub", logs, builder.node("ReduceMean", logs, builder.constant([1], np.int64), keepdims=1))
    positive = builder.node("Gather", clipped, builder.constant([1], np.int64), axis=1)
    odds = builder.node("Div", positive, builder.node("Sub", builder.constant(1.0), positive))
    logit = builder.node("Log", odds)
    return builder.node("Mul", logit, builder.constant(0.5)) if model.loss == "exponential" else logit


# --- isolation --------------------------------------------------------------------------


@operator(IsolationForest)
def isolation_forest(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """−2^(−mean depth / expected depth): Liu, Ting, Zhou, "Isolation Forest", ICDM 2008. NaN has a route."""
    trees = [tree.tree_ for tree in model.estimators_]
    tables = [path_lengths(model, i, tree) for i, tree in enumerate(trees)]
    subsets = None if model._max_features == model.n_features_in_ else model.estimators_features_
    depth = flat(builder, scalar_sums(builder, trees, tables, reads, subsets=subsets))
    expected = len(trees) * _expected_depth(model)
    with computing_in(builder, "float64"):
        # one training row: no depth is expected, and each row has the score −1
        share = builder.node("Div", depth, builder.constant(-expected)) if expected else _minus_one(builder, depth)
        normality = builder.node("Neg", builder.node("Pow", builder.constant(2.0), share))
        scores = builder.node("Sub", normality, builder.constant(model.offset_))
        outlier = builder.node("Less", depth, builder.constant(_outlier_depth(model, expected)))
        labels = builder.node("Where", outlier, builder.constant(-1, np.int64), builder.constant(1, np.int64))
    answers = {"decision_function": [casted(builder, scores)], "score_samples": [casted(builder, normality)]}
    return answers | {"predict": [labels]}


def path_lengths(model: Any, index: int, tree: Any) -> NDArray[np.float64]:
    """What a leaf adds to the depth, shape (leaves, 1)."""
    leaf = tree.children_left < 0
    depths = model._decision_path_lengths[index] + model._average_path_length_per_tree[index] - 1.0
    return np.asarray(depths[leaf], dtype=np.float64).reshape(-1, 1)


def _minus_one(builder: GraphBuilder, depth: str) -> str:
    return builder.node("Sub", builder.node("Mul", depth, builder.constant(0.0)), builder.constant(1.0))


def _outlier_depth(model: Any, expected: float) -> float:
    """The least sum of depths that is no outlier, found by halving with the original's own formula.

    A training row may stand exactly on the offset, and powers of 2 differ between libraries in the last bit.
    """

    def is_outlier(depth: float) -> bool:
        share = np.divide([depth], expected) if expected else np.ones(1)
        return bool((-(2 ** (-share)) - model.offset_)[0] < 0)

    low, high = 0.0, 2.0 * expected + 1.0
    if not is_outlier(low):
        return -np.inf
    while is_outlier(high):
        if high > 1e300:
            return np.inf
        high *= 2
    while np.nextafter(low, np.inf) < high:
        middle = low + (high - low) / 2
        low, high = (middle, high) if is_outlier(middle) else (low, middle)
    return high


def _expected_depth(model: Any) -> float:
    from sklearn.ensemble._iforest import _average_path_length as expected_depth

    return float(expected_depth([model._max_samples])[0])
