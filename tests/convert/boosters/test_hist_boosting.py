"""HistGradientBoosting with missing values and native categories, against its own answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tests.convert.boosters.columns import codes, frame, labels, numbers, targets
from tests.convert.operators.drawn import assert_converted, few, seeds

SMALL: dict[str, Any] = {"max_iter": 6, "max_leaf_nodes": 7, "min_samples_leaf": 5}


@few
@given(seeds, st.sampled_from(["squared_error", "absolute_error", "gamma", "poisson", "quantile"]))
def test_every_loss_keeps_its_link(seed: int, loss: str) -> None:
    model = HistGradientBoostingRegressor(loss=loss, quantile=0.3 if loss == "quantile" else None, **SMALL)
    assert_converted(model.fit(numbers(seed), targets(seed)), numbers(seed))


@pytest.mark.parametrize("classes", [2, 3])
def test_labels_and_learned_routes_of_missing_values(classes: int) -> None:
    X = numbers(1, gaps=0.3)
    assert_converted(HistGradientBoostingClassifier(**SMALL).fit(X, labels(1, classes)), X)


@pytest.mark.parametrize("options", [{"early_stopping": True, "n_iter_no_change": 1}, {"min_samples_leaf": 500}])
def test_stopped_early_or_without_a_split(options: dict[str, Any]) -> None:
    X = numbers(2)
    assert_converted(HistGradientBoostingClassifier(**{**SMALL, **options}).fit(X, labels(2, 2)), X)


def test_monotonic_constraints() -> None:
    X = numbers(3)
    assert_converted(HistGradientBoostingRegressor(monotonic_cst=[1, 0, -1, 0], **SMALL).fit(X, targets(3)), X)


@few
@given(seeds)
def test_codes_by_index(seed: int) -> None:
    X = codes(seed)
    assert_converted(HistGradientBoostingClassifier(categorical_features=[2, 0], **SMALL).fit(X, labels(seed, 3)), X)


def test_many_categories() -> None:
    X = codes(4, known=100)
    assert_converted(HistGradientBoostingRegressor(categorical_features=[0], **SMALL).fit(X, targets(4)), X)


def test_categories_from_the_dtype() -> None:
    data = frame(5)
    assert_converted(HistGradientBoostingClassifier(**SMALL).fit(data, labels(5, 3)), data)


def test_text_and_codes_by_name_that_are_no_pandas_categories() -> None:
    data = frame(6)
    data = data.assign(text=data["text"].astype(object), code=data["code"].astype(float))
    model = HistGradientBoostingClassifier(categorical_features=["text", "code"], **SMALL).fit(data, labels(6, 3))
    assert_converted(model, data, rows=data.assign(text=np.where(labels(6, 2), "unseen", data["text"].to_numpy())))
