"""AdaBoost: weighted votes, and the weighted median."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

import edge_infer
from edge_infer_convert import convert
from tests.convert.judging import fresh_rows
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds

precisions = st.sampled_from(["float32", "float64"])


@few
@given(
    seed=seeds,
    classes=st.integers(2, 4),
    base=st.sampled_from([None, DecisionTreeClassifier(max_depth=3), ExtraTreeClassifier(max_depth=2)]),
    rate=st.sampled_from([1.0, 0.3]),
    precision=precisions,
)
def test_classifier_of_trees(seed: int, classes: int, base: Any, rate: float, precision: str) -> None:
    X, y = blobs(seed, classes)
    model = AdaBoostClassifier(base, n_estimators=7, learning_rate=rate, random_state=0).fit(X, y)
    assert_converted(model, X, precision=precision)


@few
@given(seed=seeds, classes=st.integers(2, 3), base=st.sampled_from([GaussianNB(), LogisticRegression()]))
def test_classifier_of_other_members(seed: int, classes: int, base: Any) -> None:
    X, y = blobs(seed, classes)
    model = AdaBoostClassifier(base, n_estimators=4, random_state=0).fit(X, np.array(["b", "c", "a"])[y])
    assert_converted(model, X)


@few
@given(seed=seeds, classes=st.integers(2, 4))
def test_sums_of_weights_have_the_original_bits(seed: int, classes: int) -> None:
    X, y = blobs(seed, classes)
    model = AdaBoostClassifier(n_estimators=9, random_state=0).fit(X, y)
    converted = edge_infer.load(convert(model, data=X, name="drawn", precision="float64").data)
    rows = fresh_rows(X)
    assert np.array_equal(converted.decision_function(rows), model.decision_function(rows))


def test_equal_weights_that_cancel_keep_the_original_label() -> None:
    X, y = blobs(7, classes=2)
    model = AdaBoostClassifier(n_estimators=6, random_state=0).fit(X, y)
    model.estimator_weights_[:] = 1.0
    assert (model.decision_function(X) == 0).any()
    assert_converted(model, X, rows=X)


def test_one_class_is_always_its_answer() -> None:
    X = matrix(8)
    assert_converted(AdaBoostClassifier(n_estimators=3).fit(X, np.full(len(X), "only")), X)


@few
@given(
    seed=seeds,
    base=st.sampled_from([None, DecisionTreeRegressor(max_depth=2), LinearRegression()]),
    loss=st.sampled_from(["linear", "square", "exponential"]),
    precision=st.sampled_from(["auto", "float64"]),
)
def test_regressor_is_the_weighted_median(seed: int, base: Any, loss: str, precision: str) -> None:
    X = matrix(seed)
    model = AdaBoostRegressor(base, n_estimators=7, loss=loss, random_state=0).fit(X, X[:, 0] + 0.1 * X[:, 1] ** 2)
    assert_converted(model, X, precision=precision)
