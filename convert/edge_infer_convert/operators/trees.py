"""Decision trees and forests, node by node from the fitted `tree_`, with the original's own sums.

scikit-learn compares float32 features with float64 thresholds. A float32 x ≤ t holds exactly when x ≤ the largest
float32 not above t; a float64 x whose float32 is ≤ t, when x ≤ the largest float64 that rounds to that float32. So
neither precision needs a cast of the features. Learned routes of NaN are kept.

A forest adds the float64 values of the leaves, tree by tree. Where each leaf has one value, TreeEnsemble adds in this
order; where it has several, TreeEnsemble tells the leaf, a table has its values, and CumSum adds in order. So ties
stay ties in both precisions. Whole votes, where all leaves are pure, are exact in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.graph.claims import TreeClaim
from edge_infer_convert.operators.numeric import first_largest, flat
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.tree_ensemble import LEAF, LEQ, Trees, casted, computing_in, tree_sums

__all__ = [
    "flat_trees",
    "float32_not_above",
    "float64_cast_not_above",
    "leaf_numbers",
    "leaf_sums",
    "leaf_values",
    "ordered_sum",
    "scalar_sums",
]

_MOST_LEAVES: Final = {"float32": 2**24, "float64": 2**53}  # whole numbers are exact up to here
_PART_NODES: Final = 1 << 18  # nodes of one operator
_ROW_ELEMENTS: Final = 1024  # leaf values of one row that are held at a time: 16 kB with their running sums

Tables = Sequence[NDArray[np.float64]]


# --- operators --------------------------------------------------------------------------


@operator(DecisionTreeClassifier, ExtraTreeClassifier)
def tree_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The class shares of the leaf; its label is looked up beside them."""
    table = leaf_values(model.tree_)
    number = leaf_numbers(builder, [model.tree_], reads)
    if model.n_outputs_ > 1:
        shares = builder.node("Gather", builder.constant(table), flat(builder, number), axis=0)
        return _several_labels(builder, model, shares)
    position = flat(builder, number)
    labels = builder.constant(table.argmax(axis=1), np.int64)
    return {
        "predict": [builder.node("Gather", labels, position, axis=0)],
        "predict_proba": [builder.node("Gather", builder.constant(table), position, axis=0)],
    }


@operator(RandomForestClassifier, ExtraTreesClassifier)
def forest_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The mean of the leaves' class shares; the label is the first class with the largest."""
    trees = _trees(model)
    tables = [leaf_values(tree) for tree in trees]
    if model.n_outputs_ == 1 and all(map(_pure, tables)):
        return _votes(builder, trees, tables, reads)
    means = _mean(builder, leaf_sums(builder, trees, tables, reads), len(trees))
    if model.n_outputs_ > 1:
        return _several_labels(builder, model, means)
    return {"predict": [first_largest(builder, means)], "predict_proba": [casted(builder, means)]}


@operator(DecisionTreeRegressor, ExtraTreeRegressor)
def tree_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The values of the leaf."""
    table = leaf_values(model.tree_)
    if table.shape[1] == 1:
        nodes = _valued(flat_trees([model.tree_], builder.dtype), [table])
        value = tree_sums(builder, nodes, reads, 1)
        builder.claims[value] = TreeClaim([model.tree_], [table], [np.zeros(len(table), np.int64)])
        return {"predict": [flat(builder, value)]}
    number = flat(builder, leaf_numbers(builder, [model.tree_], reads))
    return {"predict": [builder.node("Gather", builder.constant(table), number, axis=0)]}


@operator(RandomForestRegressor, ExtraTreesRegressor)
def forest_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The mean of the leaves' values."""
    trees = _trees(model)
    tables = [leaf_values(tree) for tree in trees]
    if model.n_outputs_ > 1:
        total = leaf_sums(builder, trees, tables, reads)
    else:
        total = flat(builder, scalar_sums(builder, trees, tables, reads))
    return {"predict": [casted(builder, _mean(builder, total, len(trees)))]}


@operator(RandomTreesEmbedding)
def leaves_reached(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """A column for each leaf of each tree: 1 where the row reaches it."""
    trees = _trees(model)
    columns: list[NDArray[np.int64]] = []
    for tree, known in zip(trees, model.one_hot_encoder_.categories_, strict=True):
        told = sum(int(column.max()) + 1 for column in columns[-1:])
        leaves = np.flatnonzero(tree.children_left < 0)
        columns.append(told + np.searchsorted(known, leaves))
    nodes = _valued(flat_trees(trees, builder.dtype), ones := [np.ones((len(own), 1)) for own in columns])
    nodes.target[nodes.mode == LEAF] = np.concatenate(columns)
    marks = tree_sums(builder, nodes, reads, sum(map(len, model.one_hot_encoder_.categories_)))
    builder.claims[marks] = TreeClaim(trees, ones, columns)
    return {"transform": [marks]}


def _trees(model: Any) -> list[Any]:
    return [member.tree_ for member in model.estimators_]


def _pure(table: NDArray[np.float64]) -> bool:
    """Whether each leaf gives its whole vote to one class."""
    return bool(((table == 0.0) | (table == 1.0)).all() and (table.sum(axis=1) == 1.0).all())


def _votes(builder: GraphBuilder, trees: list[Any], tables: Tables, reads: str) -> dict[str, list[str]]:
    """Counts of whole votes: exact in float32 too."""
    told = []
    for own in _parts(trees):
        nodes = flat_trees(trees[own], builder.dtype)
        leaf = nodes.mode == LEAF
        targets = [table.argmax(axis=1) for table in tables[own]]
        nodes.target[leaf], nodes.value[leaf] = np.concatenate(targets), 1.0
        told.append(tree_sums(builder, nodes, reads, tables[0].shape[1]))
        votes = [table.max(axis=1, keepdims=True) for table in tables[own]]
        builder.claims[told[-1]] = TreeClaim(trees[own], votes, targets)
    counts = builder.node("Sum", *told) if len(told) > 1 else told[0]
    shares = builder.node("Div", counts, builder.constant(float(len(trees))))
    return {"predict": [first_largest(builder, counts)], "predict_proba": [shares]}


def _mean(builder: GraphBuilder, total: str, count: int) -> str:
    """Of float64 sums, divided by the number of trees as scikit-learn does."""
    return builder.node("Div", total, builder.constant(float(count), np.float64)) if count > 1 else total


def _several_labels(builder: GraphBuilder, model: Any, shares: str) -> dict[str, list[str]]:
    """The shares' columns parted by label; scikit-learn gives all labels the type of the first."""
    most = max(model.n_classes_)  # each label has this many places in a leaf
    kind = model.classes_[0].dtype
    parts, labels = [], []
    for label, classes in enumerate(model.classes_):
        places = builder.constant(label * most + np.arange(len(classes)), np.int64)
        part = builder.node("Gather", shares, places, axis=1)
        position = builder.node("ArgMax", part, axis=1, keepdims=1)
        names = classes.astype(kind)
        names = builder.constant(
            names.astype(object) if kind.kind == "U" else names, object if kind.kind == "U" else kind
        )
        labels.append(builder.node("Gather", names, position, axis=0))
        parts.append(casted(builder, part))
    return {"predict": [builder.node("Concat", *labels, axis=1)], "predict_proba": parts}


# --- what other operators use -----------------------------------------------------------


def leaf_values(tree: Any) -> NDArray[np.float64]:
    """Shape (leaves, outputs), in the order of the tree's nodes."""
    return np.asarray(tree.value.reshape(tree.node_count, -1)[tree.children_left < 0], dtype=np.float64)


def leaf_numbers(
    builder: GraphBuilder, trees: Sequence[Any], reads: str, subsets: Any = None, tables: Tables | None = None
) -> str:
    """Which leaf each row reaches in each tree, int64 [rows, trees], counted over all leaves in node order.

    `subsets`: for each tree, the features that it was given, where these are not all. `tables`: what the caller
    gathers by these numbers, for the structural proof; the leaves' own values unless given.
    """
    told, first = [], 0
    for own in _parts(trees):
        features = None if subsets is None else subsets[own]
        values = list(map(leaf_values, trees[own])) if tables is None else tables[own]
        nodes = flat_trees(trees[own], builder.dtype, features)
        leaf = nodes.mode == LEAF
        nodes.target[:] = np.searchsorted(nodes.roots, np.arange(len(leaf)), side="right") - 1
        nodes.value[leaf] = np.arange(first, first + leaf.sum())
        told.append(tree_sums(builder, nodes, reads, len(nodes.roots)))
        builder.claims[told[-1]] = TreeClaim(trees[own], values, subsets=features, first=first)
        first += int(leaf.sum())
    if first > _MOST_LEAVES[builder.dtype.name]:
        raise UnsupportedModelError(f"{first:,} leaves cannot be counted in {builder.dtype.name}; use float64")
    reached = builder.node("Concat", *told, axis=1) if len(told) > 1 else told[0]
    return builder.node("Cast", reached, to=TensorProto.INT64)


def _parts(trees: Sequence[Any]) -> list[slice]:
    """Runs of trees of at most some nodes: onnxruntime holds several copies of an operator's nodes as it loads."""
    parts, first, nodes = [], 0, 0
    for i, tree in enumerate(trees):
        if nodes and nodes + tree.node_count > _PART_NODES:
            parts.append(slice(first, i))
            first, nodes = i, 0
        nodes += tree.node_count
    return [*parts, slice(first, len(trees))]


def leaf_sums(builder: GraphBuilder, trees: Sequence[Any], tables: Tables, reads: str, subsets: Any = None) -> str:
    """The rows of the `tables` (leaves, outputs) that the leaves choose, added tree by tree; float64 [rows, outputs].

    Not all trees at once: so much memory as a batch takes for each row is bounded.
    """
    step = max(1, _ROW_ELEMENTS // tables[0].shape[1])
    total = None
    for first in range(0, len(trees), step):
        own = slice(first, first + step)
        numbers = leaf_numbers(builder, trees[own], reads, None if subsets is None else subsets[own], tables[own])
        total = ordered_sum(builder, numbers, np.concatenate(tables[own]), total)
    return str(total)


def ordered_sum(builder: GraphBuilder, numbers: str, table: NDArray[np.float64], before: str | None = None) -> str:
    """Rows of `table` chosen by `numbers` [rows, terms], added to `before` from the first to the last; float64.

    CumSum adds in order; ReduceSum need not.
    """
    picked = builder.node("Gather", builder.constant(table, np.float64), numbers, axis=0)
    if before is not None:
        first = builder.node("Unsqueeze", before, builder.constant([1], np.int64))
        picked = builder.node("Concat", first, picked, axis=1)
    running = builder.node("CumSum", picked, builder.constant(1, np.int64))
    return builder.node("Gather", running, builder.constant(-1, np.int64), axis=1)


def scalar_sums(
    builder: GraphBuilder,
    trees: Sequence[Any],
    tables: Tables,
    reads: str,
    *,
    subsets: Any = None,
    width: int = 1,
    start: Any = None,
) -> str:
    """The values (leaves, 1) of the leaves, added to `start` tree by tree; float64 [rows, width].

    The trees take turns: the first adds to the first sum, the second to the second, …
    """
    nodes = _valued(flat_trees(trees, np.dtype(np.float64), subsets), tables)
    counts = [tree.node_count for tree in trees]
    nodes = nodes._replace(target=np.repeat(np.arange(len(trees)) % width, counts))
    features = builder.node("Cast", reads, to=TensorProto.DOUBLE)
    with computing_in(builder, "float64"):
        total = tree_sums(builder, nodes, features, width, start)
    targets = [np.full(len(table), i % width) for i, table in enumerate(tables)]
    begun = tuple(np.ravel(start).tolist()) if start is not None and np.any(start) else ()
    builder.claims[total] = TreeClaim(trees, tables, targets, subsets, begun)
    return total


def flat_trees(trees: Sequence[Any], dtype: np.dtype[Any], subsets: Any = None) -> Trees:
    """All nodes, with thresholds for features of `dtype`; targets and values are 0, to be filled in."""
    counts = [tree.node_count for tree in trees]
    roots = np.cumsum([0, *counts[:-1]])
    shift = np.repeat(roots, counts)
    left = np.concatenate([tree.children_left for tree in trees])
    leaf = left < 0
    features = [tree.feature for tree in trees]
    if subsets is not None:
        features = [np.asarray(own)[chosen] for own, chosen in zip(subsets, features, strict=True)]
    threshold = np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees]))
    not_above = float32_not_above if dtype == np.float32 else float64_cast_not_above
    return Trees(
        roots=roots,
        feature=np.where(leaf, 0, np.concatenate(features)),
        mode=np.where(leaf, np.uint8(LEAF), np.uint8(LEQ)),
        threshold=not_above(threshold).astype(np.float64),
        yes=np.where(leaf, 0, left + shift),
        no=np.where(leaf, 0, np.concatenate([tree.children_right for tree in trees]) + shift),
        missing_yes=~leaf & np.concatenate([tree.missing_go_to_left for tree in trees]).astype(bool),
        target=np.zeros(len(leaf), np.int64),
        value=np.zeros(len(leaf)),
    )


def _valued(nodes: Trees, tables: Tables) -> Trees:
    nodes.value[nodes.mode == LEAF] = np.concatenate(tables)[:, 0]
    return nodes


def float32_not_above(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each value."""
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    return np.where(nearest.astype(np.float64) > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def float64_cast_not_above(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest float64 whose float32 is not above each value.

    It is the middle between two float32, where ties round to the even one.
    """
    below = float32_not_above(values)
    with np.errstate(over="ignore", invalid="ignore"):
        above = np.nextafter(below, np.float32(np.inf)).astype(np.float64)
        above = np.where(np.isinf(above), 2.0**128, above)  # what follows the largest float32 when rounding
        middle = below + (above - below) / 2
    odd = below.view(np.int32) & 1 == 1
    middle = np.where(odd, np.nextafter(middle, -np.inf), middle)
    return np.where(np.isfinite(below), middle, below.astype(np.float64))
