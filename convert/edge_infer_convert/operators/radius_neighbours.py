"""Neighbours within a radius: votes, means, distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics._pairwise_distances_reduction import RadiusNeighborsClassMode
from sklearn.neighbors import RadiusNeighborsClassifier, RadiusNeighborsRegressor, RadiusNeighborsTransformer

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.distances import Metric, dense, metric_of, ranks, true_distances
from edge_infer_convert.operators.neighbours import label_columns, refuse_callable_weights
from edge_infer_convert.operators.numeric import first_largest
from edge_infer_convert.operators.registry import operator


def _within(builder: GraphBuilder, model: Any, reads: str) -> tuple[str, str]:
    """Distances to all training rows, and whether each is at most the radius, both [rows, training rows]."""
    if model.metric == "precomputed":
        raise UnsupportedModelError(
            "metric='precomputed' takes distances to the training rows, which no device has; fit with a metric"
        )
    if builder.dtype == np.float32:
        raise UnsupportedModelError("answers jump where a training row stands at the radius, which takes float64")
    metric = metric_of(model)
    ranked = ranks(builder, reads, model._fit_X, metric)
    inside = builder.node("LessOrEqual", ranked, builder.constant(_rank_of(metric, float(model.radius))))
    return true_distances(builder, ranked, metric), inside


def _rank_of(metric: Metric, radius: float) -> float:
    """The radius as the original compares it."""
    if metric.name in ("euclidean", "seuclidean"):
        return radius * radius
    return float(radius ** metric.params.get("p", 2)) if metric.name == "minkowski" else radius


def _weights(builder: GraphBuilder, model: Any, reads: str) -> str:
    """[rows, training rows]: 0 outside; inside 1, or 1 / d, or where some d is 0 those alone."""
    refuse_callable_weights(model)
    distance, inside = _within(builder, model, reads)
    flags = builder.node("Cast", inside, to=builder.elem_type)
    if model.weights != "distance":
        return flags
    zero, one = builder.constant(0.0), builder.constant(1.0)
    here = builder.node("And", inside, builder.node("Equal", distance, zero))
    same = builder.node("Cast", here, to=builder.elem_type)
    hit = builder.node("ReduceMax", same, builder.constant([1], np.int64), keepdims=1)
    inverse = builder.node("Where", inside, builder.node("Div", one, distance), zero)
    return builder.node("Where", builder.node("Greater", hit, zero), same, inverse)


@operator(RadiusNeighborsRegressor)
def radius_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Σ weight · target / Σ weight; without neighbours NaN (targets of whole numbers: numpy's NaN as an integer)."""
    weights = _weights(builder, model, reads)
    targets = dense(model._y).reshape(len(dense(model._y)), -1)
    total = builder.node("MatMul", weights, builder.constant(targets))
    whole = builder.node("ReduceSum", weights, builder.constant([1], np.int64), keepdims=1)
    mean = builder.node("Div", total, whole)
    with np.errstate(invalid="ignore"):
        alone = np.full_like(np.asarray(model._y[:1]).reshape(1, -1), np.nan)
    empty = builder.node("Equal", whole, builder.constant(0.0))
    return {"predict": [builder.node("Where", empty, builder.constant(alone.astype(np.float64)), mean)]}


@operator(RadiusNeighborsTransformer)
def radius_transformer(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """[rows, training rows]: distances or ones within the radius, 0 elsewhere."""
    distance, inside = _within(builder, model, reads)
    if model.mode != "distance":
        return {"transform": [builder.node("Cast", inside, to=builder.elem_type)]}
    return {"transform": [builder.node("Where", inside, distance, builder.constant(0.0))]}


@operator(RadiusNeighborsClassifier)
def radius_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Shares of the votes within the radius; rows without neighbours take the outlier label."""
    if model.outlier_label_ is None:
        raise UnsupportedModelError(
            "a row without neighbours makes the original raise, which ONNX cannot; "
            "fit with outlier_label='most_frequent' or one of the labels"
        )
    weights = _weights(builder, model, reads)
    labels = np.asarray(model._y).reshape(len(model._y), -1)
    classes = model.classes_ if model.outputs_2d_ else [model.classes_]
    shares, positions, tables = [], [], []
    for output, names in enumerate(classes):
        share = _shares(builder, model, weights, labels[:, output], output, names)
        table, position = _labelled(builder, model, share, output, names)
        shares.append(share)
        positions.append(position)
        tables.append(table)
    if not model.outputs_2d_:
        return {"predict": positions, "predict_proba": shares}
    return {"predict": [label_columns(builder, tables, positions)], "predict_proba": shares}


def _shares(builder: GraphBuilder, model: Any, weights: str, labels: Any, output: int, names: Any) -> str:
    votes = builder.node("MatMul", weights, builder.constant(np.eye(len(names))[labels]))
    alone = np.zeros((1, len(names)))
    position = _outlier_class(model, output, names)
    if position is not None:
        alone[0, position] = 1.0
    count = builder.node("ReduceSum", weights, builder.constant([1], np.int64), keepdims=1)
    empty = builder.node("Equal", count, builder.constant(0.0))
    votes = builder.node("Where", empty, builder.constant(alone), votes)
    whole = builder.node("ReduceSum", votes, builder.constant([1], np.int64), keepdims=1)
    none = builder.node("Equal", whole, builder.constant(0.0))
    return builder.node("Div", votes, builder.node("Where", none, builder.constant(1.0), whole))


def _outlier_class(model: Any, output: int, names: Any) -> int | None:
    """The class that has probability 1 without neighbours; None where the outlier label is no class."""
    found = _place(names, model.outlier_label_[output])
    if _has_fast_path(model) and found != _place(np.arange(len(names)), model.outlier_label):
        raise UnsupportedModelError(
            "scikit-learn answers rows without neighbours differently by the memory order of the array here (its fast "
            "path takes outlier_label for a position among the classes); fit with algorithm='ball_tree'"
        )
    return found


def _place(names: Any, label: Any) -> int | None:
    return next((i for i, name in enumerate(np.asarray(names).tolist()) if name == label), None)


def _has_fast_path(model: Any) -> bool:
    """Taken for rows in C order only (`RadiusNeighborsClassMode`, given `np.arange(len(classes_))` for labels)."""
    return bool(
        model.weights == "uniform"
        and model._fit_method == "brute"
        and not model.outputs_2d_
        and RadiusNeighborsClassMode.is_usable_for(model._fit_X[:1], model._fit_X, model.effective_metric_)
    )


def _labelled(builder: GraphBuilder, model: Any, share: str, output: int, names: Any) -> tuple[Any, str]:
    """The labels (the outlier label last where it is no class), and the position of each row's label in them."""
    position = first_largest(builder, share)
    label = model.outlier_label_[output]
    if _outlier_class(model, output, names) is not None:
        return names, position
    if not model.outputs_2d_:
        raise UnsupportedModelError(
            f"outlier_label={label!r} is none of the classes, so it has no place among the labels of the answer; "
            "fit with outlier_label='most_frequent' or one of the labels"
        )
    place = builder.constant(len(names), np.int64)
    largest = builder.node("ReduceMax", share, builder.constant([1], np.int64), keepdims=0)
    some = builder.node("Greater", largest, builder.constant(0.0))
    chosen = builder.node("Where", some, position, place)
    return np.append(names, label), chosen
