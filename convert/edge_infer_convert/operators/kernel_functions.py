"""Kernels between the rows that come in and rows that a model keeps, following sklearn.metrics.pairwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column

__all__ = ["chi2_sums", "dot_products", "manhattan", "pairwise_kernel", "squared_distances", "whole_power"]


def pairwise_kernel(
    builder: GraphBuilder,
    reads: str,
    rows: NDArray[Any],
    metric: str,
    *,
    gamma: float | None = None,
    degree: float = 3,
    coef0: float = 1,
) -> str:
    """K(x, y) for each row x of `reads` and y of `rows` [count, features]: shape [rows, count].

    `gamma=None` is 1 / features, and 1 for chi2, as in sklearn.metrics.pairwise.
    """
    rows = np.asarray(rows, np.float64)
    if gamma is None:
        gamma = 1.0 if metric == "chi2" else 1.0 / rows.shape[1]
    if metric == "linear":
        return dot_products(builder, reads, rows)
    if metric in ("poly", "polynomial"):
        inner = _affine(builder, dot_products(builder, reads, rows), gamma, coef0)
        return whole_power(builder, inner, degree)
    if metric == "sigmoid":
        return builder.node("Tanh", _affine(builder, dot_products(builder, reads, rows), gamma, coef0))
    if metric == "rbf":
        return _decay(builder, squared_distances(builder, reads, rows), gamma)
    if metric == "laplacian":
        return _decay(builder, manhattan(builder, reads, rows), gamma)
    if metric == "cosine":
        return dot_products(builder, _unit_rows(builder, reads), _unit(rows))
    if metric == "chi2":
        return _decay(builder, chi2_sums(builder, reads, rows), gamma)
    if metric == "additive_chi2":
        return builder.node("Neg", chi2_sums(builder, reads, rows))
    raise UnsupportedModelError(
        f"the kernel {metric!r} cannot be written to ONNX; use linear, poly, rbf, sigmoid, laplacian, cosine or chi2"
    )


def dot_products(builder: GraphBuilder, reads: str, rows: NDArray[Any]) -> str:
    """x · y, [rows, count]."""
    return builder.node("MatMul", reads, builder.constant(rows.T))


def squared_distances(builder: GraphBuilder, reads: str, rows: NDArray[Any]) -> str:
    """‖x − y‖² = ‖x‖² + ‖y‖² − 2 x·y, not below 0, [rows, count].

    Both are moved by the kept rows' mean first: the distance is the same, and little of it is lost by subtraction.
    """
    centre = np.mean(rows, axis=0).astype(builder.dtype)
    kept = rows.astype(builder.dtype).astype(np.float64) - centre.astype(np.float64)
    moved = builder.node("Sub", reads, builder.constant(centre))
    own = builder.node("ReduceSumSquare", moved, builder.constant([1], np.int64), keepdims=1)
    cross = builder.node("MatMul", moved, builder.constant(-2.0 * kept.T))
    partial = builder.node("Add", cross, own)
    both = builder.node("Add", partial, builder.constant((kept * kept).sum(axis=1)))
    return builder.node("Max", both, builder.constant(0.0))


def manhattan(builder: GraphBuilder, reads: str, rows: NDArray[Any]) -> str:
    """Σ|x − y|, [rows, count]."""
    between = builder.node("Sub", _spread(builder, reads), builder.constant(rows[None]))
    return builder.node("ReduceL1", between, builder.constant([2], np.int64), keepdims=0)


def chi2_sums(builder: GraphBuilder, reads: str, rows: NDArray[Any]) -> str:
    """Σ (x − y)² / (x + y), where x + y = 0 counts as 0, [rows, count]."""
    spread, kept = _spread(builder, reads), builder.constant(rows[None])
    between, total = builder.node("Sub", spread, kept), builder.node("Add", spread, kept)
    empty = builder.node("Equal", total, builder.constant(0.0))
    safe = builder.node("Where", empty, builder.constant(1.0), total)
    shares = builder.node("Div", builder.node("Mul", between, between), safe)
    shares = builder.node("Where", empty, builder.constant(0.0), shares)
    return builder.node("ReduceSum", shares, builder.constant([2], np.int64), keepdims=0)


def whole_power(builder: GraphBuilder, x: str, degree: float) -> str:
    """x ** degree."""
    if degree == 1:
        return x
    if degree == 2:
        return builder.node("Mul", x, x)
    return builder.node("Pow", x, builder.constant(float(degree)))


def _spread(builder: GraphBuilder, reads: str) -> str:
    """[rows, features] → [rows, 1, features]."""
    return builder.node("Unsqueeze", reads, builder.constant([1], np.int64))


def _affine(builder: GraphBuilder, x: str, factor: float, shift: float) -> str:
    scaled = builder.node("Mul", x, builder.constant(float(factor)))
    return builder.node("Add", scaled, builder.constant(float(shift)))


def _decay(builder: GraphBuilder, distance: str, gamma: float) -> str:
    """e^(−γ d)."""
    return builder.node("Exp", builder.node("Mul", distance, builder.constant(-float(gamma))))


def _unit_rows(builder: GraphBuilder, reads: str) -> str:
    """Each row divided by its length; a row of zeros stays so (sklearn.preprocessing.normalize)."""
    total = builder.node("ReduceSumSquare", reads, builder.constant([1], np.int64), keepdims=1)
    length = builder.node("Sqrt", column(builder, total))
    none = builder.node("Equal", length, builder.constant(0.0))
    return builder.node("Div", reads, builder.node("Where", none, builder.constant(1.0), length))


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    length = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    result: NDArray[Any] = rows / np.where(length == 0, 1.0, length)
    return result
