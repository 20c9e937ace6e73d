"""Timing: calls side by side in one process, and fresh processes in pairs. Medians throughout."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

__all__ = [
    "FULL",
    "QUICK",
    "Batch",
    "Paired",
    "Settings",
    "batch_of",
    "environment",
    "first_answer",
    "in_turns",
    "paired",
    "run_process",
    "side_by_side",
]

#: So many calls, one after the other → the seconds that they took together.
Batch = Callable[[int], float]

_ROOT: Final = Path(__file__).parents[1]


class Settings(NamedTuple):
    """How often things are measured.

    batches: timed batches of calls for each case; the median of them counts.
    seconds: how long a batch of calls lasts at least.
    pairs: fresh processes of each side.
    """

    batches: int
    seconds: float
    pairs: int


FULL: Final = Settings(batches=15, seconds=0.05, pairs=21)
QUICK: Final = Settings(batches=1, seconds=0.0, pairs=1)


def side_by_side(cases: Mapping[str, Callable[[], Any]], settings: Settings) -> dict[str, float]:
    """Median seconds of a call, by case; see `in_turns`."""
    return in_turns({name: batch_of(call) for name, call in cases.items()}, settings)


def in_turns(cases: Mapping[str, Batch], settings: Settings) -> dict[str, float]:
    """Median seconds of a call, by case. Batches take turns, so that a busy moment hits all cases alike."""
    counts = {name: _calls_for(batch, settings.seconds) for name, batch in cases.items()}
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(settings.batches):
        for name, batch in cases.items():
            seconds[name].append(batch(counts[name]) / counts[name])
    return {name: median(values) for name, values in seconds.items()}


def _calls_for(batch: Batch, seconds: float) -> int:
    """How many calls last that long; warms up on the way."""
    count = 1
    while (spent := batch(count)) < seconds:
        count = max(count * 2, int(count * seconds / max(spent, 1e-9))) if spent < seconds / 2 else count * 2
    return count


def batch_of(call: Callable[[], Any]) -> Batch:
    """Batches of a call of Python."""
    return partial(_batch, call)


def _batch(call: Callable[[], Any], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - started


class Paired(NamedTuple):
    """Medians over pairs of fresh processes: seconds of each, of `first` ÷ `second`, of `first` − `second`."""

    first: float
    second: float
    ratio: float
    difference: float
    outputs: tuple[str, str]


def run_process(command: Sequence[str], **variables: str) -> tuple[float, str]:
    """Wall seconds from start to end of a process, and its standard output. `variables`: of its environment.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    started = time.perf_counter()
    own = environment() | variables
    done = subprocess.run(list(command), env=own, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return time.perf_counter() - started, done.stdout


def first_answer(command: Sequence[str], line: str) -> tuple[float, str]:
    """Wall seconds from the start of a process until its answer to one line is there, and the answer.

    Its standard input stays open until then. Raises subprocess.CalledProcessError if it fails.
    """
    started = time.perf_counter()
    piped = subprocess.PIPE
    with subprocess.Popen(list(command), env=environment(), stdin=piped, stdout=piped, encoding="utf-8") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.stdin.close()
    if process.returncode or not answer:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return seconds, answer


def paired(
    first: Sequence[str],
    second: Sequence[str],
    pairs: int,
    run: Callable[[Sequence[str]], tuple[float, str]] = run_process,
) -> Paired:
    """Start the two commands in turns (A B A B …), after one unmeasured pair that fills the caches.

    run: gives the seconds and the output of a command.
    """
    outputs = run(first)[1], run(second)[1]
    times = [(run(first)[0], run(second)[0]) for _ in range(pairs)]
    return Paired(
        first=median(a for a, _ in times),
        second=median(b for _, b in times),
        ratio=median(a / b for a, b in times),
        difference=median(a - b for a, b in times),
        outputs=outputs,
    )


def environment() -> dict[str, str]:
    """This process's, with the packages that it imports; compiled modules are kept, as an installation has them."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)])}
