"""The kernels of sklearn.gaussian_process between rows that come in and rows kept, and of a row with itself."""

from __future__ import annotations

from math import factorial, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process import kernels

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.kernel_functions import pairwise_kernel, whole_power
from edge_infer_convert.operators.numeric import column

__all__ = ["covariance", "variance"]


def covariance(builder: GraphBuilder, kernel: Any, reads: str, rows: NDArray[Any]) -> str:
    """kernel(x, y) of each row x of `reads` and kept row y: [rows, kept]; one column or row where all are equal."""
    kind = type(kernel)
    if kind is kernels.Sum:
        return builder.node("Add", *_both(builder, kernel, reads, rows))
    if kind is kernels.Product:
        return builder.node("Mul", *_both(builder, kernel, reads, rows))
    if kind is kernels.Exponentiation:
        return whole_power(builder, covariance(builder, kernel.kernel, reads, rows), float(kernel.exponent))
    if kind is kernels.ConstantKernel:
        return builder.constant(np.full((1, len(rows)), kernel.constant_value))
    if kind is kernels.WhiteKernel:  # noise is its own on each new row
        return builder.constant(np.zeros((1, len(rows))))
    if kind is kernels.DotProduct:
        inner = builder.node("MatMul", reads, builder.constant(rows.T))
        return builder.node("Add", inner, builder.constant(float(kernel.sigma_0) ** 2))
    if kind is kernels.PairwiseKernel:
        return _pairwise(builder, kernel, reads, rows)
    return _by_distance(builder, kernel, reads, rows)


def variance(builder: GraphBuilder, kernel: Any, reads: str) -> str:
    """kernel(x, x) of each row: [rows, 1], or [1, 1] where it is the same for every row."""
    kind = type(kernel)
    if kind in (kernels.Sum, kernels.Product):
        op = "Add" if kind is kernels.Sum else "Mul"
        return builder.node(op, variance(builder, kernel.k1, reads), variance(builder, kernel.k2, reads))
    if kind is kernels.Exponentiation:
        return whole_power(builder, variance(builder, kernel.kernel, reads), float(kernel.exponent))
    if kind is kernels.ConstantKernel:
        return builder.constant([[float(kernel.constant_value)]])
    if kind is kernels.WhiteKernel:
        return builder.constant([[float(kernel.noise_level)]])
    if kind is kernels.DotProduct:
        return builder.node("Add", _own_square(builder, reads), builder.constant(float(kernel.sigma_0) ** 2))
    if kind is kernels.PairwiseKernel:
        return _pairwise_variance(builder, kernel, reads)
    return builder.constant([[1.0]])


def _both(builder: GraphBuilder, kernel: Any, reads: str, rows: NDArray[Any]) -> list[str]:
    return [covariance(builder, part, reads, rows) for part in (kernel.k1, kernel.k2)]


# --- kernels of the distance ------------------------------------------------------------


def _by_distance(builder: GraphBuilder, kernel: Any, reads: str, rows: NDArray[Any]) -> str:
    kind = type(kernel)
    if kind is kernels.RBF:
        squares = _scaled_squares(builder, reads, rows, kernel.length_scale)
        return builder.node("Exp", builder.node("Mul", squares, builder.constant(-0.5)))
    if kind is kernels.Matern:
        return _matern(builder, kernel, _scaled_squares(builder, reads, rows, kernel.length_scale))
    if kind is kernels.RationalQuadratic:
        squares = _scaled_squares(builder, reads, rows, 1.0)
        share = builder.node("Div", squares, builder.constant(2 * kernel.alpha * kernel.length_scale**2))
        base = builder.node("Add", builder.constant(1.0), share)
        return builder.node("Pow", base, builder.constant(-float(kernel.alpha)))
    if kind is kernels.ExpSineSquared:
        return _periodic(builder, kernel, builder.node("Sqrt", _scaled_squares(builder, reads, rows, 1.0)))
    raise UnsupportedModelError(
        f"the Gaussian process kernel {kind.__name__} is not one of scikit-learn's kernels on numbers; "
        "use sums, products and powers of those"
    )


def _scaled_squares(builder: GraphBuilder, reads: str, rows: NDArray[Any], length_scale: Any) -> str:
    """‖(x − y) / l‖², difference by difference: a distance of 0 must stay 0, and roots are taken of it."""
    scale = np.squeeze(np.asarray(length_scale, np.float64))
    if np.any(scale != 1):
        reads = builder.node("Div", reads, builder.constant(scale))
    spread = builder.node("Unsqueeze", reads, builder.constant([1], np.int64))
    between = builder.node("Sub", spread, builder.constant((rows / scale)[None]))
    return builder.node("ReduceSumSquare", between, builder.constant([2], np.int64), keepdims=0)


def _matern(builder: GraphBuilder, kernel: Any, squares: str) -> str:
    """A polynomial of t = d √(2ν) times e⁻ᵗ where ν is half of an odd number (Rasmussen and Williams, eq. 4.16)."""
    nu = float(kernel.nu)
    if nu == np.inf:
        return builder.node("Exp", builder.node("Mul", squares, builder.constant(-0.5)))
    order = nu - 0.5
    if order != int(order) or order > 12:
        raise UnsupportedModelError(
            f"Matern(nu={nu:g}) needs a Bessel function, which ONNX lacks; use nu 0.5, 1.5, 2.5, 3.5, … or infinity"
        )
    t = builder.node("Mul", builder.node("Sqrt", squares), builder.constant(sqrt(2 * nu)))
    decay = builder.node("Exp", builder.node("Neg", t))
    coefficients = _matern_coefficients(int(order))
    if len(coefficients) == 1:
        return decay
    value = builder.constant(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = builder.node("Add", builder.node("Mul", value, t), builder.constant(coefficient))
    return builder.node("Mul", value, decay)


def _matern_coefficients(order: int) -> list[float]:
    """By rising power of t: p! / (2p)! · (p + i)! / (i! (p − i)!) · 2^(p − i), at power p − i."""
    share = factorial(order) / factorial(2 * order)
    found = [
        share * factorial(order + i) / (factorial(i) * factorial(order - i)) * 2.0 ** (order - i)
        for i in range(order + 1)
    ]
    return found[::-1]


def _periodic(builder: GraphBuilder, kernel: Any, distance: str) -> str:
    """e^(−2 (sin(π d / p) / l)²)."""
    angle = builder.node("Mul", distance, builder.constant(np.pi / kernel.periodicity))
    share = builder.node("Div", builder.node("Sin", angle), builder.constant(float(kernel.length_scale)))
    square = builder.node("Mul", share, share)
    return builder.node("Exp", builder.node("Mul", square, builder.constant(-2.0)))


# --- sklearn.metrics.pairwise -----------------------------------------------------------


def _pairwise(builder: GraphBuilder, kernel: Any, reads: str, rows: NDArray[Any]) -> str:
    metric, options = _metric(kernel)
    return pairwise_kernel(builder, reads, rows, metric, **options)


def _pairwise_variance(builder: GraphBuilder, kernel: Any, reads: str) -> str:
    metric, options = _metric(kernel)
    if metric == "additive_chi2":
        return builder.constant([[0.0]])
    if metric in ("rbf", "laplacian", "chi2"):
        return builder.constant([[1.0]])
    square = _own_square(builder, reads)
    if metric == "cosine":
        any_left = builder.node("Greater", square, builder.constant(0.0))
        return builder.node("Cast", any_left, to=builder.elem_type)
    return pairwise_kernel(builder, square, np.ones((1, 1)), metric, **options)


def _metric(kernel: Any) -> tuple[str, dict[str, Any]]:
    """`filter_params` of pairwise_kernels: gamma, and what `pairwise_kernels_kwargs` adds."""
    if not isinstance(kernel.metric, str):
        raise UnsupportedModelError(
            "PairwiseKernel: a metric that is a Python function cannot be written to ONNX; use one that has a name"
        )
    given = {key: (kernel.pairwise_kernels_kwargs or {}).get(key) for key in ("degree", "coef0")}
    return kernel.metric, {"gamma": kernel.gamma} | {key: value for key, value in given.items() if value is not None}


def _own_square(builder: GraphBuilder, reads: str) -> str:
    square = builder.node("ReduceSumSquare", reads, builder.constant([1], np.int64), keepdims=1)
    return column(builder, square)
