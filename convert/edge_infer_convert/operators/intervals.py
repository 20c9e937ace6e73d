"""Where numbers stand among sorted edges, column by column, and straight lines between points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["count_not_above", "interpolated"]

_COUNTED = 16  # edges; up to here all are compared at once, above it the place is searched by halving


def count_not_above(builder: GraphBuilder, x: str, edges: Sequence[NDArray[Any]]) -> str:
    """How many of `edges[j]` (sorted) are ≤ x[:, j]: int64 [rows, columns], `numpy.searchsorted(…, side="right")`.

    A NaN has none below it. Equal edges are all counted.
    """
    longest = max((len(column) for column in edges), default=0)
    if longest <= _COUNTED:
        return _counted(builder, x, _padded(edges, max(longest, 1)))
    steps = 1 << (longest.bit_length() - 1)
    return _halved(builder, x, _padded(edges, 2 * steps), steps)


def _padded(edges: Sequence[NDArray[Any]], width: int) -> NDArray[np.float64]:
    """[columns, width], filled up with NaN: nothing is as large as that."""
    table = np.full((len(edges), width), np.nan)
    for row, column in zip(table, edges, strict=True):
        row[: len(column)] = column
    return table


def _counted(builder: GraphBuilder, x: str, table: NDArray[np.float64]) -> str:
    spread = builder.node("Unsqueeze", x, builder.constant([2], np.int64))
    below = builder.node("LessOrEqual", builder.constant(table[None]), spread)
    ones, zeros = builder.constant(1, np.int64), builder.constant(0, np.int64)
    flags = builder.node("Where", below, ones, zeros)
    return builder.node("ReduceSum", flags, builder.constant([2], np.int64), keepdims=0)


def _halved(builder: GraphBuilder, x: str, table: NDArray[np.float64], steps: int) -> str:
    """Binary search, all columns at once: a step forward wherever the edge before it is ≤ x."""
    keys = builder.constant(table.ravel())
    starts = np.arange(len(table)) * table.shape[1]
    place = builder.constant(np.zeros((1, len(table))), np.int64)
    while steps:
        ahead = builder.node("Add", place, builder.constant(steps, np.int64))
        key = builder.node("Gather", keys, builder.node("Add", ahead, builder.constant(starts - 1, np.int64)), axis=0)
        place = builder.node("Where", builder.node("LessOrEqual", key, x), ahead, place)
        steps //= 2
    return place


def interpolated(builder: GraphBuilder, x: str, points: Sequence[NDArray[Any]], values: Sequence[NDArray[Any]]) -> str:
    """`numpy.interp(x[:, j], points[j], values[j])`: [rows, columns].

    slope · (x − start) + value at the start, with the slope of numpy's own code; flat before the first and after
    the last point. As many points in each column.
    """
    slopes, starts, bases = [], [], []
    for xs, ys in zip(points, values, strict=True):
        with np.errstate(all="ignore"):
            between = np.where(np.diff(xs) > 0, np.diff(ys) / np.diff(xs), 0.0)  # equal points: never the start
        slopes.append(np.r_[0.0, between, 0.0])
        starts.append(np.r_[xs[0], xs])
        bases.append(np.r_[ys[0], ys])
    width = len(points[0]) + 1
    place = count_not_above(builder, x, points)
    place = builder.node("Add", place, builder.constant(np.arange(len(points)) * width, np.int64))
    slope, start, base = (
        builder.node("Gather", builder.constant(np.concatenate(table)), place, axis=0)
        for table in (slopes, starts, bases)
    )
    return builder.node("Add", builder.node("Mul", slope, builder.node("Sub", x, start)), base)
