"""Preprocessing on numbers: norms, thresholds, bins, powers, quantiles, products, kernels centred."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
from onnx import TensorProto
from scipy.stats import norm
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    KernelCenterer,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
)

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.intervals import count_not_above, interpolated
from edge_infer_convert.operators.numeric import expm1, log1p
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.scaling import standard_scaler

_ROWS = np.array([1])  # the axis that a row's cells lie along
_BOUND = 1e-7  # sklearn.preprocessing._data.BOUNDS_THRESHOLD
_EPSILON = 10 * np.finfo(np.float64).eps  # sklearn.preprocessing._data._handle_zeros_in_scale


@operator(Normalizer)
def normalizer(builder: GraphBuilder, model: Normalizer, reads: str) -> dict[str, list[str]]:
    """x / ‖x‖ by row; a row whose norm is as good as 0 stays."""
    kinds = {"l1": "ReduceL1", "l2": "ReduceSumSquare", "max": "ReduceMax"}
    cells = builder.node("Abs", reads) if model.norm == "max" else reads
    size = builder.node(kinds[model.norm], cells, builder.constant(_ROWS, np.int64), keepdims=1)
    if model.norm == "l2":
        size = builder.node("Sqrt", size)
    tiny = builder.node("Less", size, builder.constant(_EPSILON))
    return {"transform": [builder.node("Div", reads, builder.node("Where", tiny, builder.constant(1.0), size))]}


@operator(Binarizer)
def binarizer(builder: GraphBuilder, model: Binarizer, reads: str) -> dict[str, list[str]]:
    """1 where x > threshold."""
    above = builder.node("Greater", reads, builder.constant(float(model.threshold)))
    return {"transform": [builder.node("Cast", above, to=builder.elem_type)]}


@operator(KernelCenterer)
def kernel_centerer(builder: GraphBuilder, model: KernelCenterer, reads: str) -> dict[str, list[str]]:
    """K − column means − row mean + mean: the kernel of features that are centred."""
    total = builder.node("ReduceSum", reads, builder.constant(_ROWS, np.int64), keepdims=1)
    own = builder.node("Div", total, builder.constant(float(len(model.K_fit_rows_))))
    k = builder.node("Sub", reads, builder.constant(model.K_fit_rows_))
    k = builder.node("Add", builder.node("Sub", k, own), builder.constant(float(model.K_fit_all_)))
    return {"transform": [k]}


# --- bins -------------------------------------------------------------------------------


@operator(KBinsDiscretizer)
def k_bins(builder: GraphBuilder, model: KBinsDiscretizer, reads: str) -> dict[str, list[str]]:
    """The number of inner edges that are ≤ x, or a column for each bin that is 1 in it."""
    if model.dtype == np.float32:
        reads = builder.node("Cast", builder.node("Cast", reads, to=TensorProto.FLOAT), to=builder.elem_type)
    bins = count_not_above(builder, reads, [edges[1:-1] for edges in model.bin_edges_])
    if model.encode != "ordinal":
        counts = [int(count) for count in model.n_bins_]
        source = builder.constant(np.repeat(np.arange(len(counts)), counts), np.int64)
        wanted = builder.constant(np.concatenate([np.arange(count) for count in counts]), np.int64)
        bins = builder.node("Equal", builder.node("Gather", bins, source, axis=1), wanted)
    return {"transform": [builder.node("Cast", bins, to=builder.elem_type)]}


# --- products ---------------------------------------------------------------------------


@operator(PolynomialFeatures)
def polynomial(builder: GraphBuilder, model: PolynomialFeatures, reads: str) -> dict[str, list[str]]:
    """Products of columns, those of degree d from those of degree d − 1 as the original multiplies them."""
    choose = combinations if model.interaction_only else combinations_with_replacement
    columns = range(model.n_features_in_)
    parts = []
    if model.include_bias:
        first = builder.node("Gather", reads, builder.constant([0], np.int64), axis=1)
        count = builder.node("Shape", first)
        parts.append(builder.node("Expand", builder.constant([[1.0]]), count))
    terms = reads
    known: dict[tuple[int, ...], int] = {(column,): column for column in columns}
    for degree in range(1, model._max_degree + 1):
        if degree > 1:
            chosen = list(choose(columns, degree))
            if not chosen:
                break
            terms = _products(builder, reads, terms, known, chosen)
            known = {term: i for i, term in enumerate(chosen)}
        if degree >= model._min_degree:
            parts.append(terms)
    return {"transform": [parts[0] if len(parts) == 1 else builder.node("Concat", *parts, axis=1)]}


def _products(
    builder: GraphBuilder, reads: str, terms: str, known: dict[tuple[int, ...], int], chosen: list[tuple[int, ...]]
) -> str:
    rest = builder.constant([known[term[1:]] for term in chosen], np.int64)
    first = builder.constant([term[0] for term in chosen], np.int64)
    return builder.node(
        "Mul", builder.node("Gather", terms, rest, axis=1), builder.node("Gather", reads, first, axis=1)
    )


# --- powers -----------------------------------------------------------------------------


@operator(PowerTransformer)
def power_transformer(builder: GraphBuilder, model: PowerTransformer, reads: str) -> dict[str, list[str]]:
    """Yeo and Johnson's or Box and Cox's power, then the scaler."""
    lambdas = np.asarray(model.lambdas_, np.float64)
    x = _box_cox(builder, reads, lambdas) if model.method == "box-cox" else _yeo_johnson(builder, reads, lambdas)
    return standard_scaler(builder, model._scaler, x) if model.standardize else {"transform": [x]}


def _yeo_johnson(builder: GraphBuilder, x: str, lambdas: Any) -> str:
    """scipy.stats.yeojohnson: (e^(λ·log(1 + x)) − 1) / λ from 0 up, −(e^((2 − λ)·log(1 − x)) − 1) / (2 − λ) below."""
    zero = builder.constant(0.0)
    size = log1p(builder, builder.node("Abs", x))
    above = _power_of_log(builder, size, lambdas)
    below = builder.node("Neg", _power_of_log(builder, size, 2 - lambdas))
    return builder.node("Where", builder.node("GreaterOrEqual", x, zero), above, below)


def _power_of_log(builder: GraphBuilder, log: str, powers: Any) -> str:
    """(e^(p·log) − 1) / p; log itself in columns whose p is 0."""
    none = np.abs(powers) < np.finfo(np.float64).eps
    safe = builder.constant(np.where(none, 1.0, powers))
    raised = builder.node("Div", expm1(builder, builder.node("Mul", safe, log)), safe)
    return builder.node("Where", builder.constant(none[None], np.bool_), log, raised) if none.any() else raised


def _box_cox(builder: GraphBuilder, x: str, lambdas: Any) -> str:
    """scipy.special.boxcox: (x^λ − 1) / λ through the logarithm, in another form where x^λ would overflow."""
    log = builder.node("Log", x)
    none = np.abs(lambdas) < 1e-19
    safe = np.where(none, 1.0, lambdas)
    usual = builder.node("Mul", builder.constant(safe), log)
    raised = builder.node("Div", expm1(builder, usual), builder.constant(safe))
    rest = builder.node("Exp", builder.node("Sub", usual, builder.constant(np.log(np.abs(safe)))))
    signed = builder.node("Mul", builder.constant(np.sign(safe)), rest)
    large = builder.node("Sub", signed, builder.constant(1 / safe))
    fits = builder.node("Less", usual, builder.constant(709.78))
    power = builder.node("Where", fits, raised, builder.node("Where", builder.node("IsNaN", usual), usual, large))
    return builder.node("Where", builder.constant(none[None], np.bool_), log, power) if none.any() else power


# --- quantiles --------------------------------------------------------------------------


@operator(QuantileTransformer)
def quantile_transformer(builder: GraphBuilder, model: QuantileTransformer, reads: str) -> dict[str, list[str]]:
    """The mean of interpolating from below and from above (equal quantiles), then the normal quantile function."""
    quantiles, references = model.quantiles_.T, model.references_
    count = len(quantiles)
    up = interpolated(builder, reads, quantiles, [references] * count)
    mirrored = [-column[::-1] for column in quantiles]
    down = interpolated(builder, builder.node("Neg", reads), mirrored, [-references[::-1]] * count)
    y = builder.node("Mul", builder.constant(0.5), builder.node("Sub", up, down))
    y = _at_bounds(builder, reads, y, quantiles, model.output_distribution == "normal")
    if model.output_distribution == "normal":
        y = _normal_quantile(builder, y)
    return {"transform": [builder.node("Where", builder.node("IsNaN", reads), reads, y)]}


def _at_bounds(builder: GraphBuilder, x: str, y: str, quantiles: Any, normal: bool) -> str:
    """1 at the last quantile, 0 at the first; for the normal distribution as near as 1e-7 to them."""
    first, last = builder.constant(quantiles[:, 0]), builder.constant(quantiles[:, -1])
    if normal:
        margin = builder.constant(_BOUND)
        above = builder.node("Greater", builder.node("Add", x, margin), last)
        below = builder.node("Less", builder.node("Sub", x, margin), first)
    else:
        above, below = builder.node("Equal", x, last), builder.node("Equal", x, first)
    y = builder.node("Where", above, builder.constant(1.0), y)
    return builder.node("Where", below, builder.constant(0.0), y)


#: Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988), 477-484: coefficients from the constant up.
_MIDDLE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
_TAIL = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)


def _normal_quantile(builder: GraphBuilder, p: str) -> str:
    """Φ⁻¹(p), cut off at p = 1e-7 from the ends as the original cuts it; algorithm AS 241, about 1e-16 relative.

    Its third range, p < 1.4e-11, is never reached.
    """
    low = _BOUND - np.spacing(1)
    lowest, highest = float(norm.ppf(low)), float(norm.ppf(1 - low))
    half = builder.constant(0.5)
    q = builder.node("Sub", p, half)
    square = builder.node("Mul", q, q)
    middle = builder.node("Mul", q, _ratio(builder, builder.node("Sub", builder.constant(0.180625), square), _MIDDLE))
    side = builder.node("Min", p, builder.node("Sub", builder.constant(1.0), p))
    side = builder.node("Max", side, builder.constant(low))
    root = builder.node("Sqrt", builder.node("Neg", builder.node("Log", side)))
    tail = _ratio(builder, builder.node("Sub", root, builder.constant(1.6)), _TAIL)
    tail = builder.node("Mul", builder.node("Sign", q), tail)
    near = builder.node("LessOrEqual", builder.node("Abs", q), builder.constant(0.425))
    value = builder.node("Where", near, middle, tail)
    return builder.node("Clip", value, builder.constant(lowest), builder.constant(highest))


def _ratio(builder: GraphBuilder, r: str, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> str:
    above, below = (_polynomial(builder, r, part) for part in coefficients)
    return builder.node("Div", above, below)


def _polynomial(builder: GraphBuilder, r: str, coefficients: tuple[float, ...]) -> str:
    value = builder.constant(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = builder.node("Add", builder.node("Mul", value, r), builder.constant(coefficient))
    return value
