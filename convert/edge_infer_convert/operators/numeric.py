"""Pieces of arithmetic that several families share, in the builder's precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["column", "first_largest", "flat", "normalised", "sigmoid", "two_columns", "where_positive"]


def column(builder: GraphBuilder, x: str) -> str:
    """[rows] or [rows, 1] → [rows, 1]."""
    return builder.node("Reshape", x, builder.constant([-1, 1], np.int64))


def flat(builder: GraphBuilder, x: str) -> str:
    """[rows, 1] → [rows]."""
    return builder.node("Reshape", x, builder.constant([-1], np.int64))


def sigmoid(builder: GraphBuilder, x: str) -> str:
    """1 / (1 + e⁻ˣ). onnxruntime's Sigmoid is cut off far from 0, where ratios of tiny numbers may still matter."""
    if builder.dtype == np.float32:
        return builder.node("Sigmoid", x)
    zero, one = builder.constant(0.0), builder.constant(1.0)
    above = builder.node("Exp", builder.node("Min", x, zero))
    below = builder.node("Add", one, builder.node("Exp", builder.node("Neg", builder.node("Abs", x))))
    return builder.node("Div", above, below)


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
