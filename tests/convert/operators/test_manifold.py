"""Isomap and locally linear embedding of new rows against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import Isomap, LocallyLinearEmbedding

import edge_infer
from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, matrix, seeds

_some = settings(max_examples=5)


@_some
@given(seed=seeds, metric=st.sampled_from(["euclidean", "manhattan", "chebyshev"]))
def test_ways_through_neighbours_are_the_originals(seed: int, metric: str) -> None:
    X = matrix(seed, rows=40)
    assert_converted(Isomap(n_neighbors=8, metric=metric).fit(X), X)


@pytest.mark.parametrize("algorithm", ["brute", "ball_tree"])
def test_ways_are_the_originals_however_neighbours_are_found(algorithm: str) -> None:
    X = matrix(1, rows=40)
    assert_converted(Isomap(n_neighbors=8, neighbors_algorithm=algorithm).fit(X), X)


def test_ways_within_a_radius_are_the_originals() -> None:
    X = matrix(2, rows=40)
    assert_converted(Isomap(n_neighbors=None, radius=40.0).fit(X), X, rows=X + 0.1)


def test_row_without_a_neighbour_gives_nan() -> None:
    X = matrix(2, rows=40)
    model = edge_infer.load(convert(Isomap(n_neighbors=None, radius=40.0).fit(X), data=X, name="drawn").data)
    assert np.isnan(model.transform(X[:1] + 1e4)).all()  # the original raises an error


def test_precomputed_distances_are_refused() -> None:
    X = matrix(0, rows=20)
    D = np.linalg.norm(X[:, None] - X[None], axis=2)
    with pytest.raises(UnsupportedModelError, match="precomputed"):
        convert(Isomap(n_neighbors=8, metric="precomputed").fit(D), data=D, name="drawn")


@_some
@given(seed=seeds, method=st.sampled_from(["standard", "modified", "ltsa"]), reg=st.sampled_from([1e-3, 0.1]))
def test_linear_embeddings_are_the_originals(seed: int, method: Any, reg: float) -> None:
    X = matrix(seed, rows=40)
    model = LocallyLinearEmbedding(n_neighbors=6, method=method, reg=reg, eigen_solver="dense").fit(X)
    assert_converted(model, X)


@pytest.mark.parametrize("precision", ["auto", "float64"])
def test_linear_embedding_by_brute_force_is_the_originals(precision: str) -> None:
    X = matrix(3, rows=40)
    model = LocallyLinearEmbedding(n_neighbors=6, neighbors_algorithm="brute", eigen_solver="dense").fit(X)
    assert_converted(model, X, precision=precision)
