"""Times and sizes in units that read well."""

from __future__ import annotations

__all__ = ["size_text", "time_text"]


def time_text(seconds: float) -> str:
    """Three digits and a unit: 4.78 µs, 958 ms, 1,234 s."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size * 0.9995:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds * 1e6)} µs"


def _three_digits(number: float) -> str:
    decimals = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:,.{decimals}f}"


def size_text(size: int) -> str:
    """ "55.3 MiB", "812 KiB", "96 bytes"."""
    if size >= 1 << 20:
        return f"{size / (1 << 20):.1f} MiB"
    return f"{size / (1 << 10):.0f} KiB" if size >= 1 << 10 else f"{size} bytes"
