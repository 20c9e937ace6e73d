"""Encoders and imputers with their options."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from matrix.cases.collect import Cases
from matrix.pipelines.columns import FILLED, NUMBERS, TEXTS, model

__all__ = ["CASES"]

CASES = Cases("pipelines")


def _encode(name: str, encoder: Any, columns: list[str] | None = None, on: str = "mixed") -> None:
    prepare = make_column_transformer((encoder, columns or TEXTS), (FILLED, NUMBERS))
    CASES.add(make_pipeline(prepare, model()), f"{on} mixed_gaps" if columns is None else on, subject=name)


def _fill(name: str, imputer: Any, *, on: str = "binary_gaps") -> None:
    CASES.add(make_pipeline(imputer, StandardScaler(), LogisticRegression()), on, subject=name)


# --- OneHotEncoder ---
_encode("one-hot, unknown is an error", OneHotEncoder())
_encode("one-hot, unknown ignored", OneHotEncoder(handle_unknown="ignore"))
_encode("one-hot, unknown is infrequent", OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20))
_encode("one-hot, max_categories", OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=3))
_encode("one-hot, min_frequency as a share", OneHotEncoder(min_frequency=0.2, handle_unknown="ignore"))
_encode("one-hot, first dropped", OneHotEncoder(drop="first"))
_encode("one-hot, first dropped, unknown ignored", OneHotEncoder(drop="first", handle_unknown="ignore"))
_encode("one-hot, dropped if binary", OneHotEncoder(drop="if_binary"))
_encode("one-hot, these dropped", OneHotEncoder(drop=np.array(["Rome", "free"], dtype=object)))
_encode("one-hot, categories given", OneHotEncoder(categories=[["free", "pro", "team"]]), ["plan"])
_FREQUENT = SimpleImputer(strategy="most_frequent")
_CONSTANT = SimpleImputer(strategy="constant", fill_value="none")
_encode("most frequent, then one-hot", make_pipeline(_FREQUENT, OneHotEncoder(handle_unknown="ignore")))
_encode("constant, then one-hot", make_pipeline(_CONSTANT, OneHotEncoder(handle_unknown="ignore")))

# --- OrdinalEncoder, TargetEncoder ---
_encode("ordinal", make_pipeline(_FREQUENT, OrdinalEncoder()))
_encode(
    "ordinal, unknown value",
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
)
_encode(
    "ordinal, unknown is NaN",
    make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), SimpleImputer()),
)
_encode("ordinal, missing value", OrdinalEncoder(encoded_missing_value=-2))
_encode(
    "ordinal, min_frequency",
    OrdinalEncoder(min_frequency=20, handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
)
_encode("ordinal, then scaled", make_pipeline(_FREQUENT, OrdinalEncoder(), StandardScaler()))
_encode("ordinal, then one-hot", make_pipeline(_FREQUENT, OrdinalEncoder(), OneHotEncoder()))
_encode("target encoder", TargetEncoder(random_state=0))
_encode("target encoder, smoothed", TargetEncoder(smooth=10.0, random_state=0))

# --- imputers ---
_fill("imputer, mean", SimpleImputer())
_fill("imputer, median, indicator", SimpleImputer(strategy="median", add_indicator=True))
_fill("imputer, constant", SimpleImputer(strategy="constant", fill_value=-7))
_fill("imputer, zero is missing", SimpleImputer(missing_values=0.0), on="binary_counts")
_fill("imputer, neighbours", KNNImputer(n_neighbors=4))
_fill("imputer, neighbours by distance", KNNImputer(n_neighbors=4, weights="distance", add_indicator=True))
_fill("imputer, iterative", IterativeImputer(max_iter=3, random_state=0))
