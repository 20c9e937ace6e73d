"""Pipelines that end in a Keras model, by Keras' own wrappers and by scikeras, on a thousand rows each."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_infer

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks brings it")
keras: Any = pytest.importorskip("keras", reason="Keras is not installed: make frameworks brings it")
scikeras: Any = pytest.importorskip("scikeras.wrappers", reason="scikeras is not installed: make frameworks brings it")

from edge_infer_convert import convert  # noqa: E402  # behind the skips
from edge_infer_convert.refusals import find_refusal  # noqa: E402
from tests.frameworks.joined_keras import perceptron, sigmoid, two_inputs  # noqa: E402
from tests.frameworks.joined_nets import ROWS, columns, passengers  # noqa: E402

#: Keras makes numpy arrays of PyTorch's tensors in a way that numpy warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept a copy:DeprecationWarning")
FRAME, CLASSES = passengers()
MATRIX = np.array(FRAME[["age", "fare"]].fillna(40))
QUICK: dict[str, Any] = {"fit_kwargs": {"epochs": 1, "verbose": 0}}


class Case(NamedTuple):
    """data: what the pipeline was fitted on, without the target. methods: of the artifact."""

    estimator: Any
    data: Any
    classes: tuple[Any, ...] | None
    methods: list[str]


def texts_as_labels() -> Case:
    """Saved and read, as the command line reads it."""
    pipeline = make_pipeline(columns(), keras.wrappers.SKLearnClassifier(perceptron, **QUICK))
    pipeline.fit(FRAME, np.array(["first", "second", "third"])[CLASSES])
    file = io.BytesIO()
    joblib.dump(pipeline, file)
    labels = ("first", "second", "third")
    return Case(joblib.load(file), FRAME, labels, ["predict", "decision_function"])


def regression() -> Case:
    """No pipeline."""
    options = {"last": None, "loss": "mse"}
    wrapper = keras.wrappers.SKLearnRegressor(perceptron, model_kwargs=options, **QUICK)
    scaled = MATRIX / [40, 20]
    return Case(wrapper.fit(scaled, scaled[:, 0]), scaled, None, ["predict"])


def by_scikeras() -> Case:
    """One output for two classes, which are no numbers."""
    wrapper = scikeras.KerasClassifier(sigmoid, loss="binary_crossentropy", epochs=1, verbose=0)
    pipeline = make_pipeline(StandardScaler(), wrapper).fit(MATRIX, CLASSES > 1)
    return Case(pipeline, MATRIX, (False, True), ["predict", "predict_proba"])


@pytest.mark.parametrize("make", [texts_as_labels, regression, by_scikeras])
def test_answers_are_the_originals_on_a_thousand_rows(
    make: Callable[[], Case], capfd: pytest.CaptureFixture[str]
) -> None:
    case = make()
    capfd.readouterr()
    made = convert(case.estimator, data=case.data, name="joined")
    assert capfd.readouterr().out == ""  # Keras' progress would stand between a command's own lines
    model = edge_infer.load(made.data)
    assert len(case.data) == ROWS
    assert [output.method for output in model.manifest.outputs] == case.methods
    got, wanted = model.predict(case.data), case.estimator.predict(case.data)
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    if case.classes is None:
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    else:
        assert model.manifest.outputs[0].classes == (case.classes,)
        assert (got == wanted).all()
        scores = getattr(case.estimator, case.methods[1])(case.data)
        np.testing.assert_allclose(getattr(model, case.methods[1])(case.data), scores, rtol=1e-5, atol=1e-5)
    assert {"keras", "torch"} <= set(model.manifest.source.versions)
    assert edge_infer.verify(made.data)


def test_a_network_of_two_inputs_is_refused_and_one_of_one_input_is_not() -> None:
    wrapper = keras.wrappers.SKLearnClassifier(perceptron)
    wrapper.model_ = two_inputs()
    blocker = find_refusal(wrapper, "")
    assert blocker is not None
    assert "takes 2 tensors (one, other)" in blocker.reason
    assert "convert(estimator.model_)" in blocker.remedy
    wrapper.model_ = perceptron(np.zeros((1, 2)), np.zeros((1, 2)))
    assert find_refusal(wrapper, "") is None
