"""Dummy estimators and isotonic regression against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.isotonic import IsotonicRegression

import edge_infer
from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds

_TEXT = np.array(["so", "la", "fa"])


@pytest.mark.parametrize("strategy", ["prior", "most_frequent"])
@pytest.mark.parametrize("labels", [np.array([3, -1, 8]), _TEXT, np.array([True, False, True])])
def test_dummy_classifier(strategy: str, labels: Any) -> None:
    X, y = blobs(0)
    assert_converted(DummyClassifier(strategy=strategy).fit(X, labels[y]), X)


def test_dummy_classifier_of_a_constant() -> None:
    X, y = blobs(0)
    assert_converted(DummyClassifier(strategy="constant", constant="la").fit(X, _TEXT[y]), X)


@pytest.mark.parametrize("labels", [np.array([3, -1, 8]), _TEXT])
def test_dummy_classifier_of_several_columns(labels: Any) -> None:
    X, y = blobs(0)
    assert_converted(DummyClassifier().fit(X, np.column_stack([labels[y], labels[y[::-1]]])), X)


@pytest.mark.parametrize("strategy", ["stratified", "uniform"])
def test_answers_by_chance_are_refused(strategy: str) -> None:
    X, y = blobs(0)
    with pytest.raises(UnsupportedModelError, match="by chance"):
        convert(DummyClassifier(strategy=strategy).fit(X, y), data=X, name="drawn")


@pytest.mark.parametrize(
    "options", [{}, {"strategy": "median"}, {"strategy": "quantile", "quantile": 0.3}, {"strategy": "constant"}]
)
@pytest.mark.parametrize("several", [False, True])
def test_dummy_regressor(options: dict[str, Any], several: bool) -> None:
    X, _ = blobs(0)
    if options.get("strategy") == "constant":
        options = options | {"constant": [3, 4] if several else 3}
    assert_converted(DummyRegressor(**options).fit(X, X[:, :2] if several else X[:, 0]), X)


@few
@given(seeds, st.sampled_from(["nan", "clip"]), st.sampled_from([True, False, "auto"]))
def test_isotonic_line(seed: int, beyond: str, increasing: Any) -> None:
    X = matrix(seed, 50, 1)
    y = X[:, 0] + matrix(seed + 1, 50, 1)[:, 0]
    assert_converted(IsotonicRegression(out_of_bounds=beyond, increasing=increasing).fit(X, y), X)


def test_isotonic_thresholds_are_met_exactly() -> None:
    X = np.array([[0.1], [0.2], [0.3], [0.7], [0.9]])
    model = IsotonicRegression(out_of_bounds="nan").fit(X, [0.0, 0.0, 1.0, 1.0, 5.0])
    rows = np.concatenate([X, np.nextafter(X, -1), np.nextafter(X, 1)])
    assert_converted(model, X, rows=rows, precision="float64")


def test_isotonic_rows_that_the_original_refuses_are_nan() -> None:
    X = matrix(2, 50, 1)
    model = IsotonicRegression(out_of_bounds="raise").fit(X, X[:, 0])
    converted = edge_infer.load(assert_converted(model, X, rows=X).data)
    beyond = np.array([[X.max() + 1]])
    with pytest.raises(ValueError, match="above the interpolation range"):
        model.predict(beyond)
    assert np.isnan(converted.predict(beyond)).all()


def test_isotonic_of_one_value_is_constant() -> None:
    X = np.array([[2.0], [2.0], [2.0]])
    assert_converted(IsotonicRegression(out_of_bounds="clip").fit(X, [1.0, 2.0, 6.0]), X, rows=X)
