"""Callers' data → input tensors: one record (a dict, a flat list) or many rows, checked against the manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from edge_infer.columns import EXACT, Coded, ColumnReader, Misfit, column_readers, misfits
from edge_infer.errors import InputError, Mismatch
from edge_infer.frames import ABSENT, Table, read_column, read_matrix, read_table
from edge_infer.manifest import Column, Inputs
from edge_infer.time_units import units_of

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["ONE_THREAD", "Batch", "Group", "Packer", "takes_any_number", "whole_feeds"]

_KINDS: Final = "a dict, a list of dicts, a 2-D array, or a pandas, polars or pyarrow table"
ONE_THREAD: Final = 8192  # numbers that a dot product takes in one thread: OpenBLAS has more for over 10,000
_TEXTS: Final = "a text, a list, array or column of texts, a dict, or a table of one column"


class Batch(NamedTuple):
    """What a session is fed. `single`: the caller gave one record, not rows. `full`: no number is NaN."""

    feeds: dict[str, NDArray[Any]]
    rows: int
    single: bool
    full: bool = False  # True only where it is known at no cost

    def has_gaps(self) -> bool:
        """Whether a number is NaN."""
        return not self.full and any(bool(np.isnan(feed).any()) for feed in self._numbers())

    def gaps(self) -> NDArray[np.bool_]:
        """Whether a number is NaN, for each row: shape (rows,)."""
        found = np.zeros(self.rows, bool)
        for feed in self._numbers():
            found |= np.isnan(feed).any(axis=1)
        return found

    def chosen(self, rows: NDArray[np.int64]) -> Batch:
        """These rows alone."""
        return Batch({name: feed[rows] for name, feed in self.feeds.items()}, len(rows), single=False)

    def _numbers(self) -> list[NDArray[Any]]:
        return [feed for feed in self.feeds.values() if feed.dtype.kind == "f"]


class Group(NamedTuple):
    """The columns of one tensor, in its order. `members` are positions in the manifest's columns."""

    tensor: str
    dtype: np.dtype[Any]
    members: tuple[int, ...]


class Packer:
    """Prepared once from a manifest; thread-safe, since it holds no buffers."""

    def __init__(self, inputs: Inputs) -> None:
        self.columns = inputs.columns
        self._by_name = inputs.style == "columns"
        self._texts = inputs.style == "texts"
        self._reads_text = any(column.free_text for column in inputs.columns)
        self._names = [column.name for column in inputs.columns]
        self.readers = column_readers(inputs)
        self.groups = _groups(inputs)
        self._matrix = len(self.groups) == 1 and all(takes_any_number(column) for column in inputs.columns)
        self._matrix = self._matrix and self.groups[0].dtype.kind == "f"
        self._whole = any(column.kind == "integer" for column in inputs.columns)
        self._one = [
            (group.tensor, group.dtype, [self._reading(member) for member in group.members]) for group in self.groups
        ]

    def _reading(self, member: int) -> tuple[str, int, Callable[[Any], Any], bool]:
        """A column's name, place and reader, and whether an answer depends on it."""
        column = self.columns[member]
        return column.name, member, self.readers[member].one, column.used

    def rows_in(self, most: int) -> int:
        """Of how many rows the input tensors take at most so many bytes, but at least 1; 0: any number."""
        width = sum(group.dtype.itemsize * len(group.members) for group in self.groups)
        return max(1, most // max(1, width)) if most else 0

    def pack(self, data: Any) -> Batch:
        """Check `data` and copy it into new tensors of shape (rows, width).

        Raises:
            InputError: with every mismatch found, by row and column.
        """
        if isinstance(data, Mapping):
            return Batch(self._record(data), 1, single=True)
        if self._matrix:
            matrix = data if isinstance(data, np.ndarray) else read_matrix(data, self._names, by_name=self._by_name)
            if matrix is not None and matrix.ndim == 2 and matrix.dtype.kind in "fiub":
                feeds = self._numeric_matrix(matrix)
                if feeds is not None:
                    return Batch(feeds, len(matrix), single=False, full=True)
        if self._texts:
            if isinstance(data, str):
                return Batch(self._flat([data]), 1, single=True)
            column = read_column(data)
            if column is not None:
                return self._table(Table(_length(column), 1, None, lambda _: column))
        elif _is_flat(data):
            return Batch(self._flat(data), 1, single=True)
        table = read_table(data, self._names)
        if table is None:
            raise InputError([Mismatch(None, None, _TEXTS if self._texts else _KINDS, _shown(data))])
        return self._table(table)

    def _table(self, table: Table) -> Batch:
        if not table.rows and self._reads_text:  # onnxruntime's Tokenizer fails on no text at all
            raise InputError([Mismatch(None, None, "at least one row", "none")])
        return Batch(self._rows(table), table.rows, single=False)

    def _record(self, record: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        try:
            return {
                tensor: np.array([[read(record[name] if used else None) for name, _, read, used in members]], dtype)
                for tensor, dtype, members in self._one
            }
        except (Misfit, KeyError):
            raise self._record_error(record) from None

    def _record_error(self, record: Mapping[str, Any]) -> InputError:
        found: list[Mismatch] = []
        for name, reader in zip(self._names, self.readers, strict=True):
            if not reader.column.used:
                continue
            if name not in record:
                found.append(_absent(reader.column))
                continue
            try:
                reader.one(record[name])
            except Misfit as misfit:
                found.append(Mismatch(None, name, misfit.expected, misfit.got))
        return InputError(found, self._hint([str(name) for name in record]))

    def _numeric_matrix(self, data: NDArray[Any]) -> dict[str, NDArray[Any]] | None:
        """The short way for a matrix of numbers that are all finite; None sends it the careful way."""
        group = self.groups[0]
        if data.shape[1] != len(self.columns) or not self._exact(data, group.dtype):
            return None
        with np.errstate(over="ignore"):
            tensor = np.ascontiguousarray(data, dtype=group.dtype)
        return {group.tensor: tensor} if _all_finite(tensor) else None

    def _exact(self, data: NDArray[Any], dtype: np.dtype[Any]) -> bool:
        """Whether whole numbers stay what they are in `dtype`; NaN is no whole number."""
        if not data.size or not (self._whole or data.dtype.kind in "iu"):
            return True
        most = EXACT[dtype.name]
        return bool(data.max() <= most and data.min() >= -most)

    def _flat(self, row: Sequence[Any] | NDArray[Any]) -> dict[str, NDArray[Any]]:
        self._check_width(len(row))
        try:
            return {
                tensor: np.array([[read(row[place]) for _, place, read, _ in members]], dtype)
                for tensor, dtype, members in self._one
            }
        except Misfit:
            raise self._record_error(dict(zip(self._names, row, strict=True))) from None

    def _check_width(self, width: int) -> None:
        if width != len(self.columns):
            raise InputError([Mismatch(None, None, f"{len(self.columns)} columns", f"{width}")])

    def _rows(self, table: Table) -> dict[str, NDArray[Any]]:
        places = self._places(table)
        feeds = {g.tensor: self._blank(table.rows, g) for g in self.groups}
        found: list[Mismatch] = []
        for group in self.groups:
            for position, member in enumerate(group.members):
                if not self.columns[member].used:
                    continue
                values, reader = table.column(places[member]), self.readers[member]
                try:
                    feeds[group.tensor][:, position] = reader.many(values)
                except Misfit:
                    found += _column_mismatches(reader, values)
        if found:
            raise InputError(self._sorted(found), self._hint(list(table.extra)) if table.extra else None)
        return feeds

    def _blank(self, rows: int, group: Group) -> NDArray[Any]:
        """What is filled column by column; what no answer depends on is 0 or an empty text."""
        shape = rows, len(group.members)
        if all(self.columns[member].used for member in group.members):
            return np.empty(shape, group.dtype)
        return np.full(shape, "" if group.dtype.kind == "O" else 0, group.dtype)

    def _sorted(self, found: list[Mismatch]) -> list[Mismatch]:
        positions = {name: i for i, name in enumerate(self._names)}
        return sorted(found, key=lambda mismatch: (mismatch.row or 0, positions[mismatch.column or ""]))

    def _places(self, table: Table) -> list[int]:
        """Where each column of the manifest stands in the table; −1 for one that is not there, and not used."""
        if table.names is None or not (self._by_name or set(self._names) & set(table.names)):
            self._check_width(table.width)  # the original takes a matrix, whatever its columns are called
            return list(range(len(self.columns)))
        positions = {name: i for i, name in enumerate(table.names)}
        wrong = [_absent(column) for column in self.columns if column.used and column.name not in positions]
        if len(positions) < len(table.names):
            wrong += _repeated([column.name for column in self.columns if column.used], table.names)
        if wrong:
            raise InputError(wrong, self._hint(table.names))
        return [positions.get(name, -1) for name in self._names]

    def _hint(self, given: list[str]) -> str | None:
        """Near misses: 'flipper_lenght_mm' for 'flipper_length_mm'."""
        import difflib  # only for messages: it costs a millisecond to import

        extra = [name for name in given if name not in self._names]
        near = {name: difflib.get_close_matches(name, extra, 1, 0.6) for name in self._names if name not in given}
        pairs = [f"the input's {match[0]!r} is close to {name!r}" for name, match in near.items() if match]
        return "hint: " + "; ".join(pairs[:5]) if pairs else None


def whole_feeds(inputs: Inputs, rows: Sequence[Sequence[Any]]) -> dict[str, NDArray[Any]]:
    """Rows that are known to fit, None for missing, as the inputs of the uncut graph (FORMAT.md, 3)."""
    feeds = {}
    for tensor in inputs.tensors:
        text = tensor.dtype == "string"
        wide = "object" if text else "int64" if tensor.dtype == "int64" else "float64"
        array = np.empty((len(rows), tensor.width), dtype=wide)
        for place, column in enumerate(inputs.columns):
            if column.tensor == tensor.name:
                gap, times = (tensor.missing or "") if text else np.nan, column.times
                cells = [row[place] for row in rows]
                array[:, column.index] = (
                    [units_of(cell, times) for cell in cells]
                    if times
                    else [gap if cell is None else cell for cell in cells]
                )
        with np.errstate(over="ignore"):
            feeds[tensor.name] = array if text else array.astype(tensor.dtype)
    return feeds


def _groups(inputs: Inputs) -> list[Group]:
    """The columns of each tensor that a session of the cut graph is fed."""
    found = []
    for tensor in inputs.tensors:
        members = [i for i, column in enumerate(inputs.columns) if column.tensor == tensor.name]
        members.sort(key=lambda i: inputs.columns[i].index)
        coded = any(inputs.columns[i].coded for i in members)
        name = inputs.cut.tensor if coded and inputs.cut else tensor.name
        dtype = "int64" if coded else "object" if tensor.dtype == "string" else tensor.dtype
        found.append(Group(name, np.dtype(dtype), tuple(members)))
    return found


def _all_finite(tensor: NDArray[Any]) -> bool:
    """By their norm where they are few: for more, BLAS starts threads of its own, and waits for those. Nothing is
    allocated: memory for a truth value of each would be taken from the system and given back with every chunk.
    """
    flat = tensor.ravel()
    if len(flat) <= ONE_THREAD and np.isfinite(np.vdot(flat, flat)):
        return True
    return not len(flat) or bool(flat.min() > -np.inf and flat.max() < np.inf)  # NaN is neither


def _length(column: NDArray[Any] | Coded) -> int:
    return len(column.positions if isinstance(column, Coded) else column)


def takes_any_number(column: Column) -> bool:
    """Any that is finite and, if whole, exact."""
    return not column.used or (column.kind in ("number", "integer") and not column.closed)


def _is_flat(data: Any) -> bool:
    if isinstance(data, np.ndarray):
        return data.ndim == 1
    if not isinstance(data, list | tuple) or not data:
        return False
    return not any(
        isinstance(cell, list | tuple | Mapping) or (isinstance(cell, np.ndarray) and cell.ndim) for cell in data
    )


def _absent(column: Column) -> Mismatch:
    return Mismatch(None, column.name, f"a column of the kind {column.kind}", "no such column")


def _repeated(names: list[str], given: list[str]) -> list[Mismatch]:
    from collections import Counter

    counts = Counter(given)
    return [Mismatch(None, name, "one column", f"{counts[name]} of this name") for name in names if counts[name] > 1]


def _column_mismatches(reader: ColumnReader, values: NDArray[Any] | Coded) -> list[Mismatch]:
    absent = set() if isinstance(values, Coded) else {row for row, cell in enumerate(values) if cell is ABSENT}
    return [
        Mismatch(m.row, reader.column.name, m.expected, "no such field" if m.row in absent else m.got)
        for m in misfits(reader, values)
    ]


def _shown(data: Any) -> str:
    shape = getattr(data, "shape", None)
    return f"{type(data).__name__}" + (f" of shape {shape}" if shape is not None else f" {data!r:.60}")
