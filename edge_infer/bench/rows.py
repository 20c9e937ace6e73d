"""What a model is measured with: golden rows, or rows of the caller's. Models of tensors: `tensors.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_infer.manifest import Inputs
from edge_infer.model import Model

__all__ = ["BATCHES", "MOST_ROWS", "Case", "Rows", "Sample", "rows_of_data"]

BATCHES: Final = (1, 10, 100, 1_000, 10_000)
MOST_ROWS: Final = BATCHES[-1]  # of the caller's data that are kept


class Case(NamedTuple):
    """A kind of call: its name, how many rows a call has, and what calls are given, in turn."""

    name: str
    rows: int
    given: Sequence[Any]


class Sample(Protocol):
    """Rows, and how a model is asked about them."""

    @property
    def origin(self) -> str:
        """Where the rows come from, for people."""

    @property
    def method(self) -> str:
        """What is asked: a method of the model, or `run`."""

    @property
    def widest(self) -> int | None:
        """The most rows that a call takes; None: any number."""

    def batch(self, rows: int) -> Case:
        """Calls of so many rows."""

    def single(self) -> list[Case]:
        """The kinds of calls with one record that an application makes."""

    def ask(self, model: Model) -> Callable[[Any], Any]:
        """What a call is: its argument is one of a case's `given`."""


class Rows(NamedTuple):
    """Cells in the order of the manifest's columns, None for missing; at least one row."""

    origin: str
    method: str
    inputs: Inputs
    cells: tuple[tuple[Any, ...], ...]
    widest: int | None = None

    def record(self, row: int) -> dict[str, Any]:
        """A row by the names of its columns."""
        names = (column.name for column in self.inputs.columns)
        return dict(zip(names, self.cells[row], strict=True))

    def single(self) -> list[Case]:
        """A record as JSON has it, and a row as numpy has it: an array where all columns are numbers, else a list."""
        records = [self.record(row) for row in range(len(self.cells))]
        if self.inputs.style == "texts":
            return [Case("record", 1, records), Case("text", 1, [cells[0] for cells in self.cells])]
        if self._numeric:
            return [Case("record", 1, records), Case("array", 1, list(self._array(self.cells)))]
        return [Case("record", 1, records), Case("list", 1, [list(cells) for cells in self.cells])]

    def batch(self, rows: int) -> Case:
        """The rows over and over: an array, a list of texts, or a list of records. One row is a record."""
        if rows == 1:
            return self.single()[0]
        repeated = [row % len(self.cells) for row in range(rows)]
        if self.inputs.style == "texts":
            return Case(f"{rows:,} texts", rows, [[self.cells[row][0] for row in repeated]])
        if self._numeric:
            return Case(f"array of {rows:,}", rows, [self._array([self.cells[row] for row in repeated])])
        return Case(f"{rows:,} records", rows, [[self.record(row) for row in repeated]])

    def ask(self, model: Model) -> Callable[[Any], Any]:
        """Raises MethodError where the model has no such method."""
        return getattr(model, self.method)  # type: ignore[no-any-return]

    @property
    def _numeric(self) -> bool:
        """Whether callers have all columns as one array of floats."""
        return all(column.kind in ("number", "integer") for column in self.inputs.columns)

    def _array(self, cells: Sequence[tuple[Any, ...]]) -> NDArray[np.float64]:
        return np.array(cells, dtype=np.float64)


def rows_of_data(data: Any, *, single: bool, inputs: Inputs) -> tuple[tuple[Any, ...], ...]:
    """Rows that the model has answered, as cells in the order of its columns; at most `MOST_ROWS` of them.

    data: a record or a flat list (`single`), or an array or a list of such.
    """
    rows = [data] if single else data[:MOST_ROWS]
    names = [column.name for column in inputs.columns]
    return tuple(_cells(row, names) for row in rows)


def _cells(row: Any, names: Sequence[str]) -> tuple[Any, ...]:
    if isinstance(row, Mapping):
        return tuple(row.get(name) for name in names)  # one that no answer depends on may be left out
    return (row,) if isinstance(row, str) else tuple(row)
