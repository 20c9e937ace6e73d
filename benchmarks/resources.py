"""What a process takes that serves one small model: memory at first and after a million calls, CPU at 6 Hz."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.measure import QUICK, Settings, run_process
from benchmarks.results import Part
from benchmarks.start_up import RECORD
from benchmarks.subjects import penguins

__all__ = ["run"]

#: Targets.
MOST_MEMORY_RATIO: Final = 1.15
MOST_GROWTH_BYTES: Final = 1 << 20
MOST_SHARE: Final = 0.01
_SIDES: Final = ("edge_infer", "bare")
_CALLS, _SECONDS, _RUNS = 1_000_000, 60.0, 5
_NOTE: Final = (
    "Fresh processes (benchmarks/serving.py) with the penguins model. Memory: resident after the first answer, medians "
    f"of {_RUNS}; bare is numpy and a session of the same file with the same options. Growth: over {_CALLS:,} calls "
    f"after it. CPU: of one core, called 6 times a second for {_SECONDS:g} s."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if the sides answer differently."""
    calls, seconds, runs = (1_000, 0.5, 1) if settings == QUICK else (_CALLS, _SECONDS, _RUNS)
    record = json.dumps(RECORD | {"sex": "male"})
    with tempfile.TemporaryDirectory() as folder:
        model = str(penguins(Path(folder)).path)
        short = {side: [_serve(side, model, record, 0, 0.0) for _ in range(runs)] for side in _SIDES}
        long = {side: _serve(side, model, record, calls, seconds) for side in _SIDES}
    answers = {told["answer"] for side in _SIDES for told in [*short[side], long[side]]}
    if len(answers) != 1:
        raise AssertionError(f"different answers: {answers}")
    memory = {side: median(told["first"] for told in short[side]) for side in _SIDES}
    growth = {side: long[side]["later"] - long[side]["first"] for side in _SIDES}
    share = {side: long[side]["share"] for side in _SIDES}
    ratio = memory["edge_infer"] / memory["bare"]
    rows = [
        ("resident memory", *map(_mib, memory.values()), f"{ratio:.2f} ×",
         _verdict(f"≤ {MOST_MEMORY_RATIO} ×", ratio <= MOST_MEMORY_RATIO)),
        ("growth over a million calls", *map(_mib, growth.values()), "",
         _verdict("≤ 1 MiB", growth["edge_infer"] <= MOST_GROWTH_BYTES)),
        ("CPU at 6 calls a second", *(f"{part:.2%}" for part in share.values()), "",
         _verdict("< 1 %", share["edge_infer"] < MOST_SHARE)),
    ]  # fmt: skip
    measured: list[dict[str, Any]] = [
        {"case": side, "memory_bytes": memory[side], "growth_bytes": growth[side], "share": share[side]}
        for side in _SIDES
    ]
    return Part("resources", "Resources", _NOTE, ("one small model", *_SIDES, "ratio", "target"), rows, measured)


def _serve(side: str, model: str, record: str, calls: int, seconds: float) -> dict[str, Any]:
    script = str(Path(__file__).with_name("serving.py"))
    told = json.loads(run_process([sys.executable, script, side, model, record, str(calls), str(seconds)])[1])
    assert isinstance(told, dict)
    return told


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def _verdict(target: str, met: bool) -> str:
    return f"{target}: {'met' if met else 'MISSED'}"
