"""Probabilities of support vector classifiers: Platt's sigmoids, coupled as libsvm does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.loops import repeat
from edge_infer_convert.operators.numeric import sigmoid

__all__ = ["coupled", "platt"]

_LOWEST = 1e-7  # libsvm's min_prob


def platt(builder: GraphBuilder, scores: str, a: NDArray[np.float64], b: NDArray[np.float64]) -> str:
    """1 / (1 + e^(a·score + b)) of each pair of classes, kept in [1e-7, 1 − 1e-7]: [rows, pairs]."""
    inner = builder.node("Add", builder.node("Mul", scores, builder.constant(a)), builder.constant(b))
    share = sigmoid(builder, builder.node("Neg", inner))
    return builder.node("Clip", share, builder.constant(_LOWEST), builder.constant(1 - _LOWEST))


def coupled(builder: GraphBuilder, pairs: str, classes: int) -> str:
    """Class probabilities [rows, classes] from those of pairs i < j, [rows, pairs].

    Wu, Lin and Weng, "Probability estimates for multi-class classification by pairwise coupling" (2004), method 2,
    with libsvm's start, order of updates, stopping rule and limit; the answer depends on where it stops.
    """
    quadratic, diagonal = _quadratic(builder, pairs, classes)
    rows = builder.node("Shape", pairs, start=0, end=1)
    shape = builder.node("Concat", rows, builder.constant([classes], np.int64), axis=0)
    start = builder.node("Expand", builder.constant(1.0 / classes), shape)
    rows_of_q = [builder.node("Gather", quadratic, builder.constant(t, np.int64), axis=1) for t in range(classes)]
    diagonals = [builder.node("Gather", diagonal, builder.constant([t], np.int64), axis=1) for t in range(classes)]

    def sweep(_: str, states: list[str]) -> tuple[str, list[str]]:
        """For the rows that have not stopped, at libsvm's 0.005 / k."""
        p, axis = states[0], builder.constant([1], np.int64)
        qp = _product(builder, quadratic, p)
        pqp = builder.node("ReduceSum", builder.node("Mul", p, qp), axis, keepdims=1)
        error = builder.node("Abs", builder.node("Sub", qp, pqp))
        largest = builder.node("ReduceMax", error, axis, keepdims=1)
        stopped = builder.node("Less", largest, builder.constant(0.005 / classes))
        after = builder.node("Where", stopped, p, _swept(builder, p, qp, pqp, rows_of_q, diagonals))
        running = builder.node("Cast", builder.node("Not", stopped), to=TensorProto.INT64)
        more = builder.node("Cast", builder.node("ReduceMax", running, keepdims=0), to=TensorProto.BOOL)
        return more, [after]

    return repeat(builder, sweep, [start], max(100, classes))[0]


def _quadratic(builder: GraphBuilder, pairs: str, classes: int) -> tuple[str, str]:
    """Q [rows, k, k] and its diagonal [rows, k]: Q_tt = Σ r_jt², Q_tj = −r_jt · r_tj."""
    against = builder.node("Sub", builder.constant(1.0), pairs)
    zero = builder.node("Mul", builder.node("Slice", pairs, *_first_column(builder)), builder.constant(0.0))
    every = builder.node("Concat", pairs, against, zero, axis=1)
    matrix = builder.node("Gather", every, builder.constant(_places(classes), np.int64), axis=1)
    turned = builder.node("Transpose", matrix, perm=[0, 2, 1])
    squares = builder.node("Mul", matrix, matrix)
    diagonal = builder.node("ReduceSum", squares, builder.constant([1], np.int64), keepdims=0)
    spread = builder.node("Unsqueeze", diagonal, builder.constant([2], np.int64))
    on = builder.node("Mul", spread, builder.constant(np.eye(classes)))
    return builder.node("Sub", on, builder.node("Mul", matrix, turned)), diagonal


def _first_column(builder: GraphBuilder) -> list[str]:
    """`starts`, `ends` and `axes` of a Slice."""
    return [builder.constant([0], np.int64), builder.constant([1], np.int64), builder.constant([1], np.int64)]


def _places(classes: int) -> NDArray[np.int64]:
    """Where r_ij stands in [r_ij for i < j, r_ji for i < j, 0]."""
    count = classes * (classes - 1) // 2
    places = np.full((classes, classes), 2 * count)
    i, j = np.triu_indices(classes, 1)
    places[i, j], places[j, i] = np.arange(count), np.arange(count) + count
    return places


def _product(builder: GraphBuilder, matrices: str, vectors: str) -> str:
    """[rows, k, k] · [rows, k] → [rows, k]."""
    axis = builder.constant([2], np.int64)
    return builder.node("Squeeze", builder.node("MatMul", matrices, builder.node("Unsqueeze", vectors, axis)), axis)


def _swept(builder: GraphBuilder, p: str, qp: str, pqp: str, rows_of_q: list[str], diagonals: list[str]) -> str:
    """p after the updates of p_0, p_1, …; after each, p, Qp and pQp are those of p scaled to the sum 1."""
    one, two = builder.constant(1.0), builder.constant(2.0)
    for t, (row, on) in enumerate(zip(rows_of_q, diagonals, strict=True)):
        own = builder.node("Gather", qp, builder.constant([t], np.int64), axis=1)
        step = builder.node("Div", builder.node("Sub", pqp, own), on)
        scale = builder.node("Add", one, step)
        moved = builder.node("Mul", step, builder.constant(np.eye(len(diagonals))[t]))
        p = builder.node("Div", builder.node("Add", p, moved), scale)
        gain = builder.node("Add", builder.node("Mul", step, on), builder.node("Mul", two, own))
        pqp = builder.node("Add", pqp, builder.node("Mul", step, gain))
        pqp = builder.node("Div", builder.node("Div", pqp, scale), scale)
        qp = builder.node("Div", builder.node("Add", qp, builder.node("Mul", step, row)), scale)
    return p
