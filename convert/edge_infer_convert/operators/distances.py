"""Distances of rows to kept points, by the operations of the original: direct differences or expanded squares.

A matrix [rows, points, features] is never made: differences are summed feature by feature into [rows, points], in the
order of scikit-learn's own loop (`metrics/_dist_metrics.pyx`), and expanded squares are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.sparse import issparse

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder

__all__ = [
    "Metric",
    "dense",
    "distances",
    "expanded_squares",
    "metric_of",
    "named_metric",
    "nan_euclidean",
    "ranks",
    "true_distances",
]

_ALIASES: Final = {
    "l2": "euclidean",
    "l1": "manhattan",
    "cityblock": "manhattan",
    "infinity": "chebyshev",
    "p": "minkowski",
}
_NARROW: Final = 64  # features, up to which differences are taken in float32
_SHORTER: Final = {1: "manhattan", 2: "euclidean", math.inf: "chebyshev"}


class Metric(NamedTuple):
    """A metric and its parameters. `expanded`: Euclidean distances come from x² − 2xy + y², not from differences."""

    name: str
    params: dict[str, Any]
    expanded: bool


def metric_of(estimator: Any) -> Metric:
    """The metric of a fitted neighbours estimator; brute force expands squares, trees take differences."""
    params = {key: value for key, value in estimator.effective_metric_params_.items() if value is not None}
    return named_metric(estimator.effective_metric_, params, expanded=estimator._fit_method == "brute")


def named_metric(name: Any, params: dict[str, Any] | None = None, *, expanded: bool = False) -> Metric:
    """A metric by scikit-learn's name.

    Raises:
        UnsupportedModelError: the metric has no form here.
    """
    params = dict(params or {})
    name = _ALIASES.get(name, name) if isinstance(name, str) else name
    if name == "minkowski" and "w" not in params:
        name = _SHORTER.get(params.get("p", 2), name)
    known = sorted({*_SUMS, "chebyshev", "cosine", "nan_euclidean"})
    if name not in known:
        shown = name if isinstance(name, str) else getattr(name, "__name__", type(name).__name__)
        raise UnsupportedModelError(
            f"the metric {shown!r} cannot be expressed as ONNX here; use one of {', '.join(known)}"
        )
    return Metric(name, params, expanded)


def dense(points: Any) -> Any:
    """Kept training rows as a float64 array."""
    return np.asarray(points.toarray() if issparse(points) else points, dtype=np.float64)


def distances(builder: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    """[rows, features] and points [points, features] → distances [rows, points]."""
    return true_distances(builder, ranks(builder, x, points, metric), metric)


def ranks(builder: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    """Numbers that grow with the distance, as the original compares them (squares for the Euclidean)."""
    points = dense(points)
    # float32 has no digits to lose by expanding
    expands = metric.name in ("euclidean", "sqeuclidean") and metric.expanded
    if expands and (builder.dtype == np.float64 or points.shape[1] > _NARROW):
        return expanded_squares(builder, x, points)
    if metric.name == "nan_euclidean":
        return nan_euclidean(builder, x, points)
    if metric.name == "cosine":
        return _cosine(builder, x, points)
    if metric.name == "chebyshev":
        return _folded(builder, "Max", (builder.node("Abs", d) for d in _differences(builder, x, points)))
    return _SUMS[metric.name](builder, x, points, metric.params)


def true_distances(builder: GraphBuilder, ranked: str, metric: Metric) -> str:
    """Ranks → distances."""
    if metric.name in ("euclidean", "seuclidean"):
        return builder.node("Sqrt", ranked)
    if metric.name == "minkowski":
        return builder.node("Pow", ranked, builder.constant(1.0 / metric.params.get("p", 2)))
    return ranked


def expanded_squares(builder: GraphBuilder, x: str, points: Any) -> str:
    """max(0, −2x·y + |x|² + |y|²), in the order of `sklearn.metrics.pairwise._euclidean_distances`."""
    points = dense(points)
    middle = builder.node("MatMul", x, builder.constant(-2.0 * points.T))
    norms = builder.node("ReduceSum", builder.node("Mul", x, x), builder.constant([1], np.int64), keepdims=1)
    total = builder.node("Add", builder.node("Add", middle, norms), builder.constant(np.sum(points**2, axis=1)))
    return builder.node("Max", total, builder.constant(0.0))


def nan_euclidean(builder: GraphBuilder, x: str, points: Any, missing: str | None = None, gaps: Any = None) -> str:
    """Euclidean over the features that both have, scaled up for the others; NaN where they share none.

    `missing` (bool [rows, features]) and `gaps` (bool, points' shape) say what is missing; NaN where not given.
    """
    missing = builder.node("IsNaN", x) if missing is None else missing
    gaps = np.isnan(points) if gaps is None else gaps
    zero = builder.constant(0.0)
    x = builder.node("Where", missing, zero, x)
    points = np.where(gaps, 0.0, points)
    squares = expanded_squares(builder, x, points)
    absent = builder.node("Where", missing, builder.constant(1.0), zero)
    own = builder.node("MatMul", builder.node("Mul", x, x), builder.constant(gaps.T))
    theirs = builder.node("MatMul", absent, builder.constant((points**2).T))
    squares = builder.node("Max", builder.node("Sub", builder.node("Sub", squares, own), theirs), zero)
    present = builder.node("Sub", builder.constant(1.0), absent)
    count = builder.node("MatMul", present, builder.constant(~gaps.T))
    shared = builder.node("Greater", count, zero)
    mean = builder.node("Div", squares, builder.node("Max", count, builder.constant(1.0)))
    scaled = builder.node("Mul", mean, builder.constant(float(points.shape[1])))
    return builder.node("Where", shared, builder.node("Sqrt", scaled), builder.constant(np.nan))


def _cosine(builder: GraphBuilder, x: str, points: Any) -> str:
    """1 − the cosine, in [0, 2]. Rows shorter than 10 ε are not scaled (`sklearn.preprocessing.normalize`)."""
    tiny = 10 * float(np.finfo(np.float64).eps)
    squares = builder.node("ReduceSum", builder.node("Mul", x, x), builder.constant([1], np.int64), keepdims=1)
    norms = builder.node("Sqrt", squares)
    short = builder.node("Less", norms, builder.constant(tiny))
    unit = builder.node("Div", x, builder.node("Where", short, builder.constant(1.0), norms))
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    others = points / np.where(lengths < tiny, 1.0, lengths)
    similarity = builder.node("MatMul", unit, builder.constant(others.T))
    distance = builder.node("Sub", builder.constant(1.0), similarity)
    return builder.node("Min", builder.node("Max", distance, builder.constant(0.0)), builder.constant(2.0))


# --- sums over features -----------------------------------------------------------------


def _columns(builder: GraphBuilder, x: str, width: int) -> list[str]:
    """Each feature as [rows, 1]."""
    return [x] if width == 1 else builder.nodes_of("Split", x, outputs=width, axis=1, num_outputs=width)


def _differences(builder: GraphBuilder, x: str, points: Any) -> Iterator[str]:
    """x − y of each feature, [rows, points]."""
    for position, feature in enumerate(_columns(builder, x, points.shape[1])):
        yield builder.node("Sub", feature, builder.constant(points[None, :, position]))


def _folded(builder: GraphBuilder, op: str, parts: Iterator[str]) -> str:
    """The parts combined from the first to the last, as the original's loop does."""
    total = next(parts)
    for part in parts:
        total = builder.node(op, total, part)
    return total


def _squares(builder: GraphBuilder, x: str, points: Any, params: dict[str, Any]) -> str:
    parts = (builder.node("Mul", d, d) for d in _differences(builder, x, points))
    return _folded(builder, "Add", parts)


def _standardised(builder: GraphBuilder, x: str, points: Any, params: dict[str, Any]) -> str:
    """Σ (x − y)² / V."""
    if "V" not in params:
        raise UnsupportedModelError("the metric 'seuclidean' without V depends on the rows asked for; pass V")
    variances = np.ravel(params["V"])
    parts = (
        builder.node("Div", builder.node("Mul", d, d), builder.constant(v))
        for d, v in zip(_differences(builder, x, points), variances, strict=True)
    )
    return _folded(builder, "Add", parts)


def _absolutes(builder: GraphBuilder, x: str, points: Any, params: dict[str, Any]) -> str:
    return _folded(builder, "Add", (builder.node("Abs", d) for d in _differences(builder, x, points)))


def _powers(builder: GraphBuilder, x: str, points: Any, params: dict[str, Any]) -> str:
    """Σ w |x − y|ᵖ."""
    exponent = builder.constant(float(params.get("p", 2)))
    weights = np.ravel(params["w"]) if "w" in params else np.ones(points.shape[1])
    parts = (
        builder.node("Mul", builder.constant(w), builder.node("Pow", builder.node("Abs", d), exponent))
        for d, w in zip(_differences(builder, x, points), weights, strict=True)
    )
    return _folded(builder, "Add", parts)


def _canberra(builder: GraphBuilder, x: str, points: Any, params: dict[str, Any]) -> str:
    """Σ |x − y| / (|x| + |y|); 0 / 0 counts nothing."""
    return _folded(builder, "Add", (_safe_ratio(builder, *pair) for pair in _sizes(builder, x, points)))


def _bray_curtis(builder: GraphBuilder, x: str, points: Any, params: dict[str, Any]) -> str:
    """Σ |x − y| / Σ (|x| + |y|)."""
    pairs = list(_sizes(builder, x, points))
    above = _folded(builder, "Add", iter([above for above, _ in pairs]))
    return _safe_ratio(builder, above, _folded(builder, "Add", iter([below for _, below in pairs])))


def _sizes(builder: GraphBuilder, x: str, points: Any) -> Iterator[tuple[str, str]]:
    """|x − y| and |x| + |y| of each feature, [rows, points]."""
    for position, feature in enumerate(_columns(builder, x, points.shape[1])):
        others = points[None, :, position]
        apart = builder.node("Abs", builder.node("Sub", feature, builder.constant(others)))
        yield apart, builder.node("Add", builder.node("Abs", feature), builder.constant(np.abs(others)))


def _safe_ratio(builder: GraphBuilder, above: str, below: str) -> str:
    zero = builder.constant(0.0)
    some = builder.node("Greater", below, zero)
    ratio = builder.node("Div", above, builder.node("Where", some, below, builder.constant(1.0)))
    return builder.node("Where", some, ratio, zero)


def _hamming(builder: GraphBuilder, x: str, points: Any, params: dict[str, Any]) -> str:
    """The share of features that differ."""
    one, zero = builder.constant(1.0), builder.constant(0.0)
    width = points.shape[1]
    parts = (
        builder.node("Where", builder.node("Equal", feature, builder.constant(points[None, :, i])), zero, one)
        for i, feature in enumerate(_columns(builder, x, width))
    )
    return builder.node("Div", _folded(builder, "Add", parts), builder.constant(float(width)))


_SUMS: Final[dict[str, Callable[[GraphBuilder, str, Any, dict[str, Any]], str]]] = {
    "euclidean": _squares,
    "sqeuclidean": _squares,
    "manhattan": _absolutes,
    "minkowski": _powers,
    "seuclidean": _standardised,
    "canberra": _canberra,
    "braycurtis": _bray_curtis,
    "hamming": _hamming,
}
