"""Matrix decompositions that answer a new row by one formula: principal, independent, sparse components, factors."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from sklearn.decomposition import (
    PCA,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    MiniBatchSparsePCA,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.linear_model import ridge_regression
from sklearn.utils.extmath import fast_logdet

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.kernel_functions import pairwise_kernel
from edge_infer_convert.operators.registry import operator

__all__ = ["kernel_components"]


@operator(PCA)
def principal_components(builder: GraphBuilder, model: PCA, reads: str) -> dict[str, list[str]]:
    """(x − mean) · componentsᵀ, whitened where asked; the log-likelihood of probabilistic PCA (Bishop, 12.2.1)."""
    scores = _log_likelihood(builder, model, reads)
    return {"transform": [_components(builder, model, reads)], "score_samples": [scores]}


@operator(IncrementalPCA)
def incremental_components(builder: GraphBuilder, model: IncrementalPCA, reads: str) -> dict[str, list[str]]:
    """As PCA; it has no likelihood."""
    return {"transform": [_components(builder, model, reads)]}


@operator(TruncatedSVD)
def truncated_svd(builder: GraphBuilder, model: TruncatedSVD, reads: str) -> dict[str, list[str]]:
    """x · componentsᵀ."""
    return {"transform": [builder.node("MatMul", reads, builder.constant(model.components_.T))]}


@operator(FastICA)
def independent_components(builder: GraphBuilder, model: FastICA, reads: str) -> dict[str, list[str]]:
    """(x − mean) · componentsᵀ; the mean stays where nothing was whitened."""
    centred = builder.node("Sub", reads, builder.constant(model.mean_)) if model.whiten else reads
    return {"transform": [builder.node("MatMul", centred, builder.constant(model.components_.T))]}


@operator(FactorAnalysis)
def factor_analysis(builder: GraphBuilder, model: FactorAnalysis, reads: str) -> dict[str, list[str]]:
    """The latent variables' posterior mean (Barber, 21.2.33), and the log-likelihood."""
    weighted = model.components_ / model.noise_variance_
    spread = linalg.inv(np.eye(len(model.components_)) + weighted @ model.components_.T)
    centred = builder.node("Sub", reads, builder.constant(model.mean_))
    projected = builder.node("MatMul", centred, builder.constant(weighted.T))
    latent = builder.node("MatMul", projected, builder.constant(spread))
    return {"transform": [latent], "score_samples": [_log_likelihood(builder, model, reads)]}


@operator(SparsePCA, MiniBatchSparsePCA)
def sparse_components(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Ridge regression of x − mean on the components: linear, so its answers to the unit rows are its matrix."""
    width = model.components_.shape[1]
    matrix = ridge_regression(
        np.asarray(model.components_.T, np.float64), np.eye(width), model.ridge_alpha, solver="cholesky"
    )
    centred = builder.node("Sub", reads, builder.constant(model.mean_))
    return {"transform": [builder.node("MatMul", centred, builder.constant(matrix.reshape(width, -1)))]}


@operator(KernelPCA)
def kernel_principal_components(builder: GraphBuilder, model: KernelPCA, reads: str) -> dict[str, list[str]]:
    """The centred kernel between x and the training rows, on the eigenvectors scaled by 1 / √eigenvalue."""
    if callable(model.kernel) or model.kernel == "precomputed":
        what = "a kernel that is a Python function" if callable(model.kernel) else "a precomputed kernel"
        raise UnsupportedModelError(
            f"KernelPCA with {what} cannot be written to ONNX; use linear, poly, rbf, sigmoid or cosine"
        )
    kernel = pairwise_kernel(
        builder, reads, model.X_fit_, model.kernel, gamma=model.gamma_, degree=model.degree, coef0=model.coef0
    )
    return {"transform": [kernel_components(builder, model, kernel)]}


def kernel_components(builder: GraphBuilder, model: KernelPCA, kernel: str) -> str:
    """KernelPCA's answer to a kernel [rows, training rows]: centred, then projected."""
    centerer = model._centerer
    total = builder.node("ReduceSum", kernel, builder.constant([1], np.int64), keepdims=1)
    mean = builder.node("Div", total, builder.constant(float(len(centerer.K_fit_rows_))))
    centred = builder.node("Sub", kernel, builder.constant(centerer.K_fit_rows_))
    centred = builder.node("Sub", centred, mean)
    centred = builder.node("Add", centred, builder.constant(float(centerer.K_fit_all_)))
    used = np.flatnonzero(model.eigenvalues_)
    scaled = np.zeros_like(model.eigenvectors_)
    scaled[:, used] = model.eigenvectors_[:, used] / np.sqrt(model.eigenvalues_[used])
    return builder.node("MatMul", centred, builder.constant(scaled))


def _components(builder: GraphBuilder, model: Any, reads: str) -> str:
    """float64 centres after the product, as scikit-learn does; float32 before it, where less is lost."""
    components = builder.constant(model.components_.T)
    if builder.dtype == np.float32:
        projected = builder.node("MatMul", builder.node("Sub", reads, builder.constant(model.mean_)), components)
    else:
        shift = np.reshape(model.mean_, (1, -1)) @ model.components_.T
        projected = builder.node("Sub", builder.node("MatMul", reads, components), builder.constant(shift))
    if not model.whiten:
        return projected
    scale = np.sqrt(model.explained_variance_)
    scale = np.maximum(scale, np.finfo(scale.dtype).eps)
    return builder.node("Div", projected, builder.constant(scale))


def _log_likelihood(builder: GraphBuilder, model: Any, reads: str) -> str:
    """−½ (x−μ)ᵀ P (x−μ) − ½ (features · ln 2π − ln det P), P the model's precision matrix; shape [rows]."""
    precision: NDArray[np.float64] = np.asarray(model.get_precision(), np.float64)
    shift = 0.5 * (len(precision) * log(2.0 * np.pi) - fast_logdet(precision))
    centred = builder.node("Sub", reads, builder.constant(model.mean_))
    product = builder.node("Mul", centred, builder.node("MatMul", centred, builder.constant(precision)))
    total = builder.node("ReduceSum", product, builder.constant([1], np.int64), keepdims=0)
    return builder.node("Sub", builder.node("Mul", total, builder.constant(-0.5)), builder.constant(float(shift)))
