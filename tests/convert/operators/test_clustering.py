"""Clusterers and nearest class means against the original."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import (
    AffinityPropagation,
    AgglomerativeClustering,
    Birch,
    BisectingKMeans,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)
from sklearn.neighbors import NearestCentroid

from tests.convert.operators.drawn import assert_converted, blobs, few, seeds

_CLUSTERERS = [
    KMeans(4, n_init=1, random_state=0),
    KMeans(1, random_state=0),
    MiniBatchKMeans(4, n_init=1, random_state=0),
    BisectingKMeans(1, random_state=0),
    BisectingKMeans(2, random_state=0),
    BisectingKMeans(7, random_state=0, bisecting_strategy="largest_cluster"),
    Birch(threshold=0.6, n_clusters=4),
    Birch(threshold=0.6, n_clusters=None),
    Birch(threshold=0.6, n_clusters=AgglomerativeClustering(2)),
    MeanShift(bandwidth=2.0),
    MeanShift(bandwidth=1.0, cluster_all=False),
    AffinityPropagation(random_state=0),
]


@few
@given(seeds, st.sampled_from(_CLUSTERERS), st.sampled_from([2, 18]), st.sampled_from(["float32", "float64"]))
def test_clusterer_answers_as_the_original(seed: int, clusterer: Any, width: int, dtype: str) -> None:
    X, _ = blobs(seed, width=width)
    X = X.astype(dtype)
    assert_converted(clusterer.fit(X), X)


def test_affinity_propagation_without_centres_says_minus_one() -> None:
    X, _ = blobs(3, rows=30)
    model = AffinityPropagation(random_state=0).fit(X)
    model.cluster_centers_ = np.empty((0, 3))  # what it keeps where it does not converge
    assert_converted(model, X)


@few
@given(
    seeds,
    st.integers(2, 4),
    st.sampled_from(["euclidean", "manhattan"]),
    st.sampled_from(["uniform", "empirical"]),
    st.sampled_from([None, 0.5]),
)
def test_nearest_centroid_answers_as_the_original(
    seed: int, classes: int, metric: str, priors: str, shrink: float | None
) -> None:
    X, y = blobs(seed, classes)
    model = NearestCentroid(metric=metric, priors=priors, shrink_threshold=shrink)
    assert_converted(model.fit(X[:-3], y[:-3]), X)


@pytest.mark.parametrize("priors", ["uniform", [0.2, 0.8]])
def test_feature_without_spread_in_the_classes_is_not_scaled(priors: Any) -> None:
    X, y = blobs(8, 2)
    X[:, 1] = y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_converted(NearestCentroid(priors=priors).fit(X, y), X)


@few
@given(seeds)
def test_equally_near_centres_keep_the_original_label(seed: int) -> None:
    centres = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
    rng = np.random.default_rng(seed)
    X = np.repeat(centres, 8, axis=0) + np.tile([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]], (8, 1))
    model = KMeans(4, init=centres, n_init=1).fit(X)
    assert_converted(model, X, rows=rng.integers(0, 5, (100, 2)).astype(float))
