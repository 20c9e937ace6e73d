"""Boosted trees and isolation forests: sums in the original's order, then its link."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression

import edge_infer
from edge_infer_convert import convert
from tests.convert.judging import fresh_rows
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds

precisions = st.sampled_from(["float32", "float64"])


@few
@given(seed=seeds, loss=st.sampled_from(["log_loss", "exponential"]), precision=precisions)
def test_boosted_classifier_of_two_classes(seed: int, loss: str, precision: str) -> None:
    X, y = blobs(seed, classes=2)
    model = GradientBoostingClassifier(loss=loss, n_estimators=6, max_depth=2, random_state=0).fit(X, y)
    assert_converted(model, X, precision=precision)


@few
@given(seed=seeds, init=st.sampled_from([None, "zero"]), subsample=st.sampled_from([1.0, 0.5]))
def test_boosted_classifier_of_three_classes(seed: int, init: Any, subsample: float) -> None:
    X, y = blobs(seed)
    model = GradientBoostingClassifier(n_estimators=5, init=init, subsample=subsample, max_depth=2, random_state=0)
    assert_converted(model.fit(X, y), X)


@few
@given(seed=seeds, loss=st.sampled_from(["squared_error", "absolute_error", "huber", "quantile"]), precision=precisions)
def test_boosted_regressor_of_each_loss(seed: int, loss: str, precision: str) -> None:
    X = matrix(seed)
    model = GradientBoostingRegressor(loss=loss, n_estimators=6, max_depth=3, random_state=0)
    assert_converted(model.fit(X, X[:, 0] + np.abs(X[:, 1])), X, precision=precision)


@few
@given(seed=seeds)
def test_boosted_sums_have_the_original_bits(seed: int) -> None:
    X, y = blobs(seed)
    model = GradientBoostingClassifier(n_estimators=9, max_depth=3, random_state=0).fit(X, y)
    converted = edge_infer.load(convert(model, data=X, name="drawn", precision="float64").data)
    rows = fresh_rows(X)
    assert np.array_equal(converted.decision_function(rows), model.decision_function(rows))


@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
@pytest.mark.parametrize("classes", [2, 3])
def test_an_estimator_given_as_start_goes_through_the_link(loss: str, classes: int) -> None:
    if loss == "exponential" and classes == 3:
        return
    X, y = blobs(5, classes)
    init = RandomForestClassifier(5, max_depth=3, random_state=0)
    assert_converted(GradientBoostingClassifier(loss=loss, init=init, n_estimators=4, random_state=0).fit(X, y), X)


def test_a_regressor_given_as_start_is_added() -> None:
    X = matrix(6)
    model = GradientBoostingRegressor(init=LinearRegression(), n_estimators=4, random_state=0)
    assert_converted(model.fit(X, X[:, 0] - X[:, 1] ** 2), X)


@few
@given(
    seed=seeds,
    features=st.sampled_from([1.0, 0.5]),
    gaps=st.sampled_from([0.0, 0.1]),
    contamination=st.sampled_from(["auto", 0.1]),
    precision=precisions,
)
def test_isolation_forest(seed: int, features: float, gaps: float, contamination: Any, precision: str) -> None:
    X = matrix(seed, width=4, gaps=gaps)
    model = IsolationForest(n_estimators=6, max_features=features, contamination=contamination, random_state=0).fit(X)
    assert_converted(model, X, precision=precision)


@few
@given(seed=seeds)
def test_a_training_row_on_the_offset_keeps_its_label(seed: int) -> None:
    X = matrix(seed, rows=41)
    model = IsolationForest(n_estimators=9, contamination=0.25, random_state=0).fit(
        X
    )  # the offset is a training row's score
    for precision in ("float32", "float64"):
        converted = edge_infer.load(convert(model, data=X, name="drawn", precision=precision).data)
        rows = X.astype(np.float32).astype(np.float64)
        assert np.array_equal(converted.predict(rows), model.predict(rows))


def test_isolation_of_one_training_row() -> None:
    assert_converted(IsolationForest(n_estimators=3, random_state=0).fit(np.ones((1, 2))), np.ones((1, 2)))
