"""The judge lets LightGBM and XGBoost use all cores: their answers must not depend on it, not by a bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from xgboost import XGBClassifier, XGBRegressor

RNG = np.random.default_rng(4)
X = RNG.normal(size=(3000, 6))
Y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
MODELS: dict[str, Any] = {
    "lightgbm": LGBMClassifier(n_estimators=60, verbose=-1),
    "lightgbm dart": LGBMRegressor(n_estimators=60, boosting_type="dart", verbose=-1),
    "xgboost": XGBClassifier(n_estimators=60),
    "xgboost dart": XGBRegressor(n_estimators=60, booster="dart"),
}


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_the_same_for_any_number_of_threads(name: str) -> None:
    model = MODELS[name].fit(X, Y)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    model.n_jobs = 1
    alone = getattr(model, method)(X)
    for threads in (2, 5):
        model.n_jobs = threads
        np.testing.assert_array_equal(getattr(model, method)(X), alone)
