"""Windows on disk: an hour each, then a day each, in a ring. Every process on a folder adds to the same ones.

A window's file is `NAME/hours/NUMBER-START-DIGEST.json`; numbers grow with every window of a model, so that their order
is told where the clock is not to be trusted. One that leaves the ring of hours is added to its day, `NAME/days/…`, and
a day that leaves is added to all that was before, a file for each release: `NAME/before/…`. Detail is lost, no count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from stat import S_ISDIR
from typing import Any, Final, NamedTuple

from edge_infer.errors import DamagedStoreError, FormatError, LimitError, UnsafePathError
from edge_infer.events import report_event
from edge_infer.monitor.basis import Basis, keep_basis
from edge_infer.monitor.counts import whole
from edge_infer.monitor.summary import Summary
from edge_infer.store.files import Files, Path
from edge_infer.store.names import check_name, is_name
from edge_infer.strict_json import Node, parse

__all__ = [
    "BEFORE",
    "DAYS",
    "HOURS",
    "Span",
    "Stamp",
    "Window",
    "add",
    "add_window",
    "hour_of",
    "merged",
    "models",
    "parse_window",
    "plain_window",
    "read_all",
    "read_windows",
]

_FORMAT: Final = 1
HOURS: Final = "hours"
DAYS: Final = "days"
BEFORE: Final = "before"
_MOST_BYTES: Final = 64 << 20
_MOST_DEPTH: Final = 8
_MOST_SPANS: Final = 100  # starts of the machine in one window; the last ones are kept
_DIGITS: Final = 12  # of the digest, in a file's name
_ALL: Final = "00000000"  # in place of a day
_FILE: Final = re.compile(r"([0-9]{6,9})-([0-9]{8}(?:T[0-9]{2})?)-[0-9a-f]{12}\.json")
_PATIENCE: Final = 10.0  # seconds that a process waits for another


class Stamp(NamedTuple):
    """A moment. utc: by the device's clock, which may be wrong; boot, seconds: since the machine's start."""

    utc: str
    boot: str
    seconds: float


class Span(NamedTuple):
    """Between two moments of one start of the machine."""

    boot: str
    first: float
    last: float


class Window(NamedTuple):
    """What was counted of one release in one hour, or day.

    start: its beginning by the clock, "20261128T20" or "20261128"; since, until: UTC of the first and the last that was
    counted; hours: of a day, the numbers of the hours in it.
    """

    number: int
    start: str
    name: str
    version: str
    digest: str
    since: str
    until: str
    spans: tuple[Span, ...]
    summary: Summary
    hours: tuple[int, ...] = ()


def hour_of(utc: str) -> str:
    """The hour's start as it stands in a file's name: "2026-11-28T20:15:00+00:00" → "20261128T20"."""
    return utc[:13].replace("-", "")


def models(files: Files) -> list[str]:
    """Those that the folder has windows of. What else lies there is nobody's business."""
    found = []
    for name in filter(is_name, files.names()):
        status = files.status(name)
        if status is not None and S_ISDIR(status.st_mode) and (files.names(name, HOURS) or files.names(name, DAYS)):
            found.append(name)
    return found


def read_windows(files: Files, name: str, kind: str = HOURS) -> list[Window]:
    """In the order in which they were begun. What cannot be read is left out, and told to the log."""
    found = []
    for file in _numbered(files, name, kind):
        try:
            window = _read(files, (name, kind, file))
        except (DamagedStoreError, UnsafePathError) as error:
            report_event("monitor", f"a window is left out: {error}")
            continue
        if window is not None:  # else it has left the ring meanwhile
            found.append(window)
    return found


def read_all(files: Files, name: str) -> list[Window]:
    """What was before, days, hours: every call once, though the power was cut while one was added to the next."""
    before = read_windows(files, name, BEFORE)
    gone = {window.digest: window.number for window in before}
    days = [day for day in read_windows(files, name, DAYS) if day.number > gone.get(day.digest, -1)]
    done = {number for day in days for number in day.hours}
    return [*before, *days, *(hour for hour in read_windows(files, name) if hour.number not in done)]


def add(
    files: Files, basis: Basis, since: Stamp, until: Stamp, summary: Summary, *, keep_hours: int, keep_days: int
) -> bool:
    """What one process has counted of a release between two moments of one hour. Takes the folder's lock.

    Whether it is the first of a new window, so that the one before has ended. Raises StoreWriteError, UnsafePathError.
    """
    name = check_name(basis.name)
    span = Span(until.boot, since.seconds if since.boot == until.boot else 0.0, until.seconds)
    new = Window(
        0, hour_of(since.utc), name, basis.version, basis.digest, since.utc, until.utc, (span,), summary
    )  # fmt: skip
    with files.locked(_PATIENCE, path=(name, "lock")):
        keep_basis(files, basis)
        there = _numbered(files, name, HOURS)
        known = _same_hour(files, there, new)
        if known is not None and known.summary.goes_with(summary):
            _write(files, HOURS, merged(known, new))
            return False
        numbers = [int(file.partition("-")[0]) for file in (*there, *_numbered(files, name, DAYS))]
        _write(files, HOURS, new._replace(number=1 + max(numbers, default=0)))
        _thin_out(files, name, keep_hours, keep_days)
        return bool(there)


def add_window(files: Files, kind: str, window: Window) -> None:
    """One of another folder: added to that of the same release and beginning, or as the last. Takes the lock."""
    name = check_name(window.name)
    with files.locked(_PATIENCE, path=(name, "lock")):
        there = _numbered(files, name, kind)
        for file in there:
            if file.split("-", 1)[1] != _file(window).split("-", 1)[1]:
                continue
            known = _read(files, (name, kind, file))
            if known is not None and known.summary.goes_with(window.summary):
                _write(files, kind, merged(known, window))
                return
        number = 1 + max((int(file.partition("-")[0]) for file in there), default=0)
        _write(files, kind, window._replace(number=number, hours=()))


def merged(first: Window, later: Window) -> Window:
    """Both together, under the first one's number; its summary is changed."""
    first.summary.merge(later.summary)
    spans = [*first.spans]
    for span in later.spans:
        if spans and spans[-1].boot == span.boot:
            spans[-1] = Span(span.boot, min(spans[-1].first, span.first), max(spans[-1].last, span.last))
        else:
            spans.append(span)
    return first._replace(
        since=min(first.since, later.since), until=max(first.until, later.until), spans=tuple(spans[-_MOST_SPANS:])
    )


# --- the ring ---------------------------------------------------------------------------


def _same_hour(files: Files, there: list[str], new: Window) -> Window | None:
    """The last window of this hour and release; none where the clock went back while the machine was off."""
    for file in reversed(there):
        if file.split("-", 1)[1] != _file(new).split("-", 1)[1]:
            continue
        try:
            known = _read(files, (new.name, HOURS, file))
        except (DamagedStoreError, UnsafePathError) as error:
            report_event("monitor", f"a window begins anew: {error}")
            return None
        if known is None or (known.spans and known.spans[-1].boot != new.spans[0].boot and new.since < known.until):
            return None
        return known
    return None


def _thin_out(files: Files, name: str, keep_hours: int, keep_days: int) -> None:
    """The oldest hours beyond the ring become days, and the oldest days go."""
    for file in _numbered(files, name, HOURS)[:-keep_hours]:
        _move(files, (name, HOURS, file), _add_to_day)
        files.remove(name, HOURS, file)
    for file in _numbered(files, name, DAYS)[:-keep_days]:
        _move(files, (name, DAYS, file), _add_to_before)
        files.remove(name, DAYS, file)


def _move(files: Files, path: Path, add_to: Callable[[Files, Window], None]) -> None:
    try:
        window = _read(files, path)
    except (DamagedStoreError, UnsafePathError) as error:
        report_event("monitor", f"a window is lost: {error}")
        return
    if window is not None:
        add_to(files, window)


def _add_to_before(files: Files, day: Window) -> None:
    """Once: days leave in the order of their numbers, and the last one's is kept."""
    path = (day.name, BEFORE, _file(day._replace(number=0, start=_ALL)))
    try:
        known = _read(files, path)
    except (DamagedStoreError, UnsafePathError) as error:
        report_event("monitor", f"what was before begins anew: {error}")
        known = None
    if known is None:
        known, day = day._replace(hours=(), summary=Summary()), day._replace(hours=())
    elif day.number <= known.number:
        return
    if not known.summary.goes_with(day.summary):
        report_event("monitor", f"{day.name}: what was counted in another way before is left behind")
        known = known._replace(summary=Summary())
    together = merged(known, day)._replace(number=day.number)
    files.replace(path, _render(together))


def _add_to_day(files: Files, hour: Window) -> None:
    """Once, though the process may have been stopped between this and the removal of the hour."""
    day = hour._replace(start=hour.start[:8], hours=(hour.number,))
    for file in reversed(_numbered(files, hour.name, DAYS)):
        if file.split("-", 1)[1] != _file(day).split("-", 1)[1]:
            continue
        try:
            known = _read(files, (hour.name, DAYS, file))
        except (DamagedStoreError, UnsafePathError) as error:
            report_event("monitor", f"a window begins anew: {error}")
            break
        if known is None:
            break
        if not known.summary.goes_with(day.summary):
            continue
        if hour.number not in known.hours:
            _write(files, DAYS, merged(known, day)._replace(hours=(*known.hours, hour.number)))
        return
    _write(files, DAYS, day)


def _numbered(files: Files, name: str, kind: str) -> list[str]:
    found = [(int(match[1]), file) for file in files.names(name, kind) if (match := _FILE.fullmatch(file))]
    return [file for _, file in sorted(found)]


def _file(window: Window) -> str:
    return f"{window.number:06}-{window.start}-{window.digest[:_DIGITS]}.json"


# --- reading and writing ----------------------------------------------------------------


def _write(files: Files, kind: str, window: Window) -> None:
    files.replace((window.name, kind, _file(window)), _render(window))


def _render(window: Window) -> bytes:
    document = {
        "format": _FORMAT,
        **window._asdict(),
        "spans": [span._asdict() for span in window.spans],
        "summary": window.summary.plain(),
    }
    data = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return data.encode(errors="backslashreplace") + b"\n"


def _read(files: Files, path: Path) -> Window | None:
    """None where there is none. Raises DamagedStoreError, UnsafePathError."""
    where = files.shown(path)
    try:
        text = files.read(*path, most=_MOST_BYTES)
        return parse_window(text, where)
    except FileNotFoundError:
        return None
    except (FormatError, LimitError) as error:
        raise DamagedStoreError(f"{where}: {error}") from error


def parse_window(text: bytes, what: str) -> Window:
    """Raises FormatError, LimitError."""
    root = parse(text, what=what, most_bytes=_MOST_BYTES, most_depth=_MOST_DEPTH)
    if root.get("format").integer(1) > _FORMAT:
        raise root.get("format").fail(f"at most {_FORMAT}: it was written by a later edge-infer")
    return Window(
        number=root.get("number").integer(),
        start=_matching(root.get("start"), r"[0-9]{8}(T[0-9]{2})?", "an hour or a day"),
        name=check_name(root.get("name").text()),
        version=root.get("version").text(),
        digest=_matching(root.get("digest"), r"[0-9a-f]{64}", "a sha256 in hex"),
        since=root.get("since").text(),
        until=root.get("until").text(),
        spans=tuple(_span(item) for item in root.get("spans").list(_MOST_SPANS)),
        summary=Summary.parse(root.get("summary")),
        hours=tuple(whole(item) for item in root.get("hours").list()),
    )


def _span(node: Node) -> Span:
    return Span(node.get("boot").text(), node.get("first").number(), node.get("last").number())


def _matching(node: Node, pattern: str, expected: str) -> str:
    if not re.fullmatch(pattern, node.text()):
        raise node.fail(expected)
    return node.text()


def plain_window(window: Window) -> dict[str, Any]:
    """For people's programs: quantiles rather than buckets."""
    summary = window.summary.plain()
    for name in ("latency", "batches"):
        histogram = getattr(window.summary, name)
        summary[name] = {
            "count": histogram.count, "p50": histogram.quantile(0.5), "p99": histogram.quantile(0.99),
            "max": histogram.quantile(1.0),
        }  # fmt: skip
    return {**window._asdict(), "spans": [span._asdict() for span in window.spans], "summary": summary}
