"""The tables of the page: results by method, the largest differences, the schema, the outputs, the probes."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from edge_infer.manifest import Column, Manifest, Output
from edge_infer_convert.parity import Comparison, Parity
from edge_infer_convert.report.answers import Answers
from edge_infer_convert.report.text import (
    counted,
    escaped,
    isolated,
    listing,
    number,
    table,
    told,
    value_text,
)

__all__ = ["differences", "outputs", "probe_kinds", "results", "schema"]

_BY_METHOD: Final = 8  # rows of each method in the table of the largest differences
_MOST_LINES: Final = 60
_OPEN_COLUMNS: Final = 30  # longer schemas are folded
_MOST_COLUMNS: Final = 500
_CELLS: Final = 8  # inputs of a row that are shown
_KINDS: Final = {
    "in range": "random rows within the ranges and categories of the training data",
    "far": "random rows far outside those ranges",
    "edge": "a typical row with one change: zero, the ends of the range, each category, missing, unknown, infinite",
    "threshold": "values at, and next to, the thresholds of decision trees",
    "boundary": "rows bisected to where the original changes its label",
    "jump": "rows on both sides of a branch of a tree",
    "sample": "rows of the data given to the conversion; this page shows none of them",
}


def results(parity: Parity, parts: list[Answers | None]) -> str:
    """A line for each method: the result first."""
    rows = [_result(comparison, part) for comparison, part in zip(parity.comparisons, parts, strict=True)]
    heads = ["Method", "Result", "Largest difference ÷ tolerance", "Tolerance", "Near ties decided otherwise"]
    return table("Result by method", heads, rows, "ttntn")


def _result(comparison: Comparison, part: Answers | None) -> list[str]:
    wrong, borderline = int(comparison.differs.sum()), int(comparison.borderline.sum())
    verdict = f'<strong class="bad">differs in {counted(wrong, "row")}</strong>' if wrong else "equal"
    if borderline and not wrong:
        verdict = f"equal but for {counted(borderline, 'near tie')}"
    if part is None or part.share is None:
        share, tolerance = "–", "exactly equal"
    else:
        share, tolerance = _share_cell(float(part.share.max())), _tolerance(comparison)
    return [escaped(comparison.method), verdict, share, tolerance, f"{borderline:,}"]


def _tolerance(comparison: Comparison) -> str:
    limit = comparison.tolerance
    return f"{number(limit.relative, 3)} × max(|original|, {number(limit.scale, 4)})"


def _share_cell(share: float) -> str:
    text = f"{float(f'{share:.3g}'):,.0f}" if 1e3 <= share < 1e12 else number(share, 3)
    return f'<strong class="bad">{text}</strong>' if share > 1.0 else text


# --- the largest differences ------------------------------------------------------------


class _Line(NamedTuple):
    row: int
    place: int
    part: Answers


def differences(manifest: Manifest, parity: Parity, parts: list[Answers | None]) -> str:
    """Rows that differ, else those nearest to the tolerance."""
    lines = [line for part in parts if part is not None for line in _worst(part)][:_MOST_LINES]
    if not lines:
        return "<p>Every answer that can be listed is equal to the last bit.</p>"
    columns = [column.name for column in manifest.inputs.columns]
    digits = 9 if manifest.precision == "float32" else 15
    heads = ["Method", "Row kind", "Original", "Converted", "Difference ÷ tolerance", "Inputs"]
    rows = [_cells(line, parity, columns, digits) for line in lines]
    return table("The largest differences, at most 8 rows a method", heads, rows, "ttnnnw")


def _worst(part: Answers) -> list[_Line]:
    if part.share is None:
        return _unequal(part)
    places = np.argmax(part.share, axis=1)
    worst = part.share[np.arange(len(places)), places]
    order = np.argsort(-worst, kind="stable")[:_BY_METHOD]
    return [_Line(int(row), int(places[row]), part) for row in order if worst[row] > 0]


def _unequal(part: Answers) -> list[_Line]:
    """Labels that differ, near ties last."""
    rows = [*np.flatnonzero(part.differs), *np.flatnonzero(part.borderline)][:_BY_METHOD]
    unequal = [part.original[row].astype(object) != part.converted[row].astype(object) for row in rows]
    return [_Line(int(row), int(np.argmax(at)), part) for row, at in zip(rows, unequal, strict=True)]


def _cells(line: _Line, parity: Parity, columns: list[str], digits: int) -> list[str]:
    row, place, part = line
    which = f" [{place}]" if part.original.shape[1] > 1 else ""
    if part.share is not None:
        share = _share_cell(float(part.share[row, place]))
    else:
        share = '<strong class="bad">differs</strong>' if part.differs[row] else "near tie"
    sides = (isolated(value_text(side[row].tolist()[place], digits), 40) for side in (part.original, part.converted))
    kind = parity.probes.kinds[row]
    return [f"{escaped(part.method)}{which}", escaped(kind), *sides, share, _inputs(parity, row, columns)]


def _inputs(parity: Parity, row: int, columns: list[str]) -> str:
    """The first cells of a made row; rows of the caller's own data stay out of the page."""
    if parity.probes.kinds[row] == "sample":
        return "a row of your data, not shown"
    cells = list(zip(columns, parity.probes.rows[row], strict=False))
    shown = ", ".join(f"{isolated(name, 30)} = {isolated(value_text(value), 30)}" for name, value in cells[:_CELLS])
    rest = len(cells) - _CELLS
    return f"{shown}, … and {rest:,} more" if rest > 0 else shown


# --- the schema and what was compared ---------------------------------------------------


def schema(manifest: Manifest) -> str:
    """The input columns; folded where there are many."""
    columns = manifest.inputs.columns
    heads = ["Column", "Kind", "Range or categories", "Missing", "Unknown", "Infinite", "Place"]
    body = table("Input columns", heads, (_column(column) for column in columns[:_MOST_COLUMNS]))
    if len(columns) > _MOST_COLUMNS:
        body += f"<p>The first {_MOST_COLUMNS} of {counted(len(columns), 'column')}.</p>"
    if len(columns) <= _OPEN_COLUMNS:
        return body
    return f"<details><summary>{counted(len(columns), 'column')}</summary>{body}</details>"


def _column(column: Column) -> list[str]:
    if column.categories is not None:
        values = listing(column.categories)
    elif column.range is not None:
        times = column.times
        values = " to ".join(times.shown(end) if times else number(end, 6) for end in column.range)
    else:
        values = "any"
    if column.unit:
        values += f" {isolated(column.unit)}"
    unknown = _allowed(column.unknown) if column.categories is not None else "–"
    return [
        isolated(column.name) + (f"<small>{told(column.description, 200)}</small>" if column.description else ""),
        f"{escaped(column.kind)} ({escaped(column.dtype, 20)})",
        values,
        _allowed(column.missing),
        unknown,
        _allowed(column.infinite) if column.kind == "number" else "–",
        f"{escaped(column.tensor, 30)}[{column.index}]",
    ]


def _allowed(yes: bool) -> str:
    return "allowed" if yes else "refused"


def outputs(manifest: Manifest) -> str:
    """What each method gives, and the methods that the artifact lacks."""
    heads = ["Method", "Type", "One row’s answer", "Classes", "Tensors"]
    body = table("Outputs", heads, (_output(output) for output in manifest.outputs))
    if manifest.missing_methods:
        rows = ([escaped(name), isolated(why, 200)] for name, why in sorted(manifest.missing_methods.items()))
        body += table("Methods of the original that the artifact lacks", ["Method", "Why"], rows)
    return body


def _output(output: Output) -> list[str]:
    shape = " × ".join(f"{size:,}" for size in output.shape) if output.shape else "one value"
    classes = "<br>".join(listing(labels) for labels in (output.classes or ())[:4]) or "–"
    listed = f", a list of {len(output.tensors):,}" if output.listed else ""
    return [escaped(output.method), escaped(output.dtype), shape + listed, classes, listing(output.tensors, 4)]


def probe_kinds(parity: Parity) -> str:
    """How many rows of each kind were compared, and what they are for."""
    counts: dict[str, int] = parity.certificate()["kinds"]
    rows = [[escaped(kind), f"{count:,}", _KINDS.get(kind, "–")] for kind, count in counts.items()]
    return table("Probe rows by kind", ["Kind", "Rows", "What they are"], rows, "tnt")
