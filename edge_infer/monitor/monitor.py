"""`Monitor`: what an application gives to `load`, so that its model is watched."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from edge_infer.artifact import Artifact
from edge_infer.errors import ArtifactError, UnsafePathError, UsageError
from edge_infer.events import report_event
from edge_infer.manifest import KEY_REFERENCE
from edge_infer.monitor.alerts import Event, change_of
from edge_infer.monitor.basis import Basis, basis_of, read_basis
from edge_infer.monitor.log import PredictionLog
from edge_infer.monitor.log_lines import LoggedModel
from edge_infer.monitor.log_settings import LogSettings
from edge_infer.monitor.outcomes import record_outcomes
from edge_infer.monitor.profile import Reference, parse_reference
from edge_infer.monitor.verdict import DriftSettings
from edge_infer.monitor.watching import Watcher
from edge_infer.monitor.windows import HOURS, Stamp, Window, read_windows
from edge_infer.monitor.worker import Keeping, Worker
from edge_infer.observed import Observer, Observing, together
from edge_infer.store.files import Files
from edge_infer.store.names import check_name

__all__ = ["Monitor", "monitor_of_folder"]


class Monitor:
    """Watches models in the process that uses them: counts in constant memory, written to a folder of plain files.

    Any number of models, processes and devices' clocks may share a folder. A call gets longer by a fraction of a
    microsecond; a thread counts what calls leave behind, and writes it. Thread-safe, and a context manager.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        rows_per_second: int = 1000,
        write_seconds: float = 60.0,
        keep_hours: int = 48,
        keep_days: int = 90,
        log: LogSettings | None = None,
        drift: DriftSettings | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        """Nothing is written until a model is called.

        Args:
            folder: made where it is not there.
            rows_per_second: of each model, that are looked at for columns, labels and scores; where more come, a share
                of them chosen by chance. Calls, rows, errors and latencies are counted of all.
            write_seconds: between two writes. A crash loses what was counted since the last one.
            keep_hours, keep_days: how many windows are kept; an hour that leaves is added to its day.
            drift: from when on a difference is called drift; see `DriftSettings`.
            on_event: called when a model's verdict changes (`alerts.Event`), by the monitor's thread or by whoever
                flushes: once for each change, after a window has ended. What it raises goes to the log alone.
            log: keep predictions themselves too, as `LogSettings` says; None: counts alone.

        Raises:
            UsageError: a setting that makes no sense.
        """
        _check("rows_per_second", rows_per_second, 1)
        _check("write_seconds", write_seconds, 0)
        _check("keep_hours", keep_hours, 1)
        _check("keep_days", keep_days, 1)
        self._settings = {
            "rows_per_second": rows_per_second, "write_seconds": write_seconds, "keep_hours": keep_hours,
            "keep_days": keep_days, "log": log, "drift": drift, "on_event": on_event,
        }  # fmt: skip
        self._log = None if log is None else log.checked()
        self._logs: weakref.WeakSet[PredictionLog] = weakref.WeakSet()
        self._files = Files(folder)
        self._rows = rows_per_second
        self._drift = None if drift is None else drift.checked()
        ended = None if on_event is None else partial(_tell, self._files, self._drift, on_event)
        self._worker = Worker(self._files, Keeping(float(write_seconds), keep_hours, keep_days), _now, ended)

    @property
    def folder(self) -> str:
        """Where it writes."""
        return self._files.root

    def observer(self, artifact: Artifact) -> Observer:
        """Of the calls of a model that is loaded. Raises UnsafePathError for a name that cannot name files."""
        check_name(artifact.manifest.name)
        watcher = Watcher(artifact, basis_of(artifact, _reference(artifact)), self._rows, self._worker.wake)
        log = self._log_of(artifact)
        self._worker.watch(watcher, log)
        observer = together(_Handle(watcher, self._worker), log)
        assert observer is not None
        return observer

    def _log_of(self, artifact: Artifact) -> PredictionLog | None:
        if self._log is None:
            return None
        log = PredictionLog(self._files, LoggedModel.of(artifact), self._log)
        self._logs.add(log)
        return log

    def check(self, name: str) -> Event | None:
        """What has changed in a model's verdict since it was told last, of all windows until now.

        Raises UsageError where there is no window of that model.
        """
        return change_of(self._files, name, self._drift)

    def last_prediction_id(self) -> str | None:
        """Under which the last call of this thread was logged; None where it was not.

        For an id of your own, see `prediction_id`.
        """
        return next((found for log in list(self._logs) if (found := log.last_id()) is not None), None)

    def outcome(self, name: str, prediction_id: str, value: str | float | bool) -> None:
        """What came true of a prediction of the model `name`: a label, or a number. It lasts when this returns.

        Raises:
            UsageError: what is no id, or no value.
            StoreWriteError: the folder cannot be written.
        """
        record_outcomes(self._files, name, [(prediction_id, value)])

    def windows(self, name: str, kind: str = HOURS) -> list[Window]:
        """What was counted of a model, in the order in which it was: "hours" or "days"."""
        return read_windows(self._files, name, kind)

    def basis(self, window: Window) -> Basis | None:
        """By what a window was counted: bins and categories, and the reference's own counts."""
        return read_basis(self._files, window.name, window.digest)

    def flush(self) -> None:
        """Count and write what calls have left behind until now."""
        self._worker.flush()

    def close(self) -> None:
        """Write all, and end the thread. Models that are watched go on to answer, and are watched no more."""
        self._worker.end()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self._files.root, self._settings)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handle:
    """What a model holds (`observed.Observer`). When nobody can call it any more, its watcher is let go."""

    def __init__(self, watcher: Watcher, worker: Worker) -> None:
        self.answered, self.failed, self.around = watcher.answered, watcher.failed, watcher.around
        self._watcher, self._worker = watcher, worker
        weakref.finalize(self, worker.let_go, watcher).atexit = False

    def closed(self) -> None:
        self._worker.close(self._watcher)


def _unpickle(folder: str, settings: dict[str, Any]) -> Monitor:
    return Monitor(folder, **settings)


class _OfFolder:
    """A monitor that nobody in the program asked for: what it cannot watch is told, and loads as ever."""

    def __init__(self, folder: str) -> None:
        self._monitor = Monitor(folder)

    def observer(self, artifact: Artifact) -> Observer:
        try:
            return self._monitor.observer(artifact)
        except UnsafePathError as error:
            report_event("monitor", f"a model is not watched: {error}")
            return _NOBODY


class _Nobody:
    """Looks on at nothing (`observed.Observer`)."""

    def around(self, method: str, answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(data: Any) -> Any:
            return answer(data)

        return call

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None: ...
    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None: ...
    def closed(self) -> None: ...


_NOBODY: Final = _Nobody()
_of_folders: Final[dict[str, _OfFolder]] = {}


def monitor_of_folder(folder: str) -> Observing:
    """One for each folder and process."""
    return _of_folders.setdefault(folder, _OfFolder(folder))


def _tell(files: Files, drift: DriftSettings | None, on_event: Callable[[Event], None], name: str) -> None:
    event = change_of(files, name, drift)
    if event is not None:
        on_event(event)


def _now() -> Stamp:
    from edge_infer.store.here import moment, now

    machine = moment()
    return Stamp(now(), machine.boot, machine.seconds)


def _reference(artifact: Artifact) -> Reference | None:
    """None where the file has none, or one that cannot be read, which is told: the model answers without it."""
    text = artifact.facts.metadata.get(KEY_REFERENCE)
    if text is None or not artifact.described:
        return None
    try:
        return parse_reference(text)
    except ArtifactError as error:
        report_event(
            "monitor", f"{artifact.manifest.name}: drift is not judged, since the file's reference is broken: {error}"
        )
        return None


def _check(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e9:
        raise UsageError(f"{name}: expected a number ≥ {least}, got {value!r:.60}")
