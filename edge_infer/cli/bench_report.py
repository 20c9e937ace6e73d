"""What `bench` measured: one object for programs, tables and a histogram for people."""

from __future__ import annotations

import platform
from typing import Any, Final

from edge_infer.bench.latency import Bucket, Latency
from edge_infer.bench.throughput import Throughput
from edge_infer.bench.tuning import LEAST_GAIN, Candidate, changes
from edge_infer.cli.bench import Bench, Tuned
from edge_infer.cli.bench_original import Beside
from edge_infer.cli.console import Grid, printable, show_grid, wrapped, write
from edge_infer.cli.quantities import size_text, time_text
from edge_infer.options import ENVIRONMENT, SessionOptions

__all__ = ["as_object", "show"]

_BAR: Final = 40
_FEW_CALLS: Final = 30  # in 95 of 100 runs the median of so many lies in the middle third of all; of fewer, anywhere
_ROUGH: Final = "~"
_LEAD: Final = 12  # the width of the facts' names
_RATIO: Final = (
    "÷ defaults: a setting and the defaults are called in turns; the median of the ratios of their times. What is at "
    f"most {LEAST_GAIN} is taken, if it holds in a last race."
)


# --- for programs -----------------------------------------------------------------------


def as_object(bench: Bench) -> dict[str, Any]:
    """The object of `--json`: seconds and bytes."""
    manifest = bench.artifact.manifest
    return {
        "file": bench.artifact.source,
        "size_bytes": len(bench.artifact.data),
        "name": manifest.name,
        "version": manifest.version,
        "device": bench.device,
        "method": bench.sample.method,
        "rows": bench.sample.origin,
        "options": bench.options._asdict(),
        "latency": [{"given": case.name, "rows": case.rows, **_times(found)} for case, found in bench.latency],
        "histogram": [{"from": low, "to": high, "calls": calls} for low, high, calls in bench.latency[0][1].histogram],
        "throughput": [found._asdict() for found in bench.throughput],
        "cold_start": bench.fresh.cold_start,
        "resident_bytes": bench.fresh.resident_bytes,
        "original": None if bench.beside is None else _original_object(bench.beside, bench),
        "tuning": None if bench.tuned is None else _tuning_object(bench.tuned),
    }


def _times(latency: Latency) -> dict[str, float]:
    fields = latency._asdict()
    return {name.replace("_", "."): fields[name] for name in Latency._fields if name != "histogram"}


def _original_object(beside: Beside, bench: Bench) -> dict[str, Any]:
    ours = _by_rows(bench)
    return {
        "file": beside.file,
        "rows_compared": beside.compared,
        "latency": [
            {"rows": rows, **_times(found), "ratio": _ratio(found, ours[rows])}
            for rows, found in beside.latency.items()
        ],
    }


def _ratio(theirs: Latency, ours: Latency) -> float:
    """The original's median by ours."""
    return theirs.p50 / max(ours.p50, 1e-9)


def _by_rows(bench: Bench) -> dict[int, Latency]:
    """Of one row, the record."""
    return {case.rows: found for case, found in reversed(bench.latency)}


def _tuning_object(tuned: Tuned) -> dict[str, Any]:
    search = tuned.search
    return {
        "rows": search.rows,
        "candidates": [
            {"options": changes(c.options), "seconds": c.seconds, "ratio": c.ratio, "equal": c.equal}
            for c in search.candidates
        ],
        "chosen": changes(search.chosen),
        "default_seconds": search.default_seconds,
        "chosen_seconds": search.chosen_seconds,
        "record": tuned.path,
        "removed": tuned.removed,
    }


# --- for people -------------------------------------------------------------------------


def show(bench: Bench) -> None:
    """Everything on standard output, at most 80 columns wide where it is no terminal."""
    _head(bench)
    if bench.tuned is not None:
        _tuning(bench.tuned)
    _latency(bench)
    if bench.beside is not None:
        _original(bench.beside, bench)
    _throughput(bench.throughput)
    _fact("cold start", f"{time_text(bench.fresh.cold_start)}, a process from its start to its first answer "
          f"(median of {bench.fresh.starts})")  # fmt: skip
    memory = bench.fresh.resident_bytes
    _fact("memory", "not told by this system" if memory is None else f"{size_text(memory)} resident after an answer")
    _fact("file", size_text(len(bench.artifact.data)))


def _fact(name: str, text: str) -> None:
    write(f"{name:<{_LEAD}}{wrapped(text, _LEAD)}")


def _head(bench: Bench) -> None:
    manifest, here = bench.artifact.manifest, bench.device
    known = f"{manifest.name} {manifest.version}" if bench.artifact.described else "a plain ONNX file"
    write(printable(f"{known}: {bench.sample.method}"))
    write()
    cpus = f"{here['cpus']} CPU{'s'[: here['cpus'] != '1']}"
    _fact("machine", f"{here['cpu']}, {cpus}, {platform.system()} {here['machine']}")
    versions = [f"{name} {here[name]}" for name in ("edge-infer", "onnxruntime", "numpy")]
    _fact("versions", ", ".join([*versions, f"Python {here['python']}"]))
    _fact("rows", bench.sample.origin)
    _fact("options", _setting(bench.options))
    write()


def _setting(options: SessionOptions) -> str:
    """ "threads=2, spinning=1": as the variables of the environment have them."""
    changed = changes(options)
    return ", ".join(f"{name}={int(v) if isinstance(v, bool) else v}" for name, v in changed.items()) or "defaults"


def _latency(bench: Bench) -> None:
    write("Each call timed:\n")
    rows = [
        (case.name, f"{found.calls:,}", *_percentiles(found), time_text(found.max)) for case, found in bench.latency
    ]
    headers = ("given", "calls", "p50", "p90", "p99", "p99.9", "max")
    show_grid(Grid(headers, rows, frozenset(range(1, len(headers)))))
    case, found = bench.latency[0]
    write(f"\nOne call ({case.name}), from the least time to p99, and above:\n")
    for line in _histogram(found.histogram):
        write(line)
    write()


def _percentiles(found: Latency) -> list[str]:
    """Those that so many calls can tell: a share of 1 in n needs n calls."""
    told = ((found.p50, 2), (found.p90, 10), (found.p99, 100), (found.p99_9, 1000))
    return [time_text(seconds) if found.calls >= least else "" for seconds, least in told]


def _histogram(buckets: tuple[Bucket, ...]) -> list[str]:
    most = max(bucket.calls for bucket in buckets)
    ends = [(time_text(bucket.low), time_text(bucket.high)) for bucket in buckets]
    return [
        f"{low:>7} … {high:>7}  {_bar(bucket.calls / most, bucket.calls):<{_BAR}}  {bucket.calls:>9,}"
        for (low, high), bucket in zip(ends, buckets, strict=True)
    ]


def _bar(share: float, calls: int) -> str:
    return "█" * round(share * _BAR) or "▏" * (calls > 0)


def _original(beside: Beside, bench: Bench) -> None:
    write(printable(f"Beside {beside.file}, whose answers to {beside.compared:,} rows are equal:\n"))
    ours = _by_rows(bench)
    rows = [_raced(count, ours[count], theirs) for count, theirs in beside.latency.items()]
    headers = ("rows", "p50", "p99", "original p50", "p99", "calls", "times as fast")
    show_grid(Grid(headers, rows, frozenset(range(len(headers)))))
    if any(row[-1].startswith(_ROUGH) for row in rows):
        write("\n" + wrapped(f"{_ROUGH} rests on fewer than {_FEW_CALLS} calls; --seconds measures more", 2))
    write()


def _raced(count: int, ours: Latency, theirs: Latency) -> tuple[str, ...]:
    """By the rows of a call; a median of few calls is shown, and the ratio that rests on it is marked."""
    rough = _ROUGH if min(ours.calls, theirs.calls) < _FEW_CALLS else ""
    times = rough + _times_as_fast(_ratio(theirs, ours))
    shown = [text for found in (ours, theirs) for text in (time_text(found.p50), _percentiles(found)[2])]
    return f"{count:,}", *shown, f"{theirs.calls:,}", times


def _times_as_fast(ratio: float) -> str:
    return f"{ratio:,.0f} ×" if ratio >= 9.95 else f"{ratio:.2f} ×"


def _throughput(found: list[Throughput]) -> None:
    threads = sorted({each.threads for each in found})
    speeds = {(each.rows, each.threads): f"{each.rows_per_second:,.0f}" for each in found}
    rows = [
        (f"{size:,}", *(speeds.get((size, count), "") for count in threads))
        for size in sorted({each.rows for each in found})
    ]
    headers = ("rows at once", *(f"{count} thread{'s'[: count != 1]}" for count in threads))
    write("Rows a second:\n")
    show_grid(Grid(headers, rows, frozenset(range(len(headers)))))
    write()


# --- tuning -----------------------------------------------------------------------------


def _tuning(tuned: Tuned) -> None:
    search = tuned.search
    write(f"Calls of {search.rows:,} row{'s'[: search.rows != 1]} by setting:\n")
    rows = [_candidate(candidate, candidate.options == search.chosen) for candidate in search.candidates]
    show_grid(Grid(("setting", "median", "÷ defaults", ""), rows, frozenset({1, 2})))
    write()
    write(wrapped(_RATIO, 0))
    write()
    if tuned.path is None:
        gone = " The older record of this device was removed." if tuned.removed else ""
        write(wrapped(f"Nothing was at least {1 - LEAST_GAIN:.0%} faster: the defaults stay.{gone}", 0))
    else:
        _recorded(tuned, tuned.path)
    write()


def _candidate(candidate: Candidate, chosen: bool) -> tuple[str, str, str, str]:
    setting = _setting(candidate.options)
    if candidate.seconds is None or candidate.ratio is None:
        return setting, "", "", "answers differ: left out"
    return setting, time_text(candidate.seconds), f"{candidate.ratio:.2f}", "chosen" if chosen else ""


def _recorded(tuned: Tuned, path: str) -> None:
    setting = _setting(tuned.search.chosen)
    write(wrapped(f"Recorded: {setting}. From now on it holds here for each load of this very file.", 0))
    write(f"{'record':<{_LEAD}}{printable(path)}")  # never folded: it is to be copied
    _fact("undo", "remove that file; or set EDGE_INFER_TUNED=0")
    won = [variable for variable, name in ENVIRONMENT.items() if name in changes(tuned.search.chosen)]
    _fact("instead", f"options of load(), or {', '.join(won)}, come before it")
