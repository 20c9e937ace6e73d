"""Multi-layer perceptrons against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier, MLPRegressor

from tests.convert.operators.drawn import assert_converted, blobs, few, seeds
from tests.convert.operators.fitting import fitted

_ACTIVATIONS = st.sampled_from(["relu", "tanh", "logistic", "identity"])


@few
@given(seeds, st.integers(2, 4), _ACTIVATIONS)
def test_classifier(seed: int, classes: int, activation: str) -> None:
    X, y = blobs(seed, classes)
    model = MLPClassifier((5, 4), activation=activation, max_iter=20, random_state=0)
    assert_converted(fitted(model, X, np.array(list("abcd"))[y]), X)


@few
@given(seeds, _ACTIVATIONS)
def test_several_labels(seed: int, activation: str) -> None:
    X, y = blobs(seed)
    labels = np.column_stack([y == 1, X[:, 0] > 1, y > 0]).astype(np.int64)
    assert_converted(fitted(MLPClassifier((5,), activation=activation, max_iter=20, random_state=0), X, labels), X)


@few
@given(seeds, _ACTIVATIONS, st.booleans())
def test_regressor(seed: int, activation: str, several: bool) -> None:
    X, y = blobs(seed)
    target = np.column_stack([y, X[:, 0]]) if several else y * 1.0
    model = MLPRegressor(hidden_layer_sizes=(5,), activation=activation, max_iter=20, random_state=0)
    assert_converted(fitted(model, X, target), X)


def test_poisson_loss_answers_through_the_exponential() -> None:
    X, y = blobs(0)
    model = MLPRegressor(loss="poisson", hidden_layer_sizes=(5,), max_iter=20, random_state=0)
    assert_converted(fitted(model, X, y * 1.0), X)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_both_precisions(precision: str) -> None:
    X, y = blobs(4)
    assert_converted(fitted(MLPClassifier((5,), max_iter=20, random_state=0), X, y), X, precision=precision)
