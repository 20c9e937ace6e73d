"""Golden rows: inputs made for a model and the original framework's answers to them. Pure data."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from edge_infer.errors import FormatError, GraphMismatchError, LimitError
from edge_infer.limits import LIMITS, Limits
from edge_infer.manifest import KEY_GOLDENS, METHODS, Manifest
from edge_infer.strict_json import Node, parse

__all__ = ["Goldens", "Tolerance", "parse_goldens", "render_goldens", "tolerance_of"]

_NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Tolerance(NamedTuple):
    """Numbers a and b (the original's) agree when |a − b| ≤ relative × max(|b|, scale)."""

    relative: float
    scale: float


class Goldens(NamedTuple):
    """`rows` in the order of the manifest's columns, None for missing; `answers` by method."""

    rows: tuple[tuple[Any, ...], ...]
    answers: dict[str, tuple[Any, ...]]
    tolerances: dict[str, Tolerance]


def parse_goldens(text: bytes, manifest: Manifest, limits: Limits = LIMITS) -> Goldens:
    """Parse `edge_infer.goldens` and check it against the manifest.

    Raises:
        FormatError, LimitError: with the JSON path of the first mistake.
        GraphMismatchError: rows or answers do not fit the manifest.
    """
    root = parse(text, what=KEY_GOLDENS, most_bytes=limits.golden_bytes, most_depth=limits.json_depth)
    width = len(manifest.inputs.columns)
    rows = tuple(_row(item, width) for item in root.get("rows").list(limits.golden_rows))
    answers = {
        method: tuple(_answer(item) for item in node.list(limits.golden_rows))
        for method, node in root.get("answers").fields()
    }
    tolerances = {method: tolerance_of(node) for method, node in root.get("tolerances").fields()}
    _check(rows, answers, tolerances, manifest)
    return Goldens(rows, answers, tolerances)


def _row(node: Node, width: int) -> tuple[Any, ...]:
    cells = tuple(_cell(item) for item in node.list())
    if len(cells) != width:
        raise GraphMismatchError(f"{node.path}: {len(cells)} cells, the manifest has {width} columns")
    return cells


def _cell(node: Node) -> Any:
    if isinstance(node.value, dict | list):
        raise node.fail("a number, text, true/false or null")
    return node.value


def _answer(node: Node) -> Any:
    if isinstance(node.value, list):
        return [_answer(item) for item in node.list()]
    if isinstance(node.value, dict) or node.value is None:
        raise node.fail("a number, text, true/false or a list of them")
    return node.value


def tolerance_of(node: Node) -> Tolerance:
    """Raises FormatError."""
    tolerance = Tolerance(node.get("relative").number(), node.get("scale").number())
    if not (0 <= tolerance.relative <= 1e-2 and tolerance.scale >= 0):
        raise node.fail("relative between 0 and 0.01, scale ≥ 0")
    return tolerance


def _check(
    rows: tuple[tuple[Any, ...], ...],
    answers: dict[str, tuple[Any, ...]],
    tolerances: dict[str, Tolerance],
    manifest: Manifest,
) -> None:
    if not rows:
        raise FormatError("$.rows: there are no golden rows")
    for method, given in answers.items():
        if method not in METHODS or manifest.output(method) is None:
            raise GraphMismatchError(f"$.answers.{method}: the manifest has no such output")
        if len(given) != len(rows):
            raise GraphMismatchError(f"$.answers.{method}: {len(given)} answers for {len(rows)} rows")
        if method not in tolerances:
            raise FormatError(f"$.tolerances: {method!r} is missing")
    for output in manifest.outputs:
        if output.method not in answers:
            raise GraphMismatchError(f"$.answers: the output {output.method!r} of the manifest is missing")


def as_number(value: Any) -> Any:
    """A golden's number, or the lists of them; non-finite ones are written as text."""
    if isinstance(value, list):
        return [as_number(item) for item in value]
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value


def render_goldens(goldens: Goldens, limits: Limits = LIMITS) -> bytes:
    """Canonical JSON. Raises LimitError above the limits."""
    document = {
        "rows": goldens.rows,
        "answers": goldens.answers,
        "tolerances": {method: value._asdict() for method, value in goldens.tolerances.items()},
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > limits.golden_bytes or len(goldens.rows) > limits.golden_rows:
        raise LimitError(f"the goldens take {len(text):,} bytes, the limit is {limits.golden_bytes:,}")
    return text
