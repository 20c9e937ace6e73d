"""Rows that were read of an input, before they are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from edge_infer.errors import Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Chunk", "Place", "Reader", "Rows", "batch_of", "constant"]

#: Where a reader goes on: what it is, each reader says itself.
Place = dict[str, Any]


class Rows(NamedTuple):
    """Records of one chunk.

    batch: what is scored, one row for each record that could be taken apart. kept: columns that go to the output as
    they are, for the same records. records: how many there were, with those that could not; positions: which of them
    the rows are, None: all. misfits: by row of `batch`, what its cells are not. broken: by record, why it has no row.
    line: of a record, as people count.
    """

    batch: pa.RecordBatch
    kept: pa.RecordBatch
    records: int
    positions: NDArray[np.int64] | None
    misfits: dict[int, list[Mismatch]]
    broken: dict[int, str]
    line: Callable[[], Sequence[int]]


class Chunk(NamedTuple):
    """load: reads it, in any thread. after: where the next chunk begins. size: its bytes in the file."""

    load: Callable[[], Rows]
    after: Place
    size: int


class Reader(Protocol):
    """Of one input file. line_word: what its records are counted in, "line" or "row"; kept: fields of kept columns."""

    line_word: str
    kept: pa.Schema

    def chunks(self, place: Place | None) -> Iterator[Chunk]:
        """In order, from a place that a chunk told. Raises InputFileError, OSError."""

    def close(self) -> None: ...


def constant(text: str, rows: int) -> pa.Array:
    """A column of one text."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text], pa.string()))


def batch_of(columns: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    """Of so many rows, also where there is no column."""
    if columns:
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    return pa.RecordBatch.from_arrays([pa.nulls(rows)], names=[""]).select([])
