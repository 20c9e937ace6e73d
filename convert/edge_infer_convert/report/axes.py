"""From values to places in a picture, and ticks at round numbers."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "tick_texts", "ticks", "window"]

_HUGEST: Final = 1e300  # beyond it, spans overflow


class Axis(NamedTuple):
    """A linear axis: `low` lies at `start`, `high` at `end` (in the picture's units)."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value; those outside the window lie on its border."""
        inside = min(max(value, self.low), self.high)
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)


def window(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """From the least to the greatest finite value and a little more; None where there is none."""
    usable = values[np.abs(values) < _HUGEST]
    if not usable.size:
        return None
    low, high = float(usable.min()), float(usable.max())
    middle, half = low / 2 + high / 2, high / 2 - low / 2
    half = max(half * 1.05, abs(middle) * 1e-6, 1e-290) if half or middle else 1.0
    return middle - half, middle + half


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` + 1 multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(size * power for size in (1, 2, 5, 10, 20) if (high - low) / (size * power) <= most)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def tick_texts(values: list[float]) -> list[str]:
    """Decimals where they are short, else powers of ten."""
    if len(values) < 2:
        return [f"{value:.6g}" for value in values]
    step, most = values[1] - values[0], max(map(abs, values))
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    if most < 1e6 and places <= 4:
        return [f"{value:,.{places}f}".replace("-", "−") for value in values]
    digits = max(0, math.floor(math.log10(most) + 1e-9) - math.floor(math.log10(step) + 1e-9))
    return [_powered(value, min(digits, 8)) for value in values]


def _powered(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    short = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return "0" if value == 0 else f"{short}e{int(exponent)}".replace("-", "−")
