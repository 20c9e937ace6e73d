"""Decision trees and forests, node by node from the fitted `tree_`.

scikit-learn compares float32 features with float64 thresholds; x ≤ t holds exactly when x ≤ the largest float32
not above t, so float32 nodes decide as the original does. Learned routes of NaN are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.operators.registry import operator

__all__ = ["float32_not_above"]


def float32_not_above(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each value."""
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    return np.where(nearest.astype(np.float64) > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)


@operator(DecisionTreeClassifier, ExtraTreeClassifier)
def tree_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    return _classifier(builder, model, [model.tree_], reads)


@operator(RandomForestClassifier, ExtraTreesClassifier)
def forest_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    return _classifier(builder, model, [tree.tree_ for tree in model.estimators_], reads)


@operator(DecisionTreeRegressor, ExtraTreeRegressor)
def tree_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    return {"predict": [_mean(builder, [model.tree_], reads)]}


@operator(RandomForestRegressor, ExtraTreesRegressor)
def forest_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    return {"predict": [_mean(builder, [tree.tree_ for tree in model.estimators_], reads)]}


def _classifier(builder: GraphBuilder, model: Any, trees: list[Any], reads: str) -> dict[str, list[str]]:
    """The mean of the leaves' class shares; the label is the first class with the largest."""
    probabilities = _mean(builder, trees, reads)
    if model.n_outputs_ == 1:
        return {"predict": [_first_largest(builder, probabilities)], "predict_proba": [probabilities]}
    most = max(model.n_classes_)  # each label column has this many places in a leaf
    parts, labels = [], []
    for column, classes in enumerate(model.classes_):
        places = builder.constant(column * most + np.arange(len(classes)), np.int64)
        parts.append(builder.node("Gather", probabilities, places, axis=1))
        position = builder.node("ArgMax", parts[-1], axis=1, keepdims=1)
        labels.append(builder.node("Gather", builder.constant(classes, classes.dtype), position, axis=0))
    return {"predict": [builder.node("Concat", *labels, axis=1)], "predict_proba": parts}


def _first_largest(builder: GraphBuilder, probabilities: str) -> str:
    return builder.node("ArgMax", probabilities, axis=1, keepdims=0)


def _mean(builder: GraphBuilder, trees: list[Any], reads: str) -> str:
    """Sum of the leaves [rows, outputs], divided by the number of trees as scikit-learn does."""
    features = reads
    if builder.dtype != np.float32:  # scikit-learn's own cast
        features = builder.node("Cast", reads, to=TensorProto.FLOAT)
    total = builder.node("TreeEnsembleRegressor", features, domain=ML, **_ensemble(trees))
    if builder.dtype != np.float32:
        total = builder.node("Cast", total, to=builder.elem_type)
    return builder.node("Div", total, builder.constant(float(len(trees)))) if len(trees) > 1 else total


def _ensemble(trees: list[Any]) -> dict[str, Any]:
    parts = [_tree(index, tree) for index, tree in enumerate(trees)]
    merged = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    modes = np.where(merged.pop("leaf"), "LEAF", "BRANCH_LEQ").tolist()
    return {
        **{key: values.tolist() for key, values in merged.items()},
        "nodes_modes": modes,
        "n_targets": int(trees[0].value.shape[1] * trees[0].value.shape[2]),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def _tree(index: int, tree: Any) -> dict[str, NDArray[Any]]:
    nodes = np.arange(tree.node_count)
    leaf = tree.children_left < 0
    values = tree.value.reshape(tree.node_count, -1)[leaf]
    targets = values.shape[1]
    return {
        "leaf": leaf,
        "nodes_treeids": np.full(len(nodes), index),
        "nodes_nodeids": nodes,
        "nodes_featureids": np.where(leaf, 0, tree.feature),
        "nodes_values": np.where(leaf, 0, float32_not_above(tree.threshold)).astype(np.float32),
        "nodes_truenodeids": np.where(leaf, 0, tree.children_left),
        "nodes_falsenodeids": np.where(leaf, 0, tree.children_right),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, _missing_left(tree)).astype(np.int64),
        "target_treeids": np.full(values.size, index),
        "target_nodeids": np.repeat(nodes[leaf], targets),
        "target_ids": np.tile(np.arange(targets), len(values)),
        "target_weights": values.reshape(-1).astype(np.float32),
    }


def _missing_left(tree: Any) -> NDArray[Any]:
    return np.asarray(tree.missing_go_to_left)
