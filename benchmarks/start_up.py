"""Start-up in fresh processes: the import, and first answers from the command line, against bare onnxruntime."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Paired, Settings, first_answer, paired
from benchmarks.results import Part, spent
from benchmarks.subjects import penguins

__all__ = ["MOST_ANSWER_RATIO", "MOST_IMPORT_SECONDS", "RECORD", "run"]

#: Targets: how much later than bare onnxruntime edge_infer may be.
MOST_IMPORT_SECONDS: Final = 0.015
MOST_ANSWER_RATIO: Final = 1.25
_IMPORT, _PREDICT = "import edge_infer, load", "edge-infer predict MODEL JSON"
_STREAM: Final = "edge-infer stream MODEL, first line"
RECORD: Final = {
    "island": "Biscoe",
    "sex": None,
    "bill_length_mm": 46.5,
    "bill_depth_mm": 14.5,
    "flipper_length_mm": 213.0,
    "body_mass_g": 4400.0,
}
_NOTE: Final = (
    "Fresh processes, started in turns; ratio and difference are medians over the pairs. Bare: `import numpy, "
    "onnxruntime`; a script that loads the same file, runs it and prints the label (benchmarks/bare_script.py). "
    "Stream: one record is written to standard input, which stays open; until the line that answers it, label and "
    "probabilities, is read; the bare script prints the label alone. Modules are compiled before, as pip leaves them."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if the two sides print different answers."""
    with tempfile.TemporaryDirectory() as folder:
        model = penguins(Path(folder)).path
        pairs = {
            _IMPORT: _imports(settings.pairs),
            _PREDICT: _predictions(model, settings.pairs),
            _STREAM: _first_lines(model, settings.pairs),
        }
    for name, pair in pairs.items():
        if pair.outputs[0] != pair.outputs[1]:
            raise AssertionError(f"{name}: printed {pair.outputs[0]!r}, bare onnxruntime {pair.outputs[1]!r}")
    rows = [_row(name, pair) for name, pair in pairs.items()]
    headers = ("process", "edge_infer", "bare", "ratio", "difference", "target")
    return Part("start_up", "Start-up", _NOTE, headers, rows, [_plain(name, pair) for name, pair in pairs.items()])


def _imports(pairs: int) -> Paired:
    python = sys.executable
    ours = [python, "-c", "import edge_infer; edge_infer.load"]
    return paired(ours, [python, "-c", "import numpy, onnxruntime"], pairs)


def _predictions(model: Path, pairs: int) -> Paired:
    question = [str(model), json.dumps(RECORD)]
    return paired([*_command(), "predict", *question], [*_bare(), *question], pairs)


def _first_lines(model: Path, pairs: int) -> Paired:
    return paired([*_command(), "stream", str(model)], [*_bare(), str(model)], pairs, _first_label)


def _first_label(command: Sequence[str]) -> tuple[float, str]:
    """Seconds until the first line, and the label in it, as the bare script prints it."""
    seconds, line = first_answer(command, json.dumps(RECORD))
    return seconds, f"{json.loads(line)['prediction']}\n" if line.startswith("{") else line


def _bare() -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("bare_script.py"))]


def _command() -> list[str]:
    """The console script beside this Python, else the module."""
    script = Path(sys.executable).with_name("edge-infer")
    return [str(script)] if script.exists() else [sys.executable, "-m", "edge_infer.cli.main"]


def _row(name: str, pair: Paired) -> tuple[str, ...]:
    difference = f"{pair.difference * 1e3:+.1f} ms"
    target, met = _target(name, pair)
    verdict = f"{target}: {'met' if met else 'MISSED'}"
    return name, spent(pair.first), spent(pair.second), f"{pair.ratio:.2f} ×", difference, verdict


def _target(name: str, pair: Paired) -> tuple[str, bool]:
    if name == _IMPORT:
        return f"≤ +{MOST_IMPORT_SECONDS * 1e3:g} ms", pair.difference <= MOST_IMPORT_SECONDS
    return f"≤ {MOST_ANSWER_RATIO} ×", pair.ratio <= MOST_ANSWER_RATIO


def _plain(name: str, pair: Paired) -> dict[str, Any]:
    return {
        "case": name,
        "edge_infer_seconds": pair.first,
        "bare_seconds": pair.second,
        "ratio": pair.ratio,
        "difference_seconds": pair.difference,
        "target_met": _target(name, pair)[1],
    }
