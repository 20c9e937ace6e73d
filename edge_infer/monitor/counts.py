"""What a window has counted of one column, of the labels, or of a score: mergeable, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge_infer.errors import FormatError
from edge_infer.strict_json import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["MOST_COUNT", "Counts", "positions", "whole"]

MOST_COUNT: Final = 1 << 62
_MOST_SUM: Final = 1e300  # that JSON holds, and that two of are no infinity
_WHOLE: Final = ("other", "unseen", "missing", "below", "above")
_SUMS: Final = ("total", "squares")


class Counts:
    """Values by bin or category; not thread-safe.

    counts: int64 of shape (bins or categories,); other: texts beside the categories, of which `unseen` are not known to
    the model either; missing; below, above: finite numbers out of the range seen in training; total, squares: of the
    finite numbers and their squares; least, most: of these (None of none).
    """

    __slots__ = ("above", "below", "counts", "least", "missing", "most", "other", "squares", "total", "unseen")

    def __init__(self, places: int) -> None:
        self.counts: NDArray[np.int64] = np.zeros(places, np.int64)
        self.other = self.unseen = self.missing = self.below = self.above = 0
        self.total = self.squares = 0.0
        self.least: float | None = None
        self.most: float | None = None

    @property
    def present(self) -> int:
        """Values that are in a bin or a category, or beside them."""
        return int(self.counts.sum()) + self.other

    @property
    def mean(self) -> float | None:
        """Of the finite numbers."""
        number = int(self.counts.sum())
        return self.total / number if number else None

    def add_numbers(
        self, values: NDArray[Any], edges: NDArray[np.float64], limits: tuple[float, float] | None = None
    ) -> None:
        """Numbers of shape (n,): NaN is missing, an infinity is counted as out of range alone.

        A finite v is in the bin whose position is the number of edges ≤ v (FORMAT.md, section 6).
        """
        numbers = np.asarray(values, np.float64)
        finite = numbers[np.isfinite(numbers)]
        self.missing += int(np.isnan(numbers).sum())
        self.counts += np.bincount(np.searchsorted(edges, finite, side="right"), minlength=len(self.counts))
        if limits is not None:
            self.below += int((numbers < limits[0]).sum())
            self.above += int((numbers > limits[1]).sum())
        if finite.size:
            with np.errstate(over="ignore"):
                self.total = _sum(self.total, float(finite.sum()))
                self.squares = _sum(self.squares, float(np.square(finite).sum()))
            self._stretch(float(finite.min()), float(finite.max()))

    def add_places(self, places: NDArray[np.int64], *, unseen: int = 0, missing: int = 0) -> None:
        """Positions of categories, of shape (n,), −1 for another text; `unseen`: texts that the model does not know."""
        known = places[places >= 0]
        self.counts += np.bincount(known, minlength=len(self.counts))
        self.other += len(places) - len(known) + unseen
        self.unseen += unseen
        self.missing += missing

    def merge(self, later: Counts) -> None:
        """With all that another one has counted. Raises ValueError for one that counts by other places."""
        if len(self.counts) != len(later.counts):
            raise ValueError(f"{len(later.counts)} places do not go with {len(self.counts)}")
        self.counts += later.counts
        for name in _WHOLE:
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for name in _SUMS:
            setattr(self, name, _sum(getattr(self, name), getattr(later, name)))
        if later.least is not None and later.most is not None:
            self._stretch(later.least, later.most)

    def _stretch(self, least: float, most: float) -> None:
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)

    def plain(self) -> dict[str, Any]:
        """As JSON has it, without what is 0 or absent; `parse` reads it."""
        facts: dict[str, Any] = {"counts": self.counts.tolist()}
        facts |= {name: value for name in (*_WHOLE, *_SUMS) if (value := getattr(self, name))}
        return facts | {name: value for name in ("least", "most") if (value := getattr(self, name)) is not None}

    @classmethod
    def parse(cls, node: Node) -> Counts:
        """Raises FormatError, LimitError."""
        counts = [whole(item) for item in node.get("counts").list()]
        if sum(counts) > MOST_COUNT:
            raise node.get("counts").fail(f"counts of at most {MOST_COUNT} together")
        made = cls(len(counts))
        made.counts[:] = counts
        for name in _WHOLE:
            found = node.find(name)
            setattr(made, name, 0 if found is None else whole(found))
        for name in _SUMS:
            found = node.find(name)
            setattr(made, name, 0.0 if found is None else found.number())
        made.least, made.most = (
            None if (found := node.find(name)) is None else found.number() for name in ("least", "most")
        )
        if made.unseen > made.other:
            raise FormatError(f"{node.path}: more texts are unseen than stand beside the categories")
        return made


def whole(node: Node) -> int:
    """A count. Raises FormatError."""
    if node.integer() > MOST_COUNT:
        raise node.fail(f"at most {MOST_COUNT}")
    return node.integer()


def _sum(first: float, second: float) -> float:
    found = first + second
    return max(-_MOST_SUM, min(found, _MOST_SUM)) if math.isfinite(found) else math.copysign(_MOST_SUM, first)


def positions(categories: Sequence[str], among: Sequence[str]) -> NDArray[np.int64]:
    """Where each category stands among others, −1 for none; shape (len(categories),)."""
    known = {category: place for place, category in enumerate(among)}
    return np.array([known.get(category, -1) for category in categories], np.int64)
