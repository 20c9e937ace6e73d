"""Kernel approximations, random projections and their kin against scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.neural_network import BernoulliRBM
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

import edge_infer
from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.judging import fresh_rows
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds


def _counts(seed: int, rows: int = 60) -> Any:
    """Not negative, with zeros."""
    return np.random.default_rng(seed).poisson(2.0, (rows, 3)) / 2.0


def _within(X: Any) -> Any:
    return np.abs(fresh_rows(X))


@few
@given(seed=seeds, dense=st.booleans())
def test_random_projections_are_the_originals(seed: int, dense: bool) -> None:
    X = matrix(seed, width=6)
    sparse = SparseRandomProjection(3, random_state=seed, dense_output=dense)
    for model in (GaussianRandomProjection(3, random_state=seed), sparse):
        assert_converted(model.fit(X), X)


@few
@given(seed=seeds, gamma=st.sampled_from([0.01, 0.5, "scale"]))
def test_fourier_features_are_the_originals(seed: int, gamma: float | str) -> None:
    X = matrix(seed)
    assert_converted(RBFSampler(gamma=gamma, n_components=20, random_state=seed).fit(X), X)


@few
@given(seed=seeds, skewedness=st.sampled_from([0.5, 3.0]))
def test_skewed_features_are_the_originals(seed: int, skewedness: float) -> None:
    X = _counts(seed)
    model = SkewedChi2Sampler(skewedness=skewedness, n_components=10, random_state=seed).fit(X)
    assert_converted(model, X, rows=_within(X))


@pytest.mark.parametrize(("steps", "interval"), [(1, None), (2, None), (3, None), (4, 0.3)])
def test_additive_features_are_the_originals(steps: int, interval: float | None) -> None:
    X = _counts(steps)
    model = AdditiveChi2Sampler(sample_steps=steps, sample_interval=interval).fit(X)
    assert_converted(model, X, rows=_within(X))


def test_rows_that_the_original_refuses_give_nan() -> None:
    X = _counts(0)
    refused = np.array([[-5.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    for model in (
        AdditiveChi2Sampler(),
        SkewedChi2Sampler(n_components=5, random_state=0),
        Nystroem("chi2", n_components=5, random_state=0),
    ):
        data = convert(model.fit(X), data=X, name="drawn").data
        answers = edge_infer.load(data).transform(refused)
        assert np.isnan(answers[0]).any()
        assert np.isfinite(answers[1]).all()


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ("rbf", {"gamma": 0.2}),
        ("rbf", {}),
        ("linear", {}),
        ("poly", {"degree": 2, "coef0": 1.0}),
        ("polynomial", {"kernel_params": {"degree": 3}, "gamma": 0.1}),
        ("sigmoid", {"gamma": 0.05}),
        ("laplacian", {}),
        ("cosine", {}),
    ],
)
def test_nystroem_is_the_original_with_each_kernel(kernel: str, options: dict[str, Any]) -> None:
    X, _ = blobs(2)
    assert_converted(Nystroem(kernel, n_components=3, random_state=0, **options).fit(X), X)


@pytest.mark.parametrize("kernel", ["chi2", "additive_chi2"])
def test_nystroem_is_the_original_with_kernels_of_counts(kernel: str) -> None:
    X = _counts(4)
    assert_converted(Nystroem(kernel, n_components=5, random_state=0).fit(X), X, rows=_within(X))


def test_nystroem_with_a_function_is_refused() -> None:
    X = matrix(0)
    model = Nystroem(lambda a, b: float(a @ b), n_components=3, random_state=0).fit(X)
    with pytest.raises(UnsupportedModelError, match="Python function"):
        convert(model, data=X, name="drawn")


@few
@given(seed=seeds, degree=st.sampled_from([1, 2]), size=st.sampled_from([1, 7, 16]), coef0=st.sampled_from([0, 1.5]))
def test_count_sketches_are_the_originals(seed: int, degree: int, size: int, coef0: float) -> None:
    X, _ = blobs(seed)
    model = PolynomialCountSketch(gamma=0.3, degree=degree, n_components=size, coef0=coef0, random_state=seed)
    assert_converted(model.fit(X), X)


@few
@given(seed=seeds)
def test_hidden_units_are_the_originals(seed: int) -> None:
    X = (np.random.default_rng(seed).random((60, 4)) < 0.4).astype(np.float64)
    model = BernoulliRBM(3, n_iter=3, random_state=seed).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        conversion = convert(model, data=X, name="drawn")
    assert set(conversion.manifest.missing_methods) == {"score_samples"}  # random in the original
    rows = np.random.default_rng(seed).random((50, 4))
    np.testing.assert_allclose(edge_infer.load(conversion.data).transform(rows), model.transform(rows), rtol=1e-5)
