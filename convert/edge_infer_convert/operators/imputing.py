"""SimpleImputer, IterativeImputer and MissingIndicator on numbers (onnxruntime's Imputer has no float64, no flags)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # makes the next import possible
from sklearn.impute import IterativeImputer, MissingIndicator, SimpleImputer

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column
from edge_infer_convert.operators.registry import operator


@operator(SimpleImputer)
def simple_imputer(builder: GraphBuilder, imputer: SimpleImputer, reads: str) -> dict[str, list[str]]:
    """Where(missing, statistic, x), columns that were empty in training left out, then the indicators."""
    missing = _missing(builder, imputer, reads)
    x = _filled(builder, imputer, reads, missing)
    return {"transform": [_with_indicators(builder, imputer, x, missing)]}


@operator(MissingIndicator)
def missing_indicator(builder: GraphBuilder, indicator: MissingIndicator, reads: str) -> dict[str, list[str]]:
    """1 where a cell is missing, in the columns that the indicator learned."""
    missing = _missing(builder, indicator, reads)
    return {"transform": [_flags(builder, indicator, missing)]}


def _filled(builder: GraphBuilder, imputer: SimpleImputer, reads: str, missing: str) -> str:
    statistics = np.array([_number(value) for value in imputer.statistics_])
    x = builder.node("Where", missing, builder.constant(statistics), reads)
    keep = np.arange(len(statistics)) if imputer.keep_empty_features else np.flatnonzero(~np.isnan(statistics))
    if len(keep) == len(statistics):
        return x
    if not len(keep):
        raise UnsupportedModelError("every column was empty in training, so none comes out; leave it out")
    return builder.node("Gather", x, builder.constant(keep, np.int64), axis=1)


def _with_indicators(builder: GraphBuilder, imputer: Any, x: str, missing: str) -> str:
    if imputer.indicator_ is None or not len(imputer.indicator_.features_):
        return x
    return builder.node("Concat", x, _flags(builder, imputer.indicator_, missing), axis=1)


def _flags(builder: GraphBuilder, indicator: MissingIndicator, missing: str) -> str:
    if not len(indicator.features_):
        raise UnsupportedModelError("no column had missing values in training, so none comes out; leave it out")
    flags = builder.node("Cast", missing, to=builder.elem_type)
    if len(indicator.features_) == indicator._n_features:
        return flags
    return builder.node("Gather", flags, builder.constant(indicator.features_, np.int64), axis=1)


def _missing(builder: GraphBuilder, imputer: Any, reads: str) -> str:
    if _is_nan(imputer.missing_values):
        return builder.node("IsNaN", reads)
    return builder.node("Equal", reads, builder.constant(float(imputer.missing_values)))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _is_nan(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


# --- column by column, from the others --------------------------------------------------


@operator(IterativeImputer)
def iterative_imputer(builder: GraphBuilder, imputer: IterativeImputer, reads: str) -> dict[str, list[str]]:
    """The first filling, then the fitted regressors in their order, each on the columns as filled so far.

    A call in which every cell of every row is missing gets the first filling, as in the original.
    """
    if imputer.sample_posterior:
        raise UnsupportedModelError("sample_posterior=True draws at random; fit it with sample_posterior=False")
    missing = _missing(builder, imputer, reads)
    first = _filled(builder, imputer.initial_imputer_, reads, missing)
    if imputer.n_iter_ == 0 or not imputer.imputation_sequence_:
        return {"transform": [_with_indicators(builder, imputer, first, missing)]}
    empty = np.asarray(imputer._is_empty_feature)
    if imputer.keep_empty_features:
        kept = missing
        if empty.any():
            kept = builder.node("And", missing, builder.constant(~empty[None], np.bool_))
    elif empty.any():
        kept = builder.node("Gather", missing, builder.constant(np.flatnonzero(~empty), np.int64), axis=1)
    else:
        kept = missing
    count = len(empty) if imputer.keep_empty_features else int((~empty).sum())
    x = _rounds(builder, imputer, first, kept, count)
    present = builder.node("Cast", builder.node("Not", kept), to=builder.elem_type)
    any_present = builder.node("Greater", builder.node("ReduceMax", present, keepdims=1), builder.constant(0.0))
    x = builder.node("Where", any_present, x, first)
    return {"transform": [_with_indicators(builder, imputer, x, missing)]}


def _rounds(builder: GraphBuilder, imputer: IterativeImputer, first: str, missing: str, count: int) -> str:
    from edge_infer_convert.graph.leaf import convert_leaf  # leaf looks operators up: a ring otherwise

    columns, gaps = (
        [builder.node("Gather", tensor, builder.constant([i], np.int64), axis=1) for i in range(count)]
        for tensor in (first, missing)
    )
    for number, (target, others, estimator) in enumerate(imputer.imputation_sequence_):
        known = builder.node("Concat", *(columns[i] for i in others), axis=1)
        answers = convert_leaf(builder, f"imputation_sequence_[{number}]", estimator, known, len(others))
        if "predict" not in answers:
            raise UnsupportedModelError(f"predict of its {type(estimator).__name__} cannot be converted")
        value = _limited(builder, column(builder, answers["predict"][0]), imputer, int(target))
        columns[target] = builder.node("Where", gaps[target], value, columns[target])
    return builder.node("Concat", *columns, axis=1)


def _limited(builder: GraphBuilder, x: str, imputer: IterativeImputer, target: int) -> str:
    for kind, limit in (("Max", imputer._min_value[target]), ("Min", imputer._max_value[target])):
        if np.isfinite(limit):
            x = builder.node(kind, x, builder.constant(float(limit)))
    return x
