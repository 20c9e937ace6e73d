"""Support vector machines by libsvm's rules, and kernel ridge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from scipy import sparse
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.kernel_functions import pairwise_kernel
from edge_infer_convert.operators.numeric import first_largest, flat
from edge_infer_convert.operators.pairwise_coupling import coupled, platt
from edge_infer_convert.operators.registry import operator


@operator(SVC, NuSVC)
def support_vector_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """A score for each pair of classes i < j, above 0 for i. Two classes: scikit-learn turns its sign.

    `predict` counts the pairs' votes as libsvm does, so it may differ from the largest score.
    """
    classes = len(model.classes_)
    pairs = _decisions(builder, model, reads, _pair_weights(model))
    turned = builder.node("Neg", pairs)
    answers = {"predict": [_most_votes(builder, pairs, classes)]}
    if classes == 2:
        answers["decision_function"] = [flat(builder, turned)]
    elif model.decision_function_shape == "ovo":
        answers["decision_function"] = [pairs]
    else:
        scores = _one_against_rest(builder, pairs, classes)
        answers["decision_function"] = [scores]
        if model.break_ties:
            answers["predict"] = [first_largest(builder, scores)]
    if hasattr(model, "predict_proba"):
        answers["predict_proba"] = [_probabilities(builder, model, pairs)]
    return answers


@operator(SVR, NuSVR)
def support_vector_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Σ α K(x, v) + intercept."""
    return {"predict": [flat(builder, _decisions(builder, model, reads, _dense(model._dual_coef_).T))]}


@operator(OneClassSVM)
def one_class(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Inliers score above 0; score_samples is the score without the offset."""
    scores = flat(builder, _decisions(builder, model, reads, _dense(model._dual_coef_).T))
    inside = builder.node("Greater", scores, builder.constant(0.0))
    inlier, outlier = builder.constant(1, np.int64), builder.constant(-1, np.int64)
    return {
        "predict": [builder.node("Where", inside, inlier, outlier)],
        "decision_function": [scores],
        "score_samples": [builder.node("Add", scores, builder.constant(np.ravel(model.offset_)))],
    }


@operator(KernelRidge)
def kernel_ridge(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """K(x, kept rows) · dual coefficients."""
    duals = np.asarray(model.dual_coef_, np.float64)
    _refuse_callable(model)
    if model.kernel == "precomputed":
        kernel = reads
    else:
        kernel = pairwise_kernel(
            builder,
            reads,
            _dense(model.X_fit_),
            model.kernel,
            gamma=model.gamma,
            degree=model.degree,
            coef0=model.coef0,
        )
    answer = builder.node("MatMul", kernel, builder.constant(duals.reshape(len(duals), -1)))
    return {"predict": [flat(builder, answer) if duals.ndim == 1 else answer]}


# --- scores -----------------------------------------------------------------------------


def _decisions(builder: GraphBuilder, model: Any, reads: str, weights: NDArray[np.float64]) -> str:
    """K(x, support vectors) · weights + intercepts: [rows, scores]."""
    _refuse_callable(model)
    vectors = _dense(model.support_vectors_)
    if model.kernel == "precomputed":
        kernel = builder.node("Gather", reads, builder.constant(model.support_, np.int64), axis=1)
    elif len(vectors) == 0:  # every row lies within epsilon
        kernel = builder.node("Mul", reads, builder.constant(0.0))
        weights = np.zeros((model.n_features_in_, weights.shape[1]))
    else:
        kernel = pairwise_kernel(
            builder, reads, vectors, model.kernel, gamma=model._gamma, degree=model.degree, coef0=model.coef0
        )
    scores = builder.node("MatMul", kernel, builder.constant(weights))
    return builder.node("Add", scores, builder.constant(np.ravel(model._intercept_)))


def _pair_weights(model: Any) -> NDArray[np.float64]:
    """libsvm keeps, for a vector of class i, its weight against j in row j − 1 (i < j) or j: [vectors, pairs]."""
    duals = _dense(model._dual_coef_)
    ends = np.cumsum(model.n_support_)
    starts = ends - model.n_support_
    first, second = _pairs(len(model.classes_))
    weights = np.zeros((duals.shape[1], len(first)))
    for pair, (i, j) in enumerate(zip(first, second, strict=True)):
        weights[starts[i] : ends[i], pair] = duals[j - 1, starts[i] : ends[i]]
        weights[starts[j] : ends[j], pair] = duals[i, starts[j] : ends[j]]
    return weights


def _pairs(classes: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first, second = np.triu_indices(classes, 1)
    return first, second


def _sides(classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Which class is the first, and which the second of each pair: two [pairs, classes] of 0 and 1."""
    first, second = _pairs(classes)
    return np.eye(classes)[first], np.eye(classes)[second]


def _votes(builder: GraphBuilder, firsts: str, classes: int) -> str:
    """Votes for each class, where `firsts` (bool [rows, pairs]) tells the pairs that the first class wins."""
    first, second = _sides(classes)
    won = builder.node("Cast", firsts, to=builder.elem_type)
    votes = builder.node("MatMul", won, builder.constant(first - second))
    return builder.node("Add", votes, builder.constant(second.sum(axis=0)))


def _most_votes(builder: GraphBuilder, pairs: str, classes: int) -> str:
    """The first class with the most votes; a score of 0 is a vote for the second."""
    firsts = builder.node("Greater", pairs, builder.constant(0.0))
    if classes > 2:
        return first_largest(builder, _votes(builder, firsts, classes))
    return flat(builder, builder.node("Cast", builder.node("Not", firsts), to=TensorProto.INT64))


def _one_against_rest(builder: GraphBuilder, pairs: str, classes: int) -> str:
    """Votes + s / (3 (|s| + 1)), s the sum of the class's scores; here a score of 0 is a vote for the first."""
    first, second = _sides(classes)
    firsts = builder.node("GreaterOrEqual", pairs, builder.constant(0.0))
    votes = _votes(builder, firsts, classes)
    sums = builder.node("MatMul", pairs, builder.constant(first - second))
    size = builder.node("Add", builder.node("Abs", sums), builder.constant(1.0))
    return builder.node("Add", votes, builder.node("Div", sums, builder.node("Mul", size, builder.constant(3.0))))


def _probabilities(builder: GraphBuilder, model: Any, pairs: str) -> str:
    if builder.dtype == np.float32:
        raise UnsupportedModelError(
            f"{type(model).__name__}(probability=True) iterates until a threshold is met, which float32 meets "
            "elsewhere; use precision 'auto' or 'float64'"
        )
    shares = platt(builder, pairs, np.asarray(model._probA), np.asarray(model._probB))
    return coupled(builder, shares, len(model.classes_))


def _refuse_callable(model: Any) -> None:
    if callable(model.kernel):
        raise UnsupportedModelError(
            f"{type(model).__name__}: a kernel that is a Python function cannot be written to ONNX; "
            "use a kernel that scikit-learn names"
        )


def _dense(matrix: Any) -> NDArray[np.float64]:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, np.float64)
