"""Usual pipelines, each fitted on data that travels with scikit-learn or with edge-infer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from edge_infer_convert.demo import load_penguins, train

__all__ = ["PIPELINES", "fitted"]

Fitted = tuple[Any, Any]
PIPELINES: dict[str, Callable[[], Fitted]] = {}

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]


@functools.cache
def fitted(name: str) -> Fitted:
    """A fitted estimator and its training data without the target."""
    return PIPELINES[name]()


def _case(function: Callable[[], Fitted]) -> Callable[[], Fitted]:
    PIPELINES[function.__name__] = function
    return function


def _on(estimator: Any, load: Any, y: Any = None) -> Fitted:
    X, target = load(return_X_y=True)
    return estimator.fit(X, target if y is None else y(target)), X


def _names(y: Any) -> Any:
    return np.array(["setosa", "versicolor", "virginica"])[y]


def _prepared(scaler: Any, encoder: Any) -> ColumnTransformer:
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), scaler), NUMBERS),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), TEXTS),
    )


def _on_penguins(*steps: Any, target: str | None = None, **changes: Any) -> Fitted:
    X, y = load_penguins()
    X = X.assign(**changes)
    if target is not None:
        keep = X[target].notna()
        X, y = X[keep], X.loc[keep, target]
    return make_pipeline(*steps).fit(X, y), X


# --- classifiers on a matrix ---------------------------------------------------------------


@_case
def logistic_binary() -> Fitted:
    return _on(make_pipeline(StandardScaler(), LogisticRegression()), datasets.load_breast_cancer)


@_case
def logistic_multiclass_text_labels() -> Fitted:
    return _on(make_pipeline(StandardScaler(), LogisticRegression()), datasets.load_iris, _names)


@_case
def logistic_bool_labels() -> Fitted:
    return _on(make_pipeline(StandardScaler(), LogisticRegression()), datasets.load_breast_cancer, lambda y: y == 1)


@_case
def logistic_negative_labels() -> Fitted:
    return _on(make_pipeline(StandardScaler(), LogisticRegression()), datasets.load_iris, lambda y: y * 5 - 7)


@_case
def logistic_float_labels() -> Fitted:
    return _on(make_pipeline(MinMaxScaler(), LogisticRegression()), datasets.load_iris, lambda y: y + 0.0)


@_case
def ridge_classifier() -> Fitted:
    return _on(make_pipeline(RobustScaler(), RidgeClassifier()), datasets.load_wine)


@_case
def linear_svc() -> Fitted:
    return _on(make_pipeline(StandardScaler(), LinearSVC()), datasets.load_iris)


@_case
def sgd_classifier() -> Fitted:
    return _on(make_pipeline(StandardScaler(), SGDClassifier(random_state=0)), datasets.load_breast_cancer)


@_case
def svc() -> Fitted:
    return _on(make_pipeline(StandardScaler(), SVC()), datasets.load_wine)


@_case
def discriminant() -> Fitted:
    return _on(LinearDiscriminantAnalysis(), datasets.load_iris)


@_case
def naive_bayes() -> Fitted:
    return _on(GaussianNB(), datasets.load_iris)


@_case
def neighbours() -> Fitted:
    return _on(make_pipeline(StandardScaler(), KNeighborsClassifier(7)), datasets.load_breast_cancer)


@_case
def decision_tree() -> Fitted:
    return _on(DecisionTreeClassifier(random_state=0), datasets.load_iris, _names)


@_case
def random_forest() -> Fitted:
    return _on(RandomForestClassifier(30, random_state=0), datasets.load_wine)


@_case
def scaled_random_forest() -> Fitted:
    return _on(make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0)), datasets.load_breast_cancer)


@_case
def extra_trees() -> Fitted:
    return _on(ExtraTreesClassifier(20, max_depth=6, random_state=0), datasets.load_breast_cancer)


@_case
def gradient_boosting() -> Fitted:
    return _on(GradientBoostingClassifier(n_estimators=20, random_state=0), datasets.load_breast_cancer)


@_case
def hist_gradient_boosting() -> Fitted:
    return _on(HistGradientBoostingClassifier(max_iter=20), datasets.load_wine)


@_case
def ada_boost() -> Fitted:
    return _on(AdaBoostClassifier(n_estimators=10, random_state=0), datasets.load_iris)


@_case
def soft_vote() -> Fitted:
    members = [("linear", LogisticRegression(max_iter=5000)), ("bayes", GaussianNB())]
    return _on(make_pipeline(StandardScaler(), VotingClassifier(members, voting="soft")), datasets.load_iris)


@_case
def one_against_rest() -> Fitted:
    return _on(make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())), datasets.load_wine)


@_case
def neural_network() -> Fitted:
    network = MLPClassifier((16,), random_state=0, max_iter=60, tol=1.0, n_iter_no_change=20)
    return _on(make_pipeline(StandardScaler(), network), datasets.load_iris)


@_case
def multilabel_forest() -> Fitted:
    X, y = datasets.make_multilabel_classification(200, 8, n_classes=3, random_state=0)
    return RandomForestClassifier(20, random_state=0).fit(X, y), X


@_case
def grid_search() -> Fitted:
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]})
    return _on(search, datasets.load_iris)


@_case
def float32_matrix() -> Fitted:
    X, y = datasets.load_iris(return_X_y=True)
    X = X.astype(np.float32)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X


# --- regressors ----------------------------------------------------------------------------


@_case
def linear_regression() -> Fitted:
    return _on(make_pipeline(StandardScaler(), LinearRegression()), datasets.load_diabetes)


@_case
def multi_output_ridge() -> Fitted:
    return _on(make_pipeline(StandardScaler(), Ridge()), datasets.load_linnerud)


@_case
def lasso_of_polynomials() -> Fitted:
    steps = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), Lasso(0.5, max_iter=50_000))
    return _on(steps, datasets.load_diabetes)


@_case
def elastic_net_of_components() -> Fitted:
    return _on(make_pipeline(StandardScaler(), PCA(5), ElasticNet(0.1)), datasets.load_diabetes)


@_case
def tree_regressor() -> Fitted:
    return _on(DecisionTreeRegressor(max_depth=6, random_state=0), datasets.load_diabetes)


@_case
def forest_regressor() -> Fitted:
    return _on(RandomForestRegressor(20, random_state=0), datasets.load_diabetes)


@_case
def multi_output_forest() -> Fitted:
    return _on(RandomForestRegressor(20, random_state=0), datasets.load_linnerud)


@_case
def scaled_forest_regressor() -> Fitted:
    return _on(
        make_pipeline(StandardScaler(), RandomForestRegressor(20, max_depth=5, random_state=0)), datasets.load_diabetes
    )


@_case
def gradient_boosting_regressor() -> Fitted:
    return _on(GradientBoostingRegressor(n_estimators=20, random_state=0), datasets.load_diabetes)


@_case
def hist_gradient_boosting_regressor() -> Fitted:
    return _on(HistGradientBoostingRegressor(max_iter=20), datasets.load_diabetes)


# --- clusterers, outlier detectors, transformers -------------------------------------------


@_case
def k_means() -> Fitted:
    return _on(make_pipeline(StandardScaler(), KMeans(3, random_state=0, n_init=2)), datasets.load_wine)


@_case
def mini_batch_k_means() -> Fitted:
    return _on(MiniBatchKMeans(3, random_state=0, n_init=2), datasets.load_iris)


@_case
def isolation_forest() -> Fitted:
    return _on(IsolationForest(n_estimators=20, random_state=0), datasets.load_wine)


@_case
def union_of_transformers() -> Fitted:
    union = FeatureUnion([("components", PCA(2)), ("svd", TruncatedSVD(2, random_state=0)), ("scaled", MaxAbsScaler())])
    return _on(make_pipeline(StandardScaler(), union), datasets.load_iris)


@_case
def selection() -> Fitted:
    return _on(
        make_pipeline(VarianceThreshold(0.1), SelectKBest(k=3), StandardScaler(), LogisticRegression(max_iter=2000)),
        datasets.load_wine,
    )


# --- tables ----------------------------------------------------------------------------------


@_case
def penguins() -> Fitted:
    return train()[:2]


@_case
def penguins_ordinal_forest() -> Fitted:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return _on_penguins(_prepared("passthrough", encoder), RandomForestClassifier(20, random_state=0))


@_case
def penguins_target_encoded() -> Fitted:
    return _on_penguins(_prepared(StandardScaler(), TargetEncoder()), LogisticRegression(max_iter=2000))


@_case
def penguins_mass() -> Fitted:
    X, _ = load_penguins()
    X = X[X.body_mass_g.notna()]
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    prepare = make_column_transformer((numbers, NUMBERS[:3]), (OneHotEncoder(drop="if_binary"), TEXTS))
    frame = X.drop(columns="body_mass_g")
    return make_pipeline(prepare, Ridge()).fit(frame, X.body_mass_g), frame


@_case
def penguins_hist_gradient_boosting() -> Fitted:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    prepare = make_column_transformer((encoder, TEXTS), remainder="passthrough")
    return _on_penguins(prepare, HistGradientBoostingClassifier(max_iter=15))


@_case
def penguins_categories() -> Fitted:
    X, _ = load_penguins()
    changes = {name: X[name].astype("category") for name in TEXTS}
    prepare = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
    )
    return _on_penguins(prepare, LogisticRegression(max_iter=2000), **changes)


@_case
def penguins_bools_and_integers() -> Fitted:
    X, _ = load_penguins()
    changes = {"heavy": X.body_mass_g > 4000, "year": (np.arange(len(X)) % 3 + 2007).astype(np.int64)}
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(), MinMaxScaler()), NUMBERS),
        ("passthrough", ["heavy"]),
        (OneHotEncoder(), ["year"]),
    )
    return _on_penguins(prepare, LogisticRegression(max_iter=2000), **changes)


@_case
def penguins_as_pandas() -> Fitted:
    prepare = _prepared(StandardScaler(), OneHotEncoder(sparse_output=False, handle_unknown="ignore"))
    return _on_penguins(prepare.set_output(transform="pandas"), LogisticRegression(max_iter=2000))


@_case
def penguins_transformed() -> Fitted:
    return _on_penguins(
        _prepared(StandardScaler(), OneHotEncoder(min_frequency=60, handle_unknown="infrequent_if_exist"))
    )


@_case
def penguins_clusters() -> Fitted:
    prepare = _prepared(StandardScaler(), OneHotEncoder(handle_unknown="ignore"))
    return _on_penguins(prepare, KMeans(4, random_state=0, n_init=2))


@_case
def forest_with_gaps() -> Fitted:
    X, y = load_penguins()
    return RandomForestClassifier(20, random_state=0).fit(X[NUMBERS], y), X[NUMBERS]


@_case
def frame_of_numbers() -> Fitted:
    X, y = datasets.load_iris(return_X_y=True, as_frame=True)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X
