"""What one window holds of one release: calls, errors, latencies, and counts by column and answer. It merges."""

from __future__ import annotations

from typing import Any, Final

from edge_infer.histogram import Histogram
from edge_infer.monitor.counts import Counts, whole
from edge_infer.strict_json import Node

__all__ = ["OTHERS", "Summary"]

_MOST_KINDS: Final = 50
#: Kinds of errors beyond the first fifty are counted under this one.
OTHERS: Final = "others"
_WHOLE: Final = ("rows", "looked_at", "confident")
_SUMS: Final = ("batch_seconds", "confidence", "doubt")


class Summary:
    """Counts since a moment; not thread-safe.

    calls: by method; rows: answered in all; looked_at: those of them that columns and answers were counted of (others
    were skipped, since calls came faster than they can be looked at); errors: by kind; latency: seconds of calls of one
    record; batches: seconds of calls of many rows, of which there were batch_rows, in batch_seconds together;
    columns: by name; labels: of predict, or its numbers; scores: one for each class, of predict_proba or
    decision_function; confident, confidence, doubt: rows with probabilities, and the sums of their largest p and of
    p (1 − p), from which accuracy is estimated (`quality`).
    """

    __slots__ = (
        "batch_seconds", "batches", "calls", "columns", "confidence", "confident", "doubt", "errors", "labels",
        "latency", "looked_at", "rows", "scores",
    )  # fmt: skip

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.rows = self.looked_at = self.confident = 0
        self.batch_seconds = self.confidence = self.doubt = 0.0
        self.errors: dict[str, int] = {}
        self.latency, self.batches = Histogram(), Histogram()
        self.columns: dict[str, Counts] = {}
        self.labels: Counts | None = None
        self.scores: list[Counts] = []

    @property
    def skipped(self) -> int:
        """Rows that were answered and not looked at."""
        return self.rows - self.looked_at

    @property
    def batch_rows(self) -> int:
        """Rows of calls of many."""
        return self.rows - self.latency.count

    @property
    def failures(self) -> int:
        """Calls that raised."""
        return sum(self.errors.values())

    def is_empty(self) -> bool:
        return not (self.calls or self.errors)

    def count_call(self, method: str, times: int = 1) -> None:
        self.calls[method] = self.calls.get(method, 0) + times

    def count_error(self, kind: str, times: int = 1) -> None:
        """Of at most fifty kinds; later ones are told together."""
        if kind not in self.errors and len(self.errors) >= _MOST_KINDS:
            kind = OTHERS
        self.errors[kind] = self.errors.get(kind, 0) + times

    def goes_with(self, other: Summary) -> bool:
        """Whether both count by the same places: a later edge-infer may count a release in another way."""
        pairs = [(self.columns[name], counts) for name, counts in other.columns.items() if name in self.columns]
        pairs += [(self.labels, other.labels)] if self.labels is not None and other.labels is not None else []
        if self.scores and other.scores and len(self.scores) != len(other.scores):
            return False
        return all(
            len(mine.counts) == len(theirs.counts)
            for mine, theirs in (*pairs, *zip(self.scores, other.scores, strict=False))
        )

    def merge(self, later: Summary, *, columns: bool = True) -> None:
        """With all that another one of the same release has counted, or with what it has of calls alone.

        Raises ValueError as `Counts.merge`.
        """
        for method, times in later.calls.items():
            self.count_call(method, times)
        for kind, times in later.errors.items():
            self.count_error(kind, times)
        for name in (*_WHOLE, *_SUMS):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        self.latency.merge(later.latency)
        self.batches.merge(later.batches)
        if columns:
            self._merge_columns(later)

    def _merge_columns(self, later: Summary) -> None:
        for column, counts in later.columns.items():
            _merged(self.columns.setdefault(column, Counts(len(counts.counts))), counts)
        if later.labels is not None:
            self.labels = _merged(self.labels or Counts(len(later.labels.counts)), later.labels)
        self.scores = self.scores or [Counts(len(each.counts)) for each in later.scores]
        for mine, theirs in zip(self.scores, later.scores, strict=bool(later.scores)):
            mine.merge(theirs)

    def of_calls(self) -> Summary:
        """A copy without columns and answers."""
        made = Summary()
        made.merge(self, columns=False)
        return made

    def plain(self) -> dict[str, Any]:
        """As JSON has it; `parse` reads it."""
        return {
            "calls": self.calls,
            **{name: getattr(self, name) for name in (*_WHOLE, *_SUMS)},
            "errors": self.errors,
            "latency": self.latency.plain(),
            "batches": self.batches.plain(),
            "columns": {name: counts.plain() for name, counts in self.columns.items()},
            "labels": None if self.labels is None else self.labels.plain(),
            "scores": [counts.plain() for counts in self.scores],
        }

    @classmethod
    def parse(cls, node: Node) -> Summary:
        """Raises FormatError, LimitError."""
        made = cls()
        made.calls = {method: whole(item) for method, item in node.get("calls").fields()}
        made.errors = {kind: whole(item) for kind, item in node.get("errors").fields()}
        for name in _WHOLE:
            setattr(made, name, whole(node.get(name)))
        for name in _SUMS:
            setattr(made, name, node.get(name).number())
        made.latency, made.batches = Histogram.parse(node.get("latency")), Histogram.parse(node.get("batches"))
        made.columns = {name: Counts.parse(item) for name, item in node.get("columns").fields()}
        labels = node.find("labels")
        made.labels = None if labels is None else Counts.parse(labels)
        made.scores = [Counts.parse(item) for item in node.get("scores").list()]
        if made.looked_at > made.rows:
            raise node.get("looked_at").fail("at most as many as rows")
        return made


def _merged(mine: Counts, later: Counts) -> Counts:
    mine.merge(later)
    return mine
