"""Scalers, norms, bins, splines, powers, quantiles and products of columns against scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    KernelCenterer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, few, matrix, seeds

_precisions = st.sampled_from(["auto", "float64"])


@few
@given(
    seeds,
    st.sampled_from(
        [
            StandardScaler(),
            StandardScaler(with_mean=False),
            StandardScaler(with_std=False),
            StandardScaler(with_mean=False, with_std=False),
            MinMaxScaler((-3, 2)),
            MinMaxScaler(clip=True),
            MaxAbsScaler(),
            MaxAbsScaler(clip=True),
            RobustScaler(),
            RobustScaler(with_centering=False, quantile_range=(10, 80)),
            RobustScaler(with_scaling=False),
            RobustScaler(unit_variance=True),
        ]
    ),
    st.booleans(),
    st.sampled_from([0.0, 0.2]),
    _precisions,
)
def test_scaler_scales_as_the_original(
    seed: int, scaler: Any, constant_column: bool, gaps: float, precision: str
) -> None:
    X = matrix(seed, gaps=gaps)
    if constant_column:
        X[:, 1] = 4.0
    assert_converted(scaler.fit(X), X, rows=matrix(seed + 1, scale=50, gaps=gaps), precision=precision)


@few
@given(seeds, st.sampled_from(["l1", "l2", "max"]), _precisions)
def test_normalizer_keeps_rows_of_zeros_and_takes_absolute_values(seed: int, norm: str, precision: str) -> None:
    X = matrix(seed)
    X[::7] = 0
    X[1] = [-9.0, 1.0, 2.0]
    X[2] = 1e-16
    assert_converted(Normalizer(norm=norm).fit(X), X, rows=X, precision=precision)


@few
@given(seeds, st.sampled_from([0.0, -1.5, 0.1]))
def test_binarizer_is_1_above_the_threshold_only(seed: int, threshold: float) -> None:
    X = matrix(seed)
    X[:9, 0] = threshold
    assert_converted(Binarizer(threshold=threshold).fit(X), X)


@few
@given(
    seeds,
    st.sampled_from(["onehot", "onehot-dense", "ordinal"]),
    st.sampled_from(["uniform", "quantile", "kmeans"]),
    st.integers(2, 40),
)
def test_bins_begin_at_their_edges(seed: int, encode: str, strategy: str, bins: int) -> None:
    X = matrix(seed, rows=80)
    X[:, 1] = np.round(X[:, 1] / 8)
    model = KBinsDiscretizer(n_bins=bins, encode=encode, strategy=strategy, quantile_method="averaged_inverted_cdf")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bins that are merged
        model.fit(X)
    rows = np.array([X[i % 80] for i in range(200)])
    for column, edges in enumerate(model.bin_edges_):
        near = np.r_[edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)]
        rows[: min(len(near), 200), column] = near[:200]
    assert_converted(model, X, rows=rows, precision="float64")


@few
@given(
    seeds,
    st.sampled_from(["constant", "linear", "continue", "periodic", "error"]),
    st.integers(0, 4),
    st.sampled_from(["uniform", "quantile"]),
    st.booleans(),
    st.sampled_from([0.0, 0.2]),
    st.booleans(),
)
def test_splines_are_the_originals_inside_and_beyond_the_knots(
    seed: int, extrapolation: str, degree: int, knots: str, bias: bool, gaps: float, sparse: bool
) -> None:
    X = matrix(seed, gaps=gaps)
    model = SplineTransformer(
        n_knots=6,
        degree=degree,
        knots=knots,
        extrapolation=extrapolation,
        include_bias=bias,
        handle_missing="zeros" if gaps else "error",
        sparse_output=sparse,
    )
    assume(not (sparse and degree == 0 and extrapolation == "periodic"))  # the original fails
    assume(not (sparse and gaps and extrapolation in ("continue", "periodic", "error")))  # refused, see below
    inside = X if extrapolation == "error" or degree == 0 else None  # beyond it the original fails here and there
    assert_converted(model.fit(X), X, rows=inside)


def test_splines_whose_answer_to_a_gap_depends_on_other_rows_are_refused() -> None:
    X = matrix(1, gaps=0.2)
    model = SplineTransformer(extrapolation="continue", handle_missing="zeros", sparse_output=True).fit(X)
    with pytest.raises(UnsupportedModelError, match="depends on the other rows"):
        convert(model, data=X, name="s")


def test_splines_of_a_column_with_repeated_knots_and_of_a_constant_one() -> None:
    X = matrix(5)
    X[:40, 0] = 3.0
    X[:, 1] = 2.0
    for extrapolation in ("constant", "linear", "periodic", "continue"):
        model = SplineTransformer(n_knots=6, knots="quantile", extrapolation=extrapolation)
        assert_converted(model.fit(X), X)


@few
@given(
    seeds,
    st.sampled_from([0, 1, 2, 4, (2, 3), (0, 2), (3, 3)]),
    st.booleans(),
    st.booleans(),
)
def test_polynomial_features_come_in_the_originals_order(seed: int, degree: Any, only: bool, bias: bool) -> None:
    assume(bias or degree != 0)
    X = matrix(seed)
    assert_converted(PolynomialFeatures(degree, interaction_only=only, include_bias=bias).fit(X), X)


@few
@given(seeds, st.sampled_from(["yeo-johnson", "box-cox"]), st.booleans(), st.sampled_from([0.0, 0.2]))
def test_power_transform_is_the_originals_and_keeps_gaps(
    seed: int, method: str, standardize: bool, gaps: float
) -> None:
    X = matrix(seed, gaps=gaps)
    if method == "box-cox":
        X = np.exp(X / 10)
    assert_converted(PowerTransformer(method=method, standardize=standardize).fit(X), X, rows=X)


@pytest.mark.parametrize("lambdas", [[0.0, 2.0, 1.0], [-3.0, 5.0, 1e-12]])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_power_transform_at_the_powers_where_its_formula_changes(method: str, lambdas: list[float]) -> None:
    X = np.abs(matrix(3)) + 0.1 if method == "box-cox" else matrix(3)
    model = PowerTransformer(method=method, standardize=False).fit(X)
    model.lambdas_ = np.array(lambdas)
    assert_converted(model, X, rows=np.r_[X, X * 1e-9, X * 1e3], precision="float64")


@few
@given(seeds, st.sampled_from(["uniform", "normal"]), st.sampled_from([5, 60]), st.sampled_from([0.0, 0.2]))
def test_quantiles_are_the_originals_where_values_repeat_too(
    seed: int, distribution: str, quantiles: int, gaps: float
) -> None:
    X = matrix(seed, gaps=gaps)
    X[:, 1] = np.round(X[:, 1] / 8)
    X[:, 2] = 3.0
    model = QuantileTransformer(n_quantiles=quantiles, output_distribution=distribution, random_state=0).fit(X)
    rows = np.r_[X, model.quantiles_, np.nextafter(model.quantiles_, np.inf), model.quantiles_ * 5]
    assert_converted(model, X, rows=rows, precision="float64")


def test_normal_quantiles_have_the_originals_digits() -> None:
    """A uniform column passes through the quantile function alone."""
    X = np.linspace(0, 1, 1001)[:, None]
    model = QuantileTransformer(n_quantiles=1001, output_distribution="normal").fit(X)
    rows = np.r_[np.linspace(0, 1, 777), 1e-6, 3e-7, 1 - 1e-6, 0.075, 0.925][:, None]
    conversion = assert_converted(model, X, rows=rows, precision="float64")
    assert conversion.certificate["outputs"]["transform"]["worst"] < 1e-10


@few
@given(seeds, st.sampled_from([0.0, 1.0]))
def test_kernel_is_centred_as_the_original(seed: int, scale: float) -> None:
    X = matrix(seed, rows=20)
    K = X @ X.T + scale
    assert_converted(KernelCenterer().fit(K), K, rows=K)
