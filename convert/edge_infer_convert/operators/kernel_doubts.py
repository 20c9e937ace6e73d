"""Doubtful rows of kernel machines: their sum keeps few of its terms' digits (far rows, polynomial kernels)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from edge_infer_convert.doubt import ROUNDING, TIE, doubtful

_EPS: Final = float(np.finfo(np.float64).eps)
_LOST: Final = 1e-10  # a share of the answer that may be lost before its row counts as rounded
_OF_PRODUCTS = ("linear", "poly", "polynomial")


@doubtful(KernelRidge)
def doubt_of_kernel_ridge(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """The sum of |K| |α|, where |K| is taken of |x| and |y| for kernels of x · y, which may cancel as well."""
    if model.kernel == "precomputed" or callable(model.kernel):
        return np.zeros(len(X), np.int8)
    sizes = _sizes(model, model.gamma, X, model.X_fit_)
    return _rounded(sizes, model.dual_coef_, model.predict(X), X.shape[1])


@doubtful(SVR, NuSVR, OneClassSVM)
def doubt_of_support_vectors(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """The same of the score of support vectors."""
    if _unknown(model):
        return np.zeros(len(X), np.int8)
    sizes = _sizes(model, model._gamma, X, model.support_vectors_)
    return _rounded(sizes, model.dual_coef_.T, model._decision_function(X), X.shape[1])


@doubtful(SVC, NuSVC)
def doubt_of_pairs(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """More than two classes: a pair's score within rounding of 0 gives its vote, a whole 1, to either class."""
    if _unknown(model) or len(model.classes_) == 2:
        return np.zeros(len(X), np.int8)
    sizes = _sizes(model, model._gamma, X, model.support_vectors_)
    terms = (sizes @ np.abs(model.dual_coef_).sum(axis=0))[:, None]
    scores = model._decision_function(X)
    tied = (np.abs(scores) <= _EPS * _steps(sizes, X.shape[1]) * terms) & (scores != 0)
    return np.where(tied.any(axis=1), TIE, 0).astype(np.int8)


def _unknown(model: Any) -> bool:
    return callable(model.kernel) or model.kernel == "precomputed" or model._sparse or not len(model.support_vectors_)


def _sizes(model: Any, gamma: float, X: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """|K| of new and kept rows, [rows, kept]."""
    left, right = (np.abs(X), np.abs(rows)) if model.kernel in _OF_PRODUCTS else (X, rows)
    options = {"gamma": gamma, "degree": model.degree, "coef0": model.coef0}
    kernel = pairwise_kernels(left, right, metric=model.kernel, filter_params=True, **options)
    return np.asarray(np.abs(kernel))


@doubtful(GaussianProcessRegressor)
def doubt_of_gaussian_process(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """The same of the mean before it is scaled: α is large where training rows lie close together."""
    if not hasattr(model, "X_train_"):
        return np.zeros(len(X), np.int8)
    kernel = model.kernel_(X, model.X_train_)
    return _rounded(np.abs(kernel), model.alpha_, kernel @ model.alpha_, X.shape[1])


def _rounded(sizes: NDArray[Any], weights: NDArray[Any], answers: NDArray[Any], features: int) -> NDArray[np.int8]:
    """ROUNDING where the bound of the error of Σ K α (Higham, Accuracy and Stability, 3.1) is a share of the answer."""
    terms = (sizes @ np.abs(weights)).reshape(len(sizes), -1)
    lost = _EPS * _steps(sizes, features) * terms > _LOST * np.abs(answers.reshape(len(sizes), -1))
    return np.where(lost.any(axis=1), ROUNDING, 0).astype(np.int8)


def _steps(sizes: NDArray[Any], features: int) -> float:
    """Roundings of the products in K, and of a sum where they fall at random."""
    return features + float(np.sqrt(sizes.shape[1]))
