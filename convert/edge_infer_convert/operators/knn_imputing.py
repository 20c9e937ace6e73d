"""KNNImputer: each missing cell from the nearest training rows that have the feature."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.impute import KNNImputer

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.distances import nan_euclidean
from edge_infer_convert.operators.neighbours import refuse_callable_weights, zero_or_inverse
from edge_infer_convert.operators.registry import operator


@operator(KNNImputer)
def knn_imputer(builder: GraphBuilder, imputer: Any, reads: str) -> dict[str, list[str]]:
    """x where present, else the weighted mean of the nearest donors; empty columns left out or 0; then indicators."""
    refuse_callable_weights(imputer)
    if callable(imputer.metric):
        raise UnsupportedModelError("metric is a Python function, which ONNX cannot hold; use metric='nan_euclidean'")
    missing = _missing(builder, imputer, reads)
    distance = nan_euclidean(builder, reads, imputer._fit_X, missing, imputer._mask_fit_X)
    columns = []
    for column in range(imputer.n_features_in_):
        if imputer._valid_mask[column]:
            columns.append(_filled(builder, imputer, reads, missing, distance, column))
        elif imputer.keep_empty_features:
            columns.append(builder.node("Mul", _taken(builder, missing, column, builder.elem_type), _zero(builder)))
    if imputer.indicator_ is not None:
        flags = builder.node("Cast", missing, to=builder.elem_type)
        features = builder.constant(imputer.indicator_.features_, np.int64)
        columns.append(builder.node("Gather", flags, features, axis=1))
    return {"transform": [builder.node("Concat", *columns, axis=1)]}


def _zero(builder: GraphBuilder) -> str:
    return builder.constant(0.0)


def _missing(builder: GraphBuilder, imputer: Any, reads: str) -> str:
    value = imputer.missing_values
    if value is None or value != value:
        return builder.node("IsNaN", reads)
    return builder.node("Equal", reads, builder.constant(float(value)))


def _taken(builder: GraphBuilder, x: str, column: int, kind: int | None = None) -> str:
    """One column, [rows, 1]."""
    taken = builder.node("Gather", x, builder.constant([column], np.int64), axis=1)
    return taken if kind is None else builder.node("Cast", taken, to=kind)


def _filled(builder: GraphBuilder, imputer: Any, reads: str, missing: str, distance: str, column: int) -> str:
    """One column without gaps, [rows, 1]. A row that shares no feature with any donor takes the column's mean."""
    donors = np.flatnonzero(~imputer._mask_fit_X[:, column])
    values = imputer._fit_X[donors, column]
    near = distance
    if len(donors) < len(imputer._fit_X):
        near = builder.node("Gather", distance, builder.constant(donors, np.int64), axis=1)
    near = builder.node("Where", builder.node("IsNaN", near), builder.constant(np.inf), near)
    count = builder.constant([min(imputer.n_neighbors, len(donors))], np.int64)
    found, positions = builder.nodes_of("TopK", near, count, outputs=2, axis=1, largest=0, sorted=1)
    weights = _donor_weights(builder, imputer, found)
    given = builder.node("Gather", builder.constant(values), positions, axis=0)
    axis = builder.constant([1], np.int64)
    total = builder.node("ReduceSum", builder.node("Mul", given, weights), axis, keepdims=1)
    whole = builder.node("ReduceSum", weights, axis, keepdims=1)
    none = builder.node("Equal", whole, _zero(builder))
    mean = builder.node("Div", total, builder.node("Where", none, builder.constant(1.0), whole))
    mean = builder.node("Where", none, builder.constant(float(np.mean(values))), mean)
    return builder.node("Where", _taken(builder, missing, column), mean, _taken(builder, reads, column))


def _donor_weights(builder: GraphBuilder, imputer: Any, found: str) -> str:
    """[rows, k]; donors that share no feature weigh 0."""
    if imputer.weights == "distance":
        return zero_or_inverse(builder, found)
    far = builder.node("IsInf", found)
    return builder.node("Where", far, _zero(builder), builder.constant(1.0))
