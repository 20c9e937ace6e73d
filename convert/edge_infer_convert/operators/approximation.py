"""Kernel approximation, random projections and embeddings by a fixed formula.

A row that the original refuses (a negative number where its logarithm or root is taken) gives NaN here.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.metrics.pairwise import KERNEL_PARAMS
from sklearn.neural_network import BernoulliRBM
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.kernel_functions import pairwise_kernel
from edge_infer_convert.operators.numeric import sigmoid
from edge_infer_convert.operators.registry import operator

__all__ = ["nan_below"]

_STEP: Final = {1: 0.8, 2: 0.5, 3: 0.4}  # AdditiveChi2Sampler's own intervals by the number of steps
_NOT_NEGATIVE: Final = ("chi2", "additive_chi2")


def nan_below(builder: GraphBuilder, reads: str, lowest: float, answers: str) -> str:
    """`answers` [rows, …]; NaN in rows that have a number below `lowest`, which the original refuses."""
    smallest = builder.node("ReduceMin", reads, builder.constant([1], np.int64), keepdims=1)
    refused = builder.node("Less", smallest, builder.constant(lowest))
    return builder.node("Where", refused, builder.constant(np.nan), answers)


@operator(GaussianRandomProjection, SparseRandomProjection)
def random_projection(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """x · componentsᵀ."""
    components = model.components_
    dense = np.asarray(components.toarray() if hasattr(components, "toarray") else components)
    return {"transform": [builder.node("MatMul", reads, builder.constant(dense.T))]}


@operator(RBFSampler)
def random_fourier_features(builder: GraphBuilder, model: RBFSampler, reads: str) -> dict[str, list[str]]:
    """cos(x · weights + offset) · √(2 / components)."""
    return {"transform": [_waves(builder, model, reads, (2.0 / model.n_components) ** 0.5)]}


@operator(SkewedChi2Sampler)
def skewed_chi2_features(builder: GraphBuilder, model: SkewedChi2Sampler, reads: str) -> dict[str, list[str]]:
    """The same of ln(x + skewedness), which is NaN below −skewedness."""
    logarithm = builder.node("Log", builder.node("Add", reads, builder.constant(float(model.skewedness))))
    scale = np.sqrt(2.0) / np.sqrt(model.n_components)
    return {"transform": [_waves(builder, model, logarithm, float(scale))]}


def _waves(builder: GraphBuilder, model: Any, x: str, scale: float) -> str:
    angle = builder.node("MatMul", x, builder.constant(model.random_weights_))
    angle = builder.node("Add", angle, builder.constant(model.random_offset_))
    return builder.node("Mul", builder.node("Cos", angle), builder.constant(scale))


@operator(AdditiveChi2Sampler)
def additive_chi2_features(builder: GraphBuilder, model: AdditiveChi2Sampler, reads: str) -> dict[str, list[str]]:
    """√(x L), then √(2 x L / cosh(π j L)) · cos and sin(j L ln x) for each step j; 0 where x is 0."""
    step = _STEP[model.sample_steps] if model.sample_interval is None else float(model.sample_interval)
    zero = builder.constant(0.0)
    empty = builder.node("Equal", reads, zero)
    logarithm = builder.node("Log", builder.node("Where", empty, builder.constant(1.0), reads))
    logarithm = builder.node("Mul", logarithm, builder.constant(step))
    double = builder.node("Mul", builder.node("Mul", reads, builder.constant(2.0)), builder.constant(step))
    parts = [builder.node("Sqrt", builder.node("Mul", reads, builder.constant(step)))]
    for j in range(1, model.sample_steps):
        factor = builder.node("Sqrt", builder.node("Div", double, builder.constant(np.cosh(np.pi * j * step))))
        angle = builder.node("Mul", logarithm, builder.constant(float(j)))
        for wave in ("Cos", "Sin"):
            parts.append(builder.node("Mul", factor, builder.node(wave, angle)))
    return {"transform": [builder.node("Concat", *parts, axis=1)]}


@operator(Nystroem)
def nystroem(builder: GraphBuilder, model: Nystroem, reads: str) -> dict[str, list[str]]:
    """The kernel between x and the kept rows · normalizationᵀ."""
    if callable(model.kernel) or model.kernel == "precomputed":
        what = "a kernel that is a Python function" if callable(model.kernel) else "a precomputed kernel"
        raise UnsupportedModelError(
            f"Nystroem with {what} cannot be written to ONNX; use one of {', '.join(sorted(KERNEL_PARAMS))}"
        )
    options = {key: value for key, value in model._get_kernel_params().items() if key in KERNEL_PARAMS[model.kernel]}
    kernel = pairwise_kernel(builder, reads, model.components_, model.kernel, **options)
    features = builder.node("MatMul", kernel, builder.constant(model.normalization_.T))
    return {"transform": [nan_below(builder, reads, 0.0, features) if model.kernel in _NOT_NEGATIVE else features]}


@operator(PolynomialCountSketch)
def count_sketch(builder: GraphBuilder, model: PolynomialCountSketch, reads: str) -> dict[str, list[str]]:
    """Count sketches of √γ x (and √coef0), one a degree, convolved: a product of their Fourier transforms.

    The sketch and the transform are linear, so each degree is one product with a real and an imaginary matrix. Real
    numbers need the frequencies 0 … n/2 only. Pham and Pagh, 2013, doi:10.1145/2487575.2487591.
    """
    x = builder.node("Mul", reads, builder.constant(np.sqrt(model.gamma)))
    sketches = _sketches(model)
    constant = np.zeros((model.degree, model.n_components))
    if model.coef0 != 0:
        constant = sketches[:, -1] * np.sqrt(model.coef0)
        sketches = sketches[:, :-1]
    cos, sin = _fourier(model.n_components)
    real, imaginary = "", ""
    for sketch, shift in zip(sketches, constant, strict=True):
        a, b = (_affine(builder, x, sketch @ wave, shift @ wave) for wave in (cos, -sin))
        real, imaginary = (a, b) if not real else _complex_product(builder, real, imaginary, a, b)
    weight = np.full(len(cos.T), 2.0 / model.n_components)  # each but the first (and a middle one) stands for two
    weight[0] /= 2
    if model.n_components % 2 == 0:
        weight[-1] /= 2 if model.n_components > 1 else 1
    left = builder.node("MatMul", real, builder.constant(weight[:, None] * cos.T))
    right = builder.node("MatMul", imaginary, builder.constant(weight[:, None] * sin.T))
    return {"transform": [builder.node("Sub", left, right)]}


def _sketches(model: PolynomialCountSketch) -> NDArray[np.float64]:
    """Where and with which sign each feature is counted: shape (degree, features, components)."""
    degree, features = model.indexHash_.shape
    out = np.zeros((degree, features, model.n_components))
    places = np.indices((degree, features))
    out[places[0], places[1], model.indexHash_] = model.bitHash_
    return out


def _fourier(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """cos and sin of 2π j f / size for j < size and f ≤ size / 2; the product is reduced while it is whole."""
    turns = np.outer(np.arange(size), np.arange(size // 2 + 1)) % size
    return np.cos(2 * np.pi * turns / size), np.sin(2 * np.pi * turns / size)


def _affine(builder: GraphBuilder, x: str, weights: Any, shift: Any) -> str:
    product = builder.node("MatMul", x, builder.constant(weights))
    return builder.node("Add", product, builder.constant(shift)) if np.any(shift) else product


def _complex_product(builder: GraphBuilder, a: str, b: str, c: str, d: str) -> tuple[str, str]:
    """(a + ib)(c + id)."""
    real = builder.node("Sub", builder.node("Mul", a, c), builder.node("Mul", b, d))
    return real, builder.node("Add", builder.node("Mul", a, d), builder.node("Mul", b, c))


@operator(BernoulliRBM)
def boltzmann_machine(builder: GraphBuilder, model: BernoulliRBM, reads: str) -> dict[str, list[str]]:
    """The hidden units' probabilities. score_samples is left out: it flips a random bit of each row."""
    product = builder.node("MatMul", reads, builder.constant(model.components_.T))
    return {"transform": [sigmoid(builder, builder.node("Add", product, builder.constant(model.intercept_hidden_)))]}
