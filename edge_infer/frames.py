"""Callers' tables seen as columns, without importing pandas, polars or pyarrow: each is known by its module's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_infer.columns import Coded, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["ABSENT", "Rows", "Table", "read_column", "read_matrix", "read_table", "rows_of"]


class Absent:
    """Stands for a cell that a record does not have."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


class Table(NamedTuple):
    """Rows as columns: `names` is None where columns are told by position only."""

    rows: int
    width: int
    names: list[str] | None
    column: Callable[[int], NDArray[Any] | Coded]  # by position; shape (rows,)
    extra: tuple[str, ...] = ()  # keys of the first record, for hints about absent ones


class Rows(NamedTuple):
    """Callers' rows, whatever holds them: how many, and some of them in the same kind of thing: those from one to
    another, or from one on every so many."""

    length: int
    part: Callable[[int, int], Any]
    every: Callable[[int, int], Any]


def rows_of(data: Any) -> Rows | None:
    """None for a single record, and for what has no rows that can be told apart at a glance."""
    origin = type(data).__module__.partition(".")[0]
    if isinstance(data, np.ndarray):
        return _sliced(data) if data.ndim == 2 else None
    if isinstance(data, list | tuple):
        nested = bool(data) and isinstance(data[0], Mapping | list | tuple | np.ndarray)
        return _sliced(data) if nested else None
    if origin == "pandas" and hasattr(data, "iloc"):
        return _sliced(data.iloc, len(data))
    if origin in ("polars", "pyarrow") and hasattr(data, "slice") and hasattr(data, "__len__"):
        some = data.take if origin == "pyarrow" else data.__getitem__
        return Rows(
            len(data),
            lambda start, end: data.slice(start, end - start),
            lambda start, step: some(list(range(start, len(data), step))),
        )
    return None


def _sliced(data: Any, length: int | None = None) -> Rows:
    return Rows(
        len(data) if length is None else length,
        lambda start, end: data[start:end],
        lambda start, step: data[start::step],
    )


def read_table(data: Any, names: Sequence[str]) -> Table | None:
    """The table that `data` is, or None where it is none of the kinds known here.

    Known: pandas DataFrame, polars DataFrame, pyarrow Table and RecordBatch, a sequence of dicts, and
    anything that numpy makes a 2-D array of. `names` are the columns asked for, for a sequence of dicts.
    """
    origin = type(data).__module__.partition(".")[0]
    if origin == "pandas" and hasattr(data, "columns"):
        return _named(len(data), [str(name) for name in data.columns], lambda i: _pandas(data.iloc[:, i]))
    if origin == "polars" and hasattr(data, "get_columns"):
        return _named(data.height, list(data.columns), lambda i: _polars(data.to_series(i)))
    if origin == "pyarrow" and hasattr(data, "column_names"):
        return _named(data.num_rows, list(data.column_names), lambda i: _arrow(data.column(i)))
    if isinstance(data, list | tuple) and data and all(isinstance(record, Mapping) for record in data):
        return _records(data, names)
    return _matrix(data)


def read_matrix(data: Any, names: Sequence[str], *, by_name: bool) -> NDArray[Any] | None:
    """The numbers of a pandas DataFrame whose columns are all floats, or all int64, in the order of `names`.

    None for all else, and where a column does not stand there just once.
    """
    if type(data).__module__.partition(".")[0] != "pandas" or not hasattr(data, "columns"):
        return None
    own = data.columns.tolist()
    if own != list(names):
        if not by_name or len(set(own)) < len(own) or not set(names) <= set(own):
            return None
        data = data[list(names)]
    kinds = {getattr(dtype, "kind", "O") if isinstance(dtype, np.dtype) else "O" for dtype in data.dtypes}
    return data.to_numpy() if kinds in ({"f"}, {"i"}) else None


def read_column(data: Any) -> NDArray[Any] | Coded | None:
    """One column: a 1-D array, a pandas or polars Series, a pyarrow Array, or a flat list; None for all else."""
    origin = type(data).__module__.partition(".")[0]
    if isinstance(data, np.ndarray):
        return data if data.ndim == 1 else None
    if isinstance(data, list | tuple):
        nested = any(isinstance(cell, list | tuple | Mapping | np.ndarray) for cell in data)
        return None if nested else cells(data)
    if hasattr(data, "columns") or hasattr(data, "column_names"):
        return None
    if origin == "pandas" and hasattr(data, "to_numpy"):
        return _pandas(data)
    if origin == "polars" and hasattr(data, "to_list"):
        return _polars(data)
    return _arrow(data) if origin == "pyarrow" and hasattr(data, "to_pylist") else None


def _named(rows: int, names: list[str], column: Callable[[int], NDArray[Any] | Coded]) -> Table:
    return Table(rows, len(names), names, column)


def _records(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    """A cell that a record does not have is ABSENT."""
    keys = tuple(str(key) for key in records[0])
    return Table(
        len(records),
        len(names),
        list(names),
        lambda i: cells([record.get(names[i], ABSENT) for record in records]),
        keys,
    )


def _matrix(data: Any) -> Table | None:
    if isinstance(data, list | tuple) and not all(isinstance(row, list | tuple | np.ndarray) for row in data):
        return None
    try:
        array = np.asarray(data, dtype=object if _mixed(data) else None)
    except (TypeError, ValueError):
        return None
    return Table(len(array), array.shape[1], None, lambda i: array[:, i]) if array.ndim == 2 else None


def _mixed(data: Any) -> bool:
    """Whether rows hold text beside numbers: numpy would make all of it text."""
    return isinstance(data, list | tuple) and any(
        isinstance(cell, str | None) for row in data if isinstance(row, list | tuple) for cell in row
    )


def _pandas(series: Any) -> NDArray[Any] | Coded:
    if series.dtype.name == "category":
        return Coded(series.cat.categories.tolist(), series.cat.codes.to_numpy())
    if isinstance(series.dtype, np.dtype):
        return series.to_numpy()  # type: ignore[no-any-return]
    if series.dtype.kind in "fiub":  # nullable numbers: pandas.NA becomes NaN
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan) if series.hasnans else series.to_numpy())
    return series.to_numpy(dtype=object)  # type: ignore[no-any-return]


def _polars(series: Any) -> NDArray[Any] | Coded:
    if series.dtype.is_numeric() and not series.dtype.is_decimal():
        return series.to_numpy()  # type: ignore[no-any-return]
    if str(series.dtype).startswith("Date") and getattr(series.dtype, "time_zone", None) is None:  # as datetime64
        return series.to_numpy()  # type: ignore[no-any-return]
    return cells(series.to_list())


def _arrow(column: Any) -> NDArray[Any] | Coded:
    kind = str(column.type)
    if kind in ("string", "large_string"):
        column = column.dictionary_encode()
        kind = "dictionary"
    if kind.startswith("dictionary"):
        column = column.combine_chunks() if hasattr(column, "chunks") else column
        positions = column.indices if str(column.indices.type).startswith("int") else column.indices.cast("int64")
        positions = positions.fill_null(-1) if positions.null_count else positions
        return Coded(column.dictionary.to_pylist(), positions.to_numpy(zero_copy_only=False))
    if kind == "bool":
        column = column.cast("int8")  # with gaps, an array of it would be one of objects
    if kind.startswith(("bool", "int", "uint", "float", "double", "halffloat")):
        return column.to_numpy() if hasattr(column, "chunks") else column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    if kind.startswith(("timestamp", "date")) and "tz=" not in kind:  # datetime64; to_pylist has no nanoseconds
        return np.asarray(column.to_numpy() if hasattr(column, "chunks") else column.to_numpy(zero_copy_only=False))
    return cells(column.to_pylist())
