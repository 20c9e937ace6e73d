"""XGBoost, LightGBM and CatBoost: scikit-learn wrappers, raw boosters, and inside a Pipeline.

Without the libraries there are no cases: they belong to the optional dependencies.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from matrix.case import Case, Fitted
from matrix.cases.collect import Cases
from matrix.data import load

__all__ = ["booster_cases"]

_QUICK = {"n_estimators": 12, "max_depth": 4}
_SEEDED = {"random_state": 0, "n_jobs": 1}
_CAT = {
    "iterations": 12,
    "depth": 4,
    "verbose": False,
    "allow_writing_files": False,
    "random_seed": 0,
    "thread_count": 1,
}


def booster_cases() -> list[Case]:
    """In a fixed order; those of a library that is not installed are left out."""
    families = {"xgboost": _xgboost, "lightgbm": _lightgbm, "catboost": _catboost}
    cases: list[Case] = []
    for library, family in families.items():
        if importlib.util.find_spec(library):
            cases += family()
    return cases


def _ranked() -> tuple[Any, Any, Any]:
    """Rows of 20 queries of 10 each; relevance 0 to 3."""
    X, y = load("regression")
    return X, np.digitize(y, np.quantile(y, [0.25, 0.5, 0.75])), np.repeat(np.arange(20), 10)


def _fitted(model: Any, data: str, **arguments: Any) -> Fitted:
    X, y = load(data)
    return Fitted(model.fit(X, y, **arguments), X)


def _early(model: Any, data: str, **arguments: Any) -> Fitted:
    """Stopped by the last quarter of the rows."""
    X, y = load(data)
    model.fit(X[:150], y[:150], eval_set=[(X[150:], y[150:])], **arguments)
    return Fitted(model, X)


def _with_zeros(X: Any) -> Any:
    """Exact zeros in a fifth of the cells."""
    X = X.copy()
    X[np.random.default_rng(51).random(X.shape) < 0.2] = 0.0
    return X


# --- XGBoost ---


def _xgboost() -> list[Case]:
    import xgboost

    cases = Cases("boosters")
    quick = _QUICK | _SEEDED

    def add(name: str, model: Any, on: str) -> None:
        cases.special(f"XGBoost {name}", on.replace("_", " "), lambda: _fitted(model(), on))

    classifier: Callable[..., Any] = lambda **more: lambda: xgboost.XGBClassifier(**quick, **more)  # noqa: E731
    regressor: Callable[..., Any] = lambda **more: lambda: xgboost.XGBRegressor(**quick, **more)  # noqa: E731
    add("binary", classifier(), "binary")
    add("multiclass", classifier(), "multiclass")
    add("multilabel", classifier(), "multilabel")
    add("NaN", classifier(), "binary_gaps")
    add("base_score", classifier(base_score=0.3), "binary")
    add("DART", classifier(booster="dart", rate_drop=0.3), "binary")
    add("random forest", lambda: xgboost.XGBRFClassifier(**quick), "multiclass")
    add("regression", regressor(), "regression")
    add("regression base_score", regressor(base_score=5.0), "regression")
    add("multi-output", regressor(), "multi_regression")
    add("vector leaves", regressor(multi_strategy="multi_output_tree", tree_method="hist"), "multi_regression")
    for objective, data in (
        ("count:poisson", "count_regression"),
        ("reg:gamma", "positive_regression"),
        ("reg:tweedie", "positive_regression"),
        ("reg:logistic", "binary"),
        ("reg:absoluteerror", "regression"),
    ):
        add(objective, regressor(objective=objective), data)
    cases.special("XGBoost gblinear", "regression", lambda: _fitted(_gblinear(), "regression"))
    cases.special(
        "XGBoost early stopping",
        "binary",
        lambda: _early(classifier(early_stopping_rounds=2)(), "binary", verbose=False),
    )
    cases.special("XGBoost ranking", "queries", _xgboost_ranker)
    cases.special("XGBoost categories", "categories", _xgboost_categories)
    cases.special("XGBoost Booster", "binary", _xgboost_raw)
    cases.special(
        "XGBoost in a Pipeline",
        "multiclass",
        lambda: _fitted(make_pipeline(StandardScaler(), classifier()()), "multiclass"),
    )
    return cases.cases


def _gblinear() -> Any:
    import xgboost

    return xgboost.XGBRegressor(booster="gblinear", n_estimators=20, **_SEEDED)


def _xgboost_ranker() -> Fitted:
    import xgboost

    X, y, queries = _ranked()
    return Fitted(xgboost.XGBRanker(**_QUICK, **_SEEDED).fit(X, y, qid=queries), X)


def _xgboost_categories() -> Fitted:
    import xgboost

    X, y = load("categories")
    model = xgboost.XGBClassifier(enable_categorical=True, max_cat_to_onehot=2, **_QUICK, **_SEEDED)
    return Fitted(model.fit(X, (y == "buys").astype(int)), X)


def _xgboost_raw() -> Fitted:
    import xgboost

    X, y = load("binary")
    settings = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(X, y), 12)
    return Fitted(booster, X, {"predict": lambda rows: booster.predict(xgboost.DMatrix(rows))})


# --- LightGBM ---


def _lightgbm() -> list[Case]:
    import lightgbm

    cases = Cases("boosters")
    quick = _QUICK | _SEEDED | {"verbose": -1, "min_child_samples": 5, "deterministic": True}

    def add(name: str, model: Any, on: str, **more: Any) -> None:
        cases.special(f"LightGBM {name}", on.replace("_", " "), lambda: _fitted(model(**quick, **more), on))

    add("binary", lightgbm.LGBMClassifier, "binary")
    add("multiclass", lightgbm.LGBMClassifier, "multiclass")
    add("text labels", lightgbm.LGBMClassifier, "text_labels")
    add("NaN", lightgbm.LGBMClassifier, "binary_gaps")
    add("one against all", lightgbm.LGBMClassifier, "multiclass", objective="multiclassova")
    add("DART", lightgbm.LGBMClassifier, "binary", boosting_type="dart")
    add("random forest", lightgbm.LGBMClassifier, "binary", boosting_type="rf", subsample=0.7, subsample_freq=1)
    add("regression", lightgbm.LGBMRegressor, "regression")
    add("linear_tree", lightgbm.LGBMRegressor, "regression", linear_tree=True)
    for objective, data in (
        ("poisson", "count_regression"),
        ("gamma", "positive_regression"),
        ("tweedie", "positive_regression"),
        ("cross_entropy", "binary"),
        ("quantile", "regression"),
    ):
        add(objective, lightgbm.LGBMRegressor, data, objective=objective)
    cases.special("LightGBM zero_as_missing", "zeros", lambda: _lightgbm_zeros(quick))
    cases.special("LightGBM categories", "categories", lambda: _lightgbm_categories(quick))
    cases.special("LightGBM ranking", "queries", lambda: _lightgbm_ranker(quick))
    early = [lightgbm.early_stopping(2, verbose=False)]
    cases.special(
        "LightGBM early stopping", "binary", lambda: _early(lightgbm.LGBMClassifier(**quick), "binary", callbacks=early)
    )
    cases.special("LightGBM Booster", "binary", _lightgbm_raw)
    cases.special(
        "LightGBM in a Pipeline",
        "multiclass",
        lambda: _fitted(make_pipeline(StandardScaler(), lightgbm.LGBMClassifier(**quick)), "multiclass"),
    )
    return cases.cases


def _lightgbm_zeros(quick: dict[str, Any]) -> Fitted:
    import lightgbm

    X, y = load("regression")
    X = _with_zeros(X)
    return Fitted(lightgbm.LGBMRegressor(zero_as_missing=True, **quick).fit(X, y), X)


def _lightgbm_categories(quick: dict[str, Any]) -> Fitted:
    import lightgbm

    X, y = load("categories")
    return Fitted(lightgbm.LGBMClassifier(min_data_per_group=5, cat_smooth=1, **quick).fit(X, y), X)


def _lightgbm_ranker(quick: dict[str, Any]) -> Fitted:
    import lightgbm

    X, y, queries = _ranked()
    return Fitted(lightgbm.LGBMRanker(**quick).fit(X, y, group=np.bincount(queries)), X)


def _lightgbm_raw() -> Fitted:
    import lightgbm

    X, y = load("binary")
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "deterministic": True}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), 12)
    return Fitted(booster, X, {"predict": booster.predict})


# --- CatBoost ---


def _catboost() -> list[Case]:
    import catboost

    cases = Cases("boosters")

    def add(name: str, model: Any, on: str, **more: Any) -> None:
        cases.special(f"CatBoost {name}", on.replace("_", " "), lambda: _fitted(model(**_CAT, **more), on))

    add("binary", catboost.CatBoostClassifier, "binary")
    add("multiclass", catboost.CatBoostClassifier, "multiclass")
    add("text labels", catboost.CatBoostClassifier, "text_labels")
    add("NaN", catboost.CatBoostClassifier, "binary_gaps")
    add("Lossguide", catboost.CatBoostClassifier, "binary", grow_policy="Lossguide")
    add("Depthwise", catboost.CatBoostClassifier, "multiclass", grow_policy="Depthwise")
    add("regression", catboost.CatBoostRegressor, "regression")
    add("Poisson", catboost.CatBoostRegressor, "count_regression", loss_function="Poisson")
    add("MultiRMSE", catboost.CatBoostRegressor, "multi_regression", loss_function="MultiRMSE")
    cases.special("CatBoost categories", "categories", _catboost_categories)
    cases.special("CatBoost ranking", "queries", _catboost_ranker)
    cases.special(
        "CatBoost early stopping",
        "binary",
        lambda: _early(catboost.CatBoostClassifier(**_CAT), "binary", early_stopping_rounds=2),
    )
    cases.special(
        "CatBoost in a Pipeline",
        "multiclass",
        lambda: _fitted(make_pipeline(StandardScaler(), catboost.CatBoostClassifier(**_CAT)), "multiclass"),
    )
    return cases.cases


def _catboost_categories() -> Fitted:
    import catboost

    X, y = load("categories")
    model = catboost.CatBoostClassifier(cat_features=["size", "plan"], **_CAT)
    return Fitted(model.fit(X, y), X)


def _catboost_ranker() -> Fitted:
    import catboost

    X, y, queries = _ranked()
    return Fitted(catboost.CatBoostRanker(**_CAT).fit(X, y, group_id=queries), X)
