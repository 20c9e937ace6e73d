"""What a call leaves behind: its time, and now and then its row. It takes well under a microsecond; the rest is the
thread's (`worker`), which looks at what was left once a second.

Rows are looked at up to a number a second, in the order of their coming; where more come, a share of them chosen by
chance, so that what is counted stays like what was asked.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from math import log, log1p
from random import random
from time import perf_counter
from typing import Any, Final

import numpy as np

from edge_infer.artifact import Artifact
from edge_infer.errors import InputError
from edge_infer.frames import Rows, rows_of
from edge_infer.monitor.basis import Basis
from edge_infer.monitor.folding import Folder, Kept
from edge_infer.monitor.summary import Summary

__all__ = ["Watcher"]

_MOST_OF_A_BATCH: Final = 256  # rows of one call that are looked at
_MOST_TIMES: Final = 1 << 12  # that wait to be counted

Answer = Callable[[Any], Any]


class _Method:
    """times: seconds of calls of one record that are not counted yet; look: when there are more than so many, the call
    is looked at.

    A deque, since a list or an array moves its memory in one or two of a hundred calls: that was a p99 of 30 % more.
    """

    __slots__ = ("look", "times")

    def __init__(self) -> None:
        self.times: deque[float] = deque()
        self.look = 0


class Watcher:
    """Looks on at the calls of one loaded model. Thread-safe.

    wake: called, from any thread, where there is something to fold and nothing was before; it may wait for no lock.
    """

    def __init__(self, artifact: Artifact, basis: Basis, rows_at_once: int, wake: Callable[[], None]) -> None:
        self.basis = basis
        self.is_unused = False  # nobody can call any more
        self._folder = Folder(artifact, basis)
        self._most = rows_at_once
        self._wake = wake
        self._methods: dict[str, _Method] = {}
        self.begin()

    def begin(self) -> None:
        """With nothing: in a child that is forked, what waits is the parent's."""
        self._folding = threading.RLock()  # a handler of a signal may call too
        self._one_fold = threading.RLock()  # no caller waits for this one
        self._summary, self._written = Summary(), Summary()
        self._batches: list[tuple[str, int, float]] = []  # method, rows, seconds
        self._kept: list[Kept] = []
        self._room, self._share = self._most, 1.0
        self._is_awake = False
        for method in self._methods.values():
            method.times.clear()
            method.look = 0

    # --- where calls are answered ---

    def around(self, method: str, answer: Answer) -> Answer:
        """A model's method, watched. One function, since each call of another costs a hundredth of an answer."""
        state = self._state(method)
        times = state.times
        append, clock = times.append, perf_counter

        def call(data: Any) -> Any:
            start = clock()
            try:
                found = answer(data)
            except Exception as error:
                self.failed(method, data, error, clock() - start)
                raise
            if data.__class__ is dict:
                append(clock() - start)
                if len(times) > state.look:
                    self._look(method, state, data, found)
            else:
                self.answered(method, data, found, clock() - start)
            return found

        return call

    def _state(self, method: str) -> _Method:
        return self._methods.get(method) or self._methods.setdefault(method, _Method())

    def _look(self, method: str, state: _Method, data: Any, answer: Any) -> None:
        """At this call of one record, if there is room; and when to look again."""
        if not self._is_awake:
            self._is_awake = True
            self._wake()
        if len(state.times) >= _MOST_TIMES:
            self._count_times()
        if self._room > 0:
            self._room -= 1
            self._kept.append(Kept(method, _own(data), _own(answer), None))
        state.look = min(len(state.times) + self._gap(), _MOST_TIMES - 1)

    def _gap(self) -> int:
        """Calls until the next one that is looked at: so many that each has the same chance (geometric)."""
        if self._room <= 0:
            return _MOST_TIMES
        if self._share >= 1:
            return 0
        return int(log(1 - random()) / log1p(-self._share))

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        """Of anything. `run` is counted alone, since nobody says what its tensors are."""
        try:
            rows = None if method == "run" or (data.__class__ is np.ndarray and data.ndim == 1) else rows_of(data)
            if rows is None and method != "run":
                state = self._state(method)
                state.times.append(seconds)
                if len(state.times) > state.look:
                    self._look(method, state, data, answer)
                return
            if rows is not None and self._room > 0:
                self._keep_some(method, rows, answer)
        except Exception:  # noqa: BLE001  # rows of a kind that cannot be taken apart: the caller has its answer
            rows = None
        self._batches.append((method, 0 if rows is None else rows.length, seconds))
        if not self._is_awake:
            self._is_awake = True
            self._wake()
        elif len(self._batches) >= _MOST_TIMES:
            self._count_times()

    def _keep_some(self, method: str, rows: Rows, answer: Any) -> None:
        """Rows of a batch, evenly spread over it from a place chosen by chance."""
        step = -(-rows.length // min(self._room, _MOST_OF_A_BATCH))
        first = int(random() * step)
        some = range(first, rows.length, step)
        if not some or isinstance(answer, list):
            return
        self._room -= len(some)
        part = rows.every(first, step)
        if isinstance(part, list | tuple):
            part = [each.copy() if isinstance(each, dict | list) else each for each in part]
        self._kept.append(Kept(method, _own(part), answer[first::step].copy(), len(some)))

    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None:
        with self._folding:
            self._summary.count_error(_kind(error))
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    # --- where it is folded ---

    def fold(self) -> None:
        """Count all that calls have left behind until now: when it returns, all of it is in what `take` gives."""
        with self._one_fold:
            self._is_awake = False  # first: who calls from now on wakes the thread again
            seen = Summary()
            with self._folding:
                kept, self._kept = self._kept, []
                asked = self._count_times()
                self._room, self._share = self._most, min(1.0, self._most / max(asked, 1))
            self._folder.fold(kept, seen)  # it takes a while: no caller waits for it
            with self._folding:
                self._summary.merge(seen)

    def _count_times(self) -> int:
        """How many rows were asked. The next call of each method is looked at."""
        with self._folding:
            summary, rows = self._summary, 0
            for name, method in self._methods.items():
                taken = method.times.popleft
                some = np.array([taken() for _ in range(len(method.times))])
                method.look = 0
                if len(some):
                    summary.count_call(name, len(some))
                    summary.latency.add_all(some)
                    rows += len(some)
            batches = self._batches[:]
            del self._batches[: len(batches)]
            for name, many, seconds in batches:
                summary.count_call(name)
                if many:
                    summary.batches.add(seconds)
                    summary.batch_seconds += seconds
                    rows += many
            summary.rows += rows
            return rows

    def take(self) -> Summary:
        """What was counted since the last time."""
        with self._folding:
            summary, self._summary = self._summary, Summary()
            return summary

    def was_written(self, summary: Summary) -> None:
        """What `take` gave."""
        with self._folding:
            self._written.merge(summary.of_calls())

    def give_back(self, summary: Summary) -> None:
        """What could not be written."""
        with self._folding:
            summary.merge(self._summary)
            self._summary = summary

    def totals(self) -> Summary:
        """Calls, rows, errors and latencies since the process began."""
        with self._folding:
            whole = self._written.of_calls()
            whole.merge(self._summary.of_calls())
            return whole


def _kind(error: Exception) -> str:
    """What went wrong, without what the caller's data says."""
    if isinstance(error, InputError) and error.mismatches:
        first = error.mismatches[0]
        where = "input" if first.column is None else f"column {first.column!r:.60}"
        return f"{where}: expected {first.expected:.100}"
    return type(error).__name__


def _own(value: Any) -> Any:
    """A copy, where the caller may change it."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.copy() if hasattr(value, "copy") else value
