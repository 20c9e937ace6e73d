"""A new release while processes answer: eight that watch the store through 200 activations, against eight without."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final

from sklearn.base import clone

from benchmarks.measure import QUICK, Settings, environment
from benchmarks.results import Part, spent
from benchmarks.start_up import RECORD
from edge_infer.histogram import Histogram
from edge_infer.store import Store
from edge_infer.strict_json import Node
from edge_infer_convert import convert
from edge_infer_convert.demo import train

__all__ = ["MOST_RATIO", "run"]

#: Target: the p99 of the calls through activations ÷ that of the same calls without.
MOST_RATIO: Final = 2.0
_PROCESSES, _ACTIVATIONS, _PAUSE, _RUNS = 8, 200, 0.1, 3
_SIDES: Final = ("through activations", "without")
_NOTE: Final = (
    f"{_PROCESSES} processes (benchmarks/watching.py) call `predict_proba` of one record without a pause, by a watched "
    f"model that looks every 10 ms, first through {_ACTIVATIONS} activations of two releases in turns, a tenth of a "
    "second apart, then for as long without any. Every answer is compared with those of both releases. Latencies of "
    f"all calls of all processes, at most 2 % off; medians of {_RUNS} runs of each side, in turns, and of their ratios."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError for an answer that is neither release's, and where a process saw no activation."""
    processes, activations, runs = (2, 4, 1) if settings == QUICK else (_PROCESSES, _ACTIVATIONS, _RUNS)
    with tempfile.TemporaryDirectory() as folder:
        store, versions = _filled(Path(folder))
        pairs = [
            tuple(_watched(store, versions, processes, activations, moving=side == _SIDES[0]) for side in _SIDES)
            for _ in range(runs)
        ]
    ratios = {share: median(_at(moving, share) / _at(still, share) for moving, still in pairs) for share in (0.5, 0.99)}
    rows, measured = [], []
    for place, side in enumerate(_SIDES):
        times = {share: median(_at(pair[place], share) for pair in pairs) for share in (0.5, 0.99, 1.0)}
        calls = int(median(pair[place].count for pair in pairs))
        rows.append((side, f"{calls:,}", *map(spent, times.values()), *_verdict(side, ratios[0.99])))
        measured.append({"case": side, "calls": calls, "seconds": times[0.99], "p50": times[0.5], "max": times[1.0]})
    measured[0] |= {"ratio": ratios[0.99], "target_met": ratios[0.99] <= MOST_RATIO}
    headers = ("calls", "number", "p50", "p99", "max", "p99 ratio", "target")
    return Part("swap", "A new release while processes answer", _NOTE, headers, rows, measured)


def _verdict(side: str, ratio: float) -> tuple[str, str]:
    if side != _SIDES[0]:
        return "", ""
    return f"{ratio:.2f} ×", f"≤ {MOST_RATIO:g} ×: {'met' if ratio <= MOST_RATIO else 'MISSED'}"


def _filled(folder: Path) -> tuple[Store, list[str]]:
    """A store with two releases of the penguins model, whose answers differ."""
    store, references = Store(folder), []
    pipeline, X, y = train()
    for version, strength in (("1.0.0", 1.0), ("1.1.0", 0.1)):
        model = clone(pipeline)
        model[-1].set_params(C=strength)
        found = store.install(convert(model.fit(X, y), data=X, name="penguins", version=version).data)
        references.append(f"{found.name}@{found.release.version}")
    return store, references


def _watched(store: Store, versions: list[str], processes: int, activations: int, *, moving: bool) -> Histogram:
    """Latencies of all calls while releases are activated, or for as long."""
    answers = {
        reference.partition("@")[2]: store.load(reference).predict_proba(RECORD).tolist() for reference in versions
    }
    name = versions[0].partition("@")[0]
    script = str(Path(__file__).with_name("watching.py"))
    command = [sys.executable, script, name, json.dumps(RECORD), json.dumps(answers)]
    with ExitStack() as stack:
        running = [stack.enter_context(_started(command, store)) for _ in range(processes)]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for change in range(activations):
            if moving:
                store.activate(versions[change % 2], allow_older=True)
            time.sleep(_PAUSE)
        told = [process.communicate("stop\n")[0] for process in running]
    return _together(told, [process.returncode for process in running], moving)


def _started(command: list[str], store: Store) -> subprocess.Popen[str]:
    own = environment() | {"EDGE_INFER_HOME": store.folder}
    return subprocess.Popen(command, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")


def _together(told: list[str], codes: list[int], moving: bool) -> Histogram:
    whole = Histogram()
    for text, code in zip(told, codes, strict=True):
        document: dict[str, Any] = json.loads(text) if not code else {}
        if code or (moving and len(document["seen"]) < 2):
            raise AssertionError(f"a process that watched ended with {code}: {text or 'see its error above'}")
        whole.merge(Histogram.parse(Node(document["latencies"], "$")))
    return whole


def _at(histogram: Histogram, share: float) -> float:
    seconds = histogram.quantile(share)
    assert seconds is not None
    return seconds
