"""Naive Bayes against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB

import edge_infer
from edge_infer.errors import EdgeInferError
from tests.convert.operators.drawn import assert_converted, blobs, few, seeds


def _counts(seed: int, classes: int = 3) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = np.arange(80) % classes
    return rng.poisson(1 + 2 * (y[:, None] == np.arange(4) % classes)).astype(np.float64), y


@few
@given(seeds, st.integers(2, 4), st.sampled_from([None, "given"]))
def test_gaussian(seed: int, classes: int, priors: str | None) -> None:
    X, y = blobs(seed, classes)
    shares = np.arange(1.0, classes + 1) / np.arange(1.0, classes + 1).sum() if priors else None
    assert_converted(GaussianNB(priors=shares).fit(X, np.array(list("abcd"))[y]), X)


@few
@given(seeds, st.integers(2, 3), st.sampled_from([MultinomialNB(), ComplementNB(), ComplementNB(norm=True)]))
def test_counts(seed: int, classes: int, model: Any) -> None:
    X, y = _counts(seed, classes)
    assert_converted(model.fit(X, y), X)


@few
@given(seeds, st.integers(2, 3), st.sampled_from([0.0, 0.7, None]), st.booleans())
def test_bernoulli(seed: int, classes: int, binarize: float | None, fit_prior: bool) -> None:
    X, y = blobs(seed, classes)
    X = X if binarize is not None else (X > 1).astype(np.float64)
    assert_converted(BernoulliNB(binarize=binarize, fit_prior=fit_prior).fit(X, y), X)


@pytest.mark.parametrize("model", [GaussianNB(), MultinomialNB(), ComplementNB(), BernoulliNB()])
def test_a_lone_class(model: Any) -> None:
    X, _ = _counts(0)
    assert_converted(model.fit(X, np.full(len(X), 7)), X)


@few
@given(seeds, st.integers(2, 3), st.sampled_from([np.int64, np.float64]))
def test_categories(seed: int, classes: int, dtype: Any) -> None:
    X, y = _counts(seed, classes)
    assert_converted(CategoricalNB().fit(X.astype(dtype), y), X.astype(dtype), rows=X.astype(dtype)[::-1])


def test_an_unseen_category_is_refused_as_the_original_refuses_it() -> None:
    X, y = _counts(1)
    model = CategoricalNB().fit(X.astype(np.int64), y)
    converted = edge_infer.load(assert_converted(model, X.astype(np.int64), rows=X.astype(np.int64)).data)
    row = X[:1].astype(np.int64)
    row[0, 0] = X[:, 0].max() + 1
    with pytest.raises(IndexError):
        model.predict(row)
    with pytest.raises(EdgeInferError):
        converted.predict(row)
