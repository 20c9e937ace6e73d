"""k nearest neighbours: votes, means, distances, outlier factors.

At equal distances the k-th neighbour is the earliest training row (TopK). scikit-learn's own choice depends on its heap
and on the order in which its tree is walked; `ties.py` tells the rows where that decides the answer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NeighborhoodComponentsAnalysis,
)

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.distances import dense, metric_of, ranks, true_distances
from edge_infer_convert.operators.numeric import first_largest, require_float64
from edge_infer_convert.operators.registry import operator

__all__ = ["Nearest", "nearest", "refuse_callable_weights", "zero_or_inverse"]


class Nearest(NamedTuple):
    """The k nearest training rows, nearest first: distances and int64 positions, both [rows, k]."""

    distances: str
    positions: str


def nearest(builder: GraphBuilder, model: Any, reads: str, count: int) -> Nearest:
    """The `count` nearest rows of what a neighbours estimator keeps, in float64: at a jump there is no tolerance."""
    require_float64(builder, type(model).__name__)
    if model.metric == "precomputed":
        raise UnsupportedModelError(
            "metric='precomputed' takes distances to the training rows, which no device has; fit with a metric"
        )
    metric = metric_of(model)
    ranked = ranks(builder, reads, model._fit_X, metric)
    k = builder.constant([count], np.int64)
    values, positions = builder.nodes_of("TopK", ranked, k, outputs=2, axis=1, largest=0, sorted=1)
    return Nearest(true_distances(builder, values, metric), positions)


def refuse_callable_weights(model: Any) -> None:
    """A weight function is Python, which a graph cannot hold."""
    if callable(model.weights):
        raise UnsupportedModelError(
            "weights is a Python function, which ONNX cannot hold; use weights='uniform' or 'distance'"
        )


def zero_or_inverse(builder: GraphBuilder, distance: str) -> str:
    """1 / d; in a row with distances of 0 those weigh 1 and all others 0 (`sklearn.neighbors._base._get_weights`)."""
    inverse = builder.node("Div", builder.constant(1.0), distance)
    zero = builder.node("Cast", builder.node("IsInf", inverse), to=builder.elem_type)
    hit = builder.node("ReduceMax", zero, builder.constant([1], np.int64), keepdims=1)
    return builder.node("Where", builder.node("Greater", hit, builder.constant(0.0)), zero, inverse)


def _weights(builder: GraphBuilder, model: Any, found: Nearest) -> str | None:
    """[rows, k]; None where all weigh the same."""
    refuse_callable_weights(model)
    return zero_or_inverse(builder, found.distances) if model.weights == "distance" else None


@operator(KNeighborsClassifier)
def neighbours_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Votes of the k nearest, divided by their sum; the label with most votes, the first of equal ones."""
    found = nearest(builder, model, reads, model.n_neighbors)
    weights = _weights(builder, model, found)
    labels = np.asarray(model._y).reshape(len(model._y), -1)
    classes = model.classes_ if model.outputs_2d_ else [model.classes_]
    shares = [
        _shares(builder, found, weights, np.eye(len(names))[labels[:, output]]) for output, names in enumerate(classes)
    ]
    positions = [first_largest(builder, share) for share in shares]
    if not model.outputs_2d_:
        return {"predict": positions, "predict_proba": shares}
    return {"predict": [label_columns(builder, classes, positions)], "predict_proba": shares}


def _shares(builder: GraphBuilder, found: Nearest, weights: str | None, votes: Any) -> str:
    """votes [points, classes] of the found rows, summed and divided by their sum: [rows, classes]."""
    total = _summed(builder, found, weights, votes)
    whole = builder.node("ReduceSum", total, builder.constant([1], np.int64), keepdims=1)
    return builder.node("Div", total, whole)


def _summed(builder: GraphBuilder, found: Nearest, weights: str | None, values: Any) -> str:
    """Σ weight · value over the found rows: values [points, n] → [rows, n]."""
    given = builder.node("Gather", builder.constant(values), found.positions, axis=0)
    if weights is not None:
        given = builder.node("Mul", given, builder.node("Unsqueeze", weights, builder.constant([2], np.int64)))
    return builder.node("ReduceSum", given, builder.constant([1], np.int64), keepdims=0)


def label_columns(builder: GraphBuilder, classes: Any, positions: list[str]) -> str:
    """The labels of several outputs side by side, [rows, outputs], in the type of the first output's labels."""
    kind = np.asarray(classes[0]).dtype
    dtype: Any = object if kind.kind in "OU" else {"b": np.bool_, "f": np.float64}.get(kind.kind, np.int64)
    columns = []
    for names, position in zip(classes, positions, strict=True):
        table = builder.constant(np.asarray(names).astype(dtype), dtype)
        taken = builder.node("Gather", table, position, axis=0)
        columns.append(builder.node("Unsqueeze", taken, builder.constant([1], np.int64)))
    return builder.node("Concat", *columns, axis=1)


@operator(KNeighborsRegressor)
def neighbours_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The mean of the k nearest targets, or Σ weight · target / Σ weight."""
    found = nearest(builder, model, reads, model.n_neighbors)
    weights = _weights(builder, model, found)
    targets = dense(model._y).reshape(len(dense(model._y)), -1)
    total = _summed(builder, found, weights, targets)
    if weights is None:
        whole = builder.constant(float(model.n_neighbors))
    else:
        whole = builder.node("ReduceSum", weights, builder.constant([1], np.int64), keepdims=1)
    return {"predict": [builder.node("Div", total, whole)]}


@operator(KNeighborsTransformer)
def neighbours_transformer(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """[rows, training rows]: distances (of one neighbour more than asked) or ones at the nearest, 0 elsewhere."""
    listed = model.mode == "distance"
    found = nearest(builder, model, reads, model.n_neighbors + int(listed))
    shape = builder.node("Shape", found.positions)
    values = found.distances if listed else builder.node("Expand", builder.constant(1.0), shape)
    rows = builder.node("Gather", shape, builder.constant([0], np.int64), axis=0)
    whole = builder.node("Concat", rows, builder.constant([model.n_samples_fit_], np.int64), axis=0)
    empty = builder.node("Expand", builder.constant(0.0), whole)
    return {"transform": [builder.node("ScatterElements", empty, found.positions, values, axis=1)]}


@operator(LocalOutlierFactor, when=lambda model: bool(model.novelty))
def outlier_factor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """−mean(density of the neighbours / own density); densities are 1 / mean reachability."""
    found = nearest(builder, model, reads, model.n_neighbors_)
    cores = builder.constant(model._distances_fit_X_[:, model.n_neighbors_ - 1])
    reach = builder.node("Max", found.distances, builder.node("Gather", cores, found.positions, axis=0))
    axis = builder.constant([1], np.int64)
    mean = builder.node("ReduceMean", reach, axis, keepdims=1)
    density = builder.node("Div", builder.constant(1.0), builder.node("Add", mean, builder.constant(1e-10)))
    ratios = builder.node("Div", builder.node("Gather", builder.constant(model._lrd), found.positions, axis=0), density)
    scores = builder.node("Neg", builder.node("ReduceMean", ratios, axis, keepdims=0))
    decision = builder.node("Sub", scores, builder.constant(float(model.offset_)))
    outlier = builder.node("Cast", builder.node("Less", decision, builder.constant(0.0)), to=TensorProto.INT64)
    one, two = builder.constant(1, np.int64), builder.constant(2, np.int64)
    inlier = builder.node("Sub", one, builder.node("Mul", outlier, two))
    return {"predict": [inlier], "decision_function": [decision], "score_samples": [scores]}


@operator(NeighborhoodComponentsAnalysis)
def neighbourhood_components(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """x · componentsᵀ."""
    return {"transform": [builder.node("MatMul", reads, builder.constant(model.components_.T))]}
