"""Linear models: one matrix product, then the link. Labels by scikit-learn's own rule (score > 0, or argmax)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import linear_model, svm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import normalised, sigmoid, two_columns
from edge_infer_convert.operators.registry import operator

_REGRESSORS = (
    linear_model.LinearRegression,
    linear_model.Ridge,
    linear_model.RidgeCV,
    linear_model.Lasso,
    linear_model.LassoCV,
    linear_model.ElasticNet,
    linear_model.ElasticNetCV,
    linear_model.BayesianRidge,
    linear_model.ARDRegression,
    linear_model.HuberRegressor,
    linear_model.TheilSenRegressor,
    linear_model.SGDRegressor,
    linear_model.Lars,
    linear_model.LassoLars,
    linear_model.OrthogonalMatchingPursuit,
    linear_model.MultiTaskLasso,
    linear_model.MultiTaskElasticNet,
    svm.LinearSVR,
)
_SCORE_CLASSIFIERS = (
    linear_model.RidgeClassifier,
    linear_model.RidgeClassifierCV,
    linear_model.Perceptron,
    svm.LinearSVC,
)


@operator(*_REGRESSORS)
def linear_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """x · coefᵀ + intercept: shape (rows,) or (rows, outputs)."""
    return {"predict": [_scores(builder, model, reads)]}


@operator(linear_model.LogisticRegression, linear_model.LogisticRegressionCV)
def logistic_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Scores, then the sigmoid of the one score (two classes), or the softmax."""
    scores = _scores(builder, model, reads)
    if len(model.classes_) == 2:
        probabilities = two_columns(builder, sigmoid(builder, scores))
    elif getattr(model, "solver", None) == "liblinear":
        probabilities = normalised(builder, sigmoid(builder, scores))
    else:
        probabilities = builder.node("Softmax", scores, axis=1)
    return {
        "predict": [_positions(builder, model, scores)],
        "predict_proba": [probabilities],
        "decision_function": [scores],
    }


@operator(LinearDiscriminantAnalysis)
def discriminant(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The logistic answers, and the rows in the space that tells the classes apart."""
    answers = logistic_classifier(builder, model, reads)
    if model.solver == "lsqr":  # has no transform
        return answers
    centred = builder.node("Sub", reads, builder.constant(model.xbar_)) if model.solver == "svd" else reads
    scalings = model.scalings_[:, : model._max_components]
    return answers | {"transform": [builder.node("MatMul", centred, builder.constant(scalings))]}


@operator(*_SCORE_CLASSIFIERS, when=lambda model: np.ndim(model.classes_) == 1 and not _multilabel(model))
def score_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Classifiers that have scores and no probabilities."""
    scores = _scores(builder, model, reads)
    return {"predict": [_positions(builder, model, scores)], "decision_function": [scores]}


def _multilabel(model: Any) -> bool:
    binarizer = getattr(model, "_label_binarizer", None)
    return binarizer is not None and binarizer.y_type_.startswith("multilabel")


def _scores(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Shape (rows,) where scikit-learn gives that: one output whose coefficients are flat, or two classes."""
    coefficients = np.asarray(model.coef_, dtype=np.float64)
    flat = coefficients.ndim == 1 or (hasattr(model, "classes_") and len(coefficients) == 1)
    weights = coefficients.reshape(1, -1).T if coefficients.ndim == 1 else coefficients.T
    scores = builder.node("MatMul", reads, builder.constant(weights))
    scores = builder.node("Add", scores, builder.constant(np.atleast_1d(model.intercept_)))
    return builder.node("Reshape", scores, builder.constant([-1], np.int64)) if flat else scores


def _positions(builder: GraphBuilder, model: Any, scores: str) -> str:
    if len(model.classes_) == 2:
        from onnx import TensorProto

        return builder.node("Cast", builder.node("Greater", scores, builder.constant(0.0)), to=TensorProto.INT64)
    return builder.node("ArgMax", scores, axis=1, keepdims=0)
