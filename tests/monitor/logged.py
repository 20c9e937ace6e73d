"""Logs of a small model for tests, and clocks that tell what they are told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_infer.monitor.log import PredictionLog
from edge_infer.monitor.log_lines import LoggedModel, Stamp
from edge_infer.monitor.log_reading import LogReader
from edge_infer.monitor.log_settings import LogSettings
from edge_infer.store.files import Files, Step

MODEL = LoggedModel("pets", "1.0.0", "ab" * 32, ("age", "sex"), "columns", (("cat", "dog"),))
ROW = {"age": 29, "sex": "female"}
NOON = 1_795_867_200.0  # 2026-11-28T12:00:00Z
DAY = 86_400.0


def log_of(
    folder: Path | Files, *, model: LoggedModel = MODEL, watch: Callable[[Step], None] | None = None, **settings: Any
) -> PredictionLog:
    files = folder if isinstance(folder, Files) else Files(folder, watch)
    return PredictionLog(files, model, LogSettings(**settings))


def at(utc: float) -> Callable[[], Stamp]:
    return lambda: Stamp(utc, 1.0)


def answer(log: PredictionLog, row: Any = ROW, label: Any = "cat") -> str | None:
    log.answered("predict", row, np.str_(label), 1e-5)
    return log.last_id()


def lines(folder: Path) -> list[dict[str, Any]]:
    return list(LogReader(Files(folder), "pets"))


def ids(folder: Path) -> list[str]:
    return [line["id"] for line in lines(folder) if "id" in line]


def kinds(folder: Path) -> list[str]:
    return [line["kind"] for line in lines(folder)]


def names(folder: Path) -> list[str]:
    """Of the log's files, without those of processes and of the record of bytes."""
    return [name for name in Files(folder).names("pets", "log") if ".jsonl" in name]


def dies(log: PredictionLog, *, torn: bytes = b'{"kind":"answ') -> None:
    """As if its process were killed in the middle of a line: the system lets go of what it holds."""
    held = log._writer.held
    assert held is not None
    os.close(held)
    log._writer._held = None
    if torn and log._writer._file is not None:
        log._files.append(("pets", "log", log._writer._file.plain), torn)
