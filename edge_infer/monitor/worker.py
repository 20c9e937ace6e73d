"""The thread that counts what calls leave behind, and writes it: one for all models of a monitor in a process.

It begins with the first call, sleeps while there is none, and ends with its last model, or with the process, which
waits a moment for the last write. A child that is forked has a thread of its own.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from edge_infer.errors import EdgeInferError
from edge_infer.events import report_event
from edge_infer.monitor import otel, windows
from edge_infer.monitor.basis import Basis
from edge_infer.monitor.log import PredictionLog
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.watching import Watcher
from edge_infer.monitor.windows import Stamp
from edge_infer.process_end import AtEnd
from edge_infer.store.files import Files

__all__ = ["Keeping", "Worker"]

_GATHER_SECONDS: Final = 1.0  # that calls gather before they are folded
_PATIENCE: Final = 2.0  # seconds that the end of a process waits for the last write


class Keeping(NamedTuple):
    """seconds: between two writes; hours, days: windows that are kept."""

    seconds: float
    hours: int
    days: int


class _Watched(NamedTuple):
    watcher: Watcher
    log: PredictionLog | None
    since: list[Stamp]  # one: of the first call that was counted and is not written yet; or none


class Worker:
    """Thread-safe."""

    def __init__(
        self,
        files: Files,
        keeping: Keeping,
        now: Callable[[], Stamp],
        ended: Callable[[str], None] | None = None,
    ) -> None:
        """ended: called, with the model's name, where a window has ended and the next one has begun."""
        self._ended = ended
        self._files, self._keeping, self._now = files, keeping, now
        self._watched: list[_Watched] = []
        self._gather = _GATHER_SECONDS
        otel.tell_of(self)
        self._begin()

    def _begin(self) -> None:
        """In this process."""
        self._signals: SimpleQueue[bool] = SimpleQueue()  # whose `put` may break into itself, as finalizers do
        self._changing, self._writing = threading.RLock(), threading.RLock()
        self._thread: threading.Thread | None = None
        self._is_over = self._told = False
        self._next = 0.0

    def watch(self, watcher: Watcher, log: PredictionLog | None = None) -> None:
        with self._changing:
            self._watched.append(_Watched(watcher, log, []))
            if log is not None and log.settings.flush != "line":
                self._gather = min(self._gather, log.settings.flush)

    def wake(self) -> None:
        """There is something to fold. Raises nothing."""
        if self._thread is None:
            self._start()
        self._signals.put(True)

    def let_go(self, watcher: Watcher) -> None:
        """Nobody can call any more. For finalizers, which run in the middle of anything: no lock is waited for."""
        watcher.is_unused = True
        self._signals.put(True)

    def totals(self) -> list[tuple[Basis, Summary]]:
        """Of each model that is watched, what was counted since the process began."""
        return [(watched.watcher.basis, watched.watcher.totals()) for watched in list(self._watched)]

    def forked(self) -> None:
        """In the child: the thread is the parent's, and so is what waits."""
        self._begin()
        for watched in self._watched:
            watched.since.clear()
            watched.watcher.begin()

    def _start(self) -> None:
        with self._changing:
            if self._thread is not None or self._is_over:
                return
            _running.add(self)
            _at_end.watch()
            thread = threading.Thread(target=self._run, name="edge-infer monitor", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the process ends: at the next occasion
                return
            self._thread = thread

    # --- the thread ---

    def _run(self) -> None:
        while not self._is_over:
            self._wait()
            self._fold()
            if time.monotonic() >= self._next or self._is_any_unused():
                self.flush()
            with self._changing:
                if not self._watched:
                    self._thread = None
                    return

    def _wait(self) -> None:
        """Until there is something to fold or to write, and then a moment for more to come."""
        try:
            self._signals.get(timeout=max(0.0, self._next - time.monotonic()) if self._is_dirty() else None)
        except Empty:
            return
        until = time.monotonic() + self._gather
        while not (self._is_over or self._is_any_unused()) and (left := until - time.monotonic()) > 0:
            with suppress(Empty):
                self._signals.get(timeout=left)

    def _is_dirty(self) -> bool:
        return any(watched.since for watched in self._watched)

    def _is_any_unused(self) -> bool:
        return not self._watched or any(watched.watcher.is_unused for watched in self._watched)

    def _fold(self) -> None:
        """What belongs to the hour that has ended is written before anything of the next one is counted."""
        otel.look()
        now = self._now()
        if not self._is_dirty():
            self._next = time.monotonic() + self._keeping.seconds
        for watched in list(self._watched):
            if watched.since and windows.hour_of(watched.since[0].utc) != windows.hour_of(now.utc):
                self._write(watched, now)
            if not watched.since:
                watched.since.append(now)
            self._count(watched.watcher)
            if watched.log is not None:
                watched.log.flush(only_if_due=True)

    def _count(self, watcher: Watcher) -> None:
        """A mistake in counting is told, and ends neither the thread nor the program."""
        try:
            watcher.fold()
        except Exception as error:  # noqa: BLE001
            report_event("monitor", f"{watcher.basis.name}: some rows are not counted: {type(error).__name__}: {error}")

    # --- writing ---

    def flush(self, *, only: Watcher | None = None) -> None:
        """Count and write all there is; models that nobody can call any more are watched no more."""
        otel.look()
        with self._writing:
            now = self._now()
            for watched in list(self._watched):
                if only not in (None, watched.watcher):
                    continue
                ends = watched.watcher.is_unused
                self._count(watched.watcher)
                if watched.log is not None:
                    watched.log.flush()
                if self._write(watched, now) and ends:
                    with self._changing:
                        self._watched.remove(watched)
            self._next = time.monotonic() + self._keeping.seconds

    def close(self, watcher: Watcher) -> None:
        """There will be no more calls: all of it is written, and the thread ends with its last model."""
        watcher.is_unused = True
        self.flush(only=watcher)
        self._signals.put(True)

    def _write(self, watched: _Watched, now: Stamp) -> bool:
        """Whether nothing is left. Where it fails, it is tried again with what comes next."""
        with self._writing:
            watcher = watched.watcher
            summary = watcher.take()
            if summary.is_empty():
                watched.since.clear()
                return True
            since = watched.since[0] if watched.since else now
            basis = watcher.basis
            try:
                is_next = windows.add(
                    self._files,
                    basis,
                    since,
                    now,
                    summary,
                    keep_hours=self._keeping.hours,
                    keep_days=self._keeping.days,
                )
            except (EdgeInferError, OSError) as error:
                watcher.give_back(summary)
                if not self._told:
                    report_event("monitor", f"{basis.name}: what was seen is not written yet: {error}")
                self._told = True
                return False
            watcher.was_written(summary)
            watched.since.clear()
            self._told = False
        if is_next and self._ended is not None:
            self._tell_of_end(basis.name, self._ended)
        return True

    def _tell_of_end(self, name: str, ended: Callable[[str], None]) -> None:
        """A window has ended. What the program makes of it is its own, and harms nobody here."""
        try:
            ended(name)
        except Exception as error:  # noqa: BLE001
            report_event("monitor", f"{name}: a change of verdict was not told: {type(error).__name__}: {error}")

    def end(self) -> None:
        """All is written, and the thread is gone."""
        self.flush()
        self._is_over = True
        self._signals.put(True)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE)


# --- the process ------------------------------------------------------------------------

_running: Final[weakref.WeakSet[Worker]] = weakref.WeakSet()


def _end_all() -> None:
    for worker in list(_running):
        worker.end()


_at_end: Final = AtEnd(_end_all)


def _in_a_child() -> None:
    for worker in list(_running):
        worker.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
