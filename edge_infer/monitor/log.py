"""The prediction log of one loaded model (opt in): calls are copied where they are answered, and written later by the
monitor's thread, or at once where every line has to last.

Whatever happens to the disk, callers have their answers: rows wait in memory up to a limit, then they are dropped, and
how many is told in the log.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from random import random
from typing import Any, Final, NamedTuple

import numpy as np

from edge_infer.errors import EdgeInferError
from edge_infer.events import report_event
from edge_infer.frames import rows_of
from edge_infer.monitor.log_files import LogWriter, process_name
from edge_infer.monitor.log_ids import Ids, own_ids
from edge_infer.monitor.log_lines import Call, Lines, LoggedModel, Stamp, error_fields, iso
from edge_infer.monitor.log_settings import LogSettings
from edge_infer.monitor.log_tending import Keeping, Repaired, bytes_per_day, tend
from edge_infer.store.files import Files
from edge_infer.store.names import check_name

__all__ = ["PredictionLog", "clock"]

_MOST_ROWS: Final = 10_000  # that wait in memory
_MOST_CELLS: Final = 500_000  # … of wide models, but 100 rows at least
_LEAST_ROWS: Final = 100
_MOST_BYTES: Final = 16 << 20  # of lines that could not be written
_TEND_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 60.0  # after the files could not be tended
_MIB: Final = 1 << 20
_PLAIN: Final = frozenset({str, float, int, bool, np.str_, np.float32, np.float64, np.int64, np.bool_})  # never change
_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", None)  # counts time asleep; see clock_gettime(2)


def clock() -> Stamp:
    """Now."""
    return Stamp(time.time(), time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME))


class _Rows(NamedTuple):
    """The rows of a call that has any, and a copy of some of them."""

    length: int
    some: Callable[[int, int], Any]


class PredictionLog:
    """Told of the calls of one model (`observed.Observer`). Thread-safe. It raises nothing once it is made.

    The monitor's thread calls `flush(only_if_due=True)` once a second, or as often as `settings.flush` says.
    """

    def __init__(
        self,
        files: Files,
        model: LoggedModel,
        settings: LogSettings | None = None,
        now: Callable[[], Stamp] = clock,
    ) -> None:
        """Nothing is written before the first call.

        Raises:
            UsageError: a setting that makes no sense.
            KeyFileError, OSError: the secret file cannot be used.
            UnsafePathError: a model's name that cannot name files.
        """
        self.settings = settings = (settings or LogSettings()).checked()
        self._files, self._model, self._now = files, model, now
        self._name = check_name(model.name)
        self._boot = _boot()
        lines = Lines(model, settings, self._boot)
        self._lines_of, self._note = lines.of, lines.note
        self._most = min(_MOST_ROWS, max(_LEAST_ROWS, _MOST_CELLS // max(1, len(model.columns))))
        self._keeping = Keeping(int(settings.total_mib * _MIB), settings.keep_days, settings.compress)
        self._share, self._at_once = settings.share, settings.flush == "line"
        self._keeps_data = settings.inputs != "none"
        self._seconds = 0.0 if settings.flush == "line" else float(settings.flush)
        self._begin()
        _running.add(self)

    def _begin(self) -> None:
        """With nothing: in a child that is forked, what waits is the parent's."""
        settings = self.settings
        self._changing, self._writing = threading.RLock(), threading.RLock()  # a handler of a signal may call too
        self._is_writing = False
        self._calls: list[Call] = []
        self._lines: deque[bytes] = deque()  # that were tried to be written
        self._rows = self._dropped = 0  # in calls and lines; since the log was told
        self._repaired = Repaired(0, 0)
        self._told = self._told_untended = False
        self._ids, self._last = Ids(), threading.local()
        self._next = self._next_tending = 0.0
        self._writer = LogWriter(
            self._files, self._name, process_name(self._boot, os.getpid(), self._ids.prefix),
            most_bytes=max(1, int(settings.file_mib * _MIB)), most_seconds=settings.file_hours * 3600,
        )  # fmt: skip

    # --- where calls are answered ---

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        self._last.id = None
        if self._share < 1.0 and random() >= self._share:
            return
        try:
            if data.__class__ is dict and method != "run":  # the usual call, in short
                data = data.copy() if self._keeps_data else None
                answer = answer if answer.__class__ in _PLAIN else _copied(answer)
                self._keep(Call(_one_id(self._ids), self._now(), method, data, answer, seconds))
            elif method == "run" or (rows := _rows(data, self._model.style == "texts")) is None:
                self._keep_one(method, data, answer, seconds)
            else:
                self._keep_rows(method, rows, answer, seconds)
        except Exception as error:  # noqa: BLE001  # the caller's own kinds of data, no memory: it has its answer all the same
            self._tell(error)

    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None:
        self._last.id = None
        if self._share < 1.0 and random() >= self._share:
            return
        try:
            fields = error_fields(error, with_values=self.settings.inputs == "all")
            self._keep(Call(_one_id(self._ids), self._now(), method, None, None, seconds, error=fields))
        except Exception as other:  # noqa: BLE001  # an error that cannot be shown
            self._tell(other)

    def last_id(self) -> str | None:
        """By what the log calls the last call of this thread; None where it was not logged.

        Row 3 of a call with many rows is "ID.3", unless `prediction_id` has named its rows.
        """
        return getattr(self._last, "id", None)

    def _keep_one(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        data = _copied(data) if self._keeps_data and method != "run" else None
        answer = None if method == "run" else _copied(answer)
        self._keep(Call(_one_id(self._ids), self._now(), method, data, answer, seconds))

    def _keep(self, call: Call) -> None:
        with self._changing:
            fits = self._rows < self._most
            if fits:
                self._rows += 1
                self._calls.append(call)
            else:
                self._dropped += 1
        if self._at_once:
            self._write()
        if fits:
            self._last.id = call.id  # last: a handler of a signal may have called meanwhile

    def _keep_rows(self, method: str, rows: _Rows, answer: Any, seconds: float) -> None:
        """Where not all of them fit, the first ones."""
        own, at = own_ids(), self._now()
        ids = own if isinstance(own, tuple) and len(own) == rows.length else None
        if isinstance(own, tuple) and ids is None:
            report_event("monitor", f"{self._name}: {len(own)} ids were given for {rows.length} rows; none was used")
        name = own if isinstance(own, str) else self._ids.next()
        taken = 0
        while taken < rows.length and (some := self._reserved(rows.length - taken)):
            end = taken + some
            try:
                call = Call(
                    name, at, method, rows.some(taken, end) if self._keeps_data else None,
                    _part(answer, taken, end), seconds, some, taken, ids[taken:end] if ids else None,
                )  # fmt: skip
            except BaseException:
                with self._changing:
                    self._rows, self._dropped = self._rows - some, self._dropped + rows.length - taken
                raise
            with self._changing:
                self._calls.append(call)
            taken = end
            if self._at_once:
                self._write()
            self._last.id = name
        with self._changing:
            self._dropped += rows.length - taken

    def _reserved(self, asked: int) -> int:
        """How many rows more may wait."""
        with self._changing:
            some = min(asked, self._most - self._rows)
            self._rows += some
            return some

    # --- where it is written ---

    def flush(self, *, only_if_due: bool = False) -> None:
        """Write what waits, and see to the files. Raises nothing.

        only_if_due: where the last write is not as old as `settings.flush` says, nothing is done.
        """
        if only_if_due and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._seconds
        self._write()
        with self._writing:
            if self._writer.is_begun and not self._is_writing:
                self._tend()

    def closed(self) -> None:
        """There will be no more calls: all is written, if it can be."""
        self._write()
        with self._writing:
            if not self._is_writing:
                self._writer.end()

    def bytes_per_day(self) -> dict[str, int]:
        """See `log_tending.bytes_per_day`."""
        return bytes_per_day(self._files, self._name)

    def _write(self) -> None:
        with self._writing:
            if self._is_writing:  # a handler of a signal, in the middle of a write, which will find what is new
                return
            self._is_writing = True
            try:
                self._write_all()
                self._told = False
            except (EdgeInferError, OSError) as error:
                self._limit_lines()
                self._tell(error)
            finally:
                self._is_writing = False

    def _write_all(self) -> None:
        """Until nothing waits. Raises what the disk says."""
        day = iso(self._now().utc)[:10].replace("-", "")
        self._writer.turn_if_old(day)
        while True:
            self._take_calls()
            if self._lines:
                self._write_lines(day)
            elif self._dropped:
                dropped = self._dropped
                self._write_note("dropped", {"rows": dropped}, day)
                with self._changing:
                    self._dropped -= dropped
            elif self._repaired.files:
                self._write_note("repaired", self._repaired._asdict(), day)
                self._repaired = Repaired(0, 0)
            else:
                return

    def _take_calls(self) -> None:
        with self._changing:
            calls, self._calls = self._calls, []
        for call in calls:
            self._lines.extend(self._lines_of(call))

    def _write_lines(self, day: str) -> None:
        waiting = len(self._lines)
        try:
            self._writer.write(self._lines, day)
        finally:
            with self._changing:
                self._rows -= waiting - len(self._lines)

    def _write_note(self, kind: str, fields: dict[str, Any], day: str) -> None:
        self._writer.write(deque([self._note(kind, self._now(), fields)]), day)

    def _limit_lines(self) -> None:
        """Long lines are dropped before there are as many as there may be."""
        size = sum(map(len, self._lines))
        while size > _MOST_BYTES:
            size -= len(self._lines.pop())
            with self._changing:
                self._rows, self._dropped = self._rows - 1, self._dropped + 1

    def _tell(self, error: BaseException) -> None:
        if not self._told:
            self._told = True
            report_event(
                "monitor",
                f"{self._name}: the log is not written: {type(error).__name__}: {error} "
                f"Up to {self._most:,} rows wait in memory; then rows are dropped, and counted.",
            )

    def _tend(self) -> None:
        turned = self._writer.has_turned
        if not turned and time.monotonic() < self._next_tending:
            return
        self._writer.has_turned = False
        self._next_tending = time.monotonic() + _TEND_SECONDS
        try:
            repaired = tend(self._files, self._name, self._keeping, iso(self._now().utc)[:10].replace("-", ""))
        except (EdgeInferError, OSError) as error:
            self._next_tending = time.monotonic() + _RETRY_SECONDS
            if not self._told_untended:
                report_event("monitor", f"{self._name}: the log's files are not tended: {error}")
            self._told_untended = True
            return
        self._told_untended = False
        if repaired.files:
            self._repaired = repaired
            self._write()

    # --- the process ---

    def _forked(self) -> None:
        """In the child: nothing of the parent's is written, and its file is not held any longer here."""
        held = self._writer.held
        self._begin()
        if held is not None:
            os.close(held)  # without unlocking it, which would unlock the parent's too


def _one_id(ids: Ids) -> str:
    own = own_ids()
    if isinstance(own, str):
        return own
    return own[0] if own is not None and len(own) == 1 else ids.next()


def _rows(data: Any, texts: bool) -> _Rows | None:
    """None for one record."""
    found = rows_of(data)
    if found is not None:
        return _Rows(found.length, lambda start, end: _copied(found.part(start, end)))
    if texts and isinstance(data, list | tuple | np.ndarray):
        return _Rows(len(data), lambda start, end: _copied(data[start:end]))
    return None


def _part(answer: Any, start: int, end: int) -> Any:
    """Of an answer with a row for each, or of such arrays for each label column."""
    if isinstance(answer, list):
        return [part[start:end].copy() for part in answer]
    return answer[start:end].copy()


def _copied(value: Any) -> Any:
    """What the caller changes later is not changed here: to the depth of a list of records."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return [each.copy() if isinstance(each, dict | list | np.ndarray) else each for each in value]
    return value.copy() if hasattr(value, "copy") else value


def _boot() -> str:
    from edge_infer.store.here import moment

    return moment().boot[:8]


_running: Final[weakref.WeakSet[PredictionLog]] = weakref.WeakSet()


def _fork_all() -> None:
    for log in list(_running):
        log._forked()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_fork_all)
