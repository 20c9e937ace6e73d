"""Methods that call each other: the same answers as apart, each computed once for a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_infer_convert.remembering import remembering
from tests.convert.operators.drawn import blobs

X, Y = blobs(8)
MODELS = {
    "forest": RandomForestClassifier(4, random_state=0),
    "lightgbm": LGBMClassifier(n_estimators=3, verbose=-1),
    "logistic": LogisticRegression(),
    "isolation": IsolationForest(n_estimators=4, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
}
METHODS = ("predict", "predict_proba", "decision_function", "score_samples")


@pytest.mark.parametrize("order", [METHODS, METHODS[::-1]])
@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_methods_alone(name: str, order: tuple[str, ...]) -> None:
    model = clone(MODELS[name]).fit(X, Y)
    before = dict(vars(model))
    methods = [method for method in order if hasattr(model, method)]
    alone = {method: getattr(model, method)(X) for method in methods}
    known: dict[str, Any] = {}
    for method in methods:
        with remembering(model, X, known):
            got = getattr(model, method)(X)
        np.testing.assert_array_equal(got, alone[method])
        got[...] = got[0]  # what a caller does to its answer changes nothing
    assert vars(model) == before


def test_a_model_is_run_once_for_both_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y), []
    run = type(model.booster_).predict
    monkeypatch.setattr(type(model.booster_), "predict", lambda self, *a, **o: calls.append(1) or run(self, *a, **o))
    known: dict[str, Any] = {}
    for method in ("predict", "predict_proba"):
        with remembering(model, X, known):
            getattr(model, method)(X)
    assert len(calls) == 1


def test_other_tables_and_other_arguments_are_not_remembered() -> None:
    model, known = LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y), {}
    with remembering(model, X, known):
        model.predict_proba(X)
        np.testing.assert_array_equal(model.predict_proba(X[:4]), model.predict_proba(X)[:4])
        raw = model.predict_proba(X, raw_score=True)
    np.testing.assert_array_equal(raw, model.predict_proba(X, raw_score=True))
    assert list(known) == ["predict_proba"]


def test_somebodys_own_estimator_is_asked_as_it_is() -> None:
    class Moving(LogisticRegression):
        """Its methods write to their input."""

    Moving.__module__ = "theirs"
    model, known = Moving().fit(X, Y), {}
    with remembering(model, X, known):
        model.predict_proba(X)
    assert known == {}
