"""CatBoost, its estimators and files, against its own answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from edge_infer_convert.boosters import load_booster
from tests.convert.boosters.columns import labels, numbers, targets
from tests.convert.operators.drawn import assert_converted, few, seeds

cb = pytest.importorskip("catboost", reason='needs catboost: python -m pip install "catboost"')

SMALL: dict[str, Any] = {"iterations": 6, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
LOSSES = [
    "RMSE",
    "MAE",
    "Quantile:alpha=0.3",
    "LogLinQuantile",
    "Poisson",
    "Tweedie:variance_power=1.5",
    "Huber:delta=1",
    "Expectile:alpha=0.3",
    "RMSEWithUncertainty",
    "MAPE",
    "LogCosh",
    "MultiQuantile:alpha=0.1,0.9",
]


@few
@given(seeds, st.sampled_from(LOSSES))
def test_every_loss_keeps_its_kind_of_answer(seed: int, loss: str) -> None:
    model = cb.CatBoostRegressor(loss_function=loss, **SMALL).fit(numbers(seed), targets(seed))
    assert_converted(model, numbers(seed))


@pytest.mark.parametrize("loss", ["Logloss", "CrossEntropy"])
@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
def test_two_classes(loss: str, nan_mode: str) -> None:
    X = numbers(1)
    assert_converted(cb.CatBoostClassifier(loss_function=loss, nan_mode=nan_mode, **SMALL).fit(X, labels(1, 2)), X)


def test_a_probability_threshold_moves_the_labels() -> None:
    model = cb.CatBoostClassifier(**SMALL).fit(numbers(2), labels(2, 2))
    model.set_probability_threshold(0.45)
    assert_converted(model, numbers(2))


@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll"])
@pytest.mark.parametrize("names", [[0, 1, 2], ["a", "b", "ü"]], ids=["numbers", "text"])
def test_several_classes_keep_their_column_of_labels(loss: str, names: list[Any]) -> None:
    X = numbers(3)
    assert_converted(cb.CatBoostClassifier(loss_function=loss, **SMALL).fit(X, np.array(names)[labels(3, 3)]), X)


def test_several_labels_and_several_targets() -> None:
    X = numbers(4)
    both = np.column_stack([labels(4, 2), labels(5, 2)])
    assert_converted(cb.CatBoostClassifier(loss_function="MultiLogloss", **SMALL).fit(X, both), X)
    assert_converted(cb.CatBoostRegressor(loss_function="MultiRMSE", **SMALL).fit(X, both.astype(float)), X)


@pytest.mark.parametrize("policy", ["Lossguide", "Depthwise"])
def test_trees_that_are_not_symmetric(policy: str) -> None:
    X = numbers(5)
    assert_converted(cb.CatBoostRegressor(grow_policy=policy, **SMALL).fit(X, targets(5)), X)
    assert_converted(cb.CatBoostClassifier(grow_policy=policy, **SMALL).fit(X, labels(5, 3)), X)


def test_ranker_and_raw_model_give_sums() -> None:
    X = numbers(6)
    assert_converted(cb.CatBoostRanker(**SMALL).fit(X, labels(6, 3), group_id=np.repeat(np.arange(12), 10)), X)
    assert_converted(cb.CatBoost({"loss_function": "Logloss", **SMALL}).fit(X, labels(6, 2)), X)


def test_columns_keep_their_names() -> None:
    data = pd.DataFrame(numbers(7), columns=["a b", "c", "d", "e"])
    conversion = assert_converted(cb.CatBoostClassifier(**SMALL).fit(data, labels(7, 2)), data)
    assert [column.name for column in conversion.manifest.inputs.columns] == list(data.columns)


@pytest.mark.parametrize("suffix", ["cbm", "json"])
@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_a_saved_model_is_what_it_was(tmp_path: Any, suffix: str, task: str) -> None:
    X, path = numbers(8), str(tmp_path / f"model.{suffix}")
    if task == "classes":
        model = cb.CatBoostClassifier(**SMALL).fit(X, labels(8, 3))
    else:
        model = cb.CatBoostRegressor(loss_function="Poisson", **SMALL).fit(X, targets(8))
    model.save_model(path, format=suffix)
    loaded = load_booster(path)
    assert np.allclose(loaded.predict(X), model.predict(X), rtol=1e-14, atol=0)  # JSON rounds the last bit
    assert_converted(loaded, X)


def test_categorical_features_are_refused() -> None:
    data = pd.DataFrame(numbers(9), columns=list("abcd")).assign(t=np.array(["x", "y", "z"])[labels(9, 3)])
    model = cb.CatBoostClassifier(cat_features=["t"], **SMALL).fit(data, labels(9, 2))
    with pytest.raises(UnsupportedModelError, match="cat_features"):
        convert(model, data=data, name="drawn")
