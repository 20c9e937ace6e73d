"""Gaussian processes: the kernel with the training rows, then the posterior that fitting found."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.erf import erf
from edge_infer_convert.operators.gaussian_kernels import covariance, variance
from edge_infer_convert.operators.numeric import first_largest, flat, normalised, two_columns, where_positive
from edge_infer_convert.operators.registry import operator


@operator(GaussianProcessRegressor)
def gaussian_process_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """std · (K(x, kept rows) · α) + mean."""
    if not hasattr(model, "X_train_"):
        raise UnsupportedModelError("GaussianProcessRegressor has not been fitted: it has no training rows to go by")
    alpha = np.asarray(model.alpha_)
    kernel = covariance(builder, model.kernel_, _rows(model, reads), np.asarray(model.X_train_, np.float64))
    kernel = _whole(builder, kernel, reads)
    mean = builder.node("MatMul", kernel, builder.constant(alpha.reshape(len(alpha), -1)))
    mean = builder.node("Mul", builder.constant(np.atleast_1d(model._y_train_std)), mean)
    mean = builder.node("Add", mean, builder.constant(np.atleast_1d(model._y_train_mean)))
    return {"predict": [flat(builder, mean) if alpha.ndim == 1 or alpha.shape[1] == 1 else mean]}


@operator(GaussianProcessClassifier)
def gaussian_process_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Laplace's approximation for two classes, or for each class against the rest, or for each pair."""
    base = model.base_estimator_
    if len(model.classes_) == 2:
        latent = _latent(builder, base, reads)
        shares = two_columns(builder, _share(builder, base, reads, latent))
        return {"predict": [flat(builder, where_positive(builder, latent[1]))], "predict_proba": [shares]}
    latents = [_latent(builder, member, reads) for member in base.estimators_]
    members = zip(base.estimators_, latents, strict=True)
    shares = builder.node("Concat", *[_share(builder, member, reads, latent) for member, latent in members], axis=1)
    if model.multi_class == "one_vs_one":
        means = builder.node("Concat", *[mean for _, mean in latents], axis=1)
        return {"predict": [_most_pairs(builder, means, shares, len(model.classes_))]}
    return {"predict": [first_largest(builder, shares)], "predict_proba": [normalised(builder, shares, 0.0)]}


def _rows(model: Any, reads: str) -> str:
    if np.ndim(model.X_train_) != 2:
        raise UnsupportedModelError(
            f"{type(model).__name__}: kernels on structured objects cannot be written to ONNX; use numeric features"
        )
    return reads


def _whole(builder: GraphBuilder, kernel: str, reads: str) -> str:
    """Kernels that do not read x have one row; give it to each."""
    nothing = builder.node("ReduceSum", reads, builder.constant([1], np.int64), keepdims=1)
    nothing = builder.node("Mul", nothing, builder.constant(0.0))
    return builder.node("Add", kernel, nothing)


def _latent(builder: GraphBuilder, model: Any, reads: str) -> tuple[str, str]:
    """K(x, kept rows) [rows, kept], and the latent function's mean [rows, 1] (Rasmussen and Williams, alg. 3.2)."""
    kernel = covariance(builder, model.kernel_, _rows(model, reads), np.asarray(model.X_train_, np.float64))
    kernel = _whole(builder, kernel, reads)
    slopes = (model.y_train_ - model.pi_)[:, None]
    return kernel, builder.node("MatMul", kernel, builder.constant(slopes))


def _share(builder: GraphBuilder, model: Any, reads: str, latent: tuple[str, str]) -> str:
    """The probability of the second class [rows, 1]: the sigmoid's mean over the latent normal distribution.

    Williams and Barber, "Bayesian classification with Gaussian processes", appendix A: a sum of five error functions.
    """
    kernel, mean = latent
    inverse = solve(model.L_, np.diag(model.W_sr_))
    solved = builder.node("MatMul", kernel, builder.constant(inverse.T))
    explained = builder.node("ReduceSumSquare", solved, builder.constant([1], np.int64), keepdims=1)
    spread = builder.node("Sub", variance(builder, model.kernel_, reads), explained)
    alpha = builder.node("Reciprocal", builder.node("Mul", builder.constant(2.0), spread))
    lambdas = LAMBDAS.T
    gamma = builder.node("Mul", mean, builder.constant(lambdas))
    ratio = builder.node("Div", alpha, builder.node("Add", alpha, builder.constant(lambdas**2)))
    values = erf(builder, builder.node("Mul", gamma, builder.node("Sqrt", ratio)))
    left = builder.node("Sqrt", builder.node("Div", builder.constant(np.pi), alpha))
    right = builder.node("Sqrt", builder.node("Mul", spread, builder.constant(2 * np.pi)))
    integrals = builder.node(
        "Div", builder.node("Mul", left, values), builder.node("Mul", right, builder.constant(2.0))
    )
    total = builder.node("MatMul", integrals, builder.constant(COEFS))
    return builder.node("Add", total, builder.constant(0.5 * COEFS.sum()))


def _most_pairs(builder: GraphBuilder, means: str, shares: str, classes: int) -> str:
    """Votes of the pairs, and s / (3 (|s| + 1)), s the sum of a class's probabilities (sklearn's one-against-one)."""
    first, second = np.triu_indices(classes, 1)
    ones, twos = np.eye(classes)[first], np.eye(classes)[second]
    won = builder.node("Cast", builder.node("Greater", means, builder.constant(0.0)), to=builder.elem_type)
    votes = builder.node("MatMul", won, builder.constant(twos - ones))
    votes = builder.node("Add", votes, builder.constant(ones.sum(axis=0)))
    sums = builder.node("MatMul", shares, builder.constant(twos - ones))
    size = builder.node("Add", builder.node("Abs", sums), builder.constant(1.0))
    rest = builder.node("Div", sums, builder.node("Mul", size, builder.constant(3.0)))
    return first_largest(builder, builder.node("Add", votes, rest))
