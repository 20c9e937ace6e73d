"""Classifiers that are not made of others."""

from __future__ import annotations

import warnings

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    PassiveAggressiveClassifier,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from matrix.cases.collect import Cases

__all__ = ["CASES"]

CASES = Cases("estimators")
_add = CASES.add
_PLAIN = "multiclass binary text_labels"
_MANY = f"{_PLAIN} multilabel multioutput"

# --- linear ---
_add(LogisticRegression(), f"{_PLAIN} binary_text_labels bool_labels whole_numbers frame")
_add(LogisticRegression(fit_intercept=False, C=0.1, class_weight="balanced"), "multiclass", "no intercept")
_add(LogisticRegressionCV(Cs=3, cv=3, use_legacy_attributes=False, scoring="accuracy", l1_ratios=(0.0,)), _PLAIN)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # deprecated, and still there
    _add(PassiveAggressiveClassifier(random_state=0), _PLAIN)
_add(Perceptron(random_state=0), _PLAIN)
_add(RidgeClassifier(), f"{_PLAIN} multilabel")
_add(RidgeClassifierCV(), f"{_PLAIN} multilabel")
_add(SGDClassifier(random_state=0), _PLAIN)
_add(SGDClassifier(loss="log_loss", random_state=0), "multiclass binary", "log_loss")
_add(SGDClassifier(loss="modified_huber", random_state=0), "multiclass binary", "modified_huber")
_add(LinearSVC(random_state=0), _PLAIN)

# --- discriminant analysis ---
_add(LinearDiscriminantAnalysis(), _PLAIN)
_add(LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto"), "multiclass", "eigen, shrinkage")
_add(QuadraticDiscriminantAnalysis(), _PLAIN)
_add(QuadraticDiscriminantAnalysis(reg_param=0.2), "multiclass", "reg_param")

# --- rules ---
for _strategy in ("prior", "most_frequent", "uniform", "stratified"):
    _add(DummyClassifier(strategy=_strategy, random_state=0), "multiclass", _strategy)
_add(DummyClassifier(strategy="constant", constant=1), "multiclass binary", "constant")
_add(DummyClassifier(), "multioutput text_labels", "prior")

# --- Bayes ---
_add(GaussianNB(), _PLAIN)
_add(MultinomialNB(), "counts binary_counts")
_add(ComplementNB(), "counts binary_counts")
_add(ComplementNB(norm=True), "counts", "norm")
_add(BernoulliNB(), "bits multiclass binary")
_add(BernoulliNB(binarize=1.5), "counts", "binarize")
_add(CategoricalNB(min_categories=4), "codes", known=True)

# --- neighbours ---
_add(KNeighborsClassifier(), f"{_MANY} whole_numbers")
_add(KNeighborsClassifier(4, weights="distance"), "multiclass multilabel", "distance")
_add(KNeighborsClassifier(3, metric="manhattan"), "multiclass", "manhattan")
_add(KNeighborsClassifier(3, metric="chebyshev"), "binary", "chebyshev")
_add(KNeighborsClassifier(3, p=3), "binary", "p=3")
_add(KNeighborsClassifier(3, metric="cosine"), "multiclass", "cosine")
_add(KNeighborsClassifier(3, metric="nan_euclidean"), "multiclass_gaps", "nan_euclidean")
_add(RadiusNeighborsClassifier(3.0, outlier_label="most_frequent"), "multiclass binary")
_add(RadiusNeighborsClassifier(2.0, weights="distance", outlier_label=1), "multiclass", "distance")
_add(NearestCentroid(), _PLAIN)
_add(NearestCentroid(metric="manhattan"), "multiclass", "manhattan")
_add(NearestCentroid(shrink_threshold=0.2), "multiclass", "shrink_threshold")

# --- kernels ---
for _kernel in ("rbf", "linear", "poly", "sigmoid"):
    _add(SVC(kernel=_kernel), "multiclass binary" if _kernel == "rbf" else "multiclass", _kernel)
_add(SVC(), "text_labels")
_add(SVC(decision_function_shape="ovo", break_ties=False), "multiclass", "ovo")
_add(SVC(break_ties=True), "multiclass", "break_ties")
_add(NuSVC(nu=0.3), _PLAIN)
_add(GaussianProcessClassifier(), "binary multiclass text_labels")
_add(GaussianProcessClassifier(1.0 * Matern(1.0, nu=1.5)), "binary", "Matern")
_add(GaussianProcessClassifier(1.0 * RBF(2.0), multi_class="one_vs_one"), "multiclass", "one_vs_one")
_add(LabelPropagation(), "multiclass partly_labelled")
_add(LabelPropagation(kernel="knn", n_neighbors=5), "partly_labelled", "knn")
_add(LabelSpreading(), "multiclass partly_labelled")
_add(LabelSpreading(kernel="knn", n_neighbors=5), "partly_labelled", "knn")

# --- networks ---
_NET = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}
_add(MLPClassifier(**_NET), f"{_PLAIN} multilabel")
for _activation in ("tanh", "logistic", "identity"):
    _add(MLPClassifier(activation=_activation, **_NET), "multiclass", _activation)

# --- trees ---
_add(DecisionTreeClassifier(random_state=0), f"{_MANY} multiclass_gaps multilabel_gaps whole_numbers")
_add(DecisionTreeClassifier(max_depth=3, random_state=0), "binary", "max_depth")
_add(ExtraTreeClassifier(random_state=0), f"{_MANY} multiclass_gaps")
_add(RandomForestClassifier(10, random_state=0), f"{_MANY} binary_gaps multilabel_gaps")
_add(RandomForestClassifier(10, max_depth=4, random_state=0), "binary", "max_depth")
_add(ExtraTreesClassifier(10, random_state=0), f"{_MANY} binary_gaps")
_add(BaggingClassifier(n_estimators=5, random_state=0), f"{_PLAIN} binary_gaps")
_add(
    BaggingClassifier(LogisticRegression(), 5, max_features=0.6, random_state=0),
    "multiclass binary",
    "linear, features",
)
_add(BaggingClassifier(RidgeClassifier(), 5, random_state=0), "multiclass", "votes")
_add(AdaBoostClassifier(n_estimators=8, random_state=0), _PLAIN)
_add(AdaBoostClassifier(LogisticRegression(), n_estimators=5, random_state=0), "multiclass", "linear")
_add(GradientBoostingClassifier(n_estimators=10, random_state=0), _PLAIN)
_add(GradientBoostingClassifier(n_estimators=10, loss="exponential", random_state=0), "binary", "exponential")
_add(GradientBoostingClassifier(n_estimators=10, init=LogisticRegression(), random_state=0), "binary", "init")
_add(GradientBoostingClassifier(n_estimators=10, init="zero", random_state=0), "multiclass", "init zero")
_BINS = {"max_iter": 8, "early_stopping": False, "min_samples_leaf": 5}
_add(HistGradientBoostingClassifier(**_BINS), f"{_PLAIN} binary_gaps multiclass_gaps")
_add(HistGradientBoostingClassifier(categorical_features=[0, 2], **_BINS), "codes", "categories")
_add(HistGradientBoostingClassifier(max_iter=20, early_stopping=True, random_state=0), "binary", "early stopping")
