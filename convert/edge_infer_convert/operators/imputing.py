"""SimpleImputer on numbers, with its indicator columns (onnxruntime's Imputer has no float64 and no indicator)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.registry import operator


@operator(SimpleImputer)
def simple_imputer(builder: GraphBuilder, imputer: SimpleImputer, reads: str) -> dict[str, list[str]]:
    """Where(missing, statistic, x), columns that were empty in training left out, then the indicators."""
    missing = _missing(builder, imputer, reads)
    statistics = np.array([_number(value) for value in imputer.statistics_])
    x = builder.node("Where", missing, builder.constant(statistics), reads)
    keep = np.arange(len(statistics)) if imputer.keep_empty_features else np.flatnonzero(~np.isnan(statistics))
    if len(keep) < len(statistics):
        x = builder.node("Gather", x, builder.constant(keep, np.int64), axis=1)
    if imputer.indicator_ is not None:
        flags = builder.node("Cast", missing, to=builder.elem_type)
        features = builder.constant(imputer.indicator_.features_, np.int64)
        x = builder.node("Concat", x, builder.node("Gather", flags, features, axis=1), axis=1)
    return {"transform": [x]}


def _missing(builder: GraphBuilder, imputer: SimpleImputer, reads: str) -> str:
    if _is_nan(imputer.missing_values):
        return builder.node("IsNaN", reads)
    return builder.node("Equal", reads, builder.constant(float(imputer.missing_values)))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _is_nan(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))
