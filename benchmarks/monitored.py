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
from numpy.typing import NDArray

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
_QUANTILES: Final = (0.5, 0.99)
_CALLS, _TURNS, _ROWS = 20_000, 15, 10_000_000
_NOTE: Final = (
    "`predict_proba` without a pause, a model that is not watched and one that is, in turns, in one process; answers "
    "are compared. "
    f"One record: a dict; median and p99: of {_TURNS} × {_CALLS:,} calls timed one by one; mean: of calls in a row, "
    f"with what the thread takes from them. Batch: {MANY:,} rows of a pandas "
    f"DataFrame. Memory: resident after {_ROWS:,} rows in batches (benchmarks/watched.py) above that after the first "
    "hundredth of them, in a fresh process; held: the same where glibc gives large blocks back at once "
    "(MALLOC_MMAP_THRESHOLD_=65536), since a heap in which some rows wait beside a batch's blocks falls into pieces. "
    "Targets: the median of one record at most 0.5 µs or 10 % more, whichever "
    "is larger; its p99 at most 20 %, a batch at most 5 %; memory held at most 4 MiB."
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
    measured.extend(growth)
    rows.extend(_growth_row(found) for found in growth)
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
        median, p99 = _quantiles(one, *((100, 1) if settings == QUICK else (_CALLS, _TURNS)))
        return [
            _found("one record, median", median),
            _found("one record, p99", p99),
            _found("one record, mean", side_by_side(one, settings)),
            _found(f"{MANY:,} rows", batch),
        ]


def _cases(plain: Any, watched: Any, data: Any) -> dict[str, Callable[[], Any]]:
    return {
        "not watched": lambda: plain.predict_proba(data),
        "watched": lambda: watched.predict_proba(data),
    }


def _quantiles(cases: dict[str, Callable[[], Any]], calls: int, turns: int) -> tuple[dict[str, float], ...]:
    """The median and the 99th percentile in seconds, each by case: the median over the turns."""
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in cases}
    times, clock = np.empty(calls), time.perf_counter
    for _ in range(turns):
        for name, call in cases.items():
            for place in range(calls):
                start = clock()
                call()
                times[place] = clock() - start
            found[name].append(np.quantile(times, _QUANTILES))
    return tuple(
        {name: float(np.median([each[place] for each in values])) for name, values in found.items()}
        for place in range(len(_QUANTILES))
    )


def _found(case: str, times: dict[str, float]) -> dict[str, Any]:
    off, on = times["not watched"], times["watched"]
    found: dict[str, Any] = {"case": case, "seconds": on, "bare_seconds": off, "ratio": on / off}
    if "median" in case:
        found["target_met"] = on - off <= max(MOST_SECONDS, MOST_SHARE * off)
    elif "mean" not in case:
        found["target_met"] = on / off - 1 <= (MOST_P99_SHARE if "p99" in case else MOST_BATCH_SHARE)
    return found


def _row(title: str, found: dict[str, Any]) -> tuple[str, ...]:
    on, off = found["seconds"], found["bare_seconds"]
    difference = f"{'+' if on >= off else '−'}{spent(abs(on - off))}"
    return (
        f"{title}: {found['case']}", spent(off), spent(on), difference, f"{found['ratio']:.2f} ×",
        _verdict(found),
    )  # fmt: skip


def _verdict(found: dict[str, Any]) -> str:
    """Nothing where there is no target."""
    return {True: "met", False: "MISSED", None: ""}[found.get("target_met")]


def _growth(subject: Subject, folder: Path, settings: Settings) -> list[dict[str, Any]]:
    """As the allocator comes, and with large blocks given back at once: what is left then is what is held."""
    rows = 20_000 if settings == QUICK else _ROWS
    script, data = str(Path(__file__).with_name("watched.py")), folder / "frame.pickle"
    subject.frame.to_pickle(data)
    found: list[dict[str, Any]] = []
    for case, variables in (("held", {"MALLOC_MMAP_THRESHOLD_": "65536"}), ("resident", {})):
        command = [sys.executable, script, str(subject.path), str(data), str(folder / case), str(rows)]
        told = json.loads(run_process(command, **variables)[1])
        growth = told["later"] - told["first"]
        found.append(
            {
                "case": f"memory {case}, over {told['rows']:,} rows",
                "memory_bytes": told["later"],
                "growth_bytes": growth,
            }
        )
    found[0]["target_met"] = found[0]["growth_bytes"] <= MOST_GROWTH_BYTES
    return found


def _growth_row(found: dict[str, Any]) -> tuple[str, ...]:
    grown = f"{found['growth_bytes'] / (1 << 20):+.1f} MiB"
    return (found["case"], "", grown, "", "", _verdict(found))
