"""LightGBM, its estimators, raw boosters and files, against its own answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from edge_infer_convert.boosters import adapt, load_booster
from tests.convert.boosters.columns import codes, frame, labels, numbers, targets
from tests.convert.operators.drawn import assert_converted, few, seeds

lgb = pytest.importorskip("lightgbm", reason='needs lightgbm: python -m pip install "lightgbm"')

SMALL: dict[str, Any] = {"n_estimators": 6, "num_leaves": 7, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}
NATIVE: dict[str, Any] = {**SMALL, "min_data_per_group": 1, "cat_smooth": 0}
OBJECTIVES = [
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "poisson",
    "quantile",
    "mape",
    "gamma",
    "tweedie",
    "cross_entropy",
    "cross_entropy_lambda",
]
KINDS: dict[str, dict[str, Any]] = {
    "trees": {},
    "forest": {"boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1},
    "dart": {"boosting_type": "dart", "drop_rate": 0.5},
    "linear leaves": {"linear_tree": True},
    "steep sigmoid": {"sigmoid": 2.0},
    "no missing values": {"use_missing": False},
}


@few
@given(seeds, st.sampled_from(OBJECTIVES))
def test_every_objective_keeps_its_link(seed: int, objective: str) -> None:
    y = labels(seed, 2) if objective.startswith("cross") else targets(seed)
    assert_converted(lgb.LGBMRegressor(objective=objective, **SMALL).fit(numbers(seed), y), numbers(seed))


def test_targets_under_a_root() -> None:
    assert_converted(lgb.LGBMRegressor(reg_sqrt=True, **SMALL).fit(numbers(1), targets(1) - 1), numbers(1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [2, 3])
def test_every_kind_of_boosting(kind: str, classes: int) -> None:
    X = numbers(2)
    assert_converted(lgb.LGBMClassifier(**{**SMALL, **KINDS[kind]}).fit(X, labels(2, classes)), X)


def test_one_against_all_does_not_sum_to_one() -> None:
    X = numbers(3)
    assert_converted(lgb.LGBMClassifier(objective="multiclassova", **SMALL).fit(X, labels(3, 3)), X)


def test_zero_counts_as_missing() -> None:
    X = np.round(numbers(4) / 8)
    assert_converted(lgb.LGBMClassifier(zero_as_missing=True, **SMALL).fit(X, labels(4, 2)), X)


def test_missing_values_that_training_did_not_see_are_zero() -> None:
    X = numbers(5, gaps=0.0)
    assert_converted(lgb.LGBMClassifier(**SMALL).fit(X, labels(5, 2)), X, rows=numbers(5, gaps=0.3))


def test_numbers_next_to_zero_are_zero() -> None:
    X = np.round(numbers(6, gaps=0.0) / 8)
    rows = np.tile(np.array([-1e-35, 1e-35, -1e-36, 0.0, 1e-34, -1e-34])[:, None], (1, 4)) + 0 * X[:6]
    assert_converted(lgb.LGBMClassifier(**SMALL).fit(X, labels(6, 2)), X, rows=rows)


def test_a_tree_without_a_split() -> None:
    assert_converted(lgb.LGBMRegressor(n_estimators=2, verbose=-1).fit(numbers(7)[:15], targets(7)[:15]), numbers(7))


def test_early_stopping_uses_the_best_iteration() -> None:
    X, y = numbers(8), labels(8, 2)
    old = Version(lgb.__version__) < Version("4.7")  # from there on eval_set is deprecated, and warns
    held: dict[str, Any] = {"eval_set": [(X, 1 - y)]} if old else {"eval_X": (X,), "eval_y": (1 - y,)}
    model = lgb.LGBMClassifier(early_stopping_round=2, **SMALL).fit(X, y, **held)
    assert model.best_iteration_ < model.n_estimators
    assert_converted(model, X)


def test_ranker() -> None:
    assert_converted(lgb.LGBMRanker(**SMALL).fit(numbers(9), labels(9, 3), group=[10] * 12), numbers(9))


@few
@given(seeds, st.sampled_from([1, 100]))
def test_codes_of_categories_and_values_that_are_none(seed: int, one_hot: int) -> None:
    X = codes(seed)
    model = lgb.LGBMClassifier(max_cat_to_onehot=one_hot, **NATIVE).fit(X, labels(seed, 3), categorical_feature=[0, 2])
    odd = np.tile(X, (3, 1))
    odd[:, 0] = np.random.default_rng(seed).choice([-3.0, -0.5, 1.5, 8.0, 77.0, np.nan], len(odd))
    assert_converted(model, X, rows=odd)


def test_pandas_categories_and_names_with_spaces() -> None:
    data = frame(10)
    conversion = assert_converted(lgb.LGBMClassifier(**NATIVE).fit(data, labels(10, 3)), data)
    assert [column.name for column in conversion.manifest.inputs.columns] == list(data.columns)


def test_a_saved_booster_answers_as_booster_predict(tmp_path: Any) -> None:
    X = numbers(11)
    booster = lgb.LGBMClassifier(**SMALL).fit(X, labels(11, 2)).booster_
    booster.save_model(tmp_path / "model.txt")
    assert_converted(load_booster(tmp_path / "model.txt"), X)
    assert_converted(adapt(booster), X)


def test_a_classifier_with_an_objective_of_its_own_is_refused() -> None:
    def slope(wanted: Any, raw: Any) -> tuple[Any, Any]:
        return raw - wanted, np.ones_like(raw)

    X = numbers(12)
    model = lgb.LGBMClassifier(objective=slope, **SMALL).fit(X, labels(12, 2))
    with pytest.raises(UnsupportedModelError, match="objective of your own"):
        convert(model, data=X, name="drawn")
