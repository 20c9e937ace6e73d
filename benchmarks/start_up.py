"""Start-up in fresh processes: the import, and one answer from the command line, against bare onnxruntime."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Paired, Settings, paired
from benchmarks.results import Part, spent
from benchmarks.subjects import penguins

__all__ = ["MOST_IMPORT_SECONDS", "MOST_PREDICT_RATIO", "RECORD", "run"]

#: Targets: how much later than bare onnxruntime edge_infer may be.
MOST_IMPORT_SECONDS: Final = 0.015
MOST_PREDICT_RATIO: Final = 1.25
_IMPORT, _PREDICT = "import edge_infer, load", "edge-infer predict MODEL JSON"
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
    "Modules are compiled before, as pip leaves them."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if the two sides print different answers."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = {
            _IMPORT: _imports(settings.pairs),
            _PREDICT: _predictions(penguins(Path(folder)).path, settings.pairs),
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
    bare = [sys.executable, str(Path(__file__).with_name("bare_script.py")), *question]
    return paired([*_command(), "predict", *question], bare, pairs)


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
    return f"≤ {MOST_PREDICT_RATIO} ×", pair.ratio <= MOST_PREDICT_RATIO


def _plain(name: str, pair: Paired) -> dict[str, Any]:
    return {
        "case": name,
        "edge_infer_seconds": pair.first,
        "bare_seconds": pair.second,
        "ratio": pair.ratio,
        "difference_seconds": pair.difference,
        "target_met": _target(name, pair)[1],
    }
