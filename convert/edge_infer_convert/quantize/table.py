"""All that was tried, for people: a table of at most 80 columns, and below it why what is not kept is not."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any, Final

from edge_infer_convert.quantize.choosing import Tried

__all__ = ["as_objects", "as_table"]

_WIDTH: Final = 80
_LINE: Final = "{:<24}{:>11}{:>7}{:>11}{:>9}{:>9}{:>8}"
_WORDS: Final = {"r2": "R²", "accuracy": "accuracy", "agreement": "agree", "error": "error"}


def as_table(rows: Sequence[Tried]) -> str:
    """size: bytes of the artifact file, and as a share of float32's. RSS: the most that a fresh process held."""
    base = rows[0]
    metric = next((row.score.metric for row in rows if row.score), "accuracy")
    lines = [_LINE.format("variant", "size", "share", "p50 µs", "RSS MB", _WORDS[metric], "loss").rstrip()]
    lines += [_row(row, base, rows).rstrip() for row in rows if row.size is not None]
    for row in rows:
        if row.variant != base.variant or row.kept:
            told = f"{row.variant}: {'kept' if row.kept else 'not kept'}, {row.reason}"
            lines += textwrap.wrap(told, _WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def _row(row: Tried, base: Tried, rows: Sequence[Tried]) -> str:
    score = row.score or next((other.score for other in rows if other.score), None)
    value = "" if score is None else _value(score.metric, score.after if row.score else score.before)
    name = f"{row.variant} *" if row.kept else row.variant
    share = "" if not (row.size and base.size) else f"{row.size / base.size:.2f}"
    p50 = "" if row.p50 is None else f"{row.p50 * 1e6:,.1f}"
    peak = "" if row.peak is None else f"{row.peak / 1e6:,.1f}"
    return _LINE.format(name, f"{row.size:,}", share, p50, peak, value, "" if row.score is None else _loss(row))


def _value(metric: str, value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:.4f}" if metric in ("r2", "error") else f"{value:.2%}"


def _loss(row: Tried) -> str:
    return f"{row.score.loss:.2f}" if row.score and math.isfinite(row.score.loss) else "all"


def as_objects(rows: Sequence[Tried]) -> list[dict[str, Any]]:
    """For JSON, which has no infinities: they are null."""
    return [_object(row) for row in rows]


def _object(row: Tried) -> dict[str, Any]:
    score = None if row.score is None else {name: _finite(value) for name, value in row.score._asdict().items()}
    return row._asdict() | {"score": score}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
