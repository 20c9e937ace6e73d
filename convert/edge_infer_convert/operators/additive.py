"""GradientBoosting and IsolationForest: sums over the leaves of scikit-learn's trees, then a link."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, IsolationForest

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import sigmoid
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.trees import leaf_values, sum_of_leaves


def _constant_start(model: Any) -> bool:
    return isinstance(model.init_, str | DummyClassifier | DummyRegressor)


@operator(GradientBoostingRegressor, when=_constant_start)
def gradient_boosting_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """start + learning rate × the trees."""
    return {"predict": [_boosted(builder, model, reads)]}


@operator(GradientBoostingClassifier, when=_constant_start)
def gradient_boosting_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Two classes: the sigmoid of one sum (doubled for the exponential loss), label by score ≥ 0; more: softmax."""
    raw = _boosted(builder, model, reads)
    if len(model.classes_) == 2:
        scores = builder.node("Reshape", raw, builder.constant([-1], np.int64))
        positions = builder.node(
            "Cast", builder.node("GreaterOrEqual", scores, builder.constant(0.0)), to=TensorProto.INT64
        )
        linked = builder.node("Mul", raw, builder.constant(2.0)) if model.loss == "exponential" else raw
        positive = sigmoid(builder, linked)
        probabilities = builder.node("Concat", builder.node("Sub", builder.constant(1.0), positive), positive, axis=1)
    else:
        scores = raw
        positions = builder.node("ArgMax", raw, axis=1, keepdims=0)
        probabilities = builder.node("Softmax", raw, axis=1)
    return {"predict": [positions], "predict_proba": [probabilities], "decision_function": [scores]}


def _boosted(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Shape (rows, trees of one stage)."""
    stages, width = model.estimators_.shape
    trees, leaves = [], []
    for stage in range(stages):
        for target in range(width):
            tree = model.estimators_[stage, target].tree_
            trees.append(tree)
            leaves.append(_at(leaf_values(tree) * model.learning_rate, target, width))
    start = np.ravel(model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32)))
    return builder.node("Add", sum_of_leaves(builder, trees, leaves, reads), builder.constant(start))


def _at(values: NDArray[np.float64], target: int, width: int) -> NDArray[np.float64]:
    out = np.zeros((len(values), width))
    out[:, target] = values[:, 0]
    return out


@operator(IsolationForest, when=lambda model: model._max_features == model.n_features_in_)
def isolation_forest(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """−2^(−mean depth / expected depth): Liu, Ting, Zhou, "Isolation Forest", ICDM 2008. NaN has a route."""
    trees = [tree.tree_ for tree in model.estimators_]
    leaves = [_depths(model, i, tree) for i, tree in enumerate(trees)]
    depth = sum_of_leaves(builder, trees, leaves, reads)
    expected = len(trees) * _average_path_length(model)
    share = builder.node("Div", depth, builder.constant(-expected)) if expected else builder.constant([[-1.0]])
    power = builder.node("Exp", builder.node("Mul", share, builder.constant(np.log(2.0))))
    normality = builder.node("Reshape", builder.node("Neg", power), builder.constant([-1], np.int64))
    scores = builder.node("Sub", normality, builder.constant(model.offset_))
    outlier = builder.node("Less", scores, builder.constant(0.0))
    labels = builder.node("Where", outlier, builder.constant(-1, np.int64), builder.constant(1, np.int64))
    return {"predict": [labels], "decision_function": [scores], "score_samples": [normality]}


def _depths(model: Any, index: int, tree: Any) -> NDArray[np.float64]:
    leaf = tree.children_left < 0
    depths = model._decision_path_lengths[index] + model._average_path_length_per_tree[index] - 1.0
    return np.asarray(depths[leaf], dtype=np.float64).reshape(-1, 1)


def _average_path_length(model: Any) -> float:
    from sklearn.ensemble._iforest import _average_path_length as expected_depth

    return float(expected_depth([model._max_samples])[0])
