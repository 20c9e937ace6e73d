"""k nearest neighbours against the original: votes, means, metrics, ties, outlier factors, imputed cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import VotingClassifier
from sklearn.impute import KNNImputer
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NeighborhoodComponentsAnalysis,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_infer.errors import ParityError, UnsupportedModelError
from edge_infer_convert import convert, estimators
from edge_infer_convert.doubt import TIE, recorded_doubt
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds

# Drawn cases in float64: in float32 a drawn row may stand within rounding of a jump to the next neighbour.
_fewer = settings(max_examples=6)  # classifiers are bisected to their boundaries
_WEIGHTS = st.sampled_from(["uniform", "distance"])
_ALGORITHMS = st.sampled_from(["auto", "brute", "kd_tree", "ball_tree"])
_METRICS: list[tuple[str, dict[str, Any]]] = [
    ("manhattan", {}),
    ("chebyshev", {}),
    ("minkowski", {"p": 3}),
    ("minkowski", {"metric_params": {"w": [1.0, 2.0, 0.5]}, "p": 1.5}),
    ("seuclidean", {"metric_params": {"V": [1.0, 2.0, 0.5]}}),
    ("sqeuclidean", {}),
    ("cosine", {}),
    ("canberra", {}),
    ("braycurtis", {}),
]


@_fewer
@given(seeds, st.integers(2, 4), st.integers(1, 9), _WEIGHTS, _ALGORITHMS)
def test_classifier_votes_as_the_original(seed: int, classes: int, k: int, weights: str, algorithm: str) -> None:
    X, y = blobs(seed, classes)
    names = np.array(["ash", "birch", "cedar", "elm"])[y]
    assert_converted(
        KNeighborsClassifier(k, weights=weights, algorithm=algorithm).fit(X, names), X, precision="float64"
    )


@pytest.mark.parametrize("model", [KNeighborsClassifier(), KNeighborsRegressor(weights="distance")])
def test_float32_is_refused_since_a_vote_jumps_where_two_rows_change_places(model: Any) -> None:
    X, y = blobs(5)
    with pytest.raises(UnsupportedModelError, match="small differences of large numbers"):
        convert(model.fit(X, y), data=X, name="m", precision="float32")


@_fewer
@given(seeds, _WEIGHTS, st.booleans())
def test_classifier_of_several_columns_answers_each(seed: int, weights: str, multilabel: bool) -> None:
    X, y = blobs(seed)
    Y = np.column_stack([y > 0, y > 1]).astype(int) if multilabel else np.column_stack([y, 5 - 2 * y])
    assert_converted(KNeighborsClassifier(weights=weights).fit(X, Y), X, precision="float64")


@_fewer
@given(seeds, st.integers(1, 9), _WEIGHTS, _ALGORITHMS, st.booleans())
def test_regressor_averages_as_the_original(seed: int, k: int, weights: str, algorithm: str, several: bool) -> None:
    X, y = blobs(seed)
    targets = X @ [1.0, 2.0, 3.0]
    targets = np.column_stack([targets, y]) if several else targets
    assert_converted(
        KNeighborsRegressor(k, weights=weights, algorithm=algorithm).fit(X, targets), X, precision="float64"
    )


@pytest.mark.parametrize("algorithm", ["auto", "brute"])
@pytest.mark.parametrize(("metric", "options"), _METRICS)
def test_metric_is_the_originals(metric: str, options: dict[str, Any], algorithm: str) -> None:
    X, y = blobs(11)
    model = KNeighborsRegressor(metric=metric, algorithm=algorithm, weights="distance", **options)
    assert_converted(model.fit(X, X[:, 0] + y), X)


@few
@given(seeds, _WEIGHTS)
def test_missing_values_are_left_out_of_nan_euclidean(seed: int, weights: str) -> None:
    X, y = blobs(seed)
    gaps = np.random.default_rng(seed).random(X.shape) < 0.15
    X[gaps & (np.arange(X.shape[1]) > 0)] = np.nan
    assert_converted(KNeighborsClassifier(metric="nan_euclidean", weights=weights).fit(X, y), X, precision="float64")


@_fewer
@given(seeds, st.sampled_from(["brute", "kd_tree"]), _WEIGHTS)
def test_only_rows_whose_kth_neighbour_is_tied_are_ties(seed: int, algorithm: str, weights: str) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.integers(0, 5, (80, 3)).astype(float), rng.integers(0, 3, 80)
    model = KNeighborsClassifier(algorithm=algorithm, weights=weights).fit(X, y)
    rows = X + rng.choice([0.0, 0.5], X.shape)
    with recorded_doubt(model, len(rows)) as doubt:
        model.predict_proba(rows)
    tied = doubt.rows == TIE
    distances, _ = model.kneighbors(rows, n_neighbors=6)
    repeated = (distances[:, :5] == 0).sum(axis=1) > 1
    assert (np.isclose(distances[:, 5], distances[:, 4], rtol=1e-7) | repeated)[tied].all()
    assert 0 < tied.sum() < len(rows)
    assert "predict_proba" not in vars(model)
    assert_converted(model, X, rows=rows, precision="float64")


def test_tie_of_equal_labels_is_no_doubt() -> None:
    X = np.array([[0.0], [1.0], [3.0], [5.0], [6.0]])
    model = KNeighborsClassifier(1).fit(X, [0, 0, 1, 1, 0])
    with recorded_doubt(model, 3) as doubt:
        model.predict([[0.5], [2.0], [4.0]])  # between two of label 0, of both labels, of label 1
    assert doubt.rows.tolist() == [0, TIE, 0]


def test_model_that_is_tied_everywhere_is_not_proven() -> None:
    X, y = blobs(3)  # of numbers with decimals all differ, so that every row is as far as any other
    with pytest.raises(ParityError, match="nothing can be proven"):
        convert(KNeighborsClassifier(metric="hamming").fit(X + 0.00012345, y), data=X, name="tied")


def test_doubt_is_told_inside_of_a_composition() -> None:
    X = np.array([[0.0], [1.0], [3.0], [5.0], [6.0]])
    inner = make_pipeline(StandardScaler(with_mean=False, with_std=False), KNeighborsClassifier(1))
    model = VotingClassifier([("a", inner)], voting="soft").fit(X, [0, 0, 1, 1, 0])
    with recorded_doubt(model, 2) as doubt:
        model.predict([[0.5], [2.0]])
    assert doubt.rows.tolist() == [0, TIE]


def test_wrong_votes_still_fail_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = blobs(3)
    model = KNeighborsClassifier().fit(X, y)
    real = estimators.assemble

    def with_other_labels(schema: Any, precision: str, without: Any = ()) -> Any:
        for step in schema.plan.steps:
            step.estimator = KNeighborsClassifier().fit(X, (y + (X[:, 0] > 4)) % 3)
        return real(schema, precision)

    monkeypatch.setattr(estimators, "assemble", with_other_labels)
    with pytest.raises(ParityError):
        convert(model, data=X, name="wrong")


@_fewer
@given(seeds, st.sampled_from([3, 20]), st.sampled_from(["distance", "connectivity"]))
def test_transformer_fills_the_places_of_the_nearest(seed: int, width: int, mode: str) -> None:
    X, _ = blobs(seed, width=width, rows=60)
    assert_converted(KNeighborsTransformer(mode=mode, n_neighbors=4).fit(X), X, precision="float64")


@few
@given(seeds, st.sampled_from(["auto", 0.1]), _ALGORITHMS)
def test_outlier_factor_is_the_originals(seed: int, contamination: Any, algorithm: str) -> None:
    X, _ = blobs(seed)
    model = LocalOutlierFactor(10, novelty=True, contamination=contamination, algorithm=algorithm)
    assert_converted(model.fit(X), X, precision="float64")


def test_components_analysis_is_a_matrix_product() -> None:
    X, y = blobs(5)
    assert_converted(NeighborhoodComponentsAnalysis(2, random_state=0).fit(X, y), X)


@few
@given(seeds, _WEIGHTS, st.booleans(), st.booleans(), st.sampled_from([np.nan, -1.0]), st.booleans())
def test_imputer_takes_the_nearest_donors(
    seed: int, weights: str, indicator: bool, keep_empty: bool, missing: float, empty: bool
) -> None:
    X = np.abs(matrix(seed, gaps=0.2))
    X[np.isnan(X).all(axis=1), 0] = 1.0
    assume(not np.isnan(X).all(axis=0).any())
    if empty:
        X = np.column_stack([X, np.full(len(X), np.nan)])
    X[np.isnan(X)] = missing
    model = KNNImputer(
        n_neighbors=3, weights=weights, add_indicator=indicator, keep_empty_features=keep_empty, missing_values=missing
    )
    assert_converted(model.fit(X), X, precision="float64")


@few
@given(seeds, _WEIGHTS)
def test_imputer_of_tied_donors_is_proven_on_the_other_rows(seed: int, weights: str) -> None:
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(0, 1, (80, 3)), 1)
    X[rng.random(X.shape) < 0.15] = np.nan
    assert_converted(KNNImputer(n_neighbors=3, weights=weights).fit(X), X, precision="float64")


def _half(distances: Any) -> Any:
    return np.ones_like(distances) / 2


def _furthest(a: Any, b: Any) -> float:
    return float(np.abs(a - b).max())


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (KNeighborsClassifier(weights=_half), "weights is a Python function"),
        (KNeighborsRegressor(weights=_half), "weights is a Python function"),
        (KNeighborsClassifier(metric=_furthest), "metric '_furthest'.*use one of .*euclidean"),
        (KNeighborsClassifier(metric="correlation"), "metric 'correlation'.*use one of"),
    ],
)
def test_what_no_graph_can_hold_is_refused(model: Any, reason: str) -> None:
    X, y = blobs(1)
    with pytest.raises(UnsupportedModelError, match=reason):
        convert(model.fit(X, y), data=X, name="refused")


def test_imputer_with_functions_is_refused() -> None:
    X = matrix(2, gaps=0.1)
    with pytest.raises(UnsupportedModelError, match="weights is a Python function"):
        convert(KNNImputer(weights=_half).fit(X), data=X, name="refused")
