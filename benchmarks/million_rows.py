"""A million rows at once: edge_infer from the caller's table, and one `session.run` whose tensors are ready."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.cores import core
from benchmarks.measure import QUICK, Settings, run_process
from benchmarks.results import Part, spent
from benchmarks.subjects import MANY, Subject, forest, linear, mixed_boosting
from edge_infer.machine import usable_cpus

__all__ = ["EDGE", "READY", "run"]

#: Targets, as shares of what onnxruntime takes.
MOST_SECONDS: Final = 1.0
MOST_MEMORY: Final = 1.1

ROWS: Final = 1_000_000
EDGE, READY = "edge_infer", "onnxruntime"
_SIDES: Final = (EDGE, READY)
_METHOD: Final = "predict_proba"
_RUNS: Final = 3
_NOTE: Final = (
    f"`{_METHOD}` of {ROWS:,} rows: a float64 array [rows, columns]; of the mixed columns, a pandas DataFrame. "
    "onnxruntime: one `session.run` of the graph that edge_infer runs, with the same options; its tensors, of the "
    "graph's dtypes, text as codes, are made before. Each call in a fresh process after one of a few rows, in turns; "
    f"medians of {_RUNS}. Taken: the peak of memory in that call above what the process held before, with "
    "the answer, whose size stands after it: edge_infer's is float64 as the original's. Answers are compared."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if answers differ."""
    quick = settings == QUICK
    measured: list[dict[str, Any]] = []
    rows: list[tuple[str, ...]] = []
    for make in (linear, mixed_boosting) if quick else (linear, forest, mixed_boosting):
        with tempfile.TemporaryDirectory() as folder:
            subject = make(Path(folder))
            count = 2 * MANY if quick else ROWS
            commands = _commands(subject, Path(folder), count)
            for threads in sorted({1, usable_cpus()}):
                told = _measured(commands, threads, Path(folder), 1 if quick else _RUNS)
                rows.append(_row(f"{subject.title}, {_counted(threads)}", told, quick))
                about = {"model": subject.title, "method": _METHOD, "rows": count, "threads": threads}
                measured += [about | {"case": side} | told[side] for side in _SIDES]
    headers = ("model, threads", *_SIDES, "÷ onnxruntime", *(f"{side} took / answer" for side in _SIDES), "÷", "target")
    return Part("million_rows", f"{ROWS:,} rows", _NOTE, headers, rows, measured)


def _counted(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _row(case: str, told: dict[str, dict[str, float]], quick: bool) -> tuple[str, ...]:
    mib = 2**20
    seconds, taken = ([told[side][key] for side in _SIDES] for key in ("seconds", "taken_bytes"))
    shares = seconds[0] / seconds[1], taken[0] / taken[1]
    met = shares[0] <= MOST_SECONDS and shares[1] <= MOST_MEMORY
    target = f"≤ {MOST_SECONDS:.2f} the time, ≤ {MOST_MEMORY:.2f} the memory: {'met' if met else 'MISSED'}"
    return (
        case,
        *map(spent, seconds),
        f"{shares[0]:.2f}",
        *(f"{told[side]['taken_bytes'] / mib:,.1f} / {told[side]['answer_bytes'] / mib:,.1f} MiB" for side in _SIDES),
        f"{shares[1]:.2f}",
        "" if quick else target,
    )


def _commands(subject: Subject, folder: Path, count: int) -> dict[str, list[str]]:
    """The data of both sides, written to files, and what starts a process with it: THREADS and ANSWER are missing."""
    frame = pd.concat([subject.frame] * (count // MANY), ignore_index=True)
    graph = core(subject.path, _METHOD)
    data, feeds, bare = folder / "data.npy", folder / "feeds.npz", folder / "core.onnx"
    if subject.numeric:
        np.save(data, frame.to_numpy(dtype=np.float64))
    else:
        data = data.with_suffix(".pickle")
        frame.to_pickle(data)
    np.savez(feeds, **graph.feeds(frame))
    bare.write_bytes(graph.data)
    start = [sys.executable, "-m", "benchmarks.answering"]
    return {
        EDGE: [*start, EDGE, str(subject.path), _METHOD, str(data)],
        READY: [*start, READY, str(bare), graph.output, str(feeds)],
    }


def _measured(commands: dict[str, list[str]], threads: int, folder: Path, runs: int) -> dict[str, dict[str, float]]:
    """Medians by side. Raises AssertionError if the sides' answers differ."""
    told: dict[str, list[dict[str, float]]] = {side: [] for side in commands}
    for _ in range(runs):
        for side, command in commands.items():
            told[side].append(_answered([*command, str(threads), str(folder / f"{side}.npy")]))
        wanted = np.load(folder / f"{READY}.npy")
        np.testing.assert_allclose(np.load(folder / f"{EDGE}.npy"), wanted, rtol=0, atol=1e-6, err_msg=EDGE)
    return {side: {key: median(run[key] for run in every) for key in every[0]} for side, every in told.items()}


def _answered(command: list[str]) -> dict[str, float]:
    told = json.loads(run_process(command)[1])
    assert isinstance(told, dict)
    return told
