"""Workers that die in the middle of their work, as often as the test has laid out files: see `deaths`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

FOLDER = "EDGE_INFER_TESTS_DEATHS"


def deaths(count: int) -> None:
    """So many processes will die."""
    for number in range(count):
        (Path(os.environ[FOLDER]) / f"{number}").touch()


def deaths_left() -> int:
    return len(list(Path(os.environ[FOLDER]).iterdir()))


def die_perhaps() -> None:
    """Of processes that come at once, a file is taken by one alone."""
    for file in Path(os.environ[FOLDER]).iterdir():
        try:
            file.unlink()
        except FileNotFoundError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)


def dying_task(task: type) -> type:
    """Of `edge_infer.batch.spark`."""

    class DyingTask(task):  # type: ignore[misc]
        def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for number, answers in enumerate(super().__call__(batches)):
                if number == 1:
                    die_perhaps()
                yield answers

    return DyingTask


def dying_actor(actor: type) -> type:
    """Of `edge_infer.batch.ray`."""

    class DyingActor(actor):  # type: ignore[misc]
        calls = 0

        def __call__(self, rows: pa.Table) -> Any:
            answers = super().__call__(rows)
            self.calls += 1
            if self.calls == 2:
                die_perhaps()
            return answers

    return DyingActor
