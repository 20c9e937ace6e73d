"""How positive numbers are spread, in constant memory and at 2 % of error: latencies, above all.

After DDSketch: buckets whose limits grow by a factor γ = (1 + α) / (1 − α), so that the middle of each, 2γⁱ / (γ + 1),
is within α of all that it holds, and two sketches are merged by adding their counts (Masson, Rim, Lee: "DDSketch: A
Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", PVLDB 12(12), 2019).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge_infer.errors import FormatError
from edge_infer.strict_json import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["ERROR", "LEAST", "MOST", "Histogram"]

#: The largest relative error of a quantile, for numbers between the least and the most.
ERROR: Final = 0.02
LEAST: Final = 1e-9
MOST: Final = 1e6
_MOST_COUNT: Final = 1 << 62

_GAMMA: Final = (1 + ERROR) / (1 - ERROR)
_PER_LOG: Final = 1 / math.log(_GAMMA)


def _bucket(number: float) -> int:
    """That of the numbers in (γⁱ⁻¹, γⁱ]; what is beyond the least or the most goes to the last one there."""
    return math.ceil(math.log(min(max(number, LEAST), MOST)) * _PER_LOG)


_FIRST: Final = _bucket(LEAST)
_LAST: Final = _bucket(MOST)


class Histogram:
    """Counts of numbers by bucket, of which there are 865, and the largest number. Not thread-safe."""

    __slots__ = ("_buckets", "count", "largest")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.largest = 0.0

    @classmethod
    def of(cls, *numbers: float) -> Histogram:
        """Of these numbers. Raises ValueError as `add`."""
        made = cls()
        for number in numbers:
            made.add(number)
        return made

    def add(self, number: float) -> None:
        """Raises ValueError for what is no number ≥ 0."""
        if not number >= 0:
            raise ValueError(f"a histogram takes numbers ≥ 0, got {number!r}")
        place = _bucket(number)
        self._buckets[place] = self._buckets.get(place, 0) + 1
        self.count += 1
        self.largest = max(self.largest, number)

    def add_all(self, numbers: NDArray[np.float64]) -> None:
        """All of an array. Raises ValueError as `add`."""
        if not len(numbers):
            return
        largest = float(numbers.max())
        if not numbers.min() >= 0:  # NaN is neither
            raise ValueError("a histogram takes numbers ≥ 0")
        places = np.ceil(np.log(np.clip(numbers, LEAST, MOST)) * _PER_LOG).astype(np.int64)
        places = np.minimum(places, _bucket(largest))  # numpy's logarithm may differ from Python's in the last bit
        places[numbers.argmax()] = _bucket(largest)
        for place, count in zip(*np.unique(places, return_counts=True), strict=True):
            self._buckets[int(place)] = self._buckets.get(int(place), 0) + int(count)
        self.count += len(numbers)
        self.largest = max(self.largest, largest)

    def merge(self, other: Histogram) -> None:
        """With all that another one has counted."""
        for place, count in other._buckets.items():
            self._buckets[place] = self._buckets.get(place, 0) + count
        self.count += other.count
        self.largest = max(self.largest, other.largest)

    def quantile(self, share: float) -> float | None:
        """The number that this share of all is not above, as `numpy.quantile(method="lower")`; None of none.

        The largest one is exact. Raises ValueError for a share that is not from 0 to 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"a quantile's share: expected 0 to 1, got {share!r}")
        if not self.count:
            return None
        if share == 1:
            return self.largest
        rank, seen = math.floor(share * (self.count - 1)), 0
        for place in sorted(self._buckets):
            seen += self._buckets[place]
            if seen > rank:
                return min(2 * _GAMMA**place / (_GAMMA + 1), self.largest)
        raise AssertionError("fewer in the buckets than were counted")

    def count_to(self, number: float) -> int:
        """How many are not above a number, to the error of a bucket."""
        last = _bucket(number)
        return sum(count for place, count in self._buckets.items() if place <= last)

    @property
    def total(self) -> float:
        """What all add up to, to the same relative error."""
        return sum(count * 2 * _GAMMA**place / (_GAMMA + 1) for place, count in self._buckets.items())

    def plain(self) -> dict[str, Any]:
        """As JSON has it; `parse` reads it."""
        return {"largest": min(self.largest, MOST), "buckets": [list(pair) for pair in sorted(self._buckets.items())]}

    @classmethod
    def parse(cls, node: Node) -> Histogram:
        """Raises FormatError, LimitError."""
        made = cls()
        for item in node.get("buckets").list(_LAST - _FIRST + 1):
            place, count = _pair(item)
            if place in made._buckets:
                raise FormatError(f"{item.path}: the bucket {place} stands there twice")
            made._buckets[place] = count
            made.count += count
        largest = node.get("largest")
        made.largest = largest.number()
        if made.count > _MOST_COUNT:
            raise node.get("buckets").fail(f"counts of at most {_MOST_COUNT} together")
        if not 0 <= made.largest <= MOST or (made.count and _bucket(made.largest) != max(made._buckets)):
            raise largest.fail("a number in the highest bucket")
        return made


def _pair(node: Node) -> tuple[int, int]:
    items = list(node.list(2))
    if len(items) != 2:
        raise node.fail("a bucket and its count")
    place = items[0].integer(_FIRST)
    if place > _LAST:
        raise items[0].fail(f"a bucket from {_FIRST} to {_LAST}")
    return place, items[1].integer(1)
