"""NMF and latent Dirichlet allocation of new rows against scikit-learn, in batches and alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import NMF, LatentDirichletAllocation, MiniBatchNMF

import edge_infer
from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.judging import fresh_rows
from tests.convert.operators.drawn import assert_converted, matrix, seeds

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

_some = settings(max_examples=6)
_LOSSES = ["frobenius", "kullback-leibler", "itakura-saito", 0.5, 1.5, 3.0]


def _positive(seed: int) -> Any:
    return np.abs(matrix(seed, rows=40, width=4)) + 0.5


def _counts(seed: int) -> Any:
    return np.random.default_rng(seed).poisson(2.0, (40, 6)).astype(np.float64)


@_some
@given(seed=seeds, ratio=st.sampled_from([0.0, 0.5, 1.0]), shuffle=st.booleans())
def test_descent_takes_the_originals_passes(seed: int, ratio: float, shuffle: bool) -> None:
    X = _positive(seed)
    model = NMF(3, alpha_W=0.02, l1_ratio=ratio, shuffle=shuffle, random_state=seed).fit(X)
    assert_converted(model, X, rows=np.abs(fresh_rows(X)))


@pytest.mark.parametrize("loss", _LOSSES)
def test_multiplicative_updates_take_the_originals_passes(loss: str | float) -> None:
    X = _positive(1)
    model = NMF(3, solver="mu", beta_loss=loss, alpha_W=0.01, random_state=0, init="random").fit(X)
    assert_converted(model, X, rows=np.abs(fresh_rows(X)) + 0.01)


@pytest.mark.parametrize("loss", _LOSSES)
def test_minibatch_updates_take_the_originals_passes(loss: str | float) -> None:
    X = _positive(2)
    model = MiniBatchNMF(3, beta_loss=loss, random_state=0).fit(X)
    assert_converted(model, X, rows=np.abs(fresh_rows(X)) + 0.01)


@pytest.mark.parametrize("model", [NMF(2, random_state=0), NMF(2, solver="mu", tol=0, random_state=0), MiniBatchNMF(2)])
def test_a_batch_and_its_rows_alone_are_each_answered_as_by_the_original(model: Any) -> None:
    X = _positive(3)
    loaded = edge_infer.load(convert(model.fit(X), data=X, name="drawn", precision="float64").data)
    rows = np.abs(fresh_rows(X))[:5]
    np.testing.assert_allclose(loaded.transform(rows), model.transform(rows), rtol=1e-9)
    for row in rows:
        np.testing.assert_allclose(loaded.transform(row[None]), model.transform(row[None]), rtol=1e-9)


def test_shuffled_descent_without_a_seed_is_refused() -> None:
    X = _positive(0)
    model = NMF(2, shuffle=True).fit(X)
    with pytest.raises(UnsupportedModelError, match="differently at each call"):
        convert(model, data=X, name="drawn")


@settings(max_examples=4)
@given(seed=seeds, prior=st.sampled_from([None, 0.01, 1.0]))
def test_topics_are_the_originals(seed: int, prior: float | None) -> None:
    X = _counts(seed)
    model = LatentDirichletAllocation(3, doc_topic_prior=prior, max_iter=3, random_state=seed).fit(X)
    assert_converted(model, X, rows=np.abs(fresh_rows(X)))


def test_topics_of_an_empty_document_are_the_originals() -> None:
    X = _counts(0)
    model = LatentDirichletAllocation(3, max_iter=3, max_doc_update_iter=4, random_state=0).fit(X)
    assert_converted(model, X, rows=np.vstack([np.zeros(6), X[:3]]))


def test_rows_with_negative_numbers_give_nan() -> None:
    X = _positive(0)
    rows = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, -2.0, 3.0, 4.0]])
    for model in (NMF(2, random_state=0), MiniBatchNMF(2, random_state=0), LatentDirichletAllocation(2, max_iter=2)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = edge_infer.load(convert(model.fit(X), data=X, name="drawn").data)
        answers = loaded.transform(rows)
        assert np.isfinite(answers[0]).all()
        assert np.isnan(answers[1]).all()
