"""Sparse codes against scikit-learn: every algorithm, on learned and on given dictionaries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import DictionaryLearning, MiniBatchDictionaryLearning, SparseCoder

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, matrix, seeds

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Orthogonal matching pursuit:RuntimeWarning"
)
_some = settings(max_examples=5)


def _dictionary(seed: int, atoms: int = 5, width: int = 4) -> Any:
    atoms_ = np.random.default_rng(seed).normal(size=(atoms, width))
    return atoms_ / np.linalg.norm(atoms_, axis=1, keepdims=True)


@_some
@given(seed=seeds, count=st.sampled_from([None, 1, 3]))
def test_matching_pursuit_takes_the_originals_atoms(seed: int, count: int | None) -> None:
    X = matrix(seed, width=4, rows=30)
    assert_converted(SparseCoder(_dictionary(seed), transform_n_nonzero_coefs=count).fit(X), X)


def test_matching_pursuit_takes_the_originals_choice_of_equal_products() -> None:
    X = np.random.default_rng(0).integers(-2, 3, (40, 4)).astype(np.float64)
    dictionary = np.eye(4)[[2, 0, 3, 1]] * [[1], [-1], [1], [1]]
    for count in (1, 2, 3):
        assert_converted(SparseCoder(dictionary, transform_n_nonzero_coefs=count).fit(X), X, rows=X)


def test_matching_pursuit_of_rows_of_zeros_is_zero() -> None:
    X = matrix(1, width=4, rows=30)
    rows = np.vstack([np.zeros(4), np.full(4, 1e-9), X[:3]])
    assert_converted(SparseCoder(_dictionary(1), transform_n_nonzero_coefs=2).fit(X), X, rows=rows)


@_some
@given(seed=seeds, positive=st.booleans(), split=st.booleans())
def test_thresholded_codes_are_the_originals(seed: int, positive: bool, split: bool) -> None:
    X = matrix(seed, width=4, rows=30)
    model = SparseCoder(
        _dictionary(seed),
        transform_algorithm="threshold",
        transform_alpha=2.0,
        positive_code=positive,
        split_sign=split,
    )
    assert_converted(model.fit(X), X)


@_some
@given(seed=seeds, algorithm=st.sampled_from(["lasso_cd", "lasso_lars"]), positive=st.booleans())
def test_lasso_codes_are_the_originals(seed: int, algorithm: str, positive: bool) -> None:
    X = matrix(seed, width=4, rows=30)
    model = SparseCoder(
        _dictionary(seed, atoms=4), transform_algorithm=algorithm, transform_alpha=3.0, positive_code=positive
    )
    assert_converted(model.fit(X), X)


@pytest.mark.parametrize("algorithm", ["lasso_cd", "lasso_lars"])
def test_lasso_that_is_cut_short_stops_where_the_original_does(algorithm: str) -> None:
    X = matrix(5, width=4, rows=30)
    model = SparseCoder(_dictionary(5), transform_algorithm=algorithm, transform_alpha=0.5, transform_max_iter=2)
    assert_converted(model.fit(X), X)


def test_descent_without_a_penalty_is_the_originals() -> None:
    X = matrix(6, width=4, rows=30)
    model = SparseCoder(_dictionary(6, atoms=3), transform_algorithm="lasso_cd", transform_alpha=0.0)
    assert_converted(model.fit(X), X)


@pytest.mark.parametrize("count", [None, 1, 3])
def test_least_angles_are_the_originals(count: int | None) -> None:
    X = matrix(7, width=4, rows=30)
    model = SparseCoder(_dictionary(7), transform_algorithm="lars", transform_n_nonzero_coefs=count)
    assert_converted(model.fit(X), X)


@pytest.mark.parametrize("algorithm", ["omp", "lars", "lasso_lars"])
def test_choice_between_parallel_atoms_is_refused(algorithm: str) -> None:
    X = matrix(0, width=4, rows=30)
    model = SparseCoder(_dictionary(0)[[0, 1, 2, 1]], transform_algorithm=algorithm).fit(X)
    with pytest.raises(UnsupportedModelError, match="parallel atoms"):
        convert(model, data=X, name="drawn")


@pytest.mark.parametrize("kind", [DictionaryLearning, MiniBatchDictionaryLearning])
def test_learned_dictionaries_encode_as_the_original(kind: Any) -> None:
    X = matrix(8, width=4, rows=40)
    model = kind(4, max_iter=5, random_state=0, alpha=2.0)
    assert_converted(model.fit(X), X)
    assert_converted(model.set_params(transform_algorithm="lasso_cd").fit(X), X)  # by the alpha of training
