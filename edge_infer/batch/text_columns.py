"""Columns of text → columns of the kinds that the manifest says, by the rules of `csv_cells`."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_infer.csv_cells import BadCell, cell_reader, texts_for_missing
from edge_infer.errors import Mismatch
from edge_infer.manifest import Column

__all__ = ["TypedColumn", "is_exact", "missing_of", "typed"]

#: Whole numbers up to here are told apart by a float64.
_EXACT_WHOLE: Final = 2**53
_SHOWN: Final = 60


class TypedColumn(NamedTuple):
    """misfits: by row, the cells that are not of the column's kind; they are null in `values`."""

    values: pa.Array
    misfits: dict[int, Mismatch]


def is_exact(values: pa.Array, column: Column) -> bool:
    """Whether numbers that pyarrow read as float64 are those of the text."""
    if column.kind != "integer" or not len(values):
        return True
    largest = pc.max(pc.abs(values)).as_py()
    return largest is None or largest < _EXACT_WHOLE


def typed(values: pa.Array, column: Column) -> TypedColumn:
    """A dictionary of texts, or of bytes that nobody has read yet, as its column's kind."""
    found: list[Any] = []
    bad: dict[int, Mismatch] = {}
    read = cell_reader(column)
    for place, raw in enumerate(values.dictionary.to_pylist()):
        value, mismatch = _cell(raw, column, read)
        found.append(value)
        if mismatch is not None:
            bad[place] = mismatch
    if column.kind == "integer":
        _part_inexact(found, bad, column)
    indices = values.indices
    array = _array(found, column)
    if pa.types.is_string(array.type) and not column.free_text:
        made: pa.Array = pa.DictionaryArray.from_arrays(indices, array)
    else:
        made = array.take(indices)
    return TypedColumn(made, _at_rows(indices, bad))


def _cell(raw: str | bytes | None, column: Column, read: Any) -> tuple[Any, Mismatch | None]:
    if raw is None:  # a null that pyarrow read
        return None, None
    try:
        text = raw if isinstance(raw, str) else raw.decode()
    except UnicodeDecodeError as error:
        return None, Mismatch(None, column.name, "text in UTF-8", f"the byte 0x{raw[error.start]:02x}")
    try:
        return read(text), None
    except BadCell as bad:
        return None, Mismatch(None, column.name, bad.expected, repr(text)[:_SHOWN])


def _part_inexact(found: list[Any], bad: dict[int, Mismatch], column: Column) -> None:
    """Beside numbers with a point, whole ones are floats too: those that no float64 holds fit no column."""
    if all(each is None or isinstance(each, int) for each in found):
        return
    for place, value in enumerate(found):
        if isinstance(value, int) and int(float(value)) != value:
            bad[place] = Mismatch(None, column.name, "a whole number that float64 holds exactly", str(value))
            found[place] = None


def _array(found: list[Any], column: Column) -> pa.Array:
    if column.kind in ("string", "datetime"):
        return pa.array(found, pa.string())
    if column.kind == "integer" and all(each is None or _is_int64(each) for each in found):
        return pa.array(found, pa.int64())
    return pa.array([None if each is None else float(each) for each in found], pa.float64())


def _is_int64(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _at_rows(indices: pa.Array, bad: dict[int, Mismatch]) -> dict[int, Mismatch]:
    if not bad:
        return {}
    places = np.asarray(indices.fill_null(-1))
    rows = np.flatnonzero(np.isin(places, list(bad)))
    return {int(row): bad[int(places[row])] for row in rows}


def missing_of(columns: list[Column]) -> list[str]:
    """Texts that are missing in each of these columns."""
    found = [texts_for_missing(column) for column in columns]
    return sorted(frozenset.intersection(*found)) if found else [""]
