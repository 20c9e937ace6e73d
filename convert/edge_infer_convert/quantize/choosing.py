"""Which variant is kept: one that is measured smaller or faster than float32, and has lost no more than may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from edge_infer_convert.quantize.metrics import Score

__all__ = ["FLOAT", "Tried", "best", "objection"]

FLOAT: Final = "float32"
_LESS: Final = 0.95  # of float32's: what counts as smaller, and as faster; less could be chance
_BETTER: Final = 0.9  # by so much a later variant must be better than an earlier one, whose order is then not chance


class Tried(NamedTuple):
    """A row of the table. size: bytes of the artifact file; p50: seconds of a call; peak: bytes of a fresh process that
    loads and runs it. score: None for float32 itself, and where the variant could not be made. reason: why it is kept,
    or why not."""

    variant: str
    kind: str
    size: int | None
    p50: float | None
    peak: int | None
    score: Score | None
    kept: bool
    reason: str

    def gain(self, base: Tried) -> float:
        """Size × p50, as a share of float32's: the lower the better."""
        return _share(self.size, base.size) * _share(self.p50, base.p50)


def objection(row: Tried, base: Tried, max_loss: float) -> str | None:
    """Why a variant that was made and measured is not kept; None where nothing is in its way."""
    loss = row.score.loss if row.score is not None else 0.0
    if loss > max_loss:
        lost = f"{loss:.3g} points" if loss != float("inf") else "all: its answers are not finite numbers"
        return f"loses {lost}, more than {max_loss:g}"
    if _share(row.size, base.size) > _LESS and _share(row.p50, base.p50) > _LESS:
        return "neither smaller nor faster than float32, by 5% at least"
    return None


def best(rows: Sequence[Tried], base: Tried) -> Tried | None:
    """Of those that may be kept, the one with the lowest size × p50."""
    found: Tried | None = None
    for row in rows:
        if found is None or row.gain(base) < _BETTER * found.gain(base):
            found = row
    return found


def _share(part: float | None, whole: float | None) -> float:
    return part / whole if part and whole else 1.0
