"""Golden rows for an artifact: probes that tell most, with the original's answers, within the format's limits."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import LimitError
from edge_infer.goldens import Goldens, Tolerance, render_goldens
from edge_infer.limits import LIMITS
from edge_infer_convert.original import Original
from edge_infer_convert.parity import Parity

__all__ = ["make_goldens"]

_ROWS: Final = {
    "in range": 40,
    "edge": 16,
    "far": 4,
    "threshold": 4,
}  # never "sample": those are people's data
#: Goldens judge the machine, not the conversion; machines differ by up to 308 ulp (measured x86-64 against aarch64).
_SLACK: Final = 10.0


def make_goldens(parity: Parity, original: Original) -> bytes:
    """`edge_infer.goldens`, with as many rows as fit. Rows on a decision boundary are left out.

    Raises:
        LimitError: not even one row fits (tens of thousands of columns).
    """
    chosen = _chosen(parity)
    while True:
        try:
            return render_goldens(_goldens(parity, original, chosen))
        except LimitError:
            if len(chosen) == 1:
                raise
            chosen = chosen[: len(chosen) // 2]


def _chosen(parity: Parity) -> list[int]:
    left = dict(_ROWS)
    shaky = np.any([comparison.borderline for comparison in parity.comparisons], axis=0)
    if parity.few_digits is not None and not parity.few_digits.all():
        shaky |= parity.few_digits  # another machine's last digits are others
    chosen = []
    for row, kind in enumerate(parity.probes.kinds):
        if left.get(kind, 0) and not shaky[row] and _writable(parity.probes.rows[row]):
            left[kind] -= 1
            chosen.append(row)
    return chosen[: LIMITS.golden_rows]


def _writable(row: tuple[Any, ...]) -> bool:
    """JSON has no infinities."""
    return not any(isinstance(cell, float) and math.isinf(cell) for cell in row)


def _goldens(parity: Parity, original: Original, chosen: list[int]) -> Goldens:
    """The original is asked again: where it stops by all rows of a call (NMF), these rows alone have other answers."""
    rows = [parity.probes.rows[row] for row in chosen]
    answers = {c.method: _plain(_joined(original.answer(c.method, rows)).tolist()) for c in parity.comparisons}
    return Goldens(
        rows=tuple(tuple(_written(cell) for cell in row) for row in rows),
        answers={method: tuple(values) for method, values in answers.items()},
        tolerances={c.method: Tolerance(c.tolerance.relative * _SLACK, c.tolerance.scale) for c in parity.comparisons},
    )


def _written(cell: Any) -> Any:
    """JSON has no times: they are written as ISO 8601."""
    return cell.isoformat() if hasattr(cell, "isoformat") else cell


def _joined(answer: Any) -> NDArray[Any]:
    """The arrays of a list (one for each label column) side by side."""
    return np.concatenate(answer, axis=1) if isinstance(answer, list) else np.asarray(answer)


def _plain(value: Any) -> Any:
    """Non-finite numbers as text, since JSON has none."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value
