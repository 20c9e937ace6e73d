"""What people look at: a model's last windows together, beside the reference of the release that runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from edge_infer.errors import DamagedStoreError, UnsafePathError, UsageError
from edge_infer.events import report_event
from edge_infer.monitor.basis import Basis, read_basis
from edge_infer.monitor.log_tending import bytes_per_day
from edge_infer.monitor.outcomes import pairs
from edge_infer.monitor.quality import Classified, Estimate, Measured, estimated_accuracy, measured
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.verdict import UNKNOWN, Drift, DriftSettings, judge
from edge_infer.monitor.windows import Window, models, plain_window, read_all
from edge_infer.store.files import Files

__all__ = ["LAST", "Look", "look", "look_at_all", "plain_look", "plain_quality"]

#: Windows that are judged together, if nothing else is said: a day of hours.
LAST: Final = 24


class Look(NamedTuple):
    """One model.

    windows: the last ones of the release that was called last, in the order of their time; whole: all of them
    together; drift: of these, beside the reference; estimate: of the accuracy, where there are probabilities; quality:
    what outcomes say, where some were recorded; other: releases that the folder has windows of besides; logged: bytes
    that the prediction log has written, by day.
    """

    name: str
    windows: tuple[Window, ...]
    whole: Window
    basis: Basis | None
    drift: Drift
    estimate: Estimate | None
    quality: Classified | Measured | None
    other: tuple[str, ...]
    logged: dict[str, int]


def look_at_all(files: Files, last: int = LAST, settings: DriftSettings | None = None) -> list[Look]:
    """Every model of a monitor's folder, by name."""
    return [look(files, name, last, settings) for name in models(files)]


def look(files: Files, name: str, last: int = LAST, settings: DriftSettings | None = None) -> Look:
    """Raises UsageError where the folder has no window of that model."""
    found = read_all(files, name)
    if not found:
        there = ", ".join(models(files)) or "none"
        raise UsageError(f"no window of {name!r} in {files.root}; models there: {there}")
    newest = max(found, key=lambda window: window.until)
    windows = [window for window in found if window.digest == newest.digest][-last:]
    whole = _together(windows)
    basis = _basis(files, newest)
    drift = (
        Drift(UNKNOWN, "what the windows were counted by is not there", whole.summary.looked_at, ())
        if basis is None
        else judge(basis, whole.summary, settings)
    )
    other = {window.version for window in found if window.digest != newest.digest}
    return Look(
        name, tuple(windows), whole, basis, drift, estimated_accuracy(whole.summary), _quality(files, whole, basis),
        tuple(sorted(other)), bytes_per_day(files, name),
    )  # fmt: skip


def _quality(files: Files, whole: Window, basis: Basis | None) -> Classified | Measured | None:
    """Of the predictions since the first window whose outcome was recorded."""
    if not files.names(whole.name, "outcomes"):
        return None
    since = datetime.fromisoformat(whole.since)
    numbers = basis is not None and basis.labels is not None and basis.labels.edges is not None
    found = measured(
        ((pair.answer, pair.outcome) for pair in pairs(files, whole.name, since) if pair.version == whole.version),
        numbers=numbers,
    )
    return found if found.rows else None


def _basis(files: Files, window: Window) -> Basis | None:
    try:
        return read_basis(files, window.name, window.digest)
    except (DamagedStoreError, UnsafePathError) as error:
        report_event("monitor", f"{window.name}: drift is not judged: {error}")
        return None


def _together(windows: Sequence[Window]) -> Window:
    """As one window; none of them is changed."""
    whole = windows[0]._replace(
        summary=Summary(),
        since=min(window.since for window in windows),
        until=max(window.until for window in windows),
        spans=tuple(span for window in windows for span in window.spans),
    )
    for window in reversed(windows):  # the newest tell how it is counted
        if whole.summary.goes_with(window.summary):
            whole.summary.merge(window.summary)
    return whole


def plain_quality(quality: Classified | Measured) -> dict[str, Any]:
    if isinstance(quality, Classified):
        return {"rows": quality.rows, "accuracy": quality.accuracy, "f1_macro": quality.f1}
    return {"rows": quality.rows, "mae": quality.mae, "rmse": quality.rmse}


def plain_look(look: Look) -> dict[str, Any]:
    """For people's programs, as JSON has it."""
    drift = look.drift._asdict() | {"parts": [part._asdict() for part in look.drift.parts]}
    whole = plain_window(look.whole)
    return {
        "name": look.name,
        "version": look.whole.version,
        "digest": look.whole.digest,
        "since": look.whole.since,
        "until": look.whole.until,
        "windows": len(look.windows),
        "summary": whole["summary"],
        "skipped": look.whole.summary.skipped,
        "drift": drift,
        "quality": None if look.quality is None else plain_quality(look.quality),
        "estimated_accuracy": None if look.estimate is None else look.estimate._asdict(),
        "logged_bytes": look.logged,
        "other_versions": list(look.other),
    }
