"""`edge-infer monitor`: what was counted of models, for a terminal and for machines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from edge_infer.cli.console import Grid, dumps, encodes, in_line, is_terminal, show_grid, wrapped, write
from edge_infer.cli.output_file import check_output
from edge_infer.errors import UsageError
from edge_infer.histogram import Histogram
from edge_infer.monitor.looking import Look, look, look_at_all, plain_look
from edge_infer.monitor.quality import quality_text
from edge_infer.monitor.sparkline import sparkline
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.verdict import DRIFTED, STABLE, WATCH, Part
from edge_infer.store.files import Files

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["export", "files_of", "merge", "outcomes", "prometheus", "report", "status", "watch"]

_SIGNS: Final = {STABLE: "✓", WATCH: "!", DRIFTED: "✗"}
_WIDTH: Final = 24  # of a sparkline
_MOST_ERRORS: Final = 5


def status(*, name: str | None, folder: str | None, last: int, on_drift: str | None = None, json: bool) -> int:
    """The exit code: 1 where a model has drifted."""
    files = files_of(folder)
    found = [look(files, name, last)] if name else look_at_all(files, last)
    if json:
        write(dumps({"folder": files.root, "models": [plain_look(each) for each in found]}))
    elif not found:
        write(f"nothing was watched in {files.root}; edge-infer predict MODEL … --monitor {files.root}")
    else:
        for place, each in enumerate(found):
            if place:
                write()
            _show(each)
    if on_drift is not None:
        _run_on_drift(on_drift, files, [each.name for each in found])
    return int(any(each.drift.verdict == DRIFTED for each in found))


def _run_on_drift(command: str, files: Files, names: Sequence[str]) -> None:
    """Once for each model that has drifted since it was looked at last."""
    import subprocess
    import sys

    from edge_infer.monitor.alerts import change_of, run_command

    for event in filter(None, (change_of(files, name) for name in names)):
        if event.verdict != DRIFTED:
            continue
        sys.stdout.flush()
        try:
            code = run_command(command, event)
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"--on-drift: the command did not end within {error.timeout:g} s: {command}") from None
        if code:
            raise UsageError(f"--on-drift: the command ended with {code}: {command}")


def prometheus(*, output: str, folder: str | None) -> int:
    from edge_infer.monitor.prometheus import write_prometheus

    check_output(output)
    files = files_of(folder)
    count = write_prometheus(files, output)
    write(f"{output}: {_counted(count, 'model')}")
    return 0


def report(*, name: str | None, folder: str | None, output: str, last: int) -> int:
    from edge_infer.monitor.report import write_report

    check_output(output)
    files = files_of(folder)
    found = [look(files, name, last)] if name else look_at_all(files, last)
    if not found:
        raise UsageError(f"nothing was watched in {files.root}: there is nothing to report")
    size = write_report(found, output)
    write(f"{output}: {size / 1024:,.0f} KiB, {', '.join(f'{each.name} {each.drift.verdict}' for each in found)}")
    return 0


def watch(*, name: str | None, folder: str | None, last: int, every: float) -> int:
    """`status` again and again, until Ctrl-C."""
    import time

    while True:
        if is_terminal():
            write("\x1b[2J\x1b[H", end="")
        status(name=name, folder=folder, last=last, json=False)
        time.sleep(every)
        write()


def export(*, name: str, folder: str | None, output: str, to: str | None, since: str | None, until: str | None) -> int:
    from edge_infer.monitor.export import KINDS, export_log

    check_output(output)
    kind = to or os.path.splitext(output)[1].removeprefix(".").lower()
    if kind not in KINDS:
        raise UsageError(f"--to: expected {', '.join(KINDS)}, got {kind!r:.60}")
    made = export_log(files_of(folder), name, output, kind, _moment("--since", since), _moment("--until", until))
    write(f"{output}: {made.rows:,} rows, {made.columns} columns")
    for count, what in ((made.dropped, "that the log tells of as dropped"), (made.skipped, "torn by a crash")):
        if count:
            write(f"  not in it: {count:,} lines {what}")
    for reason in made.unreadable:
        write(f"  not read: {wrapped(in_line(reason), 12)}")
    return int(bool(made.unreadable))


def outcomes(*, name: str, file: str, folder: str | None) -> int:
    from edge_infer.monitor.outcomes import read_outcomes, record_outcomes

    count = record_outcomes(files_of(folder), name, read_outcomes(file))
    write(f"{_counted(count, 'outcome')} recorded")
    return 0


def merge(*, folders: list[str], output: str) -> int:
    from edge_infer.monitor.merge import merge_folders

    counted = merge_folders(folders, output)
    write(f"{output}: " + (", ".join(f"{count:,} windows of {name}" for name, count in counted.items()) or "no window"))
    return 0


def _moment(option: str, text: str | None) -> datetime | None:
    """ISO 8601; without an offset it is UTC. Raises UsageError."""
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option}: expected a date or time as 2026-11-28 or 2026-11-28T12:00, got {text!r:.60}"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def files_of(folder: str | None) -> Files:
    """The monitor's folder: what --folder names, else EDGE_INFER_MONITOR. Raises UsageError."""
    chosen = folder or os.environ.get("EDGE_INFER_MONITOR")
    if not chosen:
        raise UsageError("expected the folder that a monitor writes to: --folder DIR, or EDGE_INFER_MONITOR")
    if not os.path.isdir(chosen):
        raise UsageError(f"{chosen}: there is no such folder; a monitor makes it with the first call that it watches")
    return Files(chosen)


# --- for a terminal ---------------------------------------------------------------------


def _show(look: Look) -> None:
    summary = look.whole.summary
    write(f"{look.name} {look.whole.version}  {look.drift.verdict}: {wrapped(in_line(look.drift.reason), 2)}")
    facts = {
        "seen": f"{_minute(look.whole.since)} to {_minute(look.whole.until)} UTC, "
        + _counted(len(look.windows), "window"),
        "calls": f"{sum(summary.calls.values()):,}  {_line(look, lambda each: float(sum(each.calls.values())))}",
        "rows": _rows(summary),
        "errors": _errors(summary),
        "one record": _latency(summary.latency),
        "many rows": _batches(summary),
        "accuracy": _accuracy(look),
        "log": _log(look),
        "outcomes": "" if look.quality is None else quality_text(look.quality),
    }
    for name, fact in facts.items():
        if fact:
            write(f"  {name:<11}{wrapped(fact, 13)}")
    if look.other:
        write(f"  {'also':<11}{', '.join(look.other)}")
    parts = [part for part in look.drift.parts if part.psi is not None or part.rows]
    if parts:
        write()
        show_grid(
            Grid(("", "", "PSI", "distance", "missing", "unseen", "what has changed"), [_cells(part) for part in parts])
        )


def _cells(part: Part) -> tuple[Any, ...]:
    name = {"column": part.name, "labels": "labels", "score": f"score {part.name}"}[part.kind]
    return (
        _sign(part.verdict), in_line(name), _number(part.psi), _number(part.distance), _share(part.missing[1]),
        _share(part.unseen), in_line(part.reason),
    )  # fmt: skip


def _sign(verdict: str) -> str:
    sign = _SIGNS.get(verdict, "–")
    return sign if encodes(sign) else {STABLE: "ok", WATCH: "!", DRIFTED: "x"}.get(verdict, "-")


def _rows(summary: Summary) -> str:
    skipped = f", {summary.looked_at:,} of them looked at" if summary.skipped else ""
    return f"{summary.rows:,}{skipped}"


def _errors(summary: Summary) -> str:
    if not summary.failures:
        return "none"
    worst = sorted(summary.errors.items(), key=lambda item: -item[1])[:_MOST_ERRORS]
    return f"{summary.failures:,}: " + "; ".join(f"{in_line(kind)} ({times:,})" for kind, times in worst)


def _latency(histogram: Histogram) -> str:
    if not histogram.count:
        return ""
    p50, p99, most = (histogram.quantile(share) or 0.0 for share in (0.5, 0.99, 1.0))
    return f"p50 {_seconds(p50)}, p99 {_seconds(p99)}, at most {_seconds(most)}"


def _batches(summary: Summary) -> str:
    if not summary.batch_seconds:
        return ""
    speed = summary.batch_rows / summary.batch_seconds
    return f"{summary.batch_rows:,} in {summary.batches.count:,} calls, {speed:,.0f} a second"


def _accuracy(look: Look) -> str:
    if look.estimate is None:
        return ""
    share = f"{look.estimate.accuracy:.1%} ± {2 * look.estimate.error:.1%}"
    return f"{share}, estimated from probabilities, if they are calibrated"


def _log(look: Look) -> str:
    """What the prediction log writes in a day: flash wears."""
    days = list(look.logged.values())
    if not days:
        return ""
    return f"{_mib(days[-1])} today or on its last day, {_mib(sum(days) / len(days))} a day in the mean of {len(days)}"


def _mib(size: float) -> str:
    return f"{size / (1 << 20):,.1f} MiB" if size >= 1 << 20 else f"{size / 1024:,.1f} KiB"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _line(look: Look, value: Any) -> str:
    numbers: Sequence[float | None] = [value(window.summary) for window in look.windows]
    return sparkline(numbers, width=_WIDTH, plain=not encodes("▁▂▃▄▅▆▇█")) if len(numbers) > 1 else ""


def _seconds(seconds: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} {'µs' if encodes('µ') else 'us'}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(value: float) -> str:
    return f"{value:.1%}" if value else ""


def _minute(utc: str) -> str:
    return utc[:16].replace("T", " ")
