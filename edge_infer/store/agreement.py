"""How far a candidate's answers agree with those of the active release, and what both took. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from edge_infer.goldens import Tolerance
from edge_infer.histogram import Histogram
from edge_infer.manifest import Output
from edge_infer.verification import within

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RELATIVE", "Agreement", "compared", "rows_of_answer"]

#: Numbers agree within 1 % of the active release's answer, or of its usual size (the `scale` of its golden rows) where
#: that is larger: two trainings of one model are never as near as a conversion is.
RELATIVE: Final = 0.01
_MOST: Final = 1e300  # of differences and their sum, which JSON must hold


class Agreement(NamedTuple):
    """Rows that both answered, and those of them that agree: labels equal, numbers within `RELATIVE`.

    numbers: how many were compared; total, largest: of their absolute differences; errors: calls that only the active
    release answered, and what the last one said; dropped: calls that were chosen and not compared, since too many
    were waiting; active, candidate: seconds of a call.
    """

    rows: int = 0
    agreeing: int = 0
    numbers: int = 0
    total: float = 0.0
    largest: float = 0.0
    errors: int = 0
    last_error: str = ""
    dropped: int = 0
    active: Histogram = Histogram()  # never added to: `plus` makes new ones
    candidate: Histogram = Histogram()

    def plus(self, later: Agreement) -> Agreement:
        """Both together; neither is changed."""
        counts = {name: getattr(self, name) + getattr(later, name) for name in _COUNTS}
        return Agreement(
            **counts,
            total=min(self.total + later.total, _MOST),
            largest=max(self.largest, later.largest),
            last_error=later.last_error or self.last_error,
            active=_merged(self.active, later.active),
            candidate=_merged(self.candidate, later.candidate),
        )

    @property
    def share(self) -> float | None:
        """Of the rows that agree."""
        return self.agreeing / self.rows if self.rows else None

    @property
    def mean(self) -> float | None:
        """Absolute difference of numbers."""
        return self.total / self.numbers if self.numbers else None


_COUNTS: Final = ("rows", "agreeing", "numbers", "errors", "dropped")


def _merged(first: Histogram, second: Histogram) -> Histogram:
    made = Histogram()
    made.merge(first)
    made.merge(second)
    return made


def rows_of_answer(answer: Any, output: Output) -> int:
    """Of one record 1."""
    first = answer[0] if isinstance(answer, list) else answer
    return 1 if np.ndim(first) == _dimensions(output) else len(first)


def compared(wanted: Any, got: Any, output: Output, scale: float) -> Agreement:
    """Of the active release's answer (`output`: what its manifest says of the method) and the candidate's."""
    rows = rows_of_answer(wanted, output)
    first, second = _table(wanted, rows), _table(got, rows)
    if first is None or second is None or first.shape != second.shape:
        return Agreement(rows=rows)
    if output.classes or not {first.dtype.kind, second.dtype.kind} <= set("f"):
        return Agreement(rows=rows, agreeing=_whole(first.astype(object) == second.astype(object)))
    first, second = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        differences = np.abs(second - first)
        known = differences[np.isfinite(differences)]
        total, largest = float(known.sum()), float(known.max(initial=0.0))
    agreeing = _whole(within(second, first, Tolerance(RELATIVE, scale)))
    return Agreement(rows, agreeing, known.size, min(total, _MOST), min(largest, _MOST))


def _dimensions(output: Output) -> int:
    """Of one record's answer."""
    if output.listed:
        return 1
    return int(len(output.classes) > 1) if output.classes else len(output.shape)


def _table(answer: Any, rows: int) -> NDArray[Any] | None:
    """[rows, …]; None for what has another number of rows."""
    parts = [np.asarray(part) for part in (answer if isinstance(answer, list) else [answer])]
    if any(not part.size or part.size % rows for part in parts):
        return None
    return np.concatenate([part.reshape(rows, -1) for part in parts], axis=1)


def _whole(agree: Any) -> int:
    """Rows that agree in all."""
    return int(np.asarray(agree, dtype=bool).all(axis=1).sum())
