"""`edge-infer demo`: train, convert, verify, compare and time a small model, in one go."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from edge_infer.cli.console import Grid, show_grid, write
from edge_infer.cli.extras import needs_converter
from edge_infer.cli.progress import Progress
from edge_infer.cli.verify import show_checks
from edge_infer.model import Model, load
from edge_infer.verification import verify

__all__ = ["run"]

_ROWS: Final = 5
_BUDGET: Final = 1.0  # seconds of timing for each of the two


def run(*, folder: str | None) -> int:
    """The command; its exit code: 1 if the file does not verify, or an answer differs."""
    place = Path(folder) if folder is not None else Path(tempfile.mkdtemp(prefix="edge-infer-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    target = place / "penguins-1.0.0.onnx"
    pipeline, frame = _convert(target)
    write(f"\n{target.name}: one file of {target.stat().st_size:,} bytes\n")
    checks = verify(target)
    show_checks(checks)
    if any(check.status == "failed" for check in checks):
        return 1
    with load(target) as model:
        equal = _side_by_side(pipeline, model, frame)
        _race(pipeline, model, frame)
    _next(target, frame)
    return 0 if equal else 1


def _convert(target: Path) -> tuple[Any, Any]:
    with Progress() as progress:
        progress("train", "penguins' species, from six columns with gaps")
        with needs_converter("edge-infer demo"):
            from edge_infer_convert import convert
            from edge_infer_convert.demo import CARD, train
        pipeline, frame, _ = train()
        convert(pipeline, data=frame, name="penguins", version="1.0.0", output=target, card=CARD, progress=progress)
    return pipeline, frame


def _side_by_side(pipeline: Any, model: Model, frame: Any) -> bool:
    """A table of the original's answers and ours; whether all labels are equal, and the numbers to 1e-4."""
    sample = frame.iloc[:: max(1, len(frame) // _ROWS)][:_ROWS]
    theirs, ours = pipeline.predict(sample), model.predict(sample)
    their_p, our_p = pipeline.predict_proba(sample).max(axis=1), model.predict_proba(sample).max(axis=1)
    same = (theirs == ours) & (abs(their_p - our_p) < 1e-4)
    rows = [
        (str(row), str(a), f"{p:.6f}", str(b), f"{q:.6f}", "✓" if ok else "✗")
        for row, a, p, b, q, ok in zip(sample.index, theirs, their_p, ours, our_p, same, strict=True)
    ]
    write("\nThe same rows through both:\n")
    headers = ("row", "scikit-learn", "probability", "edge-infer", "probability", "equal")
    show_grid(Grid(headers, rows, frozenset({0, 2, 4})))
    return bool(same.all())


def _race(pipeline: Any, model: Model, frame: Any) -> None:
    row = frame.iloc[:1]
    record = _record(frame)
    theirs = _median_seconds(lambda: pipeline.predict_proba(row))
    ours = _median_seconds(lambda: model.predict_proba(record))
    write("\nOne row, predict_proba, median:\n")
    rows = [("scikit-learn", f"{theirs * 1e6:,.1f} µs"), ("edge-infer", f"{ours * 1e6:,.1f} µs")]
    show_grid(Grid(("", "time"), rows, frozenset({1})))
    write(f"\nedge-infer is {theirs / ours:,.0f} times as fast here.")


def _median_seconds(call: Callable[[], object]) -> float:
    for _ in range(10):
        call()
    times: list[float] = []
    end = time.perf_counter() + _BUDGET
    while len(times) < 20 or (time.perf_counter() < end and len(times) < 20_000):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _record(frame: Any) -> dict[str, Any]:
    """The first row as JSON has it."""
    record: dict[str, Any] = json.loads(frame.iloc[:1].to_json(orient="records"))[0]
    return record


def _next(target: Path, frame: Any) -> None:
    import shlex

    record = shlex.quote(json.dumps(_record(frame), separators=(",", ":"), ensure_ascii=False))
    file = shlex.quote(str(target))
    write("\nThe file is kept. Try:\n")
    write(f"  model={file}")
    write("  edge-infer inspect $model")
    write("  edge-infer verify $model")
    write("  edge-infer predict --method all $model \\")
    for line in _folded(record):
        write(f"    {line}")


def _folded(record: str, room: int = 74) -> list[str]:
    """JSON in quotes over several lines, broken behind commas."""
    lines = [""]
    for part in record.replace(",", ",\n").split("\n"):
        if lines[-1] and len(lines[-1]) + len(part) > room:
            lines.append("")
        lines[-1] += part
    return lines
