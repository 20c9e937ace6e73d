"""Linear models against scikit-learn: every regressor of sklearn.linear_model, links, losses, several outputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model
from sklearn.base import is_regressor
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils import all_estimators

import edge_infer
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds
from tests.convert.operators.fitting import fitted

_REGRESSORS = {
    name: kind for name, kind in all_estimators(type_filter="regressor") if "linear_model" in kind.__module__
} | {"LinearSVR": LinearSVR}
_LINKED = ("GammaRegressor", "PoissonRegressor", "TweedieRegressor")
_LETTERS = np.array(list("abcd"))


def _targets(seed: int) -> tuple[Any, Any]:
    X = matrix(seed, 60, 3, scale=2.0)
    y = X @ [1.0, 2.0, -1.0] + matrix(seed + 1, 60, 1, scale=0.1)[:, 0]
    return X, np.column_stack([y, X[:, 0] - y])


@pytest.mark.parametrize("name", _REGRESSORS)
def test_every_regressor(name: str) -> None:
    X, targets = _targets(len(name))
    y = targets[:, 0]
    if name in _LINKED:
        y = np.exp((y - y.mean()) / y.std())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = _REGRESSORS[name]()
    assert is_regressor(model)
    assert_converted(fitted(model, X, targets if name.startswith("MultiTask") else y), X)


@pytest.mark.parametrize(
    "name", ["LinearRegression", "Ridge", "RidgeCV", "Lasso", "ElasticNet", "Lars", "RANSACRegressor"]
)
@pytest.mark.parametrize("columns", [1, 2])
def test_several_targets_keep_their_shape(name: str, columns: int) -> None:
    X, targets = _targets(5)
    assert_converted(fitted(_REGRESSORS[name](), X, targets[:, :columns]), X)


def test_consensus_of_another_regressor() -> None:
    X, targets = _targets(6)
    model = linear_model.RANSACRegressor(linear_model.HuberRegressor(), min_samples=10, random_state=0)
    assert_converted(fitted(model, X, targets[:, 0]), X)


@settings(max_examples=4)
@given(seeds, st.sampled_from([(0, "auto"), (0, "log"), (1, "auto"), (1.5, "identity"), (2, "log"), (3, "auto")]))
def test_links(seed: int, chosen: tuple[float, str]) -> None:
    X, targets = _targets(seed)
    y = np.exp((targets[:, 0] - targets[:, 0].mean()) / targets[:, 0].std())
    power, link = chosen
    if link == "identity":
        X, y = np.abs(X), np.abs(X) @ [1.0, 2.0, 1.0] + 1
    assert_converted(fitted(linear_model.TweedieRegressor(power=power, link=link), X, y), X)


def test_far_rows_overflow_as_the_original_does() -> None:
    X, targets = _targets(7)
    model = fitted(linear_model.PoissonRegressor(alpha=0.0), X, np.exp(targets[:, 0] / 3))
    far = np.array([[1e6, 1e6, -1e6], [-1e6, -1e6, 1e6]])
    with np.errstate(over="ignore"):
        assert np.isinf(model.predict(far)).any()
    assert_converted(model, X, rows=far)


@few
@given(seeds, st.integers(2, 4), st.sampled_from(["lbfgs", "newton-cg", "saga"]))
def test_logistic(seed: int, classes: int, solver: str) -> None:
    X, y = blobs(seed, classes)
    assert_converted(fitted(linear_model.LogisticRegression(solver=solver), X, _LETTERS[y]), X)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_by_cross_validation(classes: int) -> None:
    X, y = blobs(3, classes)
    assert_converted(fitted(linear_model.LogisticRegressionCV(Cs=2, cv=3), X, y), X)


def test_logistic_by_liblinear() -> None:
    X, y = blobs(3, 2)
    assert_converted(fitted(linear_model.LogisticRegression(solver="liblinear"), X, y), X)


@settings(max_examples=16)
@given(
    seeds,
    st.integers(2, 4),
    st.sampled_from(["hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "huber"]),
)
def test_losses_of_gradient_descent(seed: int, classes: int, loss: str) -> None:
    X, y = blobs(seed, classes)
    assert_converted(fitted(linear_model.SGDClassifier(loss=loss, random_state=0), X, y), X)


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_probabilities_where_no_class_has_one(loss: str) -> None:
    X, y = blobs(2, 3)
    model = fitted(linear_model.SGDClassifier(loss=loss, random_state=0), X, y)
    model.coef_[:], model.intercept_[:] = 0.0, -2000.0
    model.coef_[0] = 1.0
    assert_converted(model, X)


@few
@given(
    seeds,
    st.integers(2, 4),
    st.sampled_from(
        [
            linear_model.Perceptron,
            linear_model.PassiveAggressiveClassifier,
            linear_model.RidgeClassifier,
            linear_model.RidgeClassifierCV,
            LinearSVC,
        ]
    ),
)
def test_classifiers_of_scores(seed: int, classes: int, kind: Any) -> None:
    X, y = blobs(seed, classes)
    assert_converted(_made(kind, X, _LETTERS[y]), X)


def _made(kind: Any, X: Any, y: Any) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PassiveAggressive* is deprecated
        return kind().fit(X, y)


@pytest.mark.parametrize("kind", [linear_model.RidgeClassifier, linear_model.RidgeClassifierCV])
def test_several_labels(kind: Any) -> None:
    X, y = blobs(1)
    assert_converted(kind().fit(X, np.column_stack([y == 1, X[:, 0] > 1]).astype(np.int64)), X)


def test_a_score_of_zero_is_the_first_class() -> None:
    X, y = np.array([[-1.0], [1.0]]), np.array([5, 9])
    model = linear_model.RidgeClassifier(fit_intercept=False).fit(X, y)
    rows = np.array([[0.0], [0.5], [-0.5]])
    converted = edge_infer.load(assert_converted(model, X, rows=rows).data)
    assert converted.predict(rows).tolist() == model.predict(rows).tolist() == [5, 9, 5]


def test_one_class_counts_a_score_of_zero_as_inside() -> None:
    X, _ = blobs(0)
    model = fitted(linear_model.SGDOneClassSVM(random_state=0), X)
    assert_converted(model, X)
    model.coef_[:], model.offset_[:] = [1.0, 0.0, 0.0], 1.0
    rows = np.array([[1.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    converted = edge_infer.load(assert_converted(model, X, rows=rows).data)
    assert converted.predict(rows).tolist() == model.predict(rows).tolist() == [1, -1]


def test_coefficients_made_sparse() -> None:
    X, y = blobs(1)
    assert_converted(fitted(linear_model.LogisticRegression(), X, y).sparsify(), X)
