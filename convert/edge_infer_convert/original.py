"""The judge: the fitted original, asked with rows of the schema, sums in a fixed order, warnings off."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.tree._tree import Tree

from edge_infer.manifest import METHODS, Column
from edge_infer_convert.cells import cell_of
from edge_infer_convert.remembering import remembering
from edge_infer_convert.text.phrases import Phrases

__all__ = ["REFUSALS", "Original", "Row"]

#: What an original raises at rows that it does not take.
REFUSALS: Final = (ValueError, TypeError, LookupError, OverflowError)

#: Packages whose answers do not depend on the number of threads: tests/convert/boosters/test_threads.py.
_ROWWISE: Final = frozenset({"lightgbm", "xgboost"})

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
        phrases: dict[int, Phrases] | None = None,
        flat: bool = False,
    ) -> None:
        """`named`: rows go in as a DataFrame, else as an array of `dtype`; `flat`: as a list of one text each.

        dtype: of numbers, "float32" or "float64"; of a DataFrame of those with fractions.

        phrases: what makes texts for a column of free text.
        """
        self.estimator = _single_threaded(estimator)
        self.columns = tuple(columns)
        self.named = named
        self.missing = missing
        self.dtype = dtype
        self.phrases = phrases or {}
        self.flat = flat
        self._typical: dict[str, Any] = {}

    def with_columns(self, columns: Sequence[Column]) -> Original:
        """The same judge for columns of which more is known; the estimator is shared."""
        twin = copy.copy(self)
        twin.columns = tuple(columns)
        twin._typical = {}
        return twin

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
        methods = [method for method in METHODS if hasattr(self.estimator, method)]
        if "predict_proba" in methods and is_regressor(self.estimator):  # of skorch: the same as predict
            methods.remove("predict_proba")
        return methods

    def answering_methods(self) -> list[str]:
        """Those of them that do answer: some estimators have a method that always raises."""
        return [method for method in self.methods() if self.refusal(method) is None]

    def refusal(self, method: str) -> str | None:
        """What the original itself says when it is asked; None where it answers."""
        try:
            self.typical_answer(method)
        except (NotImplementedError, ValueError, AttributeError) as error:
            return f"the original itself raises {type(error).__name__}: {str(error)[:200]}"
        return None

    def classes(self) -> NDArray[Any] | None:
        """The class labels where there is one label column."""
        classes = getattr(self.estimator, "classes_", None)
        if not isinstance(classes, np.ndarray) or classes.ndim != 1:
            return None
        answer = self.typical_answer("predict")
        return classes if np.ndim(answer) == 1 and np.isin(answer, classes).all() else None  # CatBoost's raw scores

    def typical_row(self) -> Row:
        """A row that the original surely takes: middles of ranges, first categories."""
        return tuple(
            self.phrases[i].typical() if i in self.phrases else _typical(column)
            for i, column in enumerate(self.columns)
        )

    def typical_answer(self, method: str) -> Any:
        """As `answer`, to a typical row given twice: what its answers look like. Asked once; not to be written to."""
        if method not in self._typical:
            self._typical[method] = self.answer(method, [self.typical_row()] * 2)
        return self._typical[method]

    def answer(self, method: str, rows: Sequence[Row]) -> Any:
        """The original's answers: an array, dense, or a list of arrays (one for each label column)."""
        return self.answer_table(method, self.table(rows))

    def answer_table(self, method: str, table: Any, known: dict[str, Any] | None = None) -> Any:
        """The same for a table of the original's own kind. It is given a copy: functions of users write to theirs.

        known: what is known of other methods' answers to the same table, which grows; see `remembering`.
        """
        table = np.asarray(table, dtype=object)[:, 0].tolist() if self.flat else table.copy()
        with (
            warnings.catch_warnings(),
            joblib.parallel_config(backend="sequential"),
            np.errstate(all="ignore"),
            remembering(self.estimator, table, {} if known is None else known),
            contextlib.redirect_stdout(io.StringIO()),  # Keras draws its progress there
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
        except REFUSALS:
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
        if all(column.kind == "datetime" for column in self.columns):
            return np.stack([self._series(i, column, cells[i]) for i, column in enumerate(self.columns)], axis=1)
        return np.array(cells, dtype=np.float64).T.astype(self.dtype)

    def _series(self, position: int, column: Column, cells: tuple[Any, ...]) -> Any:
        if column.dtype == "category":
            return _categorical(column, cells)
        if column.kind == "string":
            marker = self.missing.get(position, np.nan)
            values = pd.Series([marker if cell is None else cell for cell in cells], dtype=object)
            dtype: Any = column.dtype if column.dtype in ("str", "string") else object
            return values.astype(dtype)
        if column.times is not None:
            return _times(column, cells)
        if column.kind == "boolean" and column.dtype == "object":  # booleans and None: an encoder tells them apart
            return pd.Series(list(cells), dtype=object)
        if None in cells or column.kind == "number":
            return np.array(cells, dtype=np.float64).astype(self.dtype)
        return np.array(cells, dtype=bool if column.kind == "boolean" else np.int64)


def _single_threaded(estimator: Any) -> Any:
    """A copy whose every n_jobs is 1: sums in a fixed order. Arrays and trees are shared with the estimator.

    Boosters that share out rows, and add up each row in one thread, keep all cores.
    """
    twin = copy.deepcopy(estimator, dict(_immutable(estimator, set())))
    params = twin.get_params(deep=True) if hasattr(twin, "get_params") else {}
    for key in params:
        owner, _, name = key.rpartition("__")
        if name == "n_jobs":  # by itself: XGBoost's set_params writes to the booster, which is shared
            inner = params[owner] if owner else twin
            rowwise = type(inner).__module__.partition(".")[0] in _ROWWISE
            setattr(inner, name, joblib.cpu_count() if rowwise else 1)
    return twin


def _immutable(value: Any, seen: set[int]) -> Iterator[tuple[int, Any]]:
    """By id, what no method writes to: numeric arrays, trees and boosters, which hold most of a model's memory."""
    if id(value) in seen:
        return
    seen.add(id(value))
    numeric = isinstance(value, np.ndarray) and value.dtype.kind != "O"
    # XGBoost's and LightGBM's, and networks, which some frameworks copy by way of a file
    if numeric or isinstance(value, Tree) or type(value).__name__ == "Booster" or _is_network(value):
        yield id(value), value
    inside: Any = ()
    if isinstance(value, BaseEstimator | dict):
        inside = (vars(value) if isinstance(value, BaseEstimator) else value).values()
    elif isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype.kind == "O"):
        inside = value.flat if isinstance(value, np.ndarray) else value
    for item in inside:
        if not isinstance(item, str | float | int):
            yield from _immutable(item, seen)


def _is_network(value: Any) -> bool:
    return any(
        base.__module__.partition(".")[0] == "torch" or base.__name__ == "KerasSaveable" for base in type(value).__mro__
    )


def _categorical(column: Column, cells: tuple[Any, ...]) -> Any:
    """Of the known categories, and of unknown ones where they come."""
    known = list(column.categories or ())
    unknown = {cell for cell in cells if cell is not None} - set(known)
    return pd.Categorical(cells, categories=[*known, *sorted(unknown)])


def _times(column: Column, cells: tuple[Any, ...]) -> Any:
    """Datetimes as a numpy array; those with a time zone as a series."""
    assert column.times is not None
    if column.times.zoned:
        return pd.Series(list(cells), dtype=column.dtype)
    stamps = [cell.to_datetime64() if isinstance(cell, pd.Timestamp) else np.datetime64(cell) for cell in cells]
    return np.array(stamps).astype(column.dtype)  # numpy alone takes no nanoseconds from a Timestamp


def _typical(column: Column) -> Any:
    if column.categories:
        return column.categories[0]
    if column.kind == "boolean":
        return False
    low, high = column.range or (0.0, 0.0)
    return cell_of(column, (low + high) / 2)
