"""Dummy estimators and isotonic regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.isotonic import IsotonicRegression

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column
from edge_infer_convert.operators.registry import operator

_RANDOM = ("stratified", "uniform")


@operator(DummyClassifier)
def dummy_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The same answer to every row: the original is asked for it."""
    if model.strategy in _RANDOM:
        raise UnsupportedModelError(
            f"DummyClassifier(strategy={model.strategy!r}) answers by chance, so no file can give the same answers; "
            "use strategy 'prior', 'most_frequent' or 'constant'"
        )
    row = np.zeros((1, 1))
    labels, shares = model.predict(row), model.predict_proba(row)
    if hasattr(labels, "toarray"):
        labels = labels.toarray()
    answers = {
        "predict_proba": [_each_row(builder, reads, s) for s in (shares if isinstance(shares, list) else [shares])]
    }
    if labels.ndim == 1:
        labels = np.flatnonzero(np.asarray(model.classes_) == labels[0])[:1]
    return answers | {"predict": [_each_row(builder, reads, labels)]}


@operator(DummyRegressor)
def dummy_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The same numbers to every row."""
    return {"predict": [_each_row(builder, reads, model.predict(np.zeros((1, 1))))]}


def _each_row(builder: GraphBuilder, reads: str, answer: NDArray[Any]) -> str:
    """The answer to one row, [1] or [1, …], for as many rows as come in; its kind is kept."""
    dtype = {"f": None, "b": np.bool_, "U": object, "O": object}.get(answer.dtype.kind, np.int64)
    cells = np.arange(answer.size).reshape(answer.shape)  # Gather spoils rows of strings, not single ones
    rows = builder.node("Shape", reads, start=0, end=1)
    shape = builder.node("Concat", rows, builder.constant(answer.shape[1:], np.int64), axis=0)
    places = builder.node("Expand", builder.constant(cells, np.int64), shape)
    return builder.node("Gather", builder.constant(answer.ravel().tolist(), dtype), places, axis=0)


@operator(IsotonicRegression)
def isotonic_regression(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """A line between neighbouring thresholds, as numpy.interp: y_j + slope_j (x − x_j), x_j the last one ≤ x.

    Beyond the ends: the end's value ("clip"), else NaN. "raise" refuses such rows, which a graph cannot: NaN too.
    """
    at, values = np.asarray(model.X_thresholds_, np.float64), np.asarray(model.y_thresholds_, np.float64)
    x = column(builder, reads)
    if len(at) == 1:
        answer = _each_row(builder, reads, values)
        return {"predict": [answer], "transform": [answer]}
    if model.out_of_bounds == "clip":
        low, high = builder.constant(model.X_min_), builder.constant(model.X_max_)
        x = builder.node("Min", builder.node("Max", x, low), high)
    answer = _interpolated(builder, x, at, values)
    if model.out_of_bounds != "clip":
        below = builder.node("Less", x, builder.constant(at[0]))
        above = builder.node("Greater", x, builder.constant(at[-1]))
        answer = builder.node("Where", builder.node("Or", below, above), builder.constant(np.nan), answer)
    return {"predict": [answer], "transform": [answer]}


def _interpolated(builder: GraphBuilder, x: str, at: NDArray[Any], values: NDArray[Any]) -> str:
    """x is [rows, 1]."""
    slopes = np.append(np.diff(values) / np.diff(at), 0.0)
    passed = builder.node("GreaterOrEqual", x, builder.constant(at[None]))
    count = builder.node("Cast", passed, to=TensorProto.INT64)
    count = builder.node("ReduceSum", count, builder.constant([1], np.int64), keepdims=1)
    place = builder.node("Sub", count, builder.constant(1, np.int64))
    place = builder.node("Max", place, builder.constant(0, np.int64))
    starts, heights, rises = (
        builder.node("Gather", builder.constant(table), place, axis=0) for table in (at, values, slopes)
    )
    return builder.node("Add", builder.node("Mul", rises, builder.node("Sub", x, starts)), heights)
