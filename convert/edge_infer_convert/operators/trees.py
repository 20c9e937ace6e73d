"""Decision trees and forests, node by node from the fitted `tree_`.

scikit-learn compares float32 features with float64 thresholds; x ≤ t holds exactly when x ≤ the largest float32
not above t, so float32 nodes decide as the original does. Learned routes of NaN are kept.
"""

from __future__ import annotations

from typing import Any, Final

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

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.operators.registry import operator

__all__ = ["float32_not_above", "leaf_values", "sum_of_leaves"]

_MOST_LEAVES: Final = 2**24  # float32 counts no further


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
    total = sum_of_leaves(builder, trees, [leaf_values(tree) for tree in trees], reads)
    return builder.node("Div", total, builder.constant(float(len(trees)))) if len(trees) > 1 else total


def leaf_values(tree: Any) -> NDArray[np.float64]:
    """Shape (leaves, outputs)."""
    return np.asarray(tree.value.reshape(tree.node_count, -1)[tree.children_left < 0], dtype=np.float64)


def sum_of_leaves(builder: GraphBuilder, trees: list[Any], leaves: list[NDArray[np.float64]], reads: str) -> str:
    """For each row, the values of the leaf that it reaches in each tree, summed: [rows, outputs].

    `leaves` holds each tree's values, shape (leaves, outputs). In float64 the trees tell only the leaf (float32
    nodes decide as scikit-learn does), and a float64 table has its values.
    """
    if builder.dtype == np.float32:
        return builder.node("TreeEnsembleRegressor", reads, domain=ML, **_ensemble(trees, leaves))
    features = builder.node("Cast", reads, to=TensorProto.FLOAT)  # scikit-learn's own cast
    ends = np.cumsum([0, *(len(values) for values in leaves)])
    if ends[-1] > _MOST_LEAVES:
        raise UnsupportedModelError(f"{ends[-1]:,} leaves in float64; at most {_MOST_LEAVES:,} are supported")
    numbers = [
        _one_hot(np.arange(start, start + len(values)), i, len(trees))
        for i, (start, values) in enumerate(zip(ends, leaves, strict=False))
    ]
    reached = builder.node("TreeEnsembleRegressor", features, domain=ML, **_ensemble(trees, numbers))
    places = builder.node("Cast", reached, to=TensorProto.INT64)
    values = builder.node("Gather", builder.constant(np.concatenate(leaves)), places, axis=0)
    return builder.node("ReduceSum", values, builder.constant([1], np.int64), keepdims=0)


def _one_hot(numbers: NDArray[np.int64], column: int, width: int) -> NDArray[np.float64]:
    out = np.zeros((len(numbers), width))
    out[:, column] = numbers
    return out


def _ensemble(trees: list[Any], leaves: list[NDArray[np.float64]]) -> dict[str, Any]:
    parts = [_tree(index, tree, values) for index, (tree, values) in enumerate(zip(trees, leaves, strict=True))]
    merged = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    modes = np.where(merged.pop("leaf"), "LEAF", "BRANCH_LEQ").tolist()
    return {
        **{key: values.tolist() for key, values in merged.items()},
        "nodes_modes": modes,
        "n_targets": leaves[0].shape[1],
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def _tree(index: int, tree: Any, values: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    nodes = np.arange(tree.node_count)
    leaf = tree.children_left < 0
    told = values != 0  # zeros need no entry, but each leaf needs one
    told[:, 0] |= ~told.any(axis=1)
    places, targets = np.nonzero(told)
    return {
        "leaf": leaf,
        "nodes_treeids": np.full(len(nodes), index),
        "nodes_nodeids": nodes,
        "nodes_featureids": np.where(leaf, 0, tree.feature),
        "nodes_values": np.where(leaf, 0, float32_not_above(tree.threshold)).astype(np.float32),
        "nodes_truenodeids": np.where(leaf, 0, tree.children_left),
        "nodes_falsenodeids": np.where(leaf, 0, tree.children_right),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, _missing_left(tree)).astype(np.int64),
        "target_treeids": np.full(len(places), index),
        "target_nodeids": nodes[leaf][places],
        "target_ids": targets,
        "target_weights": values[told].astype(np.float32),
    }


def _missing_left(tree: Any) -> NDArray[Any]:
    return np.asarray(tree.missing_go_to_left)
