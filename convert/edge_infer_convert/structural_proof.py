"""Proof that a graph's trees are the fitted trees: every feature, threshold, child, NaN route and leaf compared.

The nodes are read back from the finished graph, and walked beside scikit-learn's own `tree_` arrays, all trees at
once, a level at a time. Thresholds are compared by what they must do: scikit-learn casts features to float32, and a
float32 goes left if it is ≤ the float64 threshold t. So float32(s) ≤ t < float32(the next number above s) holds for
the graph's s in float32 and float64 alike, and for no other. Boosters are held against the nodes of their own dump,
thresholds and sets of categories bit by bit.

Where the pass `trees` has moved what stands before an ensemble into its branches, the ensemble as it was emitted is
held against the fitted trees, and the finished one must have its trees and leaves; that each branch decides as before
is the pass's own doing (bisection in the graph's arithmetic), and the gate's to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from edge_infer.errors import ParityError
from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.graph.claims import NodeClaim, TreeClaim
from edge_infer_convert.graph.ensemble_node import LEQ, MEMBER, NO_CODE, EnsembleNode
from edge_infer_convert.operators.tree_ensemble import LEAF

__all__ = ["Proof", "prove_trees"]

_PASSED: Final = ("Cast", "Concat", "Reshape", "Identity")  # between numbers of leaves and their table
_Ints = NDArray[np.int64]


class Proof(NamedTuple):
    """What was found equal: `trees` with `nodes` in all, leaves included."""

    trees: int
    nodes: int


def prove_trees(model: ModelProto | bytes, builder: GraphBuilder, emitted: Sequence[NodeProto] = ()) -> Proof:
    """Hold every TreeEnsemble of a finished graph against the fitted trees that its operator named.

    emitted: the graph's ensembles as they were before passes wrote into them, in order; none: as they are.

    Raises:
        ParityError: naming the ensemble, the tree, the node and what differs.
    """
    read = model if isinstance(model, ModelProto) else ModelProto.FromString(model)
    trees = nodes = 0
    ensembles = [node for node in read.graph.node if node.domain == ML and node.op_type == "TreeEnsemble"]
    pairs = zip(ensembles, builder.ensembles, emitted or ensembles, strict=True)
    for number, (ensemble, name, before) in enumerate(pairs):
        claim, what = builder.claims[name], f"TreeEnsemble {number}"
        fitted = _of_tree_claim(claim) if isinstance(claim, TreeClaim) else _of_node_claim(claim)
        _Walk(what, fitted, EnsembleNode(before), read, ensemble.output[0]).run()
        if before is not ensemble:
            _check_rewritten(what, EnsembleNode(ensemble), EnsembleNode(before))
        trees += len(fitted.roots)
        nodes += len(fitted.leaf)
    return Proof(trees, nodes)


def _check_rewritten(what: str, after: EnsembleNode, before: EnsembleNode) -> None:
    """The same trees of the same leaves; the two sides of a branch may be exchanged."""
    same = [np.array_equal(getattr(after, name), getattr(before, name)) for name in ("roots", "target", "weight")]
    if not all(same) or not np.array_equal(_sides(after), _sides(before)):
        raise ParityError(f"{what}: its trees or leaves changed as branches were rewritten")


def _sides(ensemble: EnsembleNode) -> _Ints:
    """What stands under each branch, in an order that does not tell which side is which: [branches, 2]."""
    return np.sort(np.stack([2 * ensemble.yes + ensemble.yes_leaf, 2 * ensemble.no + ensemble.no_leaf], axis=1), axis=1)


class _Fitted(NamedTuple):
    """The fitted trees' nodes, one tree after the other; arrays have an element for each node."""

    roots: _Ints
    leaf: NDArray[np.bool_]
    left: _Ints
    right: _Ints
    mode: Any
    feature: _Ints
    threshold: NDArray[np.float64]
    missing: NDArray[np.bool_]
    casts: bool  # features are compared as float32, whatever the thresholds are
    claim: TreeClaim  # what the leaves give
    members: tuple[NDArray[np.float64], ...] = ()

    @property
    def number(self) -> _Ints:
        """Of a leaf, among all leaves."""
        return np.cumsum(self.leaf) - 1

    def tree(self, node: int) -> int:
        return int(np.searchsorted(self.roots, node, side="right")) - 1


def _of_tree_claim(claim: TreeClaim) -> _Fitted:
    counts = [tree.node_count for tree in claim.trees]
    roots = np.cumsum([0, *counts[:-1]])
    first = np.repeat(roots, counts)
    left = np.concatenate([tree.children_left for tree in claim.trees])
    features = [tree.feature for tree in claim.trees]
    if claim.subsets is not None:
        features = [np.asarray(s)[f] for s, f in zip(claim.subsets, features, strict=True)]
    return _Fitted(
        roots=roots,
        leaf=left < 0,
        left=left + first,
        right=np.concatenate([tree.children_right for tree in claim.trees]) + first,
        mode=np.full(len(left), LEQ),
        feature=np.concatenate(features),
        threshold=np.concatenate([tree.threshold for tree in claim.trees]),
        missing=np.concatenate([tree.missing_go_to_left for tree in claim.trees]).astype(bool),
        casts=True,
        claim=claim,
    )


def _of_node_claim(claim: NodeClaim) -> _Fitted:
    nodes = claim.nodes
    leaf = nodes.mode == LEAF
    return _Fitted(
        roots=nodes.roots,
        leaf=leaf,
        left=nodes.yes,
        right=nodes.no,
        mode=nodes.mode,
        feature=nodes.feature,
        threshold=nodes.threshold,
        missing=nodes.missing_yes,
        casts=False,
        claim=TreeClaim([], [nodes.value[leaf][:, None]], [nodes.target[leaf]], start=claim.start),
        members=nodes.members,
    )


class _Walk:
    """Both side by side, from the roots down. The fitted trees end, so the walk does."""

    def __init__(self, name: str, fitted: _Fitted, graph: EnsembleNode, model: ModelProto, output: str) -> None:
        """`output`: the tensor that the ensemble gives in the model."""
        self.name, self.fitted, self.graph, self.model, self.output = name, fitted, graph, model, output
        self.claim = fitted.claim

    def run(self) -> None:
        begun = len(self.claim.start)
        if len(self.graph.roots) != begun + len(self.fitted.roots):
            raise ParityError(
                f"{self.name}: the graph has {len(self.graph.roots) - begun} trees, "
                f"the fitted model {len(self.fitted.roots)}"
            )
        self._start(self.graph.roots[:begun])
        fitted, at = self.fitted.roots, self.graph.roots[begun:]
        is_leaf = np.zeros(len(at), bool)
        lone = self.fitted.leaf[fitted]  # a tree of one leaf stands in the graph as a branch to two like it
        self._equal(fitted[lone], "answer without a split", self._both_sides(at[lone]), True)
        at, is_leaf = np.where(lone, self.graph.yes[at], at), is_leaf | lone
        while len(fitted):
            self._equal(fitted, "being a leaf", is_leaf, self.fitted.leaf[fitted])
            self._leaves(fitted[is_leaf], at[is_leaf])
            fitted, at = fitted[~is_leaf], at[~is_leaf]
            self._branches(fitted, at)
            is_leaf = np.concatenate([self.graph.yes_leaf[at], self.graph.no_leaf[at]])
            fitted = np.concatenate([self.fitted.left[fitted], self.fitted.right[fitted]])
            at = np.concatenate([self.graph.yes[at], self.graph.no[at]])

    def _both_sides(self, at: _Ints) -> NDArray[np.bool_]:
        yes, no = self.graph.yes[at], self.graph.no[at]
        leaves = self.graph.yes_leaf[at] & self.graph.no_leaf[at]
        yes, no = np.where(leaves, yes, 0), np.where(leaves, no, 0)
        alike = (self.graph.weight[yes] == self.graph.weight[no]) & (self.graph.target[yes] == self.graph.target[no])
        return np.asarray(leaves & alike)

    def _start(self, roots: _Ints) -> None:
        leaf = self.graph.yes[roots]
        weights = np.zeros(len(roots))
        weights[self.graph.target[leaf]] = self.graph.weight[leaf]
        if not (
            self._both_sides(roots).all()
            and np.array_equal(weights, np.array(self.claim.start).astype(self.graph.weight.dtype))
        ):
            raise ParityError(f"{self.name}: the graph's sums do not begin with {self.claim.start}")

    def _branches(self, fitted: _Ints, at: _Ints) -> None:
        graph, own = self.graph, self.fitted
        self._equal(fitted, "comparison", graph.mode[at], own.mode[fitted])
        self._equal(fitted, "feature", graph.feature[at], own.feature[fitted])
        self._equal(fitted, "route of NaN", graph.missing[at], own.missing[fitted])
        split, threshold = graph.split[at], own.threshold[fitted]
        if not own.casts:
            self._equal(fitted, "threshold", split, threshold.astype(split.dtype))
            self._sets(fitted[own.mode[fitted] == MEMBER], at[own.mode[fitted] == MEMBER])
            return
        with np.errstate(over="ignore"):
            above = np.nextafter(split, split.dtype.type(np.inf)).astype(np.float32)
            decides = (split.astype(np.float32) <= threshold) & ((above > threshold) | np.isposinf(threshold))
        decides |= np.isnan(split) & np.isnan(threshold)  # before 1.9: NaN goes one way, every number the other
        if not decides.all():
            self._equal(fitted, "threshold", np.where(decides, threshold, split), threshold)

    def _sets(self, fitted: _Ints, at: _Ints) -> None:
        if not len(at):
            return
        order = np.cumsum(self.fitted.mode == MEMBER) - 1
        pairs = zip(self.graph.members(at), [self.fitted.members[i] for i in order[fitted]], strict=True)
        same = [np.array_equal(got, wanted if len(wanted) else [NO_CODE]) for got, wanted in pairs]
        self._equal(fitted, "set of categories", same, True)

    def _leaves(self, fitted: _Ints, at: _Ints) -> None:
        number = self.fitted.number[fitted]
        values, graph = np.concatenate(self.claim.values), self.graph
        if self.claim.targets is not None:
            wanted = values[:, 0].astype(graph.weight.dtype)[number]
            self._equal(fitted, "sum of the leaf", graph.target[at], np.concatenate(self.claim.targets)[number])
            self._equal(fitted, "value of the leaf", graph.weight[at], wanted)
            return
        tree = np.searchsorted(self.fitted.roots, fitted, side="right") - 1
        self._equal(fitted, "place of the leaf", graph.target[at], tree)
        told = graph.weight[at].astype(np.int64)
        self._equal(fitted, "number of the leaf", told, self.claim.first + number)
        for table in self._tables():
            wanted = _as_kept(values, table)[number]
            self._equal(fitted, "values of the leaf", _rows_equal(table[told], wanted), True)

    def _tables(self) -> list[NDArray[Any]]:
        """What is gathered by the numbers of leaves that this ensemble tells."""
        constants = {tensor.name: tensor for tensor in self.model.graph.initializer}
        names = set(_reached(self.model, self.output))
        found = [
            numpy_helper.to_array(constants[node.input[0]])
            for node in self.model.graph.node
            if node.op_type == "Gather" and node.input[1] in names and node.input[0] in constants
        ]
        if not found:
            raise ParityError(f"{self.name}: the graph has no table of its leaves' values")
        return found

    def _equal(self, fitted: _Ints, what: str, got: Any, wanted: Any) -> None:
        got, wanted = np.broadcast_arrays(got, wanted)
        differs = np.flatnonzero(got != wanted)
        if len(differs):
            node, place = int(fitted[differs[0]]), int(differs[0])
            tree = self.fitted.tree(node)
            raise ParityError(
                f"{self.name}: tree {tree}, node {node - int(self.fitted.roots[tree])}: {what}: "
                f"the graph has {got[place].item()!r}, the fitted model {wanted[place].item()!r} "
                f"({len(differs)} nodes of this depth differ)"
            )


def _reached(model: ModelProto, tensor: str) -> Iterator[str]:
    """The tensor and what is made of it without a change of its values."""
    names = {tensor}
    for node in model.graph.node:
        if node.op_type in _PASSED and names & set(node.input):
            names |= set(node.output)
    return iter(names)


def _as_kept(values: NDArray[np.float64], table: NDArray[Any]) -> NDArray[Any]:
    """The leaves' values as a table holds them: all, the first alone, or the place of the largest."""
    if table.dtype.kind == "i":
        return np.asarray(values.argmax(axis=1))
    return (values[:, 0] if table.ndim == 1 else values).astype(table.dtype)


def _rows_equal(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((a == b).all(axis=tuple(range(1, a.ndim))))
