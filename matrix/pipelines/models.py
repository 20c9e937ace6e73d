"""Estimators made of others around a DataFrame pipeline, and behind a preparation."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from matrix.case import Fitted
from matrix.cases.collect import Cases
from matrix.data import load
from matrix.pipelines.columns import model, prepared

__all__ = ["CASES"]

CASES = Cases("pipelines")


def _whole(final: Any = None) -> Pipeline:
    """A pipeline from a DataFrame to an answer."""
    return make_pipeline(prepared(), model() if final is None else final)


def _add(name: str, estimator: Any, on: str = "mixed") -> None:
    CASES.add(estimator, on, subject=name)


_FOREST = RandomForestClassifier(8, max_depth=4, random_state=0)
_TWO: list[tuple[str, Any]] = [("linear", _whole()), ("forest", _whole(_FOREST))]
_REGRESSORS: list[tuple[str, Any]] = [
    ("ridge", _whole(Ridge())),
    ("forest", _whole(RandomForestRegressor(8, max_depth=4, random_state=0))),
]

# --- around DataFrame pipelines ---
_add("stacking around frames", StackingClassifier(_TWO, cv=2))
_add("stacking of regressors around frames", StackingRegressor(_REGRESSORS, cv=2), "mixed_regression")
_add("voting around frames", VotingClassifier(_TWO, voting="soft"))
_add("hard voting around frames", VotingClassifier([*_TWO, ("third", _whole(LogisticRegression(C=0.1)))]))
_add("voting of regressors around frames", VotingRegressor(_REGRESSORS), "mixed_regression")
_add("calibration around a frame", CalibratedClassifierCV(_whole(), cv=2))
_add("isotonic calibration around a frame", CalibratedClassifierCV(_whole(_FOREST), cv=2, method="isotonic"))
_add("grid search around a frame", GridSearchCV(_whole(), {"logisticregression__C": [0.1, 1.0]}, cv=2))
_add(
    "random search around a frame",
    RandomizedSearchCV(_whole(), {"logisticregression__C": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
)
_add(
    "halving search around a frame",
    HalvingGridSearchCV(_whole(), {"logisticregression__C": [0.1, 1.0]}, cv=2, random_state=0),
)
_add("tuned threshold around a frame", TunedThresholdClassifierCV(_whole(), cv=2, scoring="balanced_accuracy"))
_add("fixed threshold around a frame", FixedThresholdClassifier(_whole(), threshold=0.4, pos_label="buys"))
_add("one against rest around a frame", OneVsRestClassifier(_whole()))
_add(
    "transformed target around a frame",
    TransformedTargetRegressor(_whole(Ridge()), transformer=StandardScaler()),
    "mixed_regression",
)
_add(
    "search in a vote",
    VotingClassifier(
        [("a", GridSearchCV(_whole(), {"logisticregression__C": [1.0]}, cv=2)), ("b", _whole(_FOREST))], voting="soft"
    ),
)

# --- behind a preparation ---
_add("bagging behind", _whole(BaggingClassifier(LogisticRegression(), 4, random_state=0)))
_add("stacking behind", _whole(StackingClassifier([("linear", model()), ("forest", _FOREST)], cv=2)))
_add("calibration behind", _whole(CalibratedClassifierCV(_FOREST, cv=2)))
_SCALE = StandardScaler()
_add("one against one behind", make_pipeline(_SCALE, OneVsOneClassifier(LogisticRegression())), "text_labels")
_add(
    "output codes behind",
    make_pipeline(_SCALE, OutputCodeClassifier(LogisticRegression(), random_state=0)),
    "multiclass",
)
_add("many outputs behind", make_pipeline(_SCALE, MultiOutputClassifier(LogisticRegression())), "multilabel")
_add("many regressions behind", make_pipeline(_SCALE, MultiOutputRegressor(Ridge())), "multi_regression")
_add("classifier chain behind", make_pipeline(_SCALE, ClassifierChain(LogisticRegression())), "multilabel")
_add("regressor chain behind", make_pipeline(_SCALE, RegressorChain(Ridge())), "multi_regression")
_add("self-training behind", make_pipeline(_SCALE, SelfTrainingClassifier(LogisticRegression())), "partly_labelled")
_add(
    "log of the target",
    TransformedTargetRegressor(make_pipeline(_SCALE, Ridge()), func=np.log, inverse_func=np.exp),
    "positive_regression",
)
_add("scaled forest", make_pipeline(_SCALE, _FOREST), "multiclass")


def _frozen() -> Fitted:
    X, y = load("mixed")
    frozen = FrozenEstimator(prepared().fit(X))
    return Fitted(make_pipeline(frozen, model()).fit(X, y), X)


CASES.special("frozen preparation", "mixed", _frozen)
