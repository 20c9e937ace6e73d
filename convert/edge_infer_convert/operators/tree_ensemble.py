"""Ensembles of trees as flat arrays, and the node that runs them: `TreeEnsemble` of ai.onnx.ml 5.

It is the operator that works in float64 and has set membership; a set is one node, however large it is.
https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.attributes import add_ints
from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.graph.claims import NodeClaim
from edge_infer_convert.graph.ensemble_node import LEQ, LT, MEMBER, NO_CODE, memberships

__all__ = [
    "LEAF",
    "LEQ",
    "LT",
    "MEMBER",
    "NO_CODE",
    "Trees",
    "casted",
    "computing_in",
    "joined",
    "leaf_numbers",
    "tree_sums",
    "vector_sums",
]

LEAF: Final = 255  # not of the operator: marks the leaves here
_SUM: Final = 1
_MOST_LEAVES: Final = 2**24  # float32 counts no further


class Trees(NamedTuple):
    """Nodes of all trees, one after the other; all arrays but `roots` and `members` have an element for each node.

    yes, no: the nodes where the condition of `mode` holds and where not. `missing_yes`: NaN goes to `yes`.
    target, value: a leaf adds `value` to the sum `target`.
    members: the set of each MEMBER node in order; whole numbers.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    mode: NDArray[np.uint8]
    threshold: NDArray[np.float64]
    yes: NDArray[np.int64]
    no: NDArray[np.int64]
    missing_yes: NDArray[np.bool_]
    target: NDArray[np.int64]
    value: NDArray[np.float64]
    members: tuple[NDArray[np.float64], ...] = ()


def joined(parts: Sequence[Trees]) -> Trees:
    """Ensembles one after the other. Node numbers are moved, features and targets stay."""
    starts = np.cumsum([0, *(len(part.mode) for part in parts)])[:-1]
    moved = [
        part._replace(roots=part.roots + start, yes=part.yes + start, no=part.no + start)
        for part, start in zip(parts, starts, strict=True)
    ]
    arrays: list[Any] = [np.concatenate(columns) for columns in zip(*(part[:-1] for part in moved), strict=True)]
    return Trees._make([*arrays, tuple(members for part in parts for members in part.members)])


def lone_leaves(values: Any) -> Trees:
    """A tree for each value that is that value, for target 0, 1, …: where sums begin."""
    values = np.atleast_1d(np.asarray(values, np.float64))
    count = len(values)
    none = np.zeros(count, np.int64)
    return Trees(
        np.arange(count), none, np.full(count, LEAF, np.uint8), np.zeros(count), none, none,
        np.zeros(count, bool), np.arange(count), values,
    )  # fmt: skip


def tree_sums(builder: GraphBuilder, trees: Trees, reads: str, targets: int, start: Any = None) -> str:
    """The leaves' sums by target, [rows, targets], added in the order of the trees, in the builder's precision.

    `start`: what each sum begins with; it is added first, as a tree of one leaf.
    """
    begun = tuple(np.ravel(start).tolist()) if start is not None and np.any(start) else ()
    claim = NodeClaim(trees, begun)
    if begun:
        trees = joined([lone_leaves(begun), trees])
    if not len(trees.roots):
        return _zeros(builder, reads, targets)
    builder.opsets[ML] = max(builder.opsets.get(ML, 0), 5)
    node = helper.make_node("TreeEnsemble", [reads], [builder.name()], domain=ML)
    _add_attributes(node, trees, targets, builder.dtype)
    builder.nodes.append(node)
    builder.claims[node.output[0]] = claim  # an operator that knows the fitted trees themselves claims them instead
    return str(node.output[0])


def leaf_numbers(builder: GraphBuilder, trees: Trees, reads: str) -> str:
    """Which leaf each row reaches in each tree, int64 [rows, trees], counted over all leaves in node order."""
    leaf = trees.mode == LEAF
    if leaf.sum() > _MOST_LEAVES:
        raise UnsupportedModelError(f"{leaf.sum():,} leaves of several outputs; at most {_MOST_LEAVES:,} are supported")
    tree = np.searchsorted(trees.roots, np.arange(len(leaf)), side="right") - 1
    numbered = trees._replace(target=tree, value=np.where(leaf, np.cumsum(leaf) - 1, 0).astype(np.float64))
    reached = tree_sums(builder, numbered, reads, len(trees.roots))
    return builder.node("Cast", reached, to=TensorProto.INT64)


def vector_sums(builder: GraphBuilder, trees: Trees, leaves: NDArray[Any], reads: str, start: Any) -> str:
    """The same sums where each leaf has a value for each target: `leaves` [leaves, targets] in node order."""
    if not len(trees.roots):
        return builder.node("Add", _zeros(builder, reads, leaves.shape[1]), builder.constant(start))
    picked = builder.node("Gather", builder.constant(leaves), leaf_numbers(builder, trees, reads), axis=0)
    total = builder.node("ReduceSum", picked, builder.constant([1], np.int64), keepdims=0)
    return builder.node("Add", total, builder.constant(start))


@contextmanager
def computing_in(builder: GraphBuilder, precision: str) -> Iterator[None]:
    """For the time of the block, constants and operators are of this precision: the original's own."""
    before, builder.dtype = builder.dtype, np.dtype(precision)
    try:
        yield
    finally:
        builder.dtype = before


def casted(builder: GraphBuilder, tensor: str) -> str:
    """The tensor in the builder's precision."""
    return builder.node("Cast", tensor, to=builder.elem_type)


def _zeros(builder: GraphBuilder, reads: str, targets: int) -> str:
    rows = builder.node("Shape", reads, start=0, end=1)
    shape = builder.node("Concat", rows, builder.constant([targets], np.int64), axis=0)
    return builder.node("Expand", builder.constant(0.0), shape)


def _add_attributes(node: NodeProto, trees: Trees, targets: int, dtype: np.dtype[Any]) -> None:
    """Branches and leaves are numbered apart; a lone leaf becomes a branch to two leaves like it.

    onnxruntime 1.21 to 1.29 take a root whose children have the same number for a lone leaf, also where one of them is
    a leaf and the other a branch (microsoft/onnxruntime issue 24679). Spare leaves in front keep the numbers apart.
    """
    trees = _rooted(trees)
    leaf = trees.mode == LEAF
    place = np.where(leaf, np.cumsum(leaf) - 1, np.cumsum(~leaf) - 1)
    spare = _spare_leaves(trees, leaf, place)
    place = np.where(leaf, place + spare, place)
    branch = ~leaf
    yes, no = trees.yes[branch], trees.no[branch]
    ints = {
        "tree_roots": place[trees.roots],
        "nodes_featureids": trees.feature[branch],
        "nodes_truenodeids": place[yes],
        "nodes_falsenodeids": place[no],
        "nodes_trueleafs": leaf[yes],
        "nodes_falseleafs": leaf[no],
        "nodes_missing_value_tracks_true": trees.missing_yes[branch],
        "leaf_targetids": np.concatenate([np.zeros(spare, np.int64), trees.target[leaf]]),
    }
    tensors = {
        "nodes_splits": trees.threshold[branch].astype(dtype),
        "nodes_modes": trees.mode[branch],
        "leaf_weights": np.concatenate([np.zeros(spare), trees.value[leaf]]).astype(dtype),
    }
    if trees.members:
        tensors["membership_values"] = memberships(trees.members, dtype)
    numbers = {"n_targets": targets, "aggregate_function": _SUM, "post_transform": 0}
    for key in sorted([*ints, *tensors, *numbers]):
        if key in ints:
            add_ints(node, key, ints[key])
        elif key in tensors:
            node.attribute.append(helper.make_attribute(key, numpy_helper.from_array(tensors[key])))
        else:
            node.attribute.append(helper.make_attribute(key, numbers[key]))


def _spare_leaves(trees: Trees, leaf: NDArray[np.bool_], place: NDArray[np.int64]) -> int:
    """The least number to add to all leaves' numbers, so that no root has a leaf and a branch of the same number."""
    yes, no = trees.yes[trees.roots], trees.no[trees.roots]
    ahead = np.where(leaf[yes], place[no] - place[yes], place[yes] - place[no])
    taken = set(ahead[leaf[yes] != leaf[no]].tolist())
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _rooted(trees: Trees) -> Trees:
    """Each root that is a leaf gets a branch above it and a twin beside it; the other nodes keep their numbers."""
    lone = trees.roots[trees.mode[trees.roots] == LEAF]
    if not len(lone):
        return trees
    count, nodes = len(lone), len(trees.mode)
    above = trees._replace(
        roots=nodes + np.arange(count), feature=np.zeros(count, np.int64), mode=np.full(count, LEQ, np.uint8),
        threshold=np.zeros(count), yes=lone, no=nodes + count + np.arange(count), missing_yes=np.zeros(count, bool),
        target=np.zeros(count, np.int64), value=np.zeros(count), members=(),
    )  # fmt: skip
    roots = trees.roots.copy()
    roots[trees.mode[roots] == LEAF] = above.roots
    columns = zip(list[Any](trees)[1:-1], list[Any](above)[1:-1], strict=True)
    arrays: list[Any] = [np.concatenate([own, added, own[lone]]) for own, added in columns]
    return Trees._make([roots, *arrays, trees.members])
