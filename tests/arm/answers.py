"""Answers of every model of a folder, as files: runs on the device and on this machine alike, with edge_infer alone.

python answers.py MODELS ANSWERS writes ANSWERS/NAME.npz: an array for each method, all rows at once, and one for the
first rows one by one ("… alone"). Labels are written as their text in Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

import edge_infer
from edge_infer.manifest import METHODS

_ALONE: Final = 20  # rows


def main(models: Path, answers: Path) -> None:
    answers.mkdir(parents=True, exist_ok=True)
    for path in sorted(models.glob("*.onnx")):
        rows = json.loads(path.with_suffix(".rows.json").read_text(encoding="utf-8"))
        with edge_infer.load(path) as model:
            np.savez(answers / f"{path.stem}.npz", **dict(_answered(model, rows)))
        print(f"answers: {path.stem}", flush=True)


def _answered(model: edge_infer.Model, rows: list[Any]) -> Iterator[tuple[str, Any]]:
    for name in METHODS:
        if not any(name == output.method for output in model.manifest.outputs):
            continue
        ask = getattr(model, name)
        yield from _arrays(name, ask(rows))
        alone = [ask(row) for row in rows[:_ALONE]]
        if isinstance(alone[0], list):
            for i in range(len(alone[0])):
                yield from _arrays(f"{name} {i} alone", np.array([answer[i] for answer in alone]))
        else:
            yield from _arrays(f"{name} alone", np.array(alone))


def _arrays(name: str, answer: Any) -> Iterator[tuple[str, Any]]:
    """A list has an array for each output."""
    if isinstance(answer, list):
        for i, part in enumerate(answer):
            yield from _arrays(f"{name} {i}", part)
        return
    array = np.asarray(answer)
    if array.dtype.kind == "f":
        yield name, array
    else:
        yield name, np.array([repr(value) for value in array.ravel().tolist()]).reshape(array.shape)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
