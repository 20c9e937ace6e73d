"""Composites against scikit-learn: members of every kind, options, ties, text columns inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from edge_infer_convert.demo import load_penguins
from tests.convert.operators.drawn import assert_converted, blobs, few, seeds

_logistic = LogisticRegression(max_iter=500)
_tree = DecisionTreeClassifier(max_depth=3, random_state=0)
_named = [("line", _logistic), ("tree", _tree), ("bayes", GaussianNB())]
_regressors = [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
_names = np.array(["no", "yes", "perhaps", "often"])


def _targets(seed: int, X: Any, width: int) -> Any:
    rng = np.random.default_rng(seed)
    return X @ rng.normal(0, 1, (X.shape[1], width)) + rng.normal(0, 0.3, (len(X), width))


CLASSIFIERS = {
    "soft vote": VotingClassifier(_named, voting="soft"),
    "weighted soft vote": VotingClassifier(_named, voting="soft", weights=[1, 2, 0.5]),
    "hard vote": VotingClassifier(_named),
    "weighted hard vote": VotingClassifier(_named, weights=[1, 2, 0.5]),
    "bag": BaggingClassifier(_tree, n_estimators=4, random_state=0),
    "bag of columns": BaggingClassifier(_tree, n_estimators=4, max_features=2, random_state=0),
    "bag of lines": BaggingClassifier(_logistic, n_estimators=3, random_state=0),
    "bag of votes": BaggingClassifier(RidgeClassifier(), n_estimators=5, random_state=0),
    "stack": StackingClassifier(_named, _logistic, cv=3),
    "stack with features": StackingClassifier(_named, _tree, cv=3, passthrough=True),
    "stack of predictions": StackingClassifier(_named, _logistic, cv=3, stack_method="predict"),
    "stack under a pipeline": StackingClassifier(_named, make_pipeline(StandardScaler(), _logistic), cv=3),
    "sigmoid calibration": CalibratedClassifierCV(_tree, cv=3),
    "sigmoid calibration of scores": CalibratedClassifierCV(RidgeClassifier(), cv=3, ensemble=False),
    "temperature": CalibratedClassifierCV(_logistic, cv=3, method="temperature"),
    "temperature of probabilities": CalibratedClassifierCV(_tree, cv=3, method="temperature"),
    "one against rest": OneVsRestClassifier(_logistic),
    "one against rest of trees": OneVsRestClassifier(_tree),
    "one against rest of regressors": OneVsRestClassifier(Ridge()),
    "one against one": OneVsOneClassifier(_logistic),
    "one against one of trees": OneVsOneClassifier(_tree),
    "output code": OutputCodeClassifier(_logistic, code_size=2.5, random_state=3),
    "output code of trees": OutputCodeClassifier(_tree, code_size=2.5, random_state=3),
    "search": GridSearchCV(_logistic, {"C": [0.1, 1.0]}, cv=2),
    "random search": RandomizedSearchCV(_tree, {"max_depth": [1, 2]}, n_iter=2, cv=2, random_state=0),
    "vote of pipelines": VotingClassifier([("a", make_pipeline(StandardScaler(), _logistic)), ("b", _tree)]),
    "nested": VotingClassifier(
        [("a", BaggingClassifier(_logistic, n_estimators=2, random_state=0)), ("b", _tree)], voting="soft"
    ),
}


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_made_of_classifiers_answers_as_the_original(name: str, classes: int) -> None:
    X, y = blobs(11, classes)
    model = CLASSIFIERS[name]
    assert_converted(model.fit(X, _names[y]), X)


@few
@given(seeds, st.integers(2, 4), st.sampled_from(["hard", "soft"]), st.booleans())
def test_ties_of_votes_are_broken_as_the_original_breaks_them(
    seed: int, classes: int, voting: str, weighted: bool
) -> None:
    X, y = blobs(seed, classes)
    stumps = [(str(i), DecisionTreeClassifier(max_depth=1, max_features=1, random_state=i)) for i in range(4)]
    model = VotingClassifier(stumps, voting=voting, weights=[2, 1, 1, 2] if weighted else None)
    assert_converted(model.fit(X, y), X)


@pytest.mark.parametrize("response", ["predict_proba", "decision_function"])
@pytest.mark.parametrize("positive", [None, "no", "yes"])
def test_threshold_of_its_own_decides(response: str, positive: str | None) -> None:
    X, y = blobs(5, 2)
    labels = y if positive is None else _names[y]
    cut = 0.3 if response == "predict_proba" else -0.4
    fixed = FixedThresholdClassifier(_logistic, threshold=cut, response_method=response, pos_label=positive)
    assert_converted(fixed.fit(X, labels), X)


def test_tuned_threshold_decides() -> None:
    X, y = blobs(6, 2, rows=120)
    tuned = TunedThresholdClassifierCV(_logistic, scoring="f1", cv=3).fit(X, y)
    assert tuned.best_threshold_ != 0.5
    assert_converted(tuned, X)


def test_wrapped_estimators_answer_as_what_they_wrap() -> None:
    X, y = blobs(7, 3)
    assert_converted(FrozenEstimator(LogisticRegression().fit(X, y)).fit(X, y), X)
    some = np.where(np.arange(len(y)) % 3 == 0, -1, y)
    assert_converted(SelfTrainingClassifier(GaussianNB()).fit(X, some), X)


REGRESSORS = {
    "vote": VotingRegressor(_regressors),
    "weighted vote": VotingRegressor(_regressors, weights=[3, 1]),
    "bag": BaggingRegressor(DecisionTreeRegressor(max_depth=3), n_estimators=4, random_state=0),
    "stack": StackingRegressor(_regressors, Ridge(), cv=3),
    "stack with features": StackingRegressor(_regressors, Ridge(), cv=3, passthrough=True),
    "scaled target": TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler()),
    "target in a range": TransformedTargetRegressor(LinearRegression(), transformer=MinMaxScaler()),
    "plain target": TransformedTargetRegressor(LinearRegression()),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_made_of_regressors_answers_as_the_original(name: str) -> None:
    X, _ = blobs(12)
    assert_converted(REGRESSORS[name].fit(X, _targets(1, X, 1)[:, 0]), X)


MULTIPLE = {
    "side by side": MultiOutputRegressor(DecisionTreeRegressor(max_depth=3)),
    "chain": RegressorChain(Ridge(), order=[2, 0, 1]),
    "bag": BaggingRegressor(LinearRegression(), n_estimators=3, random_state=0),
    "scaled": TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler()),
}


@pytest.mark.parametrize("name", MULTIPLE)
def test_several_targets_keep_their_order_and_shape(name: str) -> None:
    X, _ = blobs(13)
    assert_converted(MULTIPLE[name].fit(X, _targets(2, X, 3)), X)


LABEL_COLUMNS = {
    "side by side": MultiOutputClassifier(_logistic),
    "side by side, trees": MultiOutputClassifier(_tree),
    "chain": ClassifierChain(_logistic, order=[1, 2, 0]),
    "chain of probabilities": ClassifierChain(_tree, chain_method="predict_proba"),
    "chain of scores": ClassifierChain(_logistic, chain_method="decision_function"),
    "one against rest": OneVsRestClassifier(_logistic),
    "one against rest, trees": OneVsRestClassifier(_tree),
    "stack": StackingClassifier(
        [("a", _tree), ("b", RandomForestClassifier(3, random_state=0))], DecisionTreeClassifier(max_depth=2), cv=3
    ),
}


@pytest.mark.parametrize("name", LABEL_COLUMNS)
def test_several_label_columns_answer_as_the_original(name: str) -> None:
    X, y = blobs(14, 3)
    Y = np.column_stack([y == 0, y >= 1, X[:, 0] > 1]).astype(int)
    assert_converted(LABEL_COLUMNS[name].fit(X, Y), X)


def test_label_columns_of_names_side_by_side() -> None:
    X, y = blobs(15, 3)
    Y = np.column_stack([_names[y], np.where(X[:, 0] > 1, "high", "low")])
    assert_converted(MultiOutputClassifier(_logistic).fit(X, Y), X)


def test_label_that_all_rows_have_stays_in_one_against_rest() -> None:
    X, y = blobs(16, 3)
    Y = np.column_stack([np.ones_like(y), y == 1, np.zeros_like(y)])
    with pytest.warns(UserWarning, match="present in all"):
        model = OneVsRestClassifier(_logistic).fit(X, Y)
    assert_converted(model, X)


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_with_every_base_answers_as_the_original(method: str, classes: int) -> None:
    X, y = blobs(17, classes, rows=150)
    for base in (GaussianNB(), _logistic):
        assert_converted(CalibratedClassifierCV(base, method=method, cv=2).fit(X, y), X)


def _penguins() -> tuple[pd.DataFrame, Any]:
    frame, species = load_penguins()
    return frame[["island", "bill_length_mm", "body_mass_g"]].dropna(), species


def _mixed(model: Any) -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["island"]), (StandardScaler(), ["bill_length_mm", "body_mass_g"])
    )
    return make_pipeline(columns, model)


@pytest.mark.parametrize(
    "make",
    [
        lambda: StackingClassifier([("a", _mixed(_logistic)), ("b", _mixed(_tree))], _logistic, cv=3),
        lambda: VotingClassifier([("a", _mixed(_logistic)), ("b", _mixed(_tree))], voting="soft"),
        lambda: CalibratedClassifierCV(_mixed(_logistic), cv=3),
        lambda: OneVsRestClassifier(_mixed(_logistic)),
        lambda: GridSearchCV(_mixed(_tree), {"decisiontreeclassifier__max_depth": [2, 3]}, cv=2),
    ],
    ids=["stack", "vote", "calibration", "one against rest", "search"],
)
def test_members_may_be_pipelines_of_a_frame_with_text(make: Any) -> None:
    frame, species = _penguins()
    assert_converted(make().fit(frame, species[frame.index]), frame)


def test_transformer_weights_multiply() -> None:
    X, y = blobs(18)
    union = FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())], transformer_weights={"a": 0.25, "b": -2.0})
    assert_converted(union.fit(X, y), X)
