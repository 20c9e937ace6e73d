"""SplineTransformer: each piece of each B-spline as a polynomial around a point of its interval."""

from __future__ import annotations

from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import SplineTransformer

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.intervals import count_not_above
from edge_infer_convert.operators.registry import operator


class _Beyond(NamedTuple):
    """How the `kept` splines of each column go on from `limit` [columns]: value + slope · (x − limit), [columns,
    splines]; the others are 0."""

    limit: NDArray[np.float64]
    value: NDArray[np.float64]
    slope: NDArray[np.float64] | None
    kept: NDArray[np.bool_]


@operator(SplineTransformer)
def spline_transformer(builder: GraphBuilder, model: SplineTransformer, reads: str) -> dict[str, list[str]]:
    """The values of all splines of each column [rows, columns · splines]; the last of each is left out without bias."""
    width, splines = len(model.bsplines_), int(model.bsplines_[0].c.shape[1])
    x = _wrapped(builder, model, reads) if model.extrapolation == "periodic" else reads
    column = builder.node("Unsqueeze", reads, builder.constant([2], np.int64))
    _check_missing(model)
    y = _pieces(builder, model, x)
    if model.handle_missing == "zeros":
        y = _lost(builder, model, x, y)
    if model.extrapolation in ("constant", "linear"):
        below, above = _beyond(model)
        y = _continued(builder, column, y, below, "Less")
        y = _continued(builder, column, y, above, "Greater")
    elif model.extrapolation == "error":
        y = _refused(builder, model, column, y)
    if model.handle_missing == "zeros":
        y = builder.node("Where", builder.node("IsNaN", column), builder.constant(0.0), y)
    y = builder.node("Reshape", y, builder.constant([-1, width * splines], np.int64))
    if not model.include_bias:
        kept = [j for j in range(width * splines) if (j + 1) % splines]
        y = builder.node("Gather", y, builder.constant(kept, np.int64), axis=1)
    return {"transform": [y]}


def _check_missing(model: SplineTransformer) -> None:
    """To scikit-learn 1.9 at least, sparse output fills gaps of all columns but the first by the call's least value."""
    inside = model.extrapolation in ("constant", "linear")
    if model.handle_missing == "zeros" and model.sparse_output and not inside and len(model.bsplines_) > 1:
        raise UnsupportedModelError(
            "with sparse_output=True scikit-learn's own answer for a missing cell depends on the other rows of the "
            "call; fit it with sparse_output=False"
        )


def _lost(builder: GraphBuilder, model: SplineTransformer, x: str, y: str) -> str:
    """Infinite cells: NaN where the original's polynomials (of a degree above 0) or its period make them so."""
    if model.extrapolation == "periodic":
        odd = builder.node("IsNaN", x)
    elif model.extrapolation == "continue" and model.degree:
        odd = builder.node("IsInf", x)
    else:
        return y
    odd = builder.node("Unsqueeze", odd, builder.constant([2], np.int64))
    return builder.node("Where", odd, builder.constant(np.nan), y)


def _wrapped(builder: GraphBuilder, model: SplineTransformer, x: str) -> str:
    """t + (x − t) mod period, in [t, t + period); 0 in a column without a period."""
    starts = np.array([s.t[s.k] for s in model.bsplines_])
    periods = np.array([s.t[len(s.t) - s.k - 1] - s.t[s.k] for s in model.bsplines_])
    period = builder.constant(np.where(periods > 0, periods, 1.0))
    zero, start = builder.constant(0.0), builder.constant(starts)
    rest = builder.node("Mod", builder.node("Sub", x, start), period, fmod=1)
    rest = builder.node("Where", builder.node("Less", rest, zero), builder.node("Add", rest, period), rest)
    turned = builder.node("Add", start, rest)
    if (periods > 0).all():
        return turned
    return builder.node("Where", builder.constant(periods[None] > 0, np.bool_), turned, zero)


def _pieces(builder: GraphBuilder, model: SplineTransformer, x: str) -> str:
    """Horner's rule in (x − point), with the coefficients of the interval that x lies in: [rows, columns, splines]."""
    inner = [s.t[s.k + 1 : len(s.t) - s.k - 1] for s in model.bsplines_]
    tables = [_taylor(s) for s in model.bsplines_]
    starts = np.arange(len(inner)) * len(tables[0][0])
    place = builder.node("Add", count_not_above(builder, x, inner), builder.constant(starts, np.int64))
    points = builder.constant(np.concatenate([points for points, _ in tables]))
    u = builder.node("Sub", x, builder.node("Gather", points, place, axis=0))
    u = builder.node("Unsqueeze", u, builder.constant([2], np.int64))
    coefficients = np.concatenate([table for _, table in tables], axis=1)
    y = builder.node("Gather", builder.constant(coefficients[-1]), place, axis=0)
    for coefficient in coefficients[-2::-1]:
        term = builder.node("Gather", builder.constant(coefficient), place, axis=0)
        y = builder.node("Add", builder.node("Mul", y, u), term)
    return y


def _taylor(spline: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A point of each interval of the base [intervals], and derivatives / j! there [degree + 1, intervals, splines].

    scipy takes the last interval for a knot that comes more than once, and the first one for all x before it.
    """
    t, k = spline.t, spline.k
    points = t[k : len(t) - k - 1].astype(np.float64)
    if len(points) > 1 and points[0] == points[1] and spline.extrapolate:
        points[0] -= max(float(t[-1] - t[0]), 1.0)
    return points, np.stack([np.asarray(spline(points, nu=j)) / factorial(j) for j in range(k + 1)])


def _beyond(model: SplineTransformer) -> tuple[_Beyond, _Beyond]:
    """What the original puts below and above the limits.

    In scikit-learn (to 1.9 at least) `degree` grows from column to column where linear splines have a degree
    under 2; the limits of later columns move with it.
    """
    degree, linear = model.degree, model.extrapolation == "linear"
    sides: tuple[list[Any], list[Any]] = ([], [])
    for spline in model.bsplines_:
        limits = spline.t[degree], spline.t[-degree - 1]
        if linear and degree <= 1:
            degree += 1
        count = spline.c.shape[1]
        for side, limit, kept in zip(sides, limits, _kept(model, degree, count), strict=True):
            value, slope = np.asarray(spline(limit)), np.asarray(spline(limit, nu=1))
            side.append((limit, np.where(kept, value, 0.0), slope, kept))
    below, above = (_Beyond(*(np.array(part) for part in zip(*side, strict=True))) for side in sides)
    return (below, above) if linear else (below._replace(slope=None), above._replace(slope=None))


def _kept(model: SplineTransformer, degree: int, count: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which splines go on below and above: the first and the last `degree`; of degree 0 none, in sparse output
    all of them above (a slice from -0)."""
    place = np.arange(count)
    above = place >= count - degree
    if degree == 0 and model.sparse_output:
        above = np.ones(count, bool)
    return place < degree, above


def _continued(builder: GraphBuilder, column: str, y: str, beyond: _Beyond, side: str) -> str:
    limit = builder.constant(beyond.limit[None, :, None])
    outside = builder.constant(beyond.value[None])
    if beyond.slope is not None:
        step = builder.node("Mul", builder.node("Sub", column, limit), builder.constant(beyond.slope[None]))
        outside = builder.node("Add", outside, step)
        outside = builder.node("Where", builder.constant(beyond.kept[None], np.bool_), outside, builder.constant(0.0))
    return builder.node("Where", builder.node(side, column, limit), outside, y)


def _refused(builder: GraphBuilder, model: SplineTransformer, column: str, y: str) -> str:
    """NaN outside the knots, where the original raises an error."""
    low = np.array([s.t[s.k] for s in model.bsplines_])[None, :, None]
    high = np.array([s.t[len(s.t) - s.k - 1] for s in model.bsplines_])[None, :, None]
    outside = builder.node(
        "Or",
        builder.node("Less", column, builder.constant(low)),
        builder.node("Greater", column, builder.constant(high)),
    )
    return builder.node("Where", outside, builder.constant(np.nan), y)
