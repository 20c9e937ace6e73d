"""XGBoost, its estimators, raw boosters and files, against its own answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from edge_infer_convert.boosters import adapt, load_booster
from tests.convert.boosters.columns import codes, frame, labels, numbers, targets
from tests.convert.operators.drawn import assert_converted, few, seeds

xgb = pytest.importorskip("xgboost", reason='needs xgboost: python -m pip install "xgboost-cpu"')

SMALL: dict[str, Any] = {"n_estimators": 6, "max_depth": 3, "n_jobs": 1}
NATIVE: dict[str, Any] = {**SMALL, "enable_categorical": True, "max_cat_to_onehot": 2}
OBJECTIVES = [
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "count:poisson",
    "reg:gamma",
    "reg:tweedie",
    "survival:cox",
]


@few
@given(seeds, st.sampled_from(OBJECTIVES))
def test_every_objective_keeps_its_link(seed: int, objective: str) -> None:
    assert_converted(xgb.XGBRegressor(objective=objective, **SMALL).fit(numbers(seed), targets(seed)), numbers(seed))


@few
@given(seeds, st.sampled_from(["binary:logistic", "binary:logitraw", "binary:hinge"]), st.sampled_from([None, 0.3]))
def test_two_classes_keep_labels_and_base_score(seed: int, objective: str, base: float | None) -> None:
    X = numbers(seed)
    assert_converted(xgb.XGBClassifier(objective=objective, base_score=base, **SMALL).fit(X, labels(seed, 2)), X)


@few
@given(seeds, st.sampled_from(["gbtree", "dart"]), st.sampled_from(["multi:softprob", "multi:softmax"]))
def test_several_classes_with_every_booster_of_trees(seed: int, booster: str, objective: str) -> None:
    X = numbers(seed)
    options = SMALL | ({"rate_drop": 0.5} if booster == "dart" else {})
    model = xgb.XGBClassifier(booster=booster, objective=objective, **options).fit(X, labels(seed, 3))
    assert_converted(model, X)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_several_classes_with_a_linear_booster(objective: str) -> None:
    """Its usual updater gives another model each time; and some models the gate refuses, for they add in float32."""
    X = numbers(1)
    model = xgb.XGBClassifier(booster="gblinear", updater="coord_descent", objective=objective, n_estimators=6)
    assert_converted(model.fit(X, labels(1, 3)), X)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_outputs_with_and_without_vector_leaves(strategy: str) -> None:
    X, options = numbers(1), {**SMALL, "multi_strategy": strategy}
    assert_converted(xgb.XGBRegressor(**options).fit(X, np.column_stack([targets(1), targets(2)])), X)
    assert_converted(xgb.XGBClassifier(**options).fit(X, np.column_stack([labels(1, 2), labels(2, 2)])), X)


def test_quantiles_start_from_scores_of_their_own() -> None:
    model = xgb.XGBRegressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9], **SMALL)
    assert_converted(model.fit(numbers(1), targets(1)), numbers(1))


@pytest.mark.parametrize(
    "model",
    [
        lambda X, y: xgb.XGBRFClassifier(**SMALL).fit(X, y),
        lambda X, y: xgb.XGBRFRegressor(**SMALL).fit(X, y),
        lambda X, y: xgb.XGBRanker(**SMALL).fit(X, y, qid=np.repeat(np.arange(12), 10)),
        lambda X, y: xgb.XGBClassifier(num_parallel_tree=3, subsample=0.5, **SMALL).fit(X, y),
        lambda X, y: xgb.XGBClassifier(tree_method="exact", gamma=1.0, **SMALL).fit(X, y),  # leaves deleted nodes
    ],
    ids=["forest", "forest regressor", "ranker", "parallel trees", "pruned"],
)
def test_other_kinds(model: Any) -> None:
    assert_converted(model(numbers(3), labels(3, 3)), numbers(3))


def test_early_stopping_uses_the_best_iteration() -> None:
    X, y = numbers(4), labels(4, 2)
    model = xgb.XGBClassifier(early_stopping_rounds=2, **SMALL).fit(X, y, eval_set=[(X, 1 - y)], verbose=False)
    assert model.best_iteration < len(model.get_booster().get_dump()) - 1
    assert_converted(model, X)


def test_a_number_that_stands_for_missing_is_missing() -> None:
    X = np.round(numbers(5))
    assert_converted(xgb.XGBClassifier(missing=-1.0, **SMALL).fit(X, labels(5, 2)), X)


def test_rows_of_float64_are_compared_as_float32_behind_a_scaler() -> None:
    model = make_pipeline(StandardScaler(), xgb.XGBClassifier(**SMALL)).fit(numbers(6), labels(6, 2))
    assert_converted(model, numbers(6))


@few
@given(seeds, st.sampled_from([1, 100]))
def test_codes_of_categories_and_values_that_are_none(seed: int, one_hot: int) -> None:
    options = {**NATIVE, "max_cat_to_onehot": one_hot, "feature_types": ["c", "q", "c", "q"]}
    X = codes(seed)
    model = xgb.XGBClassifier(**options).fit(X, labels(seed, 3))
    odd = np.tile(X, (3, 1))
    odd[:, 0] = np.random.default_rng(seed).choice([-3.0, -0.5, 1.5, 8.0, 77.0, 1e9, np.nan], len(odd))
    assert_converted(model, X, rows=odd)


def test_pandas_categories_of_text_and_numbers() -> None:
    data = frame(7, ("w", "x", "yy", "zzz"))
    assert_converted(xgb.XGBClassifier(**NATIVE).fit(data, labels(7, 3)), data)


def test_unseen_text_is_refused_though_xgboost_takes_some_of_it() -> None:
    data = frame(7, ("w", "x", "yy", "zzz"))
    schema = convert(xgb.XGBClassifier(**NATIVE).fit(data, labels(7, 2)), data=data, name="drawn").manifest.inputs
    assert [column.unknown for column in schema.columns if column.categories] == [False, False]


def test_categories_beyond_ascii_are_refused() -> None:
    data = frame(7)
    with pytest.raises(UnsupportedModelError, match="beyond ASCII"):
        convert(xgb.XGBClassifier(**NATIVE).fit(data, labels(7, 2)), data=data, name="drawn")


@pytest.mark.parametrize("suffix", [".json", ".ubj"])
def test_a_saved_booster_answers_as_booster_predict(tmp_path: Any, suffix: str) -> None:
    X = numbers(8)
    path = tmp_path / f"model{suffix}"
    xgb.XGBClassifier(**SMALL).fit(X, labels(8, 3)).save_model(path)
    model = load_booster(path)
    assert_converted(model, X)
    assert np.array_equal(model.predict(X), model.booster.predict(xgb.DMatrix(X)))


def test_a_booster_of_accelerated_failure_times() -> None:
    X, y = numbers(9), targets(9)
    data = xgb.DMatrix(X, label_lower_bound=y, label_upper_bound=y * 2)
    booster = xgb.train({"objective": "survival:aft", "max_depth": 3}, data, 5)
    assert_converted(adapt(booster), X)
    convert(booster, data=X, name="drawn")  # as it is, too
