"""Who looks on at a model's calls is told of each, and the answers stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import edge_infer
from edge_infer.errors import InferenceError, InputError, MethodError
from edge_infer.model import Model
from tests.store.releases import ROW, X, artifact


class Told:
    """What an observer was told."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Any, Any]] = []
        self.errors: list[Exception] = []
        self.seconds: list[float] = []
        self.closes = 0

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        self.answers.append((method, data, answer))
        self.seconds.append(seconds)

    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None:
        self.errors.append(error)
        self.seconds.append(seconds)

    def closed(self) -> None:
        self.closes += 1


def _observed() -> tuple[Model, Told]:
    told = Told()
    return Model(edge_infer.load(artifact()).artifact, observer=told), told


def test_an_observer_is_told_of_each_answer() -> None:
    model, told = _observed()
    one, many = model.predict(ROW), model.predict(X)
    assert one == edge_infer.load(artifact()).predict(ROW)
    assert [answer[0] for answer in told.answers] == ["predict", "predict"]
    assert told.answers[0][1:] == (ROW, one)
    assert told.answers[1][1] is X
    assert np.array_equal(told.answers[1][2], many)
    assert all(0 < seconds < 60 for seconds in told.seconds)


def test_an_observer_is_told_of_errors_which_the_caller_gets() -> None:
    model, told = _observed()
    with pytest.raises(InputError) as caught:
        model.predict({"a": 1})
    assert told.errors == [caught.value]
    assert told.answers == []


def test_an_observer_is_told_of_the_end() -> None:
    model, told = _observed()
    model.close()
    assert told.closes == 1
    with pytest.raises(InferenceError, match="closed"):
        model.predict(ROW)


def test_a_model_tells_its_methods_as_its_original_had_them() -> None:
    model, _ = _observed()
    assert model.methods == ("predict",)
    assert model.predict.__name__ == "predict"
    assert "Labels or numbers" in (model.predict.__doc__ or "")
    with pytest.raises(MethodError, match="predict_proba"):
        _ = model.predict_proba
