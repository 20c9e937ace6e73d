"""Numeric preparation: scaling, binning, splines, functions, unions, selection."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    LabelBinarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC

from matrix.case import Fitted
from matrix.cases.collect import Cases
from matrix.data import load

__all__ = ["CASES"]

CASES = Cases("pipelines")


def _add(name: str, *steps: Any, on: str = "multiclass") -> None:
    final = Ridge() if "regression" in on else LogisticRegression(max_iter=500)
    CASES.add(make_pipeline(*steps, final), on, subject=name)


_add("standard scaler", StandardScaler())
_add("min-max scaler", MinMaxScaler())
_add("robust scaler", RobustScaler())
_add("max-abs scaler", MaxAbsScaler())
_add("normalizer", StandardScaler(), Normalizer())
_add("power transformer", PowerTransformer())
_add("quantile transformer", QuantileTransformer(n_quantiles=40))
_add("quantile transformer, normal", QuantileTransformer(n_quantiles=40, output_distribution="normal"))
_add("polynomials", StandardScaler(), PolynomialFeatures(2, include_bias=False))
_add("splines", SplineTransformer(n_knots=4))
_add("bins, one-hot", KBinsDiscretizer(4, strategy="uniform"))
_add("bins, ordinal", KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"))
_add("binarizer", Binarizer(threshold=0.3))
_add("components", StandardScaler(), PCA(3))
_add("kernel approximation", StandardScaler(), Nystroem(n_components=10, random_state=0))

# --- selection ---
_add("selection of the best", SelectKBest(k=2), StandardScaler())
_add("selection by variance", VarianceThreshold(0.2), StandardScaler())
_add("selection by a model", SelectFromModel(RandomForestClassifier(5, random_state=0)), StandardScaler())
_add("selection by elimination", RFE(LogisticRegression(), n_features_to_select=2))
_add("selection by lasso", StandardScaler(), SelectFromModel(Lasso(0.1)), on="regression")

# --- unions ---
_add("union", make_union(StandardScaler(), PCA(2)))
_add("union with a dropped part", FeatureUnion([("scale", StandardScaler()), ("none", "drop")]))
_add("union with a part passed through", FeatureUnion([("as it is", "passthrough"), ("components", PCA(2))]))
_add(
    "union of pipelines",
    make_union(make_pipeline(StandardScaler(), PCA(2)), make_pipeline(MinMaxScaler(), TruncatedSVD(2))),
)
_add("union in a union", make_union(make_union(StandardScaler(), PCA(2)), MinMaxScaler()))


# --- functions ---
def _ratio(X: Any) -> Any:
    return np.column_stack([X[:, 0] / (1.0 + np.abs(X[:, 1])), X[:, 2] - X[:, 3]])


def _clipped(X: Any) -> Any:
    return np.clip(X, -2.0, 2.0)


def _with_product(X: Any) -> Any:
    return np.c_[X, X[:, 0] * X[:, 1]]


def _branching(X: Any) -> Any:
    return X * 2 if X.sum() > 0 else X


def _frame_ratio(X: Any) -> Any:
    return X.assign(area=X["length"] * X["width"])


_add("function, log1p", FunctionTransformer(np.log1p), on="counts")
_add("function, sqrt", FunctionTransformer(np.sqrt), on="counts")
_add("function, abs", FunctionTransformer(np.abs))
_add("function, lambda", FunctionTransformer(lambda X: X * 2.0 + 1.0))
_add("function, ratio", FunctionTransformer(_ratio))
_add("function, clip", FunctionTransformer(_clipped))
_add("function, product added", FunctionTransformer(_with_product))
_add("function, arguments", FunctionTransformer(np.clip, kw_args={"a_min": -1.0, "a_max": 2.0}))
_add("function, depends on all rows", FunctionTransformer(_branching))
_add("function, of a frame", FunctionTransformer(_frame_ratio), StandardScaler(), on="frame")
_add(
    "function, of some columns",
    make_column_transformer((FunctionTransformer(np.exp), ["length"]), (StandardScaler(), ["width"])),
    on="frame",
)
_add("function, none", FunctionTransformer(), StandardScaler())


def _labels() -> Fitted:
    column = load("text_labels")[1].astype(object).reshape(-1, 1)
    return Fitted(LabelBinarizer().fit(column.ravel()), column)


CASES.special("label binarizer", "text labels", _labels)
CASES.add(make_pipeline(StandardScaler(), SVC(), memory=None, verbose=False), "multiclass", subject="kernel machine")
