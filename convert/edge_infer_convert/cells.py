"""A number as the cell of a row that a column of some kind takes, and the numbers behind a column's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_infer.manifest import Column

__all__ = ["cell_of", "is_missing_cell", "numbers_of"]


def cell_of(column: Column, number: float) -> Any:
    """The number itself, a whole one near it, or the time that it counts."""
    if column.times is not None:
        return column.times.moment(number)
    return round(number) if column.kind == "integer" else number


def numbers_of(values: Any) -> NDArray[np.float64]:
    """A column's values, missing and other ones as NaN; times as they are counted in their own unit."""
    series = pd.Series(np.asarray(values) if isinstance(values, np.ndarray) else values)
    if series.dtype.kind == "M":
        return np.where(series.isna(), np.nan, series.astype("int64").to_numpy(np.float64))
    return pd.to_numeric(pd.Series(np.asarray(series)), errors="coerce").to_numpy(np.float64)


def is_missing_cell(value: Any) -> bool:
    """None, NaN, pandas.NA and NaT."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)
