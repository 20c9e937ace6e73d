"""The judge: the fitted original, asked with rows of the schema, one thread, warnings off."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

from edge_infer.manifest import METHODS, Column

__all__ = ["Original", "Row"]

#: Cells in the order of the schema's columns; None for a missing value.
Row = tuple[Any, ...]


class Original:
    """A fitted estimator and how rows are given to it."""

    def __init__(
        self,
        estimator: Any,
        columns: Sequence[Column],
        *,
        named: bool,
        missing: dict[int, Any],
        dtype: str = "float64",
    ) -> None:
        """`named`: rows go in as a DataFrame, else as an array of `dtype`."""
        self.estimator = _single_threaded(estimator)
        self.columns = tuple(columns)
        self.named = named
        self.missing = missing
        self.dtype = dtype

    @property
    def task(self) -> str:
        """One of `manifest.TASKS`."""
        for test, task in (
            (is_classifier, "classification"),
            (is_regressor, "regression"),
            (is_outlier_detector, "outlier_detection"),
            (is_clusterer, "clustering"),
        ):
            if test(self.estimator):
                return task
        return "transformation" if hasattr(self.estimator, "transform") else "other"

    def methods(self) -> list[str]:
        """The methods of `manifest.METHODS` that the original has."""
        return [method for method in METHODS if hasattr(self.estimator, method)]

    def classes(self) -> NDArray[Any] | None:
        """The class labels where there is one label column."""
        classes = getattr(self.estimator, "classes_", None)
        labels = isinstance(classes, np.ndarray) and classes.ndim == 1
        return classes if labels and np.ndim(self.answer("predict", [self.typical_row()])) == 1 else None

    def typical_row(self) -> Row:
        """A row that the original surely takes: middles of ranges, first categories."""
        return tuple(_typical(column) for column in self.columns)

    def answer(self, method: str, rows: Sequence[Row]) -> Any:
        """The original's answers: an array, dense, or a list of arrays (one for each label column)."""
        return self.answer_table(method, self.table(rows))

    def answer_table(self, method: str, table: Any) -> Any:
        """The same for a table of the original's own kind."""
        with (
            warnings.catch_warnings(),
            joblib.parallel_config(backend="sequential"),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            answer = getattr(self.estimator, method)(table)
        if isinstance(answer, list):
            return [np.asarray(part) for part in answer]
        return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)

    def takes(self, rows: Sequence[Row]) -> bool:
        """Whether the original answers these rows rather than raising."""
        try:
            self.answer(self.methods()[0], rows)
        except (ValueError, TypeError, KeyError, OverflowError):
            return False
        return True

    def table(self, rows: Sequence[Row]) -> Any:
        """Rows as the original was trained: a DataFrame with its dtypes, or an array."""
        cells = list(zip(*rows, strict=True))
        if not self.named:
            return self._array(cells)
        series = {i: self._series(i, column, cells[i]) for i, column in enumerate(self.columns)}
        frame = pd.DataFrame(series)
        frame.columns = pd.Index([column.name for column in self.columns])
        return frame

    def _array(self, cells: list[tuple[Any, ...]]) -> NDArray[Any]:
        if any(column.kind == "string" for column in self.columns):
            filled = [
                [self.missing.get(i, np.nan) if cell is None else cell for cell in column]
                for i, column in enumerate(cells)
            ]
            return np.array(filled, dtype=object).T
        return np.array(cells, dtype=np.float64).T.astype(self.dtype)

    def _series(self, position: int, column: Column, cells: tuple[Any, ...]) -> Any:
        if column.kind == "string":
            marker = self.missing.get(position, np.nan)
            values = pd.Series([marker if cell is None else cell for cell in cells], dtype=object)
            dtype: Any = column.dtype if column.dtype in ("category", "str", "string") else object
            return values.astype(dtype)
        if column.kind == "boolean" and column.dtype == "object":  # booleans and None: an encoder tells them apart
            return pd.Series(list(cells), dtype=object)
        if None in cells or column.kind == "number":
            return np.array(cells, dtype=np.float64)
        return np.array(cells, dtype=bool if column.kind == "boolean" else np.int64)


def _single_threaded(estimator: Any) -> Any:
    """A copy whose every n_jobs is 1: sums in a fixed order."""
    twin = copy.deepcopy(estimator)
    if hasattr(twin, "get_params"):
        jobs = {key: 1 for key in twin.get_params(deep=True) if key.split("__")[-1] == "n_jobs"}
        if jobs:
            twin.set_params(**jobs)
    return twin


def _typical(column: Column) -> Any:
    if column.categories:
        return column.categories[0]
    if column.kind == "boolean":
        return False
    if column.range is None:
        return 0 if column.kind == "integer" else 0.0
    middle = (column.range[0] + column.range[1]) / 2
    return round(middle) if column.kind == "integer" else middle
