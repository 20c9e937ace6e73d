"""Numbers as a line of text: ▁▂▃▄▅▆▇█, after Edward Tufte's sparklines ("Beautiful Evidence", 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["sparkline"]

_BARS: Final = "▁▂▃▄▅▆▇█"
_PLAIN: Final = "_.-~=+*#"  # for terminals without Unicode


def sparkline(numbers: Sequence[float | None], *, width: int | None = None, plain: bool = False) -> str:
    """A sign for each number, from 0 to the largest; None (nothing was seen) is a space.

    width: at most so many signs, each of the mean of its share of the numbers.
    """
    bars = _PLAIN if plain else _BARS
    shown = list(numbers) if width is None or len(numbers) <= width else _fewer(numbers, width)
    most = max((number for number in shown if number is not None), default=0.0)
    if most <= 0:
        return "".join(" " if number is None else bars[0] for number in shown)
    last = len(bars) - 1
    return "".join(" " if number is None else bars[min(last, int(number / most * len(bars)))] for number in shown)


def _fewer(numbers: Sequence[float | None], width: int) -> list[float | None]:
    found: list[float | None] = []
    for place in range(width):
        part = numbers[place * len(numbers) // width : (place + 1) * len(numbers) // width]
        known = [number for number in part if number is not None]
        found.append(sum(known) / len(known) if known else None)
    return found
