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

import edge_infer
from benchmarks.cores import core
from benchmarks.measure import QUICK, Settings, run_process
from benchmarks.results import Part, spent
from benchmarks.subjects import MANY, Subject, forest, linear, mixed_boosting
from edge_infer.machine import usable_cpus

__all__ = ["EDGE", "READY", "run"]

#: Targets, as shares of what onnxruntime takes.
MOST_SECONDS: Final = 1.0
MOST_MEMORY: Final = 1.1
MOST_OF_ANSWER: Final = 1.2  # or this share of its own answer, which is float64 where onnxruntime's may be float32

ROWS: Final = 1_000_000
EDGE, READY = "edge_infer", "onnxruntime"
_SIDES: Final = (EDGE, READY)
_METHOD: Final = "predict_proba"
_RUNS: Final = 7
_NOTE: Final = (
    f"`{_METHOD}` of {ROWS:,} rows: an array [rows, columns] of the graph's dtype; of the mixed columns, a pandas "
    "DataFrame. onnxruntime: one `session.run` with the same options; the same array, by the graph that edge_infer "
    "runs; of the mixed columns, tensors of numbers and of strings that are made before, by the file as it is. Each "
    f"call in a fresh process after one of a few rows, in turns; medians of {_RUNS}; without numpy's huge pages, whose "
    "first use takes one time or ten in a virtual machine. Taken: the peak of memory in that call above what the "
    "process held before, with the answer, whose size stands after it: edge_infer's is float64 as the original's. "
    f"Target: at most {MOST_MEMORY:g} of what onnxruntime takes, or {MOST_OF_ANSWER:g} of the own answer. Answers are "
    "compared."
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
    modest = shares[1] <= MOST_MEMORY or taken[0] <= MOST_OF_ANSWER * told[EDGE]["answer_bytes"]
    met = shares[0] <= MOST_SECONDS and modest
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
    data, feeds, graph = folder / "data.npy", folder / "feeds.npz", folder / "graph.onnx"
    if subject.numeric:
        own = core(subject.path, _METHOD)
        tensors, output = own.feeds(frame), own.output
        np.save(data, *tensors.values())
        graph.write_bytes(own.data)
    else:
        data, graph = data.with_suffix(".pickle"), subject.path
        frame.to_pickle(data)
        tensors, output = _tensors(subject.path, frame)
    np.savez(feeds, **tensors)
    start = [sys.executable, "-m", "benchmarks.answering"]
    return {
        EDGE: [*start, EDGE, str(subject.path), _METHOD, str(data)],
        READY: [*start, READY, str(graph), output, str(feeds)],
    }


def _tensors(path: Path, frame: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """The inputs of the file's own graph, and the output that answers, as its manifest tells every host."""
    manifest = edge_infer.load(path).manifest
    tensors = {}
    for tensor in manifest.inputs.tensors:
        own = frame[[column.name for column in manifest.inputs.columns if column.tensor == tensor.name]]
        text = tensor.dtype == "string"
        tensors[tensor.name] = own.fillna(tensor.missing).to_numpy(object) if text else own.to_numpy(tensor.dtype)
    output = manifest.output(_METHOD)
    assert output is not None
    return tensors, output.tensors[0]


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
    told = json.loads(run_process(command, NUMPY_MADVISE_HUGEPAGE="0")[1])
    assert isinstance(told, dict)
    return told
