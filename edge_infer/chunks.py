"""Many rows in chunks: what packing and running them takes in memory is taken for one chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edge_infer.errors import InputError, Mismatch
from edge_infer.frames import Rows

__all__ = ["answer_in_chunks"]


def answer_in_chunks(answer: Callable[[Any], Any], rows: Rows, size: int) -> Any:
    """What `answer` gives for all rows: an array with a row for each, or a list of such.

    size: rows of a chunk, at least 1.

    Raises:
        InputError: with the mismatches of all chunks, by row of the whole.
    """
    together: list[Any] = []
    listed = False
    for start, part in _parts(rows, size):
        try:
            given = answer(part)
        except InputError as error:
            raise _of_all(answer, rows, size, start, error) from None
        listed = isinstance(given, list)
        arrays = given if listed else [given]
        if not together:
            together = [np.empty((rows.length, *array.shape[1:]), array.dtype) for array in arrays]
        for whole, array in zip(together, arrays, strict=True):
            whole[start : start + len(array)] = array
    return together if listed else together[0]


def _parts(rows: Rows, size: int, first: int = 0) -> Iterator[tuple[int, Any]]:
    for start in range(first, rows.length, size):
        yield start, rows.part(start, min(start + size, rows.length))


def _of_all(answer: Callable[[Any], Any], rows: Rows, size: int, start: int, error: InputError) -> InputError:
    """The mismatches of this chunk and of those after it; one that concerns no row is the same in all."""
    found = _counted_from(start, error)
    if any(mismatch.row is None for mismatch in found):
        return error
    for later, part in _parts(rows, size, start + size):
        try:
            answer(part)
        except InputError as another:
            found += _counted_from(later, another)
    return InputError(found, error.hint)


def _counted_from(start: int, error: InputError) -> list[Mismatch]:
    return [m if m.row is None else m._replace(row=m.row + start) for m in error.mismatches]
