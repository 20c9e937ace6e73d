"""A pipeline that ends in a Keras model on TensorFlow."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import edge_infer

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make tensorflow brings it")
keras: Any = pytest.importorskip("keras", reason="Keras is not installed: make tensorflow brings it")

from edge_infer_convert import convert  # noqa: E402  # behind the skips
from edge_infer_convert.demo import load_penguins, train  # noqa: E402
from tests.frameworks.joined_keras import perceptron  # noqa: E402


def test_answers_are_the_originals() -> None:
    X, y = load_penguins()
    columns = train()[0][0]  # fitted, for sparse rows
    columns.set_params(sparse_threshold=0)
    wrapper = keras.wrappers.SKLearnClassifier(perceptron, fit_kwargs={"epochs": 2, "verbose": 0})
    pipeline = make_pipeline(columns, wrapper).fit(X, y)
    model = edge_infer.load(convert(pipeline, data=X, name="penguins").data)
    many = X.sample(1000, replace=True, random_state=0)
    assert (model.predict(many) == pipeline.predict(many)).all()
    np.testing.assert_allclose(model.decision_function(many), pipeline.decision_function(many), rtol=1e-5, atol=1e-5)
    assert {"keras", "tensorflow"} <= set(model.manifest.source.versions)
