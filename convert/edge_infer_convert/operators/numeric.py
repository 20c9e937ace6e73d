"""Pieces of arithmetic that several families share, in the builder's precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder

__all__ = [
    "column",
    "expm1",
    "first_largest",
    "flat",
    "inverse_of_grown",
    "log1p",
    "normalised",
    "require_float64",
    "sigmoid",
    "two_columns",
    "where_positive",
]


def column(builder: GraphBuilder, x: str) -> str:
    """[rows] or [rows, 1] → [rows, 1]."""
    return builder.node("Reshape", x, builder.constant([-1, 1], np.int64))


def flat(builder: GraphBuilder, x: str) -> str:
    """[rows, 1] → [rows]."""
    return builder.node("Reshape", x, builder.constant([-1], np.int64))


def sigmoid(builder: GraphBuilder, x: str) -> str:
    """1 / (1 + e⁻ˣ), as scipy's expit. onnxruntime's Sigmoid is cut off far from 0, where tiny numbers may matter."""
    if builder.dtype == np.float32:
        return builder.node("Sigmoid", x)
    return inverse_of_grown(builder, builder.node("Neg", x))


def inverse_of_grown(builder: GraphBuilder, x: str) -> str:
    """1 / (1 + eˣ)."""
    one = builder.constant(1.0)
    return builder.node("Div", one, builder.node("Add", one, builder.node("Exp", x)))


def two_columns(builder: GraphBuilder, positive: str) -> str:
    """p [rows] or [rows, 1] → [1 − p, p], shape [rows, 2]."""
    second = column(builder, positive)
    return builder.node("Concat", builder.node("Sub", builder.constant(1.0), second), second, axis=1)


def normalised(builder: GraphBuilder, x: str, when_zero: Any = None) -> str:
    """Each row divided by its sum; a row that sums to 0 gives `when_zero` (0 / 0 = NaN where that is None)."""
    total = builder.node("ReduceSum", x, builder.constant([1], np.int64), keepdims=1)
    if when_zero is None:
        return builder.node("Div", x, total)
    empty = builder.node("Equal", total, builder.constant(0.0))
    safe = builder.node("Where", empty, builder.constant(1.0), total)
    shares = builder.node("Div", x, safe)
    return builder.node("Where", empty, builder.constant(when_zero), shares)


def first_largest(builder: GraphBuilder, x: str) -> str:
    """The position of the first largest value of each row, int64 [rows]; numpy's argmax."""
    return builder.node("ArgMax", x, axis=1, keepdims=0)


def where_positive(builder: GraphBuilder, x: str) -> str:
    """1 where x > 0, else 0; int64, x's shape."""
    return builder.node("Cast", builder.node("Greater", x, builder.constant(0.0)), to=TensorProto.INT64)


def log1p(builder: GraphBuilder, x: str) -> str:
    """log(1 + x), exact near 0 too: log(u) · x / (u − 1) for u = 1 + x rounded; x where u = 1.

    Kahan's form: HP-15C Advanced Functions Handbook, appendix (1982); Higham, Accuracy and Stability, section 1.14.
    """
    one = builder.constant(1.0)
    u = builder.node("Add", x, one)
    log, above = builder.node("Log", u), builder.node("Sub", u, one)
    exact = builder.node("Mul", log, builder.node("Div", x, above))
    small = builder.node("Where", builder.node("Equal", u, one), x, exact)
    return builder.node("Where", builder.node("IsInf", u), log, small)


def expm1(builder: GraphBuilder, x: str) -> str:
    """e^x − 1, exact near 0 too: (u − 1) · x / log(u) for u = e^x rounded; x where u = 1. Source: see `log1p`."""
    one = builder.constant(1.0)
    u = builder.node("Exp", x)
    above = builder.node("Sub", u, one)
    exact = builder.node("Mul", above, builder.node("Div", x, builder.node("Log", u)))
    small = builder.node("Where", builder.node("Equal", u, one), x, exact)
    far = builder.node("Greater", builder.node("Abs", x), builder.constant(1.0))
    return builder.node("Where", far, above, small)


def require_float64(builder: GraphBuilder, what: str) -> None:
    """Refuse float32 where small differences of large numbers decide: other rows than the probes would be wrong."""
    if builder.dtype == np.float32:
        raise UnsupportedModelError(
            f"{what} decides by small differences of large numbers, which float32 does not hold\n"
            "Use precision 'auto' or 'float64'."
        )
