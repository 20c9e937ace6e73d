"""Densities and covariances: kernel densities, mixtures, elliptic envelopes."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from onnx import TensorProto
from scipy.special import digamma
from sklearn.covariance import EllipticEnvelope
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.neighbors._ball_tree import kernel_norm

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.distances import distances, named_metric
from edge_infer_convert.operators.numeric import first_largest
from edge_infer_convert.operators.registry import operator

_RTOL: Final = 1e-8  # scikit-learn's default


def log_sum_exp(builder: GraphBuilder, x: str) -> str:
    """log Σ exp over the columns, [rows, 1]; −∞ where all are. onnxruntime's ReduceLogSumExp gives NaN there."""
    axis = builder.constant([1], np.int64)
    largest = builder.node("ReduceMax", x, axis, keepdims=1)
    shift = builder.node("Where", builder.node("IsInf", largest), builder.constant(0.0), largest)
    total = builder.node("ReduceSum", builder.node("Exp", builder.node("Sub", x, shift)), axis, keepdims=1)
    return builder.node("Add", builder.node("Log", total), shift)


# --- mixtures ---------------------------------------------------------------------------


@operator(GaussianMixture, BayesianGaussianMixture)
def mixture(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Weighted log densities of the components: the largest, their shares, the log of their sum."""
    squares = _SQUARES[model.covariance_type](builder, model, reads)
    halves = builder.node("Mul", builder.node("Add", squares, _gauss_constant(builder, model)), builder.constant(-0.5))
    weighted = builder.node("Add", halves, builder.constant(_log_offsets(model)))
    total = log_sum_exp(builder, weighted)
    return {
        "predict": [first_largest(builder, weighted)],
        "predict_proba": [builder.node("Exp", builder.node("Sub", weighted, total))],
        "score_samples": [total],
    }


def _gauss_constant(builder: GraphBuilder, model: Any) -> str:
    return builder.constant(model.means_.shape[1] * math.log(2 * math.pi))


def _log_offsets(model: Any) -> Any:
    """What is added to −½ (d log 2π + squares) of each component: log determinant, log weight, the prior's terms."""
    cholesky, width = model.precisions_cholesky_, model.means_.shape[1]
    determinant = {
        "full": lambda: np.log(np.diagonal(cholesky, axis1=1, axis2=2)).sum(axis=1),
        "tied": lambda: np.log(np.diagonal(cholesky)).sum(),
        "diag": lambda: np.log(cholesky).sum(axis=1),
        "spherical": lambda: width * np.log(cholesky),
    }[model.covariance_type]()
    if isinstance(model, BayesianGaussianMixture):
        determinant = determinant + _bayesian_terms(model, width)
    return determinant + model._estimate_log_weights()


def _bayesian_terms(model: Any, width: int) -> Any:
    """Bishop, Pattern Recognition and Machine Learning, eq. 10.64 and 10.65."""
    freedom = model.degrees_of_freedom_
    log_lambda = width * math.log(2.0) + digamma(0.5 * (freedom - np.arange(width)[:, None])).sum(axis=0)
    return 0.5 * (log_lambda - width / model.mean_precision_) - 0.5 * width * np.log(freedom)


def _full(builder: GraphBuilder, model: Any, reads: str) -> str:
    """|x·P − μ·P|² with each component's own P."""
    count, width = model.means_.shape
    product = builder.node("MatMul", reads, builder.constant(np.hstack(list(model.precisions_cholesky_))))
    centres = np.concatenate([m @ p for m, p in zip(model.means_, model.precisions_cholesky_, strict=True)])
    apart = builder.node("Sub", product, builder.constant(centres))
    return _summed_squares(builder, builder.node("Reshape", apart, builder.constant([-1, count, width], np.int64)))


def _tied(builder: GraphBuilder, model: Any, reads: str) -> str:
    product = builder.node("MatMul", reads, builder.constant(model.precisions_cholesky_))
    return _summed_squares(builder, _apart(builder, product, model.means_ @ model.precisions_cholesky_))


def _diagonal(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Σ p (x − μ)². The original expands the squares, which loses digits that float32 does not have."""
    apart = _apart(builder, reads, model.means_)
    return _summed_squares(builder, builder.node("Mul", apart, builder.constant(model.precisions_cholesky_)))


def _spherical(builder: GraphBuilder, model: Any, reads: str) -> str:
    apart = _apart(builder, reads, model.means_)
    return _summed_squares(builder, builder.node("Mul", apart, builder.constant(model.precisions_cholesky_[:, None])))


def _apart(builder: GraphBuilder, x: str, centres: Any) -> str:
    """x − centre, [rows, components, features]."""
    return builder.node("Sub", builder.node("Unsqueeze", x, builder.constant([1], np.int64)), builder.constant(centres))


def _summed_squares(builder: GraphBuilder, apart: str) -> str:
    """[rows, components, features] → squares summed over the features, [rows, components]."""
    squares = builder.node("Mul", apart, apart)
    return builder.node("ReduceSum", squares, builder.constant([2], np.int64), keepdims=0)


_SQUARES = {"full": _full, "tied": _tied, "diag": _diagonal, "spherical": _spherical}


# --- kernel densities -------------------------------------------------------------------


@operator(KernelDensity)
def kernel_density(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """log Σ w K(d / h) − log Σ w, summed over all points; the original stops within its rtol."""
    if model.rtol > _RTOL or model.atol > 0:
        raise UnsupportedModelError(
            f"rtol={model.rtol:g}, atol={model.atol:g} let the original stop before the sum is exact, which "
            "depends on its tree; fit with atol=0 and the default rtol=1e-8"
        )
    if model.kernel not in ("gaussian", "exponential") and builder.dtype == np.float32:
        raise UnsupportedModelError(f"the {model.kernel} kernel jumps to −∞ at its bandwidth, which takes float64")
    tree, h = model.tree_, float(model.bandwidth_)
    points = np.asarray(tree.data)
    metric = named_metric(model.metric, model.metric_params)
    logs = _log_kernel(builder, model.kernel, distances(builder, reads, points, metric), h)
    weights = None if tree.sample_weight is None else np.asarray(tree.sample_weight)
    total = float(len(points)) if weights is None else float(tree.sum_weight)
    if weights is not None:
        with np.errstate(divide="ignore"):
            logs = builder.node("Add", logs, builder.constant(np.log(weights)))
    norm = float(kernel_norm(h, points.shape[1], model.kernel, return_log=True)) - math.log(total)
    return {"score_samples": [builder.node("Add", log_sum_exp(builder, logs), builder.constant(norm))]}


def _log_kernel(builder: GraphBuilder, kernel: str, d: str, h: float) -> str:
    """The logarithm of the kernel without its norm; −∞ outside of a bounded one."""
    if kernel == "gaussian":
        return builder.node(
            "Div", builder.node("Mul", builder.node("Mul", d, d), builder.constant(-0.5)), builder.constant(h * h)
        )
    share = builder.node("Div", d, builder.constant(h))
    if kernel == "exponential":
        return builder.node("Neg", share)
    inside = builder.node("Less", d, builder.constant(h))
    zero = builder.constant(0.0)
    share = builder.node("Where", inside, share, zero)
    logs = zero if kernel == "tophat" else builder.node("Log", _bounded(builder, kernel, share))
    return builder.node("Where", inside, logs, builder.constant(-np.inf))


def _bounded(builder: GraphBuilder, kernel: str, share: str) -> str:
    """The kernel at 0 ≤ d / h < 1. cos ½πu = sin ½π(1 − u), which keeps its digits near 0."""
    one = builder.constant(1.0)
    if kernel == "epanechnikov":
        return builder.node("Sub", one, builder.node("Mul", share, share))
    left = builder.node("Sub", one, share)
    if kernel == "linear":
        return left
    return builder.node("Sin", builder.node("Mul", left, builder.constant(0.5 * math.pi)))


# --- covariances ------------------------------------------------------------------------


@operator(EllipticEnvelope)
def elliptic_envelope(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """−(x − μ)·P·(x − μ); an inlier where that is at least the offset."""
    apart = builder.node("Sub", reads, builder.constant(model.location_))
    product = builder.node("Mul", builder.node("MatMul", apart, builder.constant(model.get_precision())), apart)
    scores = builder.node("Neg", builder.node("ReduceSum", product, builder.constant([1], np.int64), keepdims=0))
    decision = builder.node("Sub", scores, builder.constant(float(model.offset_)))
    inside = builder.node("GreaterOrEqual", decision, builder.constant(0.0))
    flags = builder.node("Cast", inside, to=TensorProto.INT64)
    doubled = builder.node("Mul", flags, builder.constant(2, np.int64))
    label = builder.node("Sub", doubled, builder.constant(1, np.int64))
    return {"predict": [label], "decision_function": [decision], "score_samples": [scores]}
