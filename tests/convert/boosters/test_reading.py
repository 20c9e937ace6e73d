"""A booster is read once in a conversion, anew in the next one, and left as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import edge_infer
from edge_infer_convert import convert
from edge_infer_convert.boosters import readings_kept
from edge_infer_convert.boosters.reading import read_once

xgboost = pytest.importorskip("xgboost", reason="needs xgboost: pip install 'edge-infer[boosters]'")

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(300, 4))
_Y = (_X[:, 0] + _X[:, 1] > 0).astype(int)


def test_within_a_conversion_a_booster_is_read_once_for_each_set_of_arguments() -> None:
    asked: list[tuple[Any, ...]] = []

    @read_once
    def read(booster: object, rounds: int) -> int:
        asked.append((booster, rounds))
        return rounds * 2

    one, other = object(), object()
    with readings_kept():
        assert [read(one, 3), read(one, 3), read(one, 4), read(other, 3)] == [6, 6, 8, 6]
        with readings_kept():
            read(one, 3)
    assert asked == [(one, 3), (one, 4), (other, 3)]
    read(one, 3)
    read(one, 3)
    assert len(asked) == 5


def test_a_booster_that_was_trained_on_is_read_anew() -> None:
    rows = xgboost.DMatrix(_X, _Y)
    booster = xgboost.train({"objective": "binary:logistic", "seed": 0}, rows, 3)
    first = edge_infer.load(convert(booster, data=_X, name="first").data)
    booster.update(rows, 3)
    second = edge_infer.load(convert(booster, data=_X, name="second").data)
    np.testing.assert_allclose(second.predict(_X), booster.predict(xgboost.DMatrix(_X)), rtol=1e-5)
    assert not np.allclose(first.predict(_X), second.predict(_X))


def test_the_users_booster_keeps_its_threads() -> None:
    model = xgboost.XGBClassifier(n_estimators=3, n_jobs=2).fit(_X, _Y)
    before = model.get_booster().save_config()
    convert(model, data=_X, name="model")
    assert model.get_booster().save_config() == before
    assert model.n_jobs == 2
    assert json.loads(before)["learner"]["generic_param"]["nthread"] == "2"
