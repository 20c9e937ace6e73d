"""Estimators that are made of others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from matrix.case import Fitted
from matrix.cases.collect import Cases
from matrix.data import load

__all__ = ["CASES"]

CASES = Cases("estimators")
_add = CASES.add
_PLAIN = "multiclass binary text_labels"
_TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
_THREE: list[tuple[str, Any]] = [("linear", LogisticRegression()), ("bayes", GaussianNB()), ("tree", _TREE)]
_TWO: list[tuple[str, Any]] = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]

# --- composition ---
_add(Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())]), "multiclass frame")
_add(Pipeline([("scale", StandardScaler()), ("components", PCA(2))]), "numbers", "transformer")
_add(FeatureUnion([("scale", StandardScaler()), ("components", PCA(2))]), "numbers")
_add(
    FeatureUnion([("a", MinMaxScaler()), ("b", PCA(2))], transformer_weights={"a": 2.0, "b": 0.5}), "numbers", "weights"
)
_COLUMNS = ColumnTransformer(
    [
        ("scale", StandardScaler(), ["income", "visits"]),
        ("encode", OneHotEncoder(handle_unknown="ignore"), ["city", "plan"]),
    ]
)
_add(_COLUMNS, "mixed")
_add(ColumnTransformer([("scale", StandardScaler(), [0, 2])], remainder="passthrough"), "numbers", "by position")

# --- votes and stacks ---
_add(VotingClassifier(_THREE), _PLAIN, "hard")
_add(VotingClassifier(_THREE, voting="soft", weights=[2, 1, 1]), _PLAIN, "soft, weights")
_add(VotingClassifier(_THREE, voting="soft", flatten_transform=False), "multiclass", "not flattened")
_add(VotingRegressor(_TWO), "regression")
_add(VotingRegressor(_TWO, weights=[1, 3]), "regression", "weights")
_add(StackingClassifier(_THREE, cv=3), _PLAIN)
_add(StackingClassifier(_THREE, cv=3, passthrough=True, stack_method="predict_proba"), "multiclass", "passthrough")
_add(StackingClassifier([("svc", LinearSVC()), ("tree", _TREE)], cv=3), "multiclass binary", "decision_function")
_add(StackingRegressor(_TWO, cv=3), "regression")
_add(StackingRegressor(_TWO, cv=3, passthrough=True), "regression", "passthrough")

# --- calibration and thresholds ---
for _method in ("sigmoid", "isotonic", "temperature"):
    _add(CalibratedClassifierCV(GaussianNB(), method=_method, cv=3), _PLAIN, _method)
_add(CalibratedClassifierCV(LinearSVC(), cv=3), "multiclass binary", "of scores")
_add(CalibratedClassifierCV(SVC(), cv=3, ensemble=False, method="isotonic"), "binary multiclass", "one member")
_add(FixedThresholdClassifier(LogisticRegression(), threshold=0.3), "binary binary_text_labels")
_add(FixedThresholdClassifier(LinearSVC(), threshold=0.4, response_method="decision_function"), "binary", "of scores")
_add(TunedThresholdClassifierCV(LogisticRegression(), cv=3), "binary binary_text_labels")
_add(TunedThresholdClassifierCV(SVC(), cv=3, scoring="f1"), "binary", "of scores")

# --- several classes or outputs ---
_add(OneVsRestClassifier(LogisticRegression()), f"{_PLAIN} multilabel")
_add(OneVsRestClassifier(LinearSVC()), "multiclass", "of scores")
_add(OneVsOneClassifier(LogisticRegression()), _PLAIN)
_add(OneVsOneClassifier(_TREE), "multiclass", "trees")
_add(OutputCodeClassifier(LogisticRegression(), random_state=0), _PLAIN)
_add(MultiOutputClassifier(LogisticRegression()), "multilabel multioutput")
_add(MultiOutputClassifier(RandomForestClassifier(5, random_state=0)), "multioutput", "forests")
_add(MultiOutputRegressor(Ridge()), "multi_regression")
_add(MultiOutputRegressor(RandomForestRegressor(5, random_state=0)), "multi_regression", "forests")
_add(ClassifierChain(LogisticRegression()), "multilabel")
_add(ClassifierChain(_TREE, order=[2, 0, 1]), "multilabel", "trees, order")
_add(ClassifierChain(LogisticRegression(), chain_method="predict_proba"), "multilabel", "of probabilities")
_add(RegressorChain(Ridge(), order=[1, 0]), "multi_regression")
_add(TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp), "positive_regression", "log")
_add(
    TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler()),
    "regression multi_regression",
    "scaler",
)
_add(SelfTrainingClassifier(LogisticRegression()), "partly_labelled multiclass")

# --- searches ---
_GRID = {"C": [0.1, 1.0]}
_add(GridSearchCV(LogisticRegression(), _GRID, cv=3), _PLAIN)
_add(GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [3, 5]}, cv=3), "multiclass", "neighbours")
_add(GridSearchCV(PCA(), {"n_components": [1, 2]}, cv=3), "numbers", "transformer")
_add(RandomizedSearchCV(LogisticRegression(), _GRID, n_iter=2, cv=3, random_state=0), "multiclass")
_add(HalvingGridSearchCV(LogisticRegression(), _GRID, cv=3, random_state=0), "multiclass")
_add(HalvingRandomSearchCV(LogisticRegression(), _GRID, cv=3, n_candidates=2, random_state=0), "multiclass")


def _frozen(estimator: Any, dataset: str) -> Fitted:
    X, y = load(dataset)
    return Fitted(FrozenEstimator(estimator.fit(X, y)), X)


CASES.special("FrozenEstimator", "classifier", lambda: _frozen(LogisticRegression(), "multiclass"))
CASES.special("FrozenEstimator", "regressor", lambda: _frozen(Ridge(), "regression"))
CASES.special("FrozenEstimator", "transformer", lambda: _frozen(StandardScaler(), "multiclass"))
