"""Linear and quadratic discriminant analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.linear import linear_scores, score_positions
from edge_infer_convert.operators.numeric import first_largest, require_float64, sigmoid, two_columns
from edge_infer_convert.operators.registry import operator


@operator(LinearDiscriminantAnalysis)
def linear_discriminant(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Linear scores, their sigmoid or softmax; and the rows in the space that tells the classes apart."""
    scores = linear_scores(builder, model, reads)
    two = len(model.classes_) == 2
    shares = two_columns(builder, sigmoid(builder, scores)) if two else builder.node("Softmax", scores, axis=1)
    answers = {
        "predict": [score_positions(builder, model, scores)],
        "predict_proba": [shares],
        "decision_function": [scores],
    }
    if model.solver == "lsqr":  # its transform raises
        return answers
    centred = builder.node("Sub", reads, builder.constant(model.xbar_)) if model.solver == "svd" else reads
    scalings = model.scalings_[:, : model._max_components]
    return answers | {"transform": [builder.node("MatMul", centred, builder.constant(scalings))]}


@operator(QuadraticDiscriminantAnalysis)
def quadratic_discriminant(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """−½ (‖(x − μ) R S^−½‖² + Σ log S) + log prior; two classes: the difference of both."""
    require_float64(builder, "QuadraticDiscriminantAnalysis")
    columns = [
        _distance(builder, reads, mean, rotation * scaling**-0.5)
        for mean, rotation, scaling in zip(model.means_, model.rotations_, model.scalings_, strict=True)
    ]
    distances = builder.node("Concat", *columns, axis=1)
    volumes = np.array([np.log(scaling).sum() for scaling in model.scalings_])
    halves = builder.node("Mul", builder.node("Add", distances, builder.constant(volumes)), builder.constant(-0.5))
    scores = builder.node("Add", halves, builder.constant(np.log(model.priors_)))
    answers = {
        "predict": [first_largest(builder, scores)],
        "predict_proba": [builder.node("Softmax", scores, axis=1)],
        "decision_function": [scores],
    }
    if len(model.classes_) == 2:
        first, second = (builder.node("Gather", scores, builder.constant(i, np.int64), axis=1) for i in (0, 1))
        answers["decision_function"] = [builder.node("Sub", second, first)]
    return answers


def _distance(builder: GraphBuilder, reads: str, mean: Any, turn: Any) -> str:
    """‖(x − mean) · turn‖², [rows, 1]."""
    moved = builder.node("Sub", reads, builder.constant(mean))
    turned = builder.node("MatMul", moved, builder.constant(turn))
    return builder.node("ReduceSumSquare", turned, builder.constant([1], np.int64), keepdims=1)
