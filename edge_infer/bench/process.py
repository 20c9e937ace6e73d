"""What a fresh process costs: the time to its first answer, and the memory that it holds then."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

from edge_infer.bench.rows import Rows, Sample
from edge_infer.errors import InferenceError

__all__ = ["Fresh", "fresh"]

_STARTS: Final = 5
_PATIENCE: Final = 600.0  # seconds


class Fresh(NamedTuple):
    """cold_start: seconds from the start of a process to its first answer, the median of `starts`.

    resident_bytes: after a load and an answer; None where the system does not tell.
    """

    starts: int
    cold_start: float
    resident_bytes: int | None


def fresh(path: str, sample: Sample) -> Fresh:
    """Of `edge-infer predict`, or for tensors of a program that loads and runs the file.

    Raises:
        InferenceError: a process ended without an answer, with what it said.
    """
    memory = ["edge_infer.bench.answer_once", path, sample.method]
    first, text = memory, ""
    if isinstance(sample, Rows):
        first, text = ["edge_infer.cli.main", "predict", path, "-", "--method", sample.method], _json(sample)
    _, told = _answered(memory, text)  # it also fills the system's caches
    starts = [_answered(first, text)[0] for _ in range(_STARTS)]
    return Fresh(_STARTS, median(starts), json.loads(told)["resident_bytes"])


def _json(rows: Rows) -> str:
    return json.dumps(rows.record(0), ensure_ascii=True)


def _answered(module: Sequence[str], text: str) -> tuple[float, str]:
    """Seconds to the first line of output, and that line."""
    started = time.perf_counter()
    command = [sys.executable, "-m", *module]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text)
        process.stdin.close()
        line = process.stdout.readline()
        spent = time.perf_counter() - started
        said = process.stderr.read() if process.stderr else ""
        code = process.wait(_PATIENCE)
    if code or not line:
        raise InferenceError(f"a fresh process gave no answer (exit code {code}): {said.strip()[-2000:]}")
    return spent, line
