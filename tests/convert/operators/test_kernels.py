"""Support vector machines and kernel ridge against scikit-learn, libsvm's votes and probabilities included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

import edge_infer
from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, blobs, few, seeds
from tests.convert.operators.fitting import fitted

_KERNELS = st.sampled_from(["linear", "poly", "rbf", "sigmoid"])


@few
@given(seeds, st.integers(2, 4), _KERNELS, st.sampled_from(["ovr", "ovo"]))
def test_votes_and_scores_of_svc(seed: int, classes: int, kernel: str, shape: str) -> None:
    X, y = blobs(seed, classes)
    assert_converted(fitted(SVC(kernel=kernel, decision_function_shape=shape), X, np.array(list("abcd"))[y]), X)


@few
@given(seeds, st.integers(2, 4), st.sampled_from([SVC, NuSVC]))
def test_coupled_probabilities(seed: int, classes: int, kind: type) -> None:
    X, y = blobs(seed, classes, rows=60)
    options: dict[str, Any] = {"nu": 0.2} if kind is NuSVC else {}
    conversion = assert_converted(fitted(kind(probability=True, random_state=0, **options), X, y), X)
    assert conversion.manifest.precision == "float64"


def test_coupled_probabilities_are_refused_in_float32() -> None:
    X, y = blobs(1)
    model = fitted(SVC(probability=True, random_state=0), X, y)
    with pytest.raises(UnsupportedModelError, match="iterates until a threshold"):
        convert(model, data=X, name="drawn", precision="float32")


@settings(max_examples=6)
@given(seeds)
def test_ties_broken_by_the_scores(seed: int) -> None:
    X, y = blobs(seed, 4)
    assert_converted(fitted(SVC(break_ties=True), X, y), X)


@pytest.mark.parametrize("options", [{}, {"gamma": 0.5, "kernel": "rbf"}])
def test_a_score_of_zero_is_a_vote_for_the_second_class(options: dict[str, Any]) -> None:
    X, y = np.array([[-1.0], [1.0]]), np.array([5, 9])
    model = fitted(SVC(**{"kernel": "linear"} | options), X, y)
    rows = np.array([[0.0], [-0.5], [0.5]])
    assert model.decision_function(rows)[0] == 0
    converted = edge_infer.load(assert_converted(model, X, rows=rows).data)
    assert converted.predict(rows).tolist() == model.predict(rows).tolist()


@pytest.mark.parametrize("shape", ["ovr", "ovo"])
def test_a_circle_of_votes_keeps_the_original_label(shape: str) -> None:
    X, y = blobs(3)
    model = fitted(SVC(decision_function_shape=shape), X, y + 4)
    model.intercept_ = model._intercept_ = np.array([50.0, -50.0, 50.0])  # 0 beats 1, 1 beats 2, 2 beats 0
    converted = edge_infer.load(assert_converted(model, X).data)
    assert set(converted.predict(X).tolist()) == {4}


@few
@given(seeds, _KERNELS, st.sampled_from([SVR, NuSVR]))
def test_support_vector_regressors(seed: int, kernel: str, kind: type) -> None:
    X, y = blobs(seed)
    assert_converted(fitted(kind(kernel=kernel), X, X[:, 0] + y), X)


def test_a_regressor_without_support_vectors_is_constant() -> None:
    X, y = blobs(0)
    assert_converted(fitted(SVR(epsilon=1e6), X, y * 1.0), X)


@settings(max_examples=6)
@given(seeds, _KERNELS)
def test_one_class(seed: int, kernel: str) -> None:
    X, _ = blobs(seed)
    assert_converted(fitted(OneClassSVM(kernel=kernel, nu=0.3), X), X)


@few
@given(seeds, st.sampled_from(["linear", "poly", "rbf", "sigmoid", "laplacian", "cosine"]), st.booleans())
def test_kernel_ridge(seed: int, kernel: str, several: bool) -> None:
    X, y = blobs(seed)
    target = np.column_stack([y, -2.0 * y]) if several else y * 1.0
    assert_converted(fitted(KernelRidge(kernel=kernel, degree=2, gamma=0.1), X, target), X)


@pytest.mark.parametrize("kernel", ["chi2", "additive_chi2"])
def test_kernel_ridge_of_shares(kernel: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (60, 3)).astype(np.float64)
    model = fitted(KernelRidge(kernel=kernel, gamma=0.3), X, X @ [1.0, 2.0, -1.0])
    assert_converted(model, X, rows=rng.random((80, 3)) * 6)


def test_kernels_that_are_functions_are_refused() -> None:
    X, y = blobs(0)
    for model in (SVC(kernel=rbf_kernel), KernelRidge(kernel=_first_product)):
        with pytest.raises(UnsupportedModelError, match="Python function"):
            convert(fitted(model, X, y), data=X, name="drawn")


def _first_product(a: Any, b: Any) -> float:
    return float(a[0] * b[0])
