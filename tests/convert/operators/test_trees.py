"""Trees and forests: the original's own decisions and sums, so that ties stay ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

import edge_infer
from edge_infer_convert import convert
from edge_infer_convert.operators.trees import float32_not_above, float64_cast_not_above
from tests.convert.judging import fresh_rows
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds

kinds = settings(max_examples=6)  # of each kind
precisions = st.sampled_from(["float32", "float64"])
CLASSIFIERS: dict[type, dict[str, Any]] = {
    DecisionTreeClassifier: {},
    ExtraTreeClassifier: {},
    RandomForestClassifier: {"n_estimators": 8},
    ExtraTreesClassifier: {"n_estimators": 8},
}
REGRESSORS: dict[type, dict[str, Any]] = {
    DecisionTreeRegressor: {},
    ExtraTreeRegressor: {},
    RandomForestRegressor: {"n_estimators": 8},
    ExtraTreesRegressor: {"n_estimators": 8},
}


def _bits_equal(estimator: Any, X: Any, rows: Any, method: str, precision: str = "float64") -> bool:
    model = edge_infer.load(convert(estimator, data=X, name="drawn", precision=precision).data)
    return np.array_equal(getattr(model, method)(rows), getattr(estimator, method)(rows))


@pytest.mark.parametrize("kind", CLASSIFIERS, ids=lambda kind: kind.__name__)
@kinds
@given(seed=seeds, depth=st.sampled_from([None, 3]), gaps=st.sampled_from([0.0, 0.1]), precision=precisions)
def test_classifiers_answer_as_the_original(kind: Any, seed: int, depth: Any, gaps: float, precision: str) -> None:
    X, y = blobs(seed, classes=2 + seed % 3)
    X[np.random.default_rng(seed).random(X.shape) < gaps] = np.nan
    model = kind(max_depth=depth, random_state=0, **CLASSIFIERS[kind])
    assert_converted(model.fit(X, y, sample_weight=1 + y), X, precision=precision)


@pytest.mark.parametrize("kind", REGRESSORS, ids=lambda kind: kind.__name__)
@kinds
@given(seed=seeds, outputs=st.sampled_from([1, 2]), gaps=st.sampled_from([0.0, 0.1]), precision=precisions)
def test_regressors_answer_as_the_original(kind: Any, seed: int, outputs: int, gaps: float, precision: str) -> None:
    X = matrix(seed, gaps=gaps)
    y = np.nan_to_num(X[:, :outputs]) ** 2 + np.arange(len(X))[:, None]
    model = kind(max_depth=5, random_state=0, **REGRESSORS[kind]).fit(X, y[:, 0] if outputs == 1 else y)
    assert_converted(model, X, precision=precision)


@few
@given(seed=seeds, kind=st.sampled_from([DecisionTreeClassifier, RandomForestClassifier]), text=st.booleans())
def test_several_labels_are_given_side_by_side(seed: int, kind: Any, text: bool) -> None:
    X, y = blobs(seed)
    labels = np.column_stack([y, y > 0])
    if text:
        labels = np.array(["no", "yes", "maybe"])[labels]
    assert_converted(kind(max_depth=3, random_state=0, **CLASSIFIERS[kind]).fit(X, labels), X)


@few
@given(seed=seeds, trees=st.integers(2, 40), classes=st.integers(2, 5), precision=precisions)
def test_shares_are_added_tree_by_tree_as_the_original_adds_them(
    seed: int, trees: int, classes: int, precision: str
) -> None:
    X, y = blobs(seed, classes)
    model = RandomForestClassifier(trees, max_depth=3, random_state=0).fit(X, y)
    rows = fresh_rows(X.astype(np.float32).astype(np.float64)).astype(np.float32).astype(np.float64)
    assert _bits_equal(model, X, rows, "predict", precision)
    assert _bits_equal(model, X, rows, "predict_proba", "float64")


@few
@given(seed=seeds, trees=st.integers(1, 40))
def test_regressors_sums_have_the_original_bits(seed: int, trees: int) -> None:
    X = matrix(seed)
    model = RandomForestRegressor(trees, max_depth=4, random_state=0).fit(X, X[:, 0] ** 3)
    assert _bits_equal(model, X, fresh_rows(X), "predict")


@few
@given(seed=seeds, precision=precisions, trees=st.sampled_from([2, 4, 6, 10]))
def test_tie_of_votes_keeps_the_original_label(seed: int, precision: str, trees: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 6, (60, 2)).astype(np.float64)
    y = rng.integers(0, 2, 60)
    for depth in (None, 2):
        model = RandomForestClassifier(trees, max_depth=depth, random_state=0).fit(X, y)
        assert _bits_equal(model, X, rng.integers(-1, 8, (300, 2)).astype(np.float64), "predict", precision)


def test_sums_of_many_values_are_parted_without_a_change_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_infer_convert.operators.trees._ROW_ELEMENTS", 12)
    X, y = blobs(3)
    model = RandomForestClassifier(30, max_depth=3, random_state=0).fit(X, y)
    assert _bits_equal(model, X, fresh_rows(X), "predict_proba")


def test_pure_leaves_vote_in_whole_numbers() -> None:
    X, y = blobs(1)
    pure = convert(RandomForestClassifier(8, bootstrap=False, random_state=0).fit(X, y), data=X, name="pure")
    mixed = convert(RandomForestClassifier(8, max_depth=2, random_state=0).fit(X, y), data=X, name="mixed")
    assert "CumSum" not in pure.manifest.needs.operators
    assert "CumSum" in mixed.manifest.needs.operators


def test_a_tree_that_never_splits_gives_its_one_answer() -> None:
    X, y = blobs(2)
    for kind in (*CLASSIFIERS, *REGRESSORS):
        assert_converted(kind(min_samples_split=1000).fit(X, y), X)


def test_monotonic_constraints_and_other_criteria_are_in_the_leaves() -> None:
    X, y = blobs(4, classes=2)
    assert_converted(RandomForestClassifier(5, max_depth=4, monotonic_cst=[1, -1, 0], random_state=0).fit(X, y), X)
    for criterion in ("absolute_error", "poisson"):
        model = RandomForestRegressor(3, max_depth=4, criterion=criterion, random_state=0)
        assert_converted(model.fit(X, y + X[:, 0] - X.min()), X)


@few
@given(seed=seeds, sparse=st.booleans())
def test_embedding_marks_the_leaf_reached_in_each_tree(seed: int, sparse: bool) -> None:
    X = matrix(seed)
    assert_converted(RandomTreesEmbedding(7, max_depth=3, sparse_output=sparse, random_state=0).fit(X), X)


@few
@given(seed=seeds)
def test_thresholds_decide_as_a_cast_to_float32_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = [0.0, -0.0, np.inf, 3.4028234663852886e38, 1e-46, -1e-46, 1.0, 2.0**-126, 16777217.0]
    thresholds = np.concatenate([rng.normal(0, 1, 200) * 10.0 ** rng.integers(-44, 38, 200), edges])
    close = float64_cast_not_above(thresholds)
    below = float32_not_above(thresholds)
    with np.errstate(over="ignore"):
        above = np.nextafter(below, np.float32(np.inf)).astype(np.float64)
    near = [below.astype(np.float64), thresholds, close, above]
    for x in [*near, *(np.nextafter(v, side) for v in near for side in (-1e300, 1e300))]:
        with np.errstate(over="ignore"):
            rounded = x.astype(np.float32)
        decided = rounded.astype(np.float64) <= thresholds
        assert np.array_equal(x <= close, decided)
        assert np.array_equal(rounded <= below, decided)
