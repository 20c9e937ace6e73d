"""Scalers, encoders, imputers, selectors, feature maps and text vectorisers."""

from __future__ import annotations

import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    KernelCenterer,
    LabelBinarizer,
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    MultiLabelBinarizer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from matrix.case import Fitted
from matrix.cases.collect import Cases
from matrix.data import load

__all__ = ["CASES"]

CASES = Cases("estimators")
_add = CASES.add

# --- scalers ---
for _scaler in (StandardScaler(), MinMaxScaler(), MaxAbsScaler(), RobustScaler()):
    _add(_scaler, "numbers numbers_gaps whole_numbers frame")
_add(StandardScaler(with_mean=False, with_std=False), "numbers", "identity")
_add(MinMaxScaler((-1, 2), clip=True), "numbers_gaps", "clip")
_add(RobustScaler(quantile_range=(10, 90), unit_variance=True), "numbers", "unit_variance")
for _norm in ("l2", "l1", "max"):
    _add(Normalizer(norm=_norm), "numbers", _norm)
_add(Binarizer(threshold=0.5), "numbers")
for _method in ("yeo-johnson", "box-cox"):
    _add(PowerTransformer(method=_method), "positive" if _method == "box-cox" else "numbers", _method)
_add(PowerTransformer(standardize=False), "numbers_gaps", "not standardized")
for _output in ("uniform", "normal"):
    _add(QuantileTransformer(n_quantiles=50, output_distribution=_output), "numbers numbers_gaps", _output)
_add(QuantileTransformer(n_quantiles=50), "counts", "ties")

# --- features from features ---
_add(PolynomialFeatures(2), "numbers")
_add(PolynomialFeatures(3, interaction_only=True, include_bias=False), "numbers", "interaction_only")
for _edge in ("constant", "linear", "continue", "periodic", "error"):
    _add(SplineTransformer(n_knots=4, extrapolation=_edge), "numbers", _edge)
_add(SplineTransformer(n_knots=5, degree=2, knots="quantile", include_bias=False), "numbers", "quantile knots")
for _encode in ("onehot", "onehot-dense", "ordinal"):
    _add(KBinsDiscretizer(4, encode=_encode, strategy="uniform"), "numbers", _encode)
_add(KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"), "numbers", "quantile")
_add(KBinsDiscretizer(4, encode="ordinal", strategy="kmeans", random_state=0), "numbers", "kmeans")
_add(AdditiveChi2Sampler(), "positive")
_add(AdditiveChi2Sampler(sample_steps=3), "positive", "3 steps")
_add(SkewedChi2Sampler(n_components=8, random_state=0), "positive")
_add(RBFSampler(n_components=8, random_state=0), "numbers")
_add(Nystroem(n_components=8, random_state=0), "numbers")
_add(Nystroem("poly", degree=2, gamma=0.1, n_components=8, random_state=0), "numbers", "poly")
_add(PolynomialCountSketch(n_components=8, random_state=0), "numbers")
_add(GaussianRandomProjection(2, random_state=0), "numbers")
_add(SparseRandomProjection(2, random_state=0), "numbers")
_add(FunctionTransformer(), "numbers", "identity")
_add(FunctionTransformer(np.log1p), "positive", "log1p")
for _function in (np.sqrt, np.exp, np.square, np.abs):
    _add(FunctionTransformer(_function), "positive", _function.__name__)

# --- imputers ---
for _strategy in ("mean", "median", "most_frequent"):
    _add(SimpleImputer(strategy=_strategy), "numbers_gaps", _strategy)
_add(SimpleImputer(strategy="constant", fill_value=-1.0), "numbers_gaps", "constant")
_add(SimpleImputer(add_indicator=True), "numbers_gaps", "add_indicator")
_add(SimpleImputer(strategy="most_frequent"), "strings_gaps", "most_frequent")
_add(SimpleImputer(strategy="constant", fill_value="none"), "strings_gaps", "constant")
_add(KNNImputer(n_neighbors=3), "numbers_gaps")
_add(KNNImputer(n_neighbors=3, weights="distance", add_indicator=True), "numbers_gaps", "distance, indicator")
_add(IterativeImputer(max_iter=3, random_state=0), "numbers_gaps")
_add(IterativeImputer(max_iter=3, random_state=0, add_indicator=True), "numbers_gaps", "add_indicator")
_add(MissingIndicator(error_on_new=False), "numbers_gaps")
_add(MissingIndicator(features="all"), "numbers_gaps", "all")

# --- selectors ---
for _selector in (
    GenericUnivariateSelect(mode="k_best", param=2),
    SelectFdr(),
    SelectFpr(),
    SelectFwe(),
    SelectKBest(k=2),
    SelectPercentile(percentile=50),
    SelectFromModel(LogisticRegression()),
    SequentialFeatureSelector(LogisticRegression(), n_features_to_select=2, cv=2),
):
    _add(_selector, "multiclass")
_add(RFE(LogisticRegression(), n_features_to_select=2), "multiclass binary text_labels")
_add(RFECV(LogisticRegression(), cv=2), "multiclass binary")
_add(VarianceThreshold(0.5), "counts multiclass_gaps")

# --- encoders ---
_add(OneHotEncoder(handle_unknown="ignore"), "strings strings_gaps", "ignore")
_add(OneHotEncoder(), "strings whole_numbers", "error")
_add(OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=25), "strings", "infrequent_if_exist")
_add(OneHotEncoder(drop="first"), "strings", "drop first")
_add(OneHotEncoder(handle_unknown="ignore"), "codes", "numbers")
_add(OrdinalEncoder(), "strings strings_gaps codes")
_add(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), "strings strings_gaps", "unknown_value")
_add(OrdinalEncoder(encoded_missing_value=-9), "strings_gaps", "encoded_missing_value")
_add(TargetEncoder(random_state=0), "strings strings_regression strings_multiclass strings_gaps")


def _labels(transformer: object, values: object) -> Fitted:
    column = np.asarray(values).reshape(-1, 1)
    return Fitted(transformer.fit(np.ravel(column)), column, known=True)  # type: ignore[attr-defined]


_STRINGS = load("text_labels")[1]
CASES.special("LabelEncoder", "strings", lambda: _labels(LabelEncoder(), _STRINGS.astype(object)))
CASES.special("LabelEncoder", "whole numbers", lambda: _labels(LabelEncoder(), load("multiclass")[1] * 7 - 3))
CASES.special("LabelBinarizer", "strings", lambda: _labels(LabelBinarizer(), _STRINGS.astype(object)))
CASES.special("LabelBinarizer", "whole numbers", lambda: _labels(LabelBinarizer(), load("multiclass")[1] * 7 - 3))
CASES.special("LabelBinarizer", "two classes", lambda: _labels(LabelBinarizer(), load("binary")[1]))


def _label_sets() -> Fitted:
    sets = [tuple(np.flatnonzero(row).tolist()) for row in load("multilabel")[1]]
    return Fitted(MultiLabelBinarizer().fit(sets), sets)


def _dicts() -> Fitted:
    rows = [{"length": float(row[0]), "width": float(row[1])} for row in load("numbers")[0]]
    return Fitted(DictVectorizer().fit(rows), rows)


def _dicts_of_strings() -> Fitted:
    strings, _ = load("strings")
    rows = [
        {"length": float(a), "colour": str(b)} for a, b in zip(load("numbers")[0][:, 0], strings[:, 0], strict=True)
    ]
    return Fitted(DictVectorizer().fit(rows), rows)


def _hashed() -> Fitted:
    rows = [{"length": float(row[0]), "width": float(row[1])} for row in load("numbers")[0]]
    return Fitted(FeatureHasher(16).fit(rows), rows)


def _centred_kernel() -> Fitted:
    X, _ = load("numbers")
    kernel = rbf_kernel(X, X[:30], gamma=0.1)
    return Fitted(KernelCenterer().fit(kernel[:30]), kernel)


def _patches() -> Fitted:
    images = np.random.default_rng(41).random((20, 6, 6))
    return Fitted(PatchExtractor(patch_size=(3, 3)).fit(images), images)


CASES.special("MultiLabelBinarizer", "sets", _label_sets)
CASES.special("DictVectorizer", "numbers", _dicts)
CASES.special("DictVectorizer", "strings", _dicts_of_strings)
CASES.special("FeatureHasher", "dicts", _hashed)
CASES.special("KernelCenterer", "kernel", _centred_kernel)
CASES.special("PatchExtractor", "images", _patches)

# --- text ---
_COMMON = r"(?u)\b\w+\b"
for _vectorizer in (CountVectorizer, TfidfVectorizer):
    _add(_vectorizer(), "text ascii_text")
    _add(_vectorizer(ngram_range=(1, 2)), "text", "n-grams")
    _add(_vectorizer(token_pattern=_COMMON, stop_words=["it", "is"]), "text", "stop words, single letters")
    _add(_vectorizer(lowercase=False, min_df=2), "text", "case kept")
    _add(_vectorizer(strip_accents="unicode"), "text", "accents stripped")
    _add(_vectorizer(analyzer="char_wb", ngram_range=(2, 3)), "ascii_text", "char_wb")
    _add(_vectorizer(analyzer="char", ngram_range=(1, 2)), "ascii_text", "char")
    _add(_vectorizer(token_pattern=r"[a-z]+(?=o)"), "text", "odd pattern")
_add(CountVectorizer(binary=True), "text", "binary")
_add(TfidfVectorizer(sublinear_tf=True, norm="l1", smooth_idf=False), "text", "sublinear_tf")
_add(HashingVectorizer(n_features=32), "text")
_add(TfidfTransformer(), "counts")
_add(TfidfTransformer(norm=None, sublinear_tf=True), "counts", "sublinear_tf")
