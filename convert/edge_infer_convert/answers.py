"""The original's answers to the probes. Each method is asked once, however many precisions are tried."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ParityError
from edge_infer_convert.doubt import TIE, recorded_doubt
from edge_infer_convert.original import REFUSALS, Original, Row
from edge_infer_convert.probes import Probes

__all__ = ["Answers"]

_ROUNDED_ROWS: Final = 4000  # at most so many are asked twice


class Answers:
    """What the original says to `probes`, and to some of them with their numbers rounded to float32 first."""

    def __init__(self, original: Original, probes: Probes) -> None:
        self.original, self.probes = original, probes
        step = max(1, -(-len(probes.rows) // _ROUNDED_ROWS))
        self.rounded_rows: Final = np.arange(0, len(probes.rows), step)
        self._given: dict[str, Any] = {}
        self._rounded: dict[str, Any] = {}
        self._known: dict[str, Any] = {}
        self._known_rounded: dict[str, Any] = {}
        self._doubt: NDArray[np.int8] | None = None

    @classmethod
    def of_taken(cls, original: Original, probes: Probes) -> Answers:
        """To those of the probes that the original takes. Usually it takes all at once."""
        every = cls(original, probes)
        try:
            every.given(original.methods()[0])
            return every
        except REFUSALS:
            return cls(original, probes.chosen(_taken(original, probes.rows, list(range(len(probes.rows))))))

    def given(self, method: str) -> Any:
        """As `Original.answer`, a row for each probe."""
        if method not in self._given:
            self._given[method] = self.original.answer_table(method, self._table, self._known)
        return self._given[method]

    @cached_property
    def _table(self) -> Any:
        return self.original.table(self.probes.rows)

    def rounded(self, method: str) -> Any | None:
        """A row for each of `rounded_rows`; None where no column holds fractions, or the original refuses them."""
        if method not in self._rounded and self._rounded_table is not None:
            try:
                self._rounded[method] = self.original.answer_table(method, self._rounded_table, self._known_rounded)
            except REFUSALS:
                self._rounded[method] = None
        return self._rounded.get(method)

    @cached_property
    def _rounded_table(self) -> Any | None:
        numbers = [i for i, column in enumerate(self.original.columns) if column.kind == "number"]
        rows = [_as_float32(self.probes.rows[i], numbers) for i in self.rounded_rows.tolist()]
        return self.original.table(rows) if numbers else None

    def doubt(self, methods: Sequence[str]) -> NDArray[np.int8]:
        """Rows that the original itself answers by rounding or by the order of its training rows: see `doubt.py`.

        Raises:
            ParityError: on every in-range row.
        """
        if self._doubt is None:
            with recorded_doubt(self.original.estimator, len(self.probes.rows)) as doubt:
                if doubt.watched:
                    for method in methods:
                        self.original.answer_table(method, self._table)
            self._doubt = doubt.rows
        usual = self._doubt[[kind == "in range" for kind in self.probes.kinds]]
        if len(usual) and (usual == TIE).all():
            raise ParityError(
                "on every in-range probe row the original's answer depends on ties between its training rows, or on "
                "the last digits of a network: nothing can be proven; choose a metric that tells the rows apart, or "
                "scale what the network reads"
            )
        return self._doubt


def _taken(original: Original, rows: list[Row], chosen: list[int]) -> list[int]:
    """Those of the `chosen` rows that the original takes, by halving."""
    if not chosen or original.takes([rows[i] for i in chosen]):
        return chosen
    half = len(chosen) // 2
    return [*_taken(original, rows, chosen[:half]), *_taken(original, rows, chosen[half:])] if half else []


def _as_float32(row: Row, numbers: list[int]) -> Row:
    cells = list(row)
    with np.errstate(over="ignore"):
        for i in numbers:
            if cells[i] is not None:
                cells[i] = float(np.float32(cells[i]))
    return tuple(cells)
