"""Transformers whose every output depends on one input column: what each learned, and what feeds what."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

__all__ = ["is_encoder", "keeps_text", "known_values", "learned_text", "output_sources"]


def _one_hot_sources(encoder: OneHotEncoder) -> list[int]:
    return np.repeat(np.arange(len(encoder.categories_)), encoder._n_features_outs).tolist()


def _ordinal_sources(encoder: OrdinalEncoder) -> list[int]:
    return list(range(len(encoder.categories_)))


def _target_sources(encoder: TargetEncoder) -> list[int]:
    each = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    return np.repeat(np.arange(len(encoder.categories_)), each).tolist()


def _imputer_sources(imputer: SimpleImputer) -> list[int]:
    keep = imputer.keep_empty_features
    return [i for i, value in enumerate(imputer.statistics_) if keep or not _is_nan(value)]


#: Encoder class → the input column of each output column.
_ENCODERS: dict[type, Callable[[Any], list[int]]] = {
    OneHotEncoder: _one_hot_sources,
    OrdinalEncoder: _ordinal_sources,
    TargetEncoder: _target_sources,
}


def is_encoder(estimator: Any) -> bool:
    """Whether a table of its answers by category can replace it."""
    return type(estimator) in _ENCODERS


def keeps_text(estimator: Any) -> bool:
    """Whether text comes out where text goes in."""
    return type(estimator) is SimpleImputer and not estimator.add_indicator


def output_sources(estimator: Any) -> list[int]:
    """For each output column, the position of the input column that it depends on."""
    if type(estimator) is SimpleImputer:
        return _imputer_sources(estimator)
    return _ENCODERS[type(estimator)](estimator)


def known_values(estimator: Any, position: int) -> list[Any]:
    """The values of input `position` that a fitted step tells apart, missing ones left out."""
    if type(estimator) is SimpleImputer:
        values = [estimator.statistics_[position], estimator.missing_values]
    else:
        values = list(estimator.categories_[position])
    return [value for value in values if not _is_missing(value)]


def learned_text(estimator: Any, position: int) -> bool:
    """Whether a fitted step shows that its input `position` holds text."""
    if not (is_encoder(estimator) or type(estimator) is SimpleImputer):
        return False
    return any(isinstance(value, str) for value in known_values(estimator, position))


def _is_missing(value: Any) -> bool:
    return value is None or _is_nan(value) or type(value).__name__ == "NAType"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and math.isnan(value)
