"""Feature selection and agglomeration: which columns go on, or are pooled."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import feature_selection
from sklearn.cluster import FeatureAgglomeration

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.registry import operator

_SELECTORS = (
    feature_selection.GenericUnivariateSelect,
    feature_selection.SelectFdr,
    feature_selection.SelectFpr,
    feature_selection.SelectFromModel,
    feature_selection.SelectFwe,
    feature_selection.SelectKBest,
    feature_selection.SelectPercentile,
    feature_selection.SequentialFeatureSelector,
    feature_selection.VarianceThreshold,
)


@operator(*_SELECTORS)
def selector(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The columns that were selected."""
    return {"transform": [_selected(builder, model, reads)]}


@operator(feature_selection.RFE, feature_selection.RFECV)
def recursive_elimination(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The columns that were selected, and the answers of the estimator that was trained on them."""
    from edge_infer_convert.graph.leaf import convert_leaf  # leaf looks operators up: a ring otherwise

    selected = _selected(builder, model, reads)
    answers = convert_leaf(builder, "estimator_", model.estimator_, selected, int(model.n_features_))
    kept = ("predict", "predict_proba", "decision_function")
    return {method: answers[method] for method in kept if method in answers} | {"transform": [selected]}


def _selected(builder: GraphBuilder, model: Any, reads: str) -> str:
    columns = np.flatnonzero(model.get_support())
    if not len(columns):
        raise UnsupportedModelError("selected no column at all; loosen its threshold, or leave it out")
    return builder.node("Gather", reads, builder.constant(columns, np.int64), axis=1)


@operator(FeatureAgglomeration)
def agglomeration(builder: GraphBuilder, model: FeatureAgglomeration, reads: str) -> dict[str, list[str]]:
    """Each cluster of columns pooled into one: their mean, or what `pooling_func` makes of them."""
    groups = [np.flatnonzero(model.labels_ == label) for label in np.unique(model.labels_)]
    if model.pooling_func == np.mean:
        return {"transform": [_means(builder, groups, model.n_features_in_, reads)]}
    from edge_infer_convert.tracing import trace_pooling

    parts = []
    for group in groups:
        columns = builder.node("Gather", reads, builder.constant(group, np.int64), axis=1)
        parts.append(trace_pooling(builder, model.pooling_func, columns, len(group)))
    return {"transform": [builder.node("Concat", *parts, axis=1)]}


def _means(builder: GraphBuilder, groups: list[Any], width: int, reads: str) -> str:
    member = np.zeros((width, len(groups)))
    for i, group in enumerate(groups):
        member[group, i] = 1.0
    sums = builder.node("MatMul", reads, builder.constant(member))
    return builder.node("Div", sums, builder.constant([float(len(group)) for group in groups]))
