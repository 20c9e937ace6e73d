"""How good the answers are: estimated without labels, or measured once outcomes are known. In constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from edge_infer.monitor.summary import Summary

__all__ = ["Classified", "Estimate", "Measured", "estimated_accuracy", "measured", "quality_text"]

_MOST_LABELS: Final = 100


class Estimate(NamedTuple):
    """A share, its standard error, and of how many rows."""

    accuracy: float
    error: float
    rows: int


def estimated_accuracy(summary: Summary) -> Estimate | None:
    """The accuracy to expect, from probabilities alone; None where there are none.

    Confidence-based performance estimation: the mean of the largest probability of each row, since a calibrated model
    is right with just that chance; the standard error is √(Σ p (1 − p)) / n. It holds where the model is calibrated
    (CalibratedClassifierCV) and what is to be learnt has not changed, only the rows; it cannot see a change of what
    rows mean. Source: NannyML's documentation, "Confidence-based Performance Estimation (CBPE)".
    """
    if not summary.confident:
        return None
    n = summary.confident
    return Estimate(summary.confidence / n, math.sqrt(max(0.0, summary.doubt)) / n, n)


class Classified:
    """Answers beside the outcomes that came true: counts by both, of at most a hundred labels."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}  # (answer, outcome)
        self._labels: set[str] = set()

    def add(self, answer: str, outcome: str) -> None:
        """Labels beyond the first hundred are told together, as "others"."""
        pair = self._known(answer), self._known(outcome)
        self.counts[pair] = self.counts.get(pair, 0) + 1

    def _known(self, label: str) -> str:
        if label in self._labels or len(self._labels) < _MOST_LABELS:
            self._labels.add(label)
            return label
        return "others"

    @property
    def rows(self) -> int:
        return sum(self.counts.values())

    @property
    def accuracy(self) -> float | None:
        """The share of answers that came true."""
        right = sum(count for (answer, outcome), count in self.counts.items() if answer == outcome)
        return right / self.rows if self.rows else None

    @property
    def f1(self) -> float | None:
        """Macro F1: the mean of 2 TP / (2 TP + FP + FN) over all labels, scikit-learn's f1_score(average="macro")."""
        if not self.counts:
            return None
        labels = {label for pair in self.counts for label in pair}
        return sum(self._f1_of(label) for label in labels) / len(labels)

    def _f1_of(self, label: str) -> float:
        hits = self.counts.get((label, label), 0)
        named = sum(
            count for (answer, outcome), count in self.counts.items() for each in (answer, outcome) if each == label
        )
        return 2 * hits / named if named else 0.0


class Measured:
    """Numbers beside the outcomes that came true."""

    def __init__(self) -> None:
        self.rows = 0
        self._absolute = self._squared = 0.0

    def add(self, answer: float, outcome: float) -> None:
        self.rows += 1
        self._absolute += abs(answer - outcome)
        self._squared += (answer - outcome) ** 2

    @property
    def mae(self) -> float | None:
        """Mean absolute error."""
        return self._absolute / self.rows if self.rows else None

    @property
    def rmse(self) -> float | None:
        """Root of the mean squared error."""
        return math.sqrt(self._squared / self.rows) if self.rows else None


def measured(pairs: Iterable[tuple[Any, Any]], *, numbers: bool) -> Classified | Measured:
    """Of answers and outcomes; those that are no numbers, where numbers are answered, are passed over."""
    if not numbers:
        classified = Classified()
        for answer, outcome in pairs:
            classified.add(str(answer), str(outcome))
        return classified
    found = Measured()
    for answer, outcome in pairs:
        try:
            found.add(float(answer), float(outcome))
        except (TypeError, ValueError):
            continue
    return found


def quality_text(quality: Classified | Measured) -> str:
    """What outcomes say, for people."""
    if isinstance(quality, Classified):
        return f"accuracy {quality.accuracy or 0:.1%}, macro F1 {quality.f1 or 0:.3f} of {quality.rows:,} rows"
    return f"MAE {quality.mae or 0:.4g}, RMSE {quality.rmse or 0:.4g} of {quality.rows:,} rows"
