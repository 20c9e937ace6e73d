"""arm.json, the answers of 64-bit Arm beside those of x86, as a section of SUPPORT.md.

`make test-arm` writes the record (`tests/arm/compare.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["RECORD", "read", "rendered", "section"]

RECORD: Final = Path(__file__).parent.parent / "artifacts" / "arm.json"
_HEAD: Final = """
## 64-bit Arm beside x86

Written by `make test-arm` from `arm.json`: do not edit. The same files answered the same rows on both architectures,
with onnxruntime {onnxruntime} and numpy {numpy}: on x86-64, and on aarch64 Debian (Python {python}, {emulator}).
Rows are golden rows of the samples, and of the others rows that the conversion did not see, out to 1000 × the range.
Each file also answered its first {alone} rows one by one.

A difference is that of two numbers by the larger of the value and the output's size in range, as the files' own golden
rows are judged, and *allowed* is their tolerance. *Differ at all*: by a bit or more.

{told}

| model | method | precision | rows | differ at all | largest difference | absolute | allowed |
|---|---|---|---:|---:|---:|---:|---:|
"""


def read(path: Path = RECORD) -> dict[str, Any] | None:
    """The record; None where there is none."""
    if not path.exists():
        return None
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made


def rendered(record: dict[str, Any]) -> str:
    """One line for each model and method, so that a diff shows which ones changed."""
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in record["answers"])
    return '{\n"where": ' + json.dumps(record["where"]) + ',\n"answers": [\n' + lines + "\n]\n}\n"


def section(record: dict[str, Any]) -> str:
    """A summary, then a row for each model and method."""
    rows = "".join(map(_row, record["answers"]))
    return _HEAD.format(**record["where"], told=_told(record["answers"])) + rows


def _told(answers: list[dict[str, Any]]) -> str:
    labels, numbers = ([entry for entry in answers if entry["kind"] == kind] for kind in ("labels", "numbers"))
    beyond = sum(entry["beyond"] for entry in numbers)
    nearest = max(numbers, key=lambda entry: entry["worst"] / entry["allowed"] if entry["allowed"] else 0.0)
    return (
        f"Of {_sum(labels, 'values'):,} labels {_sum(labels, 'differing') or 'none'} differ. Of "
        f"{_sum(numbers, 'values'):,} numbers {_sum(numbers, 'differing'):,} differ at all, and {beyond or 'none'} by "
        f"more than is allowed;\nnearest to that comes *{nearest['model']}* with {_number(nearest['worst'])} of "
        f"{_number(nearest['allowed'])}."
    )


def _sum(answers: list[dict[str, Any]], key: str) -> int:
    return sum(entry[key] for entry in answers)


def _row(entry: dict[str, Any]) -> str:
    cells = [entry["model"], entry["method"], entry["precision"], f"{entry['rows']:,}"]
    cells.append(f"{entry['differing']:,} of {entry['values']:,} {entry['kind']}")
    cells += [_number(entry[key]) if key in entry else "–" for key in ("worst", "absolute", "allowed")]
    return f"| {' | '.join(cells)} |\n"


def _number(value: float) -> str:
    return f"{value:.0e}" if value else "0"
