"""Many rows in chunks: what packing and running them takes in memory is taken for one chunk at a time.

With threads, so many chunks are under way at once: while one runs, the next is packed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from edge_infer.errors import InputError, Mismatch
from edge_infer.frames import Rows

__all__ = ["answer_in_chunks"]

_WORTH_A_THREAD: Final = 2  # chunks for each: starting one takes a while


def answer_in_chunks(answer: Callable[[Any], Any], rows: Rows, size: int, threads: int = 1) -> Any:
    """What `answer` gives for all rows: an array with a row for each, or a list of such.

    size: rows of a chunk, at least 1. threads: `answer` is called from so many at once.

    Raises:
        InputError: with the mismatches of all chunks, by row of the whole.
    """
    whole = _Whole(rows.length)
    failures: dict[int, InputError] = {}

    def run(start: int) -> None:
        try:
            whole.put(start, answer(rows.part(start, min(start + size, rows.length))))
        except InputError as error:
            failures[start] = error

    first, *others = range(0, rows.length, size)
    run(first)  # its answer tells types and shapes
    if not (failures and _of_no_row(failures[first])):  # else it is the same in all
        _run_all(run, others, threads)
    if failures:
        raise _of_all(failures)
    return whole.answers()


def _run_all(run: Callable[[int], None], starts: list[int], threads: int) -> None:
    if threads == 1 or len(starts) < _WORTH_A_THREAD * threads:
        for start in starts:
            run(start)
        return
    from concurrent.futures import ThreadPoolExecutor  # takes some milliseconds to import

    pool = ThreadPoolExecutor(threads)
    try:
        for _ in pool.map(run, starts):
            pass
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, nothing more is begun


class _Whole:
    """The answers of all rows, filled in part by part; from several threads once the first part is there."""

    def __init__(self, rows: int) -> None:
        self._rows, self._listed = rows, False
        self._arrays: list[Any] | None = None

    def put(self, start: int, given: Any) -> None:
        arrays = given if isinstance(given, list) else [given]
        if self._arrays is None:
            self._listed = isinstance(given, list)
            self._arrays = [np.empty((self._rows, *array.shape[1:]), array.dtype) for array in arrays]
        for whole, array in zip(self._arrays, arrays, strict=True):
            whole[start : start + len(array)] = array

    def answers(self) -> Any:
        assert self._arrays is not None  # there is at least one part
        return self._arrays if self._listed else self._arrays[0]


def _of_no_row(error: InputError) -> bool:
    return any(mismatch.row is None for mismatch in error.mismatches)


def _of_all(failures: dict[int, InputError]) -> InputError:
    """The mismatches of all chunks, in their order; one that concerns no row is the same in all."""
    first = failures[min(failures)]
    if _of_no_row(first):
        return first
    found: list[Mismatch] = []
    for start, error in sorted(failures.items()):
        found += [m if m.row is None else m._replace(row=m.row + start) for m in error.mismatches]
    return InputError(found, first.hint)
