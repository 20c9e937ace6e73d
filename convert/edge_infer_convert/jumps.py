"""Rows close beside a jump of the original's answers. Trees jump where they split, however their features were made.

A number of a row is moved between two values that get different answers. Of the parts of that interval the one over
which the answers change most is kept, and divided again: what stays is a jump, or so small a part of a slope that its
ends are alike. Unlike rows made of the thresholds themselves, these surely reach the branch.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_infer_convert.original import REFUSALS, Original, Row

__all__ = ["jump_rows"]

_PAIRS: Final = 32
_PARTS: Final = 16
_ROUNDS: Final = 9  # 16⁹ = 2³⁶ parts of an interval
#: Of the numbers: 2¹⁶ of these make a step of float32, and 2¹² steps of float64 make one. So rounding to float32 moves
#: one of the ends over the jump, and what a float64 graph rounds differently from the original does not.
_CLOSE: Final = 2.0**-40
_ALIKE: Final = 1e-6  # of the answers' size: no jump


def jump_rows(original: Original, rows: list[Row], rng: np.random.Generator) -> list[Row]:
    """Two rows for each jump that is found, one on either side. `rows`: such as the original takes.

    Only columns of float64 are moved: others hold no numbers between two of float32.
    """
    columns = [i for i, c in enumerate(original.columns) if c.kind == "number" and c.dtype == "float64"]
    columns = [i for i in columns if original.columns[i].categories is None]
    if not columns or original.dtype != "float64":
        return []
    try:
        return _Search(original, *_pairs(columns, rows, rng)).run()
    except REFUSALS:  # somewhere between two rows that it takes
        return []


def _pairs(
    columns: list[int], rows: list[Row], rng: np.random.Generator
) -> tuple[list[Row], list[int], NDArray[np.float64]]:
    """Rows, the column of each that is moved, and the two numbers between which it is: [pairs, 2]."""
    chosen, moved, ends = [], [], []
    for row, other in zip(rows, reversed(rows), strict=True):
        column = int(rng.choice(columns))
        if row[column] is not None and other[column] is not None and row[column] != other[column]:
            chosen.append(row)
            moved.append(column)
            ends.append((row[column], other[column]))
    return chosen[:_PAIRS], moved[:_PAIRS], np.array(ends[:_PAIRS], np.float64).reshape(-1, 2)


class _Search:
    def __init__(self, original: Original, rows: list[Row], columns: list[int], ends: NDArray[np.float64]) -> None:
        self.original, self.rows, self.columns, self.ends = original, rows, columns, ends

    def run(self) -> list[Row]:
        if not self.rows:
            return []
        for _ in range(_ROUNDS):
            self._narrow()
        answers = self._answers(self.ends)
        size = np.abs(answers).max(initial=1e-300)
        jumps = np.flatnonzero(np.abs(answers[:, 1] - answers[:, 0]).max(axis=1) > _ALIKE * size)
        return [self._row(place, end) for place in jumps.tolist() for end in self.ends[place].tolist()]

    def _narrow(self) -> None:
        """Each interval to the part of it over which the answers change most, where it is not short enough."""
        shares = np.linspace(0, 1, _PARTS + 1)
        low, high = self.ends[:, :1], self.ends[:, 1:]
        points = low * (1 - shares) + high * shares
        points[:, -1] = self.ends[:, 1]
        part = np.abs(np.diff(self._answers(points), axis=1)).max(axis=2).argmax(axis=1)
        at = np.arange(len(part))
        long = np.abs(high - low)[:, 0] > _CLOSE * np.abs(self.ends).max(axis=1) * _PARTS
        self.ends = np.where(long[:, None], np.stack([points[at, part], points[at, part + 1]], axis=1), self.ends)

    def _answers(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """At each of some points of each interval: [intervals, points, numbers]."""
        rows = [self._row(place, value) for place, values in enumerate(points.tolist()) for value in values]
        answer = self.original.answer(self._method, rows)
        joined: Any = np.concatenate(answer, axis=1) if isinstance(answer, list) else answer
        if joined.dtype.kind not in "fiub":  # labels
            joined = np.unique(joined, return_inverse=True)[1]
        numbers: NDArray[np.float64] = np.nan_to_num(joined.reshape(*points.shape, -1).astype(np.float64))
        return numbers

    @property
    def _method(self) -> str:
        """The one whose answers tell most."""
        methods = self.original.methods()
        scores = (method for method in ("predict_proba", "decision_function", "score_samples") if method in methods)
        return next(scores, methods[0])

    def _row(self, place: int, value: float) -> Row:
        row, column = self.rows[place], self.columns[place]
        return (*row[:column], value, *row[column + 1 :])
