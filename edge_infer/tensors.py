"""Callers' data → input tensors: one record (a dict, a flat list) or many rows, checked against the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.columns import ColumnReader, Misfit, column_readers, first_misfits
from edge_infer.errors import InputError, Mismatch
from edge_infer.frames import ABSENT, Table, read_table
from edge_infer.manifest import Column, Inputs

__all__ = ["Batch", "Packer"]

_MOST_PER_COLUMN: Final = 100  # mismatches reported of one column
_KINDS = "a dict, a list of dicts, a 2-D array, or a pandas, polars or pyarrow table"


class Batch(NamedTuple):
    """What a session is fed. `single` tells that the caller gave one record, not rows."""

    feeds: dict[str, NDArray[Any]]
    rows: int
    single: bool


class _Group(NamedTuple):
    """The columns of one tensor, in its order. `members` are positions in the manifest's columns."""

    tensor: str
    dtype: np.dtype[Any]
    members: tuple[int, ...]


class Packer:
    """Prepared once from a manifest; thread-safe, since it holds no buffers."""

    def __init__(self, inputs: Inputs) -> None:
        self._columns = inputs.columns
        self._names = [column.name for column in inputs.columns]
        self._readers = column_readers(inputs)
        self._groups = _groups(inputs)
        self._matrix = len(self._groups) == 1 and all(_plain(column) for column in inputs.columns)
        self._one = [
            (group.tensor, group.dtype, [(self._names[m], self._readers[m].one) for m in group.members])
            for group in self._groups
        ]

    def pack(self, data: Any) -> Batch:
        """Check `data` and copy it into new tensors of shape (rows, width).

        Raises:
            InputError: with every mismatch found, by row and column.
        """
        if isinstance(data, Mapping):
            return Batch(self._record(data), 1, single=True)
        if isinstance(data, np.ndarray) and self._matrix and data.ndim == 2 and data.dtype.kind in "fiub":
            feeds = self._numeric_matrix(data)
            if feeds is not None:
                return Batch(feeds, len(data), single=False)
        table = read_table(data, self._names)
        if table is None and _is_flat(data):
            return Batch(self._rows(self._one_row(data)), 1, single=True)
        if table is None:
            raise InputError([Mismatch(None, None, _KINDS, _shown(data))])
        return Batch(self._rows(table), table.rows, single=False)

    def _record(self, record: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        try:
            return {
                tensor: np.array([[read(record[name]) for name, read in members]], dtype)
                for tensor, dtype, members in self._one
            }
        except (Misfit, KeyError):
            raise self._record_error(record) from None

    def _record_error(self, record: Mapping[str, Any]) -> InputError:
        found: list[Mismatch] = []
        for name, reader in zip(self._names, self._readers, strict=True):
            if name not in record:
                found.append(_absent(reader.column))
                continue
            found += [
                Mismatch(None, name, misfit.expected, misfit.got) for misfit in first_misfits(reader, [record[name]], 1)
            ]
        return InputError(found, self._hint([str(name) for name in record]))

    def _numeric_matrix(self, data: NDArray[Any]) -> dict[str, NDArray[Any]] | None:
        """The short way for a matrix of numbers that are all finite; None sends it the careful way."""
        group = self._groups[0]
        if data.shape[1] != len(self._columns) or data.dtype.kind in "iu":
            return None
        with np.errstate(over="ignore"):
            tensor = np.ascontiguousarray(data, dtype=group.dtype)
        return {group.tensor: tensor} if np.isfinite(tensor).all() else None

    def _one_row(self, data: Iterable[Any]) -> Table:
        cells = list(data)
        boxed = [np.array([None], dtype=object) for _ in cells]
        for box, cell in zip(boxed, cells, strict=True):
            box[0] = cell
        self._check_width(len(cells))
        return Table(1, None, lambda i: boxed[i])

    def _check_width(self, width: int) -> None:
        if width != len(self._columns):
            raise InputError([Mismatch(None, None, f"{len(self._columns)} columns", f"{width}")])

    def _rows(self, table: Table) -> dict[str, NDArray[Any]]:
        places = self._places(table)
        feeds = {g.tensor: np.empty((table.rows, len(g.members)), g.dtype) for g in self._groups}
        found: list[Mismatch] = []
        for group in self._groups:
            for position, member in enumerate(group.members):
                values, reader = table.column(places[member]), self._readers[member]
                try:
                    feeds[group.tensor][:, position] = reader.many(values)
                except Misfit as misfit:
                    found += _column_mismatches(reader, values, misfit)
        if found:
            found.sort(key=lambda mismatch: (mismatch.row or 0, self._names.index(mismatch.column or "")))
            raise InputError(found)
        return feeds

    def _places(self, table: Table) -> list[int]:
        """Where each column of the manifest stands in the table."""
        if table.names is None:
            if table.rows:
                self._check_width(_width(table))
            return list(range(len(self._columns)))
        positions = {name: i for i, name in enumerate(table.names)}
        absent = [_absent(column) for column in self._columns if column.name not in positions]
        if absent:
            raise InputError(absent, self._hint(table.names))
        return [positions[name] for name in self._names]

    def _hint(self, given: list[str]) -> str | None:
        """Near misses: 'flipper_lenght_mm' for 'flipper_length_mm'."""
        import difflib  # only for messages: it costs a millisecond to import

        extra = [name for name in given if name not in self._names]
        near = {name: difflib.get_close_matches(name, extra, 1, 0.75) for name in self._names if name not in given}
        pairs = [f"the input's {match[0]!r} is close to {name!r}" for name, match in near.items() if match]
        return "hint: " + "; ".join(pairs[:5]) if pairs else None


def _groups(inputs: Inputs) -> list[_Group]:
    groups = []
    for tensor in inputs.tensors:
        members = [i for i, column in enumerate(inputs.columns) if column.tensor == tensor.name]
        members.sort(key=lambda i: inputs.columns[i].index)
        coded = tensor.dtype == "string"
        name = inputs.cut.tensor if coded and inputs.cut else tensor.name
        groups.append(_Group(name, np.dtype("int64" if coded else tensor.dtype), tuple(members)))
    return groups


def _plain(column: Column) -> bool:
    return column.kind in ("number", "integer") and not column.closed


def _width(table: Table) -> int:
    width = 0
    while True:
        try:
            table.column(width)
        except IndexError:
            return width
        width += 1


def _is_flat(data: Any) -> bool:
    if isinstance(data, np.ndarray):
        return data.ndim == 1
    return isinstance(data, list | tuple) and bool(data)


def _absent(column: Column) -> Mismatch:
    return Mismatch(None, column.name, f"a column of the kind {column.kind}", "no such column")


def _column_mismatches(reader: ColumnReader, values: Any, first: Misfit) -> list[Mismatch]:
    name = reader.column.name
    misfits = first_misfits(reader, values, _MOST_PER_COLUMN) if isinstance(values, np.ndarray) else []
    return [
        Mismatch(m.row, name, m.expected, "no such field" if m.got.startswith(type(ABSENT).__name__) else m.got)
        for m in misfits or [first]
    ]


def _shown(data: Any) -> str:
    shape = getattr(data, "shape", None)
    return f"{type(data).__name__}" + (f" of shape {shape}" if shape is not None else f" {data!r:.60}")
