"""`edge-infer bench`: what a model costs on this machine, beside its original, and the options that suit it."""

from __future__ import annotations

import math
import os
from typing import Final, NamedTuple

from edge_infer.artifact import Artifact, read_artifact
from edge_infer.bench.latency import Latency, measured
from edge_infer.bench.process import Fresh, fresh
from edge_infer.bench.rows import MOST_ROWS, Case, Rows, Sample, rows_of_data
from edge_infer.bench.tensors import Made, Zeros, tensors_for
from edge_infer.bench.throughput import Throughput, throughput
from edge_infer.bench.tuning import Tuning, tune
from edge_infer.cli.answering import chosen_methods
from edge_infer.cli.bench_original import Beside, Original, load_original
from edge_infer.cli.console import dumps, write
from edge_infer.cli.model_file import model_file
from edge_infer.cli.predict import read_input
from edge_infer.cli.progress import Progress
from edge_infer.errors import InferenceError, InputError, UsageError
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.tuned import Record, check_folder, device, remove, save

__all__ = ["Bench", "Tuned", "run"]

_LATENCY_BATCHES: Final = (100, MOST_ROWS)
_MOST_SECONDS: Final = 3600.0
_MOST_TUNED_ROWS: Final = 1_000_000


class Tuned(NamedTuple):
    """A search, the file of its record (None where the defaults stay), and whether an older record was removed."""

    search: Tuning
    path: str | None
    removed: bool


class Bench(NamedTuple):
    """All that is shown. Seconds and bytes throughout."""

    artifact: Artifact
    sample: Sample
    device: dict[str, str]
    options: SessionOptions
    latency: list[tuple[Case, Latency]]
    throughput: list[Throughput]
    fresh: Fresh
    beside: Beside | None = None
    tuned: Tuned | None = None


def run(
    *,
    model: str,
    data: str | None,
    method: str | None,
    seconds: float,
    rows: int | None,
    vs: str | None,
    trust_pickle: bool,
    tune: bool,
    json: bool,
) -> int:
    """The command; its exit code."""
    _check_usage(seconds, rows, vs, trust_pickle=trust_pickle, tune=tune)
    artifact = read_artifact(model_file(model))
    with Progress() as progress:
        with Model(artifact) as loaded:
            sample = _sample(loaded, data, method, beside=vs is not None)
            compared = None
            if vs is not None and isinstance(sample, Rows):
                compared = _compared(vs, sample, loaded, progress, trust_pickle=trust_pickle)
        tuned = _tuned(artifact, sample, rows or 1, seconds, progress) if tune else None
        bench = _measured(artifact, sample, seconds, compared, progress)._replace(tuned=tuned)
    from edge_infer.cli import bench_report

    if json:
        write(dumps(bench_report.as_object(bench)))
    else:
        bench_report.show(bench)
    return 0


def _check_usage(seconds: float, rows: int | None, vs: str | None, *, trust_pickle: bool, tune: bool) -> None:
    if not (math.isfinite(seconds) and 0 < seconds <= _MOST_SECONDS):
        raise UsageError(f"--seconds: expected a number above 0 and up to {_MOST_SECONDS:g}, got {seconds:g}")
    if rows is not None and not tune:
        raise UsageError("--rows tells of the calls that --tune makes fast: give it too")
    if rows is not None and not 1 <= rows <= _MOST_TUNED_ROWS:
        raise UsageError(f"--rows: expected a whole number from 1 to {_MOST_TUNED_ROWS:,}, got {rows}")
    if trust_pickle and vs is None:
        raise UsageError("--trust-pickle tells of the file that --vs names: name it too")
    if tune:
        check_folder()


# --- rows -------------------------------------------------------------------------------


def _sample(model: Model, data: str | None, method: str | None, *, beside: bool) -> Sample:
    """Rows of the caller's file, else golden rows, else tensors, which no original is asked with (`beside`)."""
    if data is not None:
        return _of_file(model, data, chosen_methods(model, method)[0])
    goldens = model.artifact.goldens()
    if goldens is not None:
        origin = f"{len(goldens.rows)} golden rows"
        return Rows(origin, chosen_methods(model, method)[0], model.manifest.inputs, goldens.rows)
    if method is not None:
        raise UsageError("--method: this file has no golden rows to ask it with; name a file of rows with --data")
    if beside:
        raise UsageError("--vs: this file has no golden rows to ask both with; name a file of rows with --data")
    return _tensors(model)


def _tensors(model: Model) -> Made | Zeros:
    """Raises InferenceError where the graph does not take zeros, and there is nothing else."""
    try:
        return tensors_for(model)
    except InferenceError as error:
        raise InferenceError(
            f"{error}\nThis file has no golden rows, so it was given zeros (free sizes 1), which do not fit it. If its "
            "inputs are columns of numbers, name a file of rows with --data."
        ) from error


def _of_file(model: Model, data: str, method: str) -> Rows:
    inputs = model.manifest.inputs
    request = read_input(data, inputs, "--data")
    if not request.rows:
        raise UsageError(f"--data: expected at least one row, got none in {data!r:.80}")
    try:
        getattr(model, method)(request.data)
    except InputError as error:
        if request.lines is None:
            raise
        from edge_infer.cli.csv_rows import at_lines

        raise at_lines(error, request.lines) from None
    cells = rows_of_data(request.data, single=request.single, inputs=inputs)
    where = "what --data gives" if not os.path.exists(data) else data
    return Rows(f"{len(cells):,} row{'s'[: len(cells) != 1]} of {where}", method, inputs, cells)


# --- the original -----------------------------------------------------------------------


def _compared(path: str, sample: Rows, model: Model, progress: Progress, *, trust_pickle: bool) -> tuple[Original, int]:
    """The original, and how many of its answers are this model's. Raises VerificationError where they are not."""
    progress("load", path)
    estimator = load_original(path, trust_pickle=trust_pickle)
    progress("compare", path)
    original = Original(path, estimator, sample)
    return original, original.compare(model)


# --- measuring --------------------------------------------------------------------------


def _measured(
    artifact: Artifact, sample: Sample, seconds: float, compared: tuple[Original, int] | None, progress: Progress
) -> Bench:
    """With the options that `load` uses."""
    beside = None
    with Model(artifact) as model:
        options = model.options
        progress("measure", "single calls")
        latency = [(case, measured(sample.ask(model), case.given, seconds)) for case in _cases(sample)]
    if compared is not None:
        original, rows = compared
        progress("measure", original.path)
        beside = Beside(original.path, rows, original.measure(seconds))
    progress("measure", "rows a second")
    by_size = throughput(artifact, sample, options, seconds)
    progress("measure", "fresh processes")
    started = fresh(artifact.source or "", sample)
    return Bench(artifact, sample, device(), options, latency, by_size, started, beside)


def _cases(sample: Sample) -> list[Case]:
    batches = [rows for rows in _LATENCY_BATCHES if rows <= (sample.widest or rows)]
    return [*sample.single(), *map(sample.batch, batches)]


def _tuned(artifact: Artifact, sample: Sample, rows: int, seconds: float, progress: Progress) -> Tuned:
    """Search, and record what is clearly faster than the defaults; where nothing is, an older record goes."""
    progress("tune", f"calls of {rows:,} row{'s'[: rows != 1]}")
    if rows > (sample.widest or rows):
        raise UsageError(f"--rows: this graph takes {sample.widest} row at a time, got {rows}")
    search = tune(artifact, sample, rows, seconds)
    here = device()
    if search.chosen == SessionOptions():
        return Tuned(search, None, remove(artifact.digest, here))
    name = f"{artifact.manifest.name} {artifact.manifest.version}"
    times = (search.default_seconds, search.chosen_seconds)
    return Tuned(search, save(Record(artifact.digest, name, here, rows, *times, search.chosen)), False)
