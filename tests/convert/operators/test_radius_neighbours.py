"""Neighbours within a radius against the original, rows without any included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import RadiusNeighborsClassifier, RadiusNeighborsRegressor, RadiusNeighborsTransformer

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, blobs, few, seeds

_fewer = settings(max_examples=6)  # classifiers are bisected to their boundaries
_WEIGHTS = st.sampled_from(["uniform", "distance"])
_ALGORITHMS = st.sampled_from(["auto", "brute", "ball_tree"])
_METRICS = st.sampled_from(["euclidean", "manhattan", "chebyshev", "minkowski"])


@_fewer
@given(seeds, _WEIGHTS, _ALGORITHMS, st.sampled_from(["most_frequent", 1]))
def test_classifier_votes_within_the_radius(seed: int, weights: str, algorithm: str, label: Any) -> None:
    X, y = blobs(seed)
    model = RadiusNeighborsClassifier(1.2, weights=weights, algorithm=algorithm, outlier_label=label)
    assert_converted(model.fit(X, y), X)


@few
@given(seeds, _WEIGHTS, st.sampled_from([[1, 3], [7, -1], "most_frequent"]))
def test_classifier_of_several_columns_may_have_new_outlier_labels(seed: int, weights: str, labels: Any) -> None:
    X, y = blobs(seed)
    model = RadiusNeighborsClassifier(1.2, weights=weights, outlier_label=labels)
    assert_converted(model.fit(X, np.column_stack([y, 5 - 2 * y])), X)


@few
@given(seeds, _WEIGHTS, _ALGORITHMS, _METRICS, st.sampled_from(["one", "several", "whole"]))
def test_regressor_averages_within_the_radius(seed: int, weights: str, algorithm: str, metric: str, kind: str) -> None:
    X, y = blobs(seed)
    targets = {"one": X @ [1.0, 2.0, 3.0], "several": np.column_stack([X[:, 0], y]), "whole": y}[kind]
    model = RadiusNeighborsRegressor(1.5, weights=weights, algorithm=algorithm, metric=metric, p=3)
    assert_converted(model.fit(X, targets), X)


@few
@given(seeds, _ALGORITHMS, st.sampled_from(["distance", "connectivity"]))
def test_transformer_fills_the_places_within_the_radius(seed: int, algorithm: str, mode: str) -> None:
    X, _ = blobs(seed, rows=60)
    assert_converted(RadiusNeighborsTransformer(mode=mode, radius=2.0, algorithm=algorithm).fit(X), X)


@few
@given(seeds, _WEIGHTS)
def test_rows_at_the_radius_itself_are_counted_in(seed: int, weights: str) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.integers(0, 5, (80, 3)).astype(float), rng.normal(size=80)
    assert_converted(RadiusNeighborsRegressor(2.0, weights=weights).fit(X, y), X, rows=X)


def _themselves(distances: Any) -> Any:
    return distances


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "makes the original raise.*outlier_label"),
        ({"outlier_label": 9}, "none of the classes"),
        ({"outlier_label": 1, "algorithm": "brute", "metric": "manhattan"}, "memory order"),
        ({"outlier_label": 1, "weights": _themselves}, "Python function"),
    ],
)
def test_answers_without_a_place_are_refused(options: dict[str, Any], reason: str) -> None:
    X, y = blobs(4)
    model = RadiusNeighborsClassifier(3.0, **options).fit(X, y + 1)
    with pytest.raises(UnsupportedModelError, match=reason):
        convert(model, data=X, name="refused")
