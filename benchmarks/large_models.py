"""Large ensembles of trees: how long, how much memory and how large a file, beside the documented converters."""

from __future__ import annotations

import json
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.measure import QUICK, Settings, run_process
from benchmarks.memory import bytes_now, peak_bytes
from benchmarks.results import Part, spent

__all__ = ["run"]

#: Targets: how much faster than the peer the graph is made; with how much of its memory; how slow the gate may make it.
LEAST_SPEED_UP: Final = 3.0
MOST_MEMORY: Final = 0.5
MOST_WITH_GATE: Final = 2.0
_PEER, _GRAPH, _PROVEN = "peer", "graph", "proven"
_RUNS: Final = 3
_ROWS: Final = 1000  # that the answers are compared on
_NOTE: Final = (
    "Each conversion in a fresh process, in turns; medians of 3. Seconds: of the conversion, without imports and "
    "fitting. Memory: the process's peak, and what of it the conversion took, on top of libraries and fitted model. "
    "Graph: nodes and file, as the peer makes them. Proven: `convert`, with probes, gate, golden rows and "
    "verification. Labels: of 1,000 rows, those that differ from the original's."
)


class _Subject(NamedTuple):
    name: str
    peer: str
    fit: Callable[[Any, Any, bool], Any]
    classes: int
    rows: int


def run(settings: Settings) -> Part:
    """Raises AssertionError if a label of ours differs from the original's."""
    quick = settings == QUICK
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for subject in _SUBJECTS:
            if all(map(find_spec, subject.peer.split(" + "))):
                measured += _measured(subject, Path(folder), quick)
    rows = [_row(entry, "" if quick else _target(entry)) for entry in measured]
    headers = ("model, side", "seconds", "÷ peer", "peak memory", "taken", "÷ peer", "file", "labels", "target")
    return Part("large_models", "Large ensembles, converted", _NOTE, headers, rows, measured)


def _measured(subject: _Subject, folder: Path, quick: bool) -> list[dict[str, Any]]:
    path = folder / "fitted.pickle"
    path.write_bytes(pickle.dumps(_fitted(subject, quick), protocol=5))
    told: dict[str, list[dict[str, Any]]] = {_PEER: [], _GRAPH: [], _PROVEN: []}
    for _ in range(1 if quick else _RUNS):
        for side, runs in told.items():
            command = [sys.executable, "-m", "benchmarks.large_models", subject.peer, side, str(path)]
            runs.append(json.loads(run_process(command)[1].splitlines()[-1]))
    entries = [_summary(subject, side, runs) for side, runs in told.items()]
    for entry in entries:
        entry["speed_up"] = entries[0]["seconds"] / entry["seconds"]
        entry["memory_ratio"] = entry["taken_bytes"] / entries[0]["taken_bytes"]
        if entry["side"] == _PROVEN and entry["differing_labels"]:
            raise AssertionError(f"{subject.name}: {entry['differing_labels']} labels differ from the original's")
    return entries


def _summary(subject: _Subject, side: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    name = subject.peer.rpartition(" + ")[2] if side == _PEER else f"edge_infer, {side}"
    numbers = {key: median(told[key] for told in runs) for key in runs[0]}
    return {"case": f"{subject.name}: {name}", "side": side, **numbers}


def _row(entry: dict[str, Any], target: str) -> tuple[str, ...]:
    return (
        entry["case"],
        spent(entry["seconds"]),
        f"{1 / entry['speed_up']:.2f}",
        f"{entry['peak_bytes'] / 2**20:,.0f} MiB",
        f"{entry['taken_bytes'] / 2**20:,.0f} MiB",
        f"{entry['memory_ratio']:.2f}",
        f"{entry['file_bytes'] / 2**20:.1f} MiB",
        str(int(entry["differing_labels"])),
        target,
    )


def _target(entry: dict[str, Any]) -> str:
    if entry["side"] == _GRAPH:
        met = entry["speed_up"] >= LEAST_SPEED_UP and entry["memory_ratio"] <= MOST_MEMORY
        return f"{LEAST_SPEED_UP:g} × faster, ≤ {MOST_MEMORY:g} of the memory: {'met' if met else 'MISSED'}"
    if entry["side"] == _PROVEN:
        return f"≤ {MOST_WITH_GATE:g} × the time: {'met' if entry['speed_up'] >= 1 / MOST_WITH_GATE else 'MISSED'}"
    return ""


# --- what is converted ------------------------------------------------------------------


def _fitted(subject: _Subject, quick: bool) -> tuple[Any, Any]:
    """The model, and fresh rows: float64 that float32 holds exactly, so that all sides read the same numbers."""
    from sklearn.datasets import make_classification

    count = 1500 if quick else subject.rows
    X, y = make_classification(
        count + _ROWS, 20, n_informative=10, n_classes=subject.classes, flip_y=0.05, random_state=0
    )
    X = X.astype(np.float32).astype(np.float64)
    return subject.fit(X[:count], y[:count], quick), X[count:]


def _forest(X: Any, y: Any, quick: bool) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(10 if quick else 200, max_depth=16, random_state=0).fit(X, y)


def _lightgbm(X: Any, y: Any, quick: bool) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=20 if quick else 5000, learning_rate=0.01, random_state=0, n_jobs=1, verbose=-1
    ).fit(X, y)


def _xgboost(X: Any, y: Any, quick: bool) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=20 if quick else 5000, learning_rate=0.01, random_state=0, n_jobs=1).fit(X, y)


_SUBJECTS: Final = (
    _Subject("forest of 200 trees", "skl2onnx", _forest, 3, 50_000),
    _Subject("5,000 trees of LightGBM", "lightgbm + onnxmltools", _lightgbm, 2, 10_000),
    _Subject("5,000 trees of XGBoost", "xgboost + onnxmltools", _xgboost, 2, 10_000),
)


# --- one conversion, in its own process -------------------------------------------------


def _child(peer: str, side: str, path: str) -> dict[str, Any]:
    model, rows = pickle.loads(Path(path).read_bytes())  # written by `_measured`
    wanted = np.asarray(model.predict(rows[:2]))  # imports what the model needs
    makers = {_PEER: _peer(peer), _GRAPH: _graph, _PROVEN: _proven}
    convert, answer = makers[side]()
    before = bytes_now()
    started = time.perf_counter()
    data = convert(model, rows)
    seconds = time.perf_counter() - started
    peak = peak_bytes()
    wanted = np.asarray(model.predict(rows))
    differing = int((answer(data, rows) != wanted).sum())
    memory = {"peak_bytes": peak, "taken_bytes": max(peak - before, 1)}
    return {"seconds": seconds, **memory, "file_bytes": len(data), "differing_labels": differing}


_Sides = tuple[Callable[[Any, Any], bytes], Callable[[bytes, Any], Any]]


def _peer(peer: str) -> Callable[[], _Sides]:
    return {"skl2onnx": _skl2onnx}.get(peer, _onnxmltools)


def _skl2onnx() -> _Sides:
    from skl2onnx import to_onnx

    def convert(model: Any, rows: Any) -> bytes:
        options = {"zipmap": False}
        return bytes(to_onnx(model, rows[:1].astype(np.float32), options=options).SerializeToString())

    return convert, _by_onnxruntime


def _onnxmltools() -> _Sides:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    def convert(model: Any, rows: Any) -> bytes:
        types = [("X", FloatTensorType([None, rows.shape[1]]))]
        if type(model).__module__.startswith("lightgbm"):
            return bytes(onnxmltools.convert_lightgbm(model, initial_types=types, zipmap=False).SerializeToString())
        return bytes(onnxmltools.convert_xgboost(model, initial_types=types).SerializeToString())

    return convert, _by_onnxruntime


def _graph() -> _Sides:
    from edge_infer_convert.boosters import readings_kept
    from edge_infer_convert.graph.assemble import assemble
    from edge_infer_convert.schema import make_schema

    def convert(model: Any, rows: Any) -> bytes:
        with readings_kept():
            return bytes(assemble(make_schema(model, rows), "float32").model.SerializeToString(deterministic=True))

    return convert, _by_onnxruntime


def _proven() -> _Sides:
    import edge_infer
    from edge_infer_convert import convert as convert_and_prove

    def convert(model: Any, rows: Any) -> bytes:
        return convert_and_prove(model, data=rows, name="large").data

    return convert, lambda data, rows: edge_infer.load(data).predict(rows)


def _by_onnxruntime(data: bytes, rows: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # skl2onnx states a shape of labels that is none
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.ravel(session.run(None, {name: rows.astype(np.float32)})[0])


if __name__ == "__main__":
    print(json.dumps(_child(*sys.argv[1:])))
