"""Partial least squares and canonical correlation: standardised columns on rotations, and the linear prediction."""

from __future__ import annotations

from typing import Any

from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import flat
from edge_infer_convert.operators.registry import operator


@operator(PLSRegression, PLSCanonical, CCA)
def partial_least_squares(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """predict: (x − mean) · coefᵀ + intercept; transform: (x − mean) / std · rotations."""
    centred = builder.node("Sub", reads, builder.constant(model._x_mean))
    product = builder.node("MatMul", centred, builder.constant(model.coef_.T))
    prediction = builder.node("Add", product, builder.constant(model.intercept_))
    if model._predict_1d:
        prediction = flat(builder, prediction)
    return {"predict": [prediction], "transform": [_scores(builder, model, centred, model.x_rotations_)]}


@operator(PLSSVD)
def svd_of_covariance(builder: GraphBuilder, model: PLSSVD, reads: str) -> dict[str, list[str]]:
    """(x − mean) / std · weights; it has no prediction."""
    centred = builder.node("Sub", reads, builder.constant(model._x_mean))
    return {"transform": [_scores(builder, model, centred, model.x_weights_)]}


def _scores(builder: GraphBuilder, model: Any, centred: str, rotations: Any) -> str:
    scaled = builder.node("Div", centred, builder.constant(model._x_std))
    return builder.node("MatMul", scaled, builder.constant(rotations))
