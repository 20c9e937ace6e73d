"""How many rows a second: by how many come at once, and by threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from edge_infer.artifact import Artifact
from edge_infer.bench.latency import measured
from edge_infer.bench.rows import BATCHES, Sample
from edge_infer.machine import usable_threads
from edge_infer.model import Model
from edge_infer.options import SessionOptions

__all__ = ["Throughput", "throughput"]


class Throughput(NamedTuple):
    """seconds: the median call of so many rows."""

    threads: int
    rows: int
    seconds: float
    rows_per_second: float


def throughput(artifact: Artifact, sample: Sample, options: SessionOptions, seconds: float) -> list[Throughput]:
    """With one thread, and with all CPUs where there are more: each batch size for `seconds`.

    A size that takes longer than `seconds` is the last one. Raises InferenceError as `Model.run` does.
    """
    found: list[Throughput] = []
    for threads in sorted({1, usable_threads()}):
        with Model(artifact, options._replace(threads=threads)) as model:
            found += _by_size(model, threads, sample, seconds)
    return found


def _by_size(model: Model, threads: int, sample: Sample, seconds: float) -> Iterator[Throughput]:
    for rows in BATCHES:
        if rows > (sample.widest or rows):
            return
        median = measured(sample.ask(model), sample.batch(rows).given, seconds).p50
        yield Throughput(threads, rows, median, rows / max(median, 1e-9))
        if median > seconds:
            return
