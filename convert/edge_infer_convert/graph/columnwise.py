"""Transformers whose every output depends on one input column: what each learned, and what feeds what."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from edge_infer_convert.boosters.codes import CategoryCodes

__all__ = [
    "Part",
    "Split",
    "fills",
    "is_encoder",
    "keeps_text",
    "known_values",
    "learned_text",
    "output_sources",
    "split",
]


def _one_hot_sources(encoder: OneHotEncoder) -> list[int]:
    return np.repeat(np.arange(len(encoder.categories_)), encoder._n_features_outs).tolist()


def _ordinal_sources(encoder: OrdinalEncoder | CategoryCodes) -> list[int]:
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
    CategoryCodes: _ordinal_sources,
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
    if type(estimator) is MissingIndicator:
        return [int(i) for i in estimator.features_]
    return _ENCODERS[type(estimator)](estimator)


def known_values(estimator: Any, position: int) -> list[Any]:
    """The values of input `position` that a fitted step tells apart, missing ones left out."""
    if type(estimator) is SimpleImputer:
        values = [estimator.statistics_[position], estimator.missing_values]
    elif type(estimator) is MissingIndicator:
        values = ["a", estimator.missing_values]  # any text, so that the column has one to be probed with
    else:
        values = list(estimator.categories_[position])
    return [value for value in values if not _is_missing(value)]


def fills(estimator: Any, position: int) -> set[str]:
    """The text that a fitted step puts in place of missing ones of input `position`, where it is an imputer."""
    return {str(estimator.statistics_[position])} if type(estimator) is SimpleImputer else set()


class Part(NamedTuple):
    """A fitted step cut down to the input columns `positions`. kind: see `plan.Step`."""

    estimator: Any
    positions: tuple[int, ...]
    kind: str


class Split(NamedTuple):
    """A step as several; `outputs` are pairs (part, output of that part) in the original's order."""

    parts: tuple[Part, ...]
    outputs: tuple[tuple[int, int], ...]


def split(estimator: Any, text: list[bool]) -> Split | None:
    """An imputer or indicator that takes texts (where `text`) and numbers, or flags their gaps, by kind; else None."""
    if type(estimator) is MissingIndicator:
        return _joined(_flaggers(estimator, text, estimator), [])
    if type(estimator) is not SimpleImputer or (all(text) and estimator.indicator_ is None):
        return None
    fillers = [Part(_filler(estimator, own), own, kind) for own, kind in _kinds(text, "text")]
    flaggers = [] if estimator.indicator_ is None else _flaggers(estimator.indicator_, text, estimator)
    return _joined(fillers, flaggers)


def _kinds(text: list[bool], of_text: str) -> list[tuple[tuple[int, ...], str]]:
    """Positions of texts and of numbers, each with the kind of the step that takes them."""
    kinds = [(tuple(i for i, is_text in enumerate(text) if is_text == wanted), wanted) for wanted in (True, False)]
    return [(own, of_text if wanted else "leaf") for own, wanted in kinds if own]


def _joined(*groups: list[Part]) -> Split:
    """Each group's outputs in the order of the columns that they come from, one group after the other."""
    parts = tuple(part for group in groups for part in group)
    outputs = []
    for group in groups:
        sources = [
            (part.positions[source], (parts.index(part), index))
            for part in group
            for index, source in enumerate(output_sources(part.estimator))
        ]
        outputs += [place for _, place in sorted(sources)]
    return Split(parts, tuple(outputs))


def _filler(imputer: SimpleImputer, positions: tuple[int, ...]) -> SimpleImputer:
    own = _narrowed(imputer, positions, imputer)
    own.statistics_ = imputer.statistics_[list(positions)]
    own.add_indicator, own.indicator_ = False, None
    return own


def _flaggers(indicator: MissingIndicator, text: list[bool], owner: Any) -> list[Part]:
    """Texts by a table. `owner` knows the columns' names."""
    parts = []
    for positions, kind in _kinds(text, "table"):
        own = _narrowed(indicator, positions, owner)
        features = {int(i) for i in indicator.features_}
        own.features_ = np.array([i for i, position in enumerate(positions) if position in features], np.int64)
        own._n_features, own._precomputed, own.sparse, own.error_on_new = len(positions), False, False, False
        parts.append(Part(own, positions, kind if len(own.features_) else "unused"))
    return parts


def _narrowed(estimator: Any, positions: tuple[int, ...], owner: Any) -> Any:
    """A copy that takes these columns only."""
    own = copy.copy(estimator)
    own.n_features_in_ = len(positions)
    names = getattr(owner, "feature_names_in_", None)
    if names is not None:
        own.feature_names_in_ = names[list(positions)]
    return own


def learned_text(estimator: Any, position: int) -> bool:
    """Whether a fitted step shows that its input `position` holds text."""
    if not (is_encoder(estimator) or type(estimator) is SimpleImputer):
        return False
    return any(isinstance(value, str) for value in known_values(estimator, position))


def _is_missing(value: Any) -> bool:
    return value is None or _is_nan(value) or type(value).__name__ == "NAType"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and math.isnan(value)
