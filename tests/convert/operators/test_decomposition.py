"""Decompositions against scikit-learn: every option that changes the formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds


@few
@given(seed=seeds, components=st.sampled_from([None, 1, 2, 0.8]), whiten=st.booleans())
def test_principal_components_and_their_likelihood_are_the_originals(
    seed: int, components: int | float | None, whiten: bool
) -> None:
    X = matrix(seed, width=4)
    assert_converted(PCA(components, whiten=whiten).fit(X), X)


@pytest.mark.parametrize("precision", ["auto", "float64"])
def test_principal_components_hold(precision: str) -> None:
    X, _ = blobs(0, width=4)
    assert_converted(PCA(2).fit(X), X, precision=precision)


def test_whitened_components_without_variance_are_divided_by_the_least_scale() -> None:
    X = matrix(3)[:, [0, 1, 1]]
    assert_converted(PCA(2, whiten=True).fit(X), X)


@few
@given(seed=seeds, whiten=st.booleans())
def test_incremental_components_are_the_originals(seed: int, whiten: bool) -> None:
    X = matrix(seed, width=4)
    assert_converted(IncrementalPCA(2, whiten=whiten, batch_size=20).fit(X), X)


@few
@given(seed=seeds, algorithm=st.sampled_from(["randomized", "arpack"]))
def test_truncated_svd_is_the_originals(seed: int, algorithm: str) -> None:
    X = matrix(seed, width=4)
    assert_converted(TruncatedSVD(2, algorithm=algorithm, random_state=0).fit(X), X)


@few
@given(seed=seeds, whiten=st.sampled_from(["unit-variance", "arbitrary-variance", False]))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_independent_components_are_the_originals(seed: int, whiten: str | bool) -> None:
    X = np.random.default_rng(seed).laplace(size=(80, 3))
    assert_converted(FastICA(whiten=whiten, random_state=0, max_iter=50).fit(X), X)


@few
@given(seed=seeds, components=st.sampled_from([1, 2, 4]), rotation=st.sampled_from([None, "varimax"]))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_factors_and_their_likelihood_are_the_originals(seed: int, components: int, rotation: str | None) -> None:
    X = matrix(seed, width=4)
    assert_converted(FactorAnalysis(components, rotation=rotation, max_iter=50).fit(X), X)


@pytest.mark.parametrize("kind", [SparsePCA, MiniBatchSparsePCA])
@pytest.mark.parametrize(("components", "width"), [(2, 4), (5, 3)])
def test_sparse_components_are_the_originals(
    kind: type[SparsePCA] | type[MiniBatchSparsePCA], components: int, width: int
) -> None:
    X, _ = blobs(1, width=width)
    assert_converted(kind(components, alpha=0.5, ridge_alpha=0.03, max_iter=20, random_state=0).fit(X), X)


@few
@given(seed=seeds, kernel=st.sampled_from(["linear", "poly", "rbf", "sigmoid", "cosine"]))
def test_kernel_components_are_the_originals(seed: int, kernel: str) -> None:
    X, _ = blobs(seed, rows=50)
    assert_converted(KernelPCA(2, kernel=kernel, gamma=0.1, degree=2, coef0=0.5).fit(X), X)


def test_kernel_components_stand_behind_a_scaler() -> None:
    X = matrix(5)
    assert_converted(make_pipeline(StandardScaler(), KernelPCA(2, kernel="rbf")).fit(X), X)


def test_precomputed_kernel_is_refused() -> None:
    X = matrix(0, rows=10)
    model = KernelPCA(2, kernel="precomputed").fit(X @ X.T)
    with pytest.raises(UnsupportedModelError, match="precomputed kernel"):
        convert(model, data=X @ X.T, name="drawn")


def test_kernel_that_is_a_function_is_refused() -> None:
    X = matrix(0, rows=10)
    model = KernelPCA(2, kernel=lambda a, b: float(a @ b)).fit(X)
    with pytest.raises(UnsupportedModelError, match="Python function"):
        convert(model, data=X, name="drawn")
