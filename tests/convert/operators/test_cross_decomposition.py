"""Partial least squares and canonical correlation against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression

from tests.convert.operators.drawn import assert_converted, few, matrix, seeds


def _targets(seed: int, X: Any, count: int) -> Any:
    rng = np.random.default_rng(seed)
    return X @ rng.normal(size=(X.shape[1], count)) + rng.normal(0, 3, (len(X), count))


@few
@given(seed=seeds, count=st.sampled_from([0, 1, 2]), scale=st.booleans())
def test_least_squares_predict_and_transform_as_the_original(seed: int, count: int, scale: bool) -> None:
    X = matrix(seed, width=4)
    y = _targets(seed, X, count) if count else _targets(seed, X, 1)[:, 0]
    assert_converted(PLSRegression(1 if count == 1 else 2, scale=scale).fit(X, y), X)


@few
@given(seed=seeds, kind=st.sampled_from([PLSCanonical, CCA, PLSSVD]), scale=st.booleans())
def test_canonical_scores_are_the_originals(seed: int, kind: Any, scale: bool) -> None:
    X = matrix(seed, width=4)
    assert_converted(kind(2, scale=scale).fit(X, _targets(seed, X, 2)), X)


@pytest.mark.parametrize("precision", ["auto", "float64"])
def test_least_squares_hold(precision: str) -> None:
    X = matrix(0, width=4)
    assert_converted(PLSRegression().fit(X, _targets(0, X, 2)), X, precision=precision)
