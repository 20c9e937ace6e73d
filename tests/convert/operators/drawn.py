"""What the operator tests share: drawn matrices, and the comparison of a conversion with its original."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from edge_infer_convert import convert
from edge_infer_convert.conversion import Conversion
from tests.convert.judging import assert_same, fresh_rows

__all__ = ["assert_converted", "blobs", "few", "matrix", "seeds"]

few = settings(max_examples=12)
seeds = st.integers(0, 2**32 - 1)


def matrix(seed: int, rows: int = 60, width: int = 3, gaps: float = 0.0, scale: float = 10.0) -> Any:
    """Float64 [rows, width], rounded to 3 decimals; a share `gaps` of the cells is NaN."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(0, scale, (rows, width)) + rng.integers(-20, 20, width), 3)
    X[rng.random(X.shape) < gaps] = np.nan
    return X


def blobs(seed: int, classes: int = 3, rows: int = 90, width: int = 3) -> tuple[Any, Any]:
    """Overlapping groups of rows, and the group of each, int64 [rows]."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    return np.round(rng.normal(0, 1.0, (rows, width)) + 1.5 * y[:, None] * rng.normal(1, 0.4, width), 3), y


def assert_converted(estimator: Any, X: Any, *, rows: Any = None, precision: str = "auto") -> Conversion:
    """Convert a fitted estimator; every method it has must answer as the original on fresh rows, none left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the original on far rows
        conversion = convert(estimator, data=X, name="drawn", precision=precision)
        assert conversion.manifest.missing_methods == {}
        assert_same(conversion, estimator, fresh_rows(X) if rows is None else rows)
    return conversion
