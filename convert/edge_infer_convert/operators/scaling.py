"""Scalers, by the same operations in the same order as scikit-learn's `transform`."""

from __future__ import annotations

from typing import Any

from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.registry import operator


@operator(StandardScaler)
def standard_scaler(builder: GraphBuilder, scaler: StandardScaler, reads: str) -> dict[str, list[str]]:
    """(x − mean) / scale."""
    center = scaler.mean_ if scaler.with_mean else None
    return _shift_and_divide(builder, reads, center, scaler.scale_ if scaler.with_std else None)


@operator(RobustScaler)
def robust_scaler(builder: GraphBuilder, scaler: RobustScaler, reads: str) -> dict[str, list[str]]:
    """(x − median) / quantile range."""
    center = scaler.center_ if scaler.with_centering else None
    return _shift_and_divide(builder, reads, center, scaler.scale_ if scaler.with_scaling else None)


@operator(MaxAbsScaler)
def max_abs_scaler(builder: GraphBuilder, scaler: MaxAbsScaler, reads: str) -> dict[str, list[str]]:
    """x / max |x|, clipped to [-1, 1] where the scaler does so (scikit-learn 1.9 on)."""
    x = builder.node("Div", reads, builder.constant(scaler.scale_))
    return {"transform": [_clipped(builder, x, -1.0, 1.0) if getattr(scaler, "clip", False) else x]}


@operator(MinMaxScaler)
def min_max_scaler(builder: GraphBuilder, scaler: MinMaxScaler, reads: str) -> dict[str, list[str]]:
    """x × scale + min, clipped to the feature range where the scaler does so."""
    x = builder.node("Mul", reads, builder.constant(scaler.scale_))
    x = builder.node("Add", x, builder.constant(scaler.min_))
    return {"transform": [_clipped(builder, x, *scaler.feature_range) if scaler.clip else x]}


def _shift_and_divide(builder: GraphBuilder, x: str, center: Any, scale: Any) -> dict[str, list[str]]:
    if center is not None:
        x = builder.node("Sub", x, builder.constant(center))
    if scale is not None:
        x = builder.node("Div", x, builder.constant(scale))
    if center is None and scale is None:
        x = builder.node("Identity", x)
    return {"transform": [x]}


def _clipped(builder: GraphBuilder, x: str, low: float, high: float) -> str:
    """NaN stays NaN, which Clip does not promise."""
    inside = builder.node("Clip", x, builder.constant(low), builder.constant(high))
    return builder.node("Where", builder.node("IsNaN", x), x, inside)
