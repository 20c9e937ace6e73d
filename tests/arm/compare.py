"""Answers of two architectures number by number, and the record of what differs.

python -m tests.arm.compare MODELS X86 ARM [--record WHERE.json] prints a line for each model; it fails where a label
differs, or a number by more than the file's own tolerance. With --record artifacts/arm.json and artifacts/SUPPORT.md
are written; WHERE.json says how the second was run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import edge_infer
from edge_infer.goldens import Tolerance
from matrix import arm, record, report

__all__ = ["compared", "main"]

_EXACT = Tolerance(0.0, 0.0)


def main(models: Path, x86: Path, device: Path, where: Path | None) -> int:
    """The exit code."""
    paths = sorted(models.glob("*.onnx"), key=lambda path: (not path.stem.startswith("sample "), path.stem.lower()))
    entries = [entry for path in paths for entry in compared(path, x86, device)]
    for entry in entries:
        print(_line(entry))
    if where is not None:
        document = {"where": json.loads(where.read_text(encoding="utf-8")), "answers": entries}
        arm.RECORD.write_text(arm.rendered(document), encoding="utf-8")
        record.MARKDOWN.write_text(report.markdown(record.read(), arm.read()), encoding="utf-8")
        print(f"arm: wrote {arm.RECORD.name} and {record.MARKDOWN.name}")
    return int(not entries or any(entry["beyond"] for entry in entries))


def compared(model: Path, x86: Path, device: Path) -> list[dict[str, Any]]:
    """What differs in the answers to one model, an entry for each method; a label that differs is beyond any tolerance.

    Raises:
        SystemExit: one has answers that the other has not, or of another shape or dtype.
    """
    artifact = edge_infer.read_artifact(model)
    goldens = artifact.goldens()
    tolerances = {} if goldens is None else goldens.tolerances
    with np.load(x86 / f"{model.stem}.npz") as ours, np.load(device / f"{model.stem}.npz") as theirs:
        _check_same_form(model.stem, ours, theirs)
        pairs = {name: (ours[name], theirs[name]) for name in ours}
    entries = []
    for method in dict.fromkeys(name.split()[0] for name in pairs):  # "predict", "predict alone", "predict 0 alone"
        some = [pair for name, pair in pairs.items() if name.split()[0] == method]
        found = _difference(some, tolerances.get(method, _EXACT))
        about = {"model": model.stem, "method": method, "precision": artifact.manifest.precision}
        entries.append({**about, "rows": max(len(first) for first, _ in some), **found})
    return entries


def _check_same_form(model: str, ours: Any, theirs: Any) -> None:
    forms = [{name: (part[name].shape, part[name].dtype.kind) for name in part} for part in (ours, theirs)]
    if forms[0] != forms[1]:
        sys.exit(f"{model}: answers of other shapes: x86 {forms[0]}, the device {forms[1]}")


def _difference(pairs: list[tuple[Any, Any]], tolerance: Tolerance) -> dict[str, Any]:
    ours, theirs = (np.concatenate([np.ravel(part) for part in parts]) for parts in zip(*pairs, strict=True))
    if ours.dtype.kind != "f":
        differing = int((ours != theirs).sum())
        return {"kind": "labels", "values": ours.size, "differing": differing, "beyond": differing}
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        absolute = np.where(same, 0.0, np.abs(ours.astype(np.float64) - theirs))
        relative = np.where(same, 0.0, absolute / np.maximum(np.abs(ours), tolerance.scale))
    absolute, relative = (np.nan_to_num(part, nan=np.inf) for part in (absolute, relative))
    return {
        "kind": "numbers",
        "values": ours.size,
        "differing": int((~same).sum()),
        "beyond": int((relative > tolerance.relative).sum()),
        "worst": float(relative.max(initial=0.0)),
        "absolute": float(absolute.max(initial=0.0)),
        "allowed": tolerance.relative,
    }


def _line(entry: dict[str, Any]) -> str:
    about = f"{entry['model']}, {entry['method']}: {entry['differing']} of {entry['values']} {entry['kind']} differ"
    largest = f", by {entry['worst']:.1e} of {entry['allowed']:.0e}" if entry["kind"] == "numbers" else ""
    return f"{'✗' if entry['beyond'] else '✓'} {about}{largest}"


if __name__ == "__main__":
    places = [Path(arg) for arg in sys.argv[1:4]]
    sys.exit(main(*places, Path(sys.argv[5]) if sys.argv[4:5] == ["--record"] else None))
