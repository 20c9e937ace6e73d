"""Linear models: one matrix product, then the link. Labels by scikit-learn's own rule (score > 0, or argmax)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn import linear_model, svm

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import (
    first_largest,
    flat,
    inverse_of_grown,
    normalised,
    require_float64,
    sigmoid,
    two_columns,
    where_positive,
)
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
    linear_model.QuantileRegressor,
    linear_model.TheilSenRegressor,
    linear_model.SGDRegressor,
    linear_model.PassiveAggressiveRegressor,
    linear_model.Lars,
    linear_model.LarsCV,
    linear_model.LassoLars,
    linear_model.LassoLarsCV,
    linear_model.LassoLarsIC,
    linear_model.OrthogonalMatchingPursuit,
    linear_model.OrthogonalMatchingPursuitCV,
    linear_model.MultiTaskLasso,
    linear_model.MultiTaskLassoCV,
    linear_model.MultiTaskElasticNet,
    linear_model.MultiTaskElasticNetCV,
    svm.LinearSVR,
)
_LINKED = (linear_model.PoissonRegressor, linear_model.GammaRegressor, linear_model.TweedieRegressor)
_SCORE_CLASSIFIERS = (
    linear_model.RidgeClassifier,
    linear_model.RidgeClassifierCV,
    linear_model.Perceptron,
    linear_model.PassiveAggressiveClassifier,
    svm.LinearSVC,
)


@operator(*_REGRESSORS)
def linear_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """x · coefᵀ + intercept: shape (rows,) or (rows, outputs)."""
    return {"predict": [linear_scores(builder, model, reads)]}


@operator(*_LINKED)
def linked_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The score itself, or e^score where the link is the logarithm."""
    scores = linear_scores(builder, model, reads)
    logarithm = type(model._base_loss.link).__name__ == "LogLink"
    return {"predict": [builder.node("Exp", scores) if logarithm else scores]}


@operator(linear_model.RANSACRegressor)
def consensus_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The regressor that was fitted on the inliers."""
    from edge_infer_convert.graph.leaf import convert_leaf  # leaf looks operators up: a ring otherwise

    answers = convert_leaf(builder, "estimator_", model.estimator_, reads, model.n_features_in_, final=True)
    return {"predict": answers["predict"]}


@operator(linear_model.LogisticRegression, linear_model.LogisticRegressionCV)
def logistic_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Scores, then the sigmoid of the one score (two classes), or the softmax."""
    scores = linear_scores(builder, model, reads)
    if len(model.classes_) == 2:
        probabilities = _two_sided(builder, model, reads)
    elif model.solver == "liblinear":  # one model for each class; scikit-learn up to 1.7
        probabilities = normalised(builder, sigmoid(builder, scores), 1 / len(model.classes_))
    else:
        probabilities = builder.node("Softmax", scores, axis=1)
    return _scored(builder, model, scores) | {"predict_proba": [probabilities]}


def _two_sided(builder: GraphBuilder, model: Any, reads: str) -> str:
    """[1 − p, p] as the sigmoids of −z and z, [rows, 2]: less nodes than p beside its difference from 1."""
    inner = builder.dtype != np.float32  # where it is 1 / (1 + e⁻ˣ), the weights have the sign of −x already
    signs = np.array([1.0, -1.0] if inner else [-1.0, 1.0])
    z = builder.node("MatMul", reads, builder.constant(np.ravel(model.coef_)[:, None] * signs))
    z = builder.node("Add", z, builder.constant(np.ravel(model.intercept_) * signs))
    return inverse_of_grown(builder, z) if inner else sigmoid(builder, z)


@operator(linear_model.SGDClassifier)
def descent_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Scores; probabilities for two of the losses, one class against the rest, equal ones where all are 0."""
    scores = linear_scores(builder, model, reads)
    answers = _scored(builder, model, scores)
    if model.loss not in ("log_loss", "modified_huber"):
        return answers
    if model.loss == "log_loss":
        shares = sigmoid(builder, scores)
    else:
        clipped = builder.node("Clip", scores, builder.constant(-1.0), builder.constant(1.0))
        shares = builder.node("Div", builder.node("Add", clipped, builder.constant(1.0)), builder.constant(2.0))
    if len(model.classes_) == 2:
        return answers | {"predict_proba": [two_columns(builder, shares)]}
    require_float64(builder, "SGDClassifier with probabilities of more than two classes")
    return answers | {"predict_proba": [normalised(builder, shares, 1 / len(model.classes_))]}


@operator(*_SCORE_CLASSIFIERS)
def score_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Classifiers that have scores and no probabilities; of several labels each is told by its own score."""
    scores = linear_scores(builder, model, reads)
    if _multilabel(model):
        return {"predict": [where_positive(builder, scores)], "decision_function": [scores]}
    return _scored(builder, model, scores)


@operator(linear_model.SGDOneClassSVM)
def descent_one_class(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """x · coef − offset; a score of 0 is inside."""
    product = flat(builder, builder.node("MatMul", reads, builder.constant(np.reshape(model.coef_, (-1, 1)))))
    offset = builder.constant(np.ravel(model.offset_))
    scores = builder.node("Sub", product, offset)
    inside = builder.node("GreaterOrEqual", scores, builder.constant(0.0))
    inlier, outlier = builder.constant(1, np.int32), builder.constant(-1, np.int32)
    return {
        "predict": [builder.node("Where", inside, inlier, outlier)],
        "decision_function": [scores],
        "score_samples": [builder.node("Add", scores, offset)],
    }


def linear_scores(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Shape (rows,) where scikit-learn gives that: one output whose coefficients are flat, or two classes."""
    given = model.coef_.toarray() if sparse.issparse(model.coef_) else model.coef_
    coefficients = np.asarray(given, dtype=np.float64)
    one = coefficients.ndim == 1 or (hasattr(model, "classes_") and len(coefficients) == 1)
    weights = coefficients.reshape(1, -1).T if coefficients.ndim == 1 else coefficients.T
    scores = builder.node("MatMul", reads, builder.constant(weights))
    scores = builder.node("Add", scores, builder.constant(np.atleast_1d(model.intercept_)))
    return flat(builder, scores) if one else scores


def score_positions(builder: GraphBuilder, model: Any, scores: str) -> str:
    """Two classes: the second where its score is above 0; else the first largest."""
    if len(model.classes_) == 2:
        return where_positive(builder, scores)
    return first_largest(builder, scores)


def _scored(builder: GraphBuilder, model: Any, scores: str) -> dict[str, list[str]]:
    return {"predict": [score_positions(builder, model, scores)], "decision_function": [scores]}


def _multilabel(model: Any) -> bool:
    binarizer = getattr(model, "_label_binarizer", None)
    return binarizer is not None and binarizer.y_type_.startswith("multilabel")
