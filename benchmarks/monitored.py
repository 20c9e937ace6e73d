"""What a monitor costs: the same model watched and not, in one process; and memory over ten million rows."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

import edge_infer
from benchmarks.measure import QUICK, Settings, run_process, side_by_side
from benchmarks.results import Part, spent
from benchmarks.subjects import MANY, SUBJECTS, Subject
from edge_infer import Monitor

__all__ = ["run"]

#: Targets: of the median of one record the larger of the two, of its p99, of a batch; growth of memory.
MOST_SECONDS, MOST_SHARE = 0.5e-6, 0.10
MOST_P99_SHARE: Final = 0.20
MOST_BATCH_SHARE: Final = 0.05
MOST_GROWTH_BYTES: Final = 4 << 20
_MODELS: Final = ("linear", "mixed_linear", "mixed_forest")
_CALLS, _TURNS, _ROWS = 20_000, 15, 10_000_000
_NOTE: Final = (
    "`predict_proba` without a pause, a model that is not watched and one that is, in turns, in one process; answers "
    "are compared. "
    f"One record: a dict; p99: of {_TURNS} × {_CALLS:,} calls timed one by one. Batch: {MANY:,} rows of a pandas "
    f"DataFrame. Memory: resident after {_ROWS:,} rows in batches (benchmarks/watched.py) above that after the first "
    "hundredth of them, in a fresh process. Targets: the median of one record at most 0.5 µs or 10 % more, whichever "
    "is larger; its p99 at most 20 %, a batch at most 5 %; memory at most 4 MiB."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if the watched model answers differently."""
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in _MODELS:
            subject = SUBJECTS[name](Path(folder))
            for found in _of(subject, settings, Path(folder) / "watched"):
                measured.append({"model": subject.title, **found})
                rows.append(_row(subject.title, found))
        growth = _growth(SUBJECTS["mixed_linear"](Path(folder)), Path(folder), settings)
    measured.append(growth)
    met = growth["growth_bytes"] <= MOST_GROWTH_BYTES
    rows.append(
        (
            f"memory over {growth['rows']:,} rows",
            "",
            f"{growth['growth_bytes'] / (1 << 20):+.1f} MiB",
            "",
            "",
            _verdict(met),
        )
    )
    headers = ("model", "not watched", "watched", "difference", "ratio", "target")
    return Part("monitored", "A model that is watched", _NOTE, headers, rows, measured)


def _of(subject: Subject, settings: Settings, folder: Path) -> list[dict[str, Any]]:
    with Monitor(folder) as monitor:
        plain, watched = edge_infer.load(subject.path), edge_infer.load(subject.path, monitor=monitor)
        record = subject.frame.iloc[0].to_dict()
        for data in (record, subject.frame):
            if not np.array_equal(plain.predict_proba(data), watched.predict_proba(data)):
                raise AssertionError(f"{subject.title}: the watched model answers differently")
        one = _cases(plain, watched, record)
        batch = side_by_side(_cases(plain, watched, subject.frame), settings)
        quick = settings == QUICK
        return [
            _found("one record", side_by_side(one, settings)),
            _found("one record, p99", _p99(one, *((100, 1) if quick else (_CALLS, _TURNS)))),
            _found(f"{MANY:,} rows", batch),
        ]


def _cases(plain: Any, watched: Any, data: Any) -> dict[str, Callable[[], Any]]:
    return {
        "not watched": lambda: plain.predict_proba(data),
        "watched": lambda: watched.predict_proba(data),
    }


def _p99(cases: dict[str, Callable[[], Any]], calls: int, turns: int) -> dict[str, float]:
    """Seconds, by case: the median over the turns of the 99th percentile."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    times, clock = np.empty(calls), time.perf_counter
    for _ in range(turns):
        for name, call in cases.items():
            for place in range(calls):
                start = clock()
                call()
                times[place] = clock() - start
            found[name].append(float(np.quantile(times, 0.99)))
    return {name: float(np.median(values)) for name, values in found.items()}


def _found(case: str, times: dict[str, float]) -> dict[str, Any]:
    off, on = times["not watched"], times["watched"]
    if case == "one record":
        met = on - off <= max(MOST_SECONDS, MOST_SHARE * off)
    else:
        met = on / off - 1 <= (MOST_P99_SHARE if "p99" in case else MOST_BATCH_SHARE)
    return {"case": case, "seconds": on, "bare_seconds": off, "ratio": on / off, "target_met": met}


def _row(title: str, found: dict[str, Any]) -> tuple[str, ...]:
    on, off = found["seconds"], found["bare_seconds"]
    difference = f"{'+' if on >= off else '−'}{spent(abs(on - off))}"
    return (
        f"{title}: {found['case']}", spent(off), spent(on), difference, f"{found['ratio']:.2f} ×",
        _verdict(found["target_met"]),
    )  # fmt: skip


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def _growth(subject: Subject, folder: Path, settings: Settings) -> dict[str, Any]:
    rows = 20_000 if settings == QUICK else _ROWS
    script, data = str(Path(__file__).with_name("watched.py")), folder / "frame.pickle"
    subject.frame.to_pickle(data)
    command = [sys.executable, script, str(subject.path), str(data), str(folder / "memory"), str(rows)]
    told = json.loads(run_process(command)[1])
    return {
        "case": "memory",
        "rows": told["rows"],
        "memory_bytes": told["later"],
        "growth_bytes": told["later"] - told["first"],
    }
