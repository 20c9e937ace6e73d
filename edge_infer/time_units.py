"""Callers' dates and times → whole units since 1970, as the column's type counts them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

    from edge_infer.times import TimeType

__all__ = ["BadTime", "units_of", "units_of_all"]

_EXPECTED: Final = 'a date or time such as "2024-05-01" or "2024-05-01T12:30:00"'
_LONGEST: Final = 40  # characters of a text
#: The digits of a second behind the microseconds, where datetime ends: of the time, not of its offset (+02:00).
_FINER: Final = re.compile(r".{9}(?:\d.)?[^+-]*[.,]\d{6}(\d{1,3})")


class BadTime(ValueError):
    """What was expected in place of a value that is no time of the type."""


def units_of(value: Any, times: TimeType) -> int:
    """One value in units of the type; what is finer is rounded down, as pandas' astype does.

    Takes ISO 8601 text, datetime, date, pandas.Timestamp and numpy.datetime64.

    Raises:
        BadTime: anything else, a time zone too many or too few, or years beyond those of the type.
    """
    whole = int(units_of_all(np.array([_without_zone(value, times)]), times)[0])
    return whole + _nanoseconds(value) if times.unit == "ns" and isinstance(value, str) else whole


def units_of_all(values: NDArray[np.datetime64], times: TimeType) -> NDArray[np.int64]:
    """The same of an array of datetime64 without NaT, shape (rows,): of times in UTC where the type has a zone."""
    years = values.astype("datetime64[Y]").astype(np.int64) + 1970
    first, last = times.years
    if values.size and not (first <= years.min() and years.max() <= last):
        raise BadTime(f"a time of the years {first} to {last}")
    return values.astype(f"datetime64[{times.unit}]").astype(np.int64)


def _without_zone(value: Any, times: TimeType) -> np.datetime64:
    """In UTC."""
    if isinstance(value, str):
        value = _read(value)
    if isinstance(value, np.datetime64):
        _check_zone(times, zoned=False)
        return value
    if not isinstance(value, date):  # of which datetime and pandas.Timestamp are subclasses
        raise BadTime(_EXPECTED)
    zoned = isinstance(value, datetime) and value.utcoffset() is not None
    _check_zone(times, zoned=zoned)
    if hasattr(value, "to_datetime64"):  # pandas.Timestamp, which may have nanoseconds; in UTC
        return value.to_datetime64()  # type: ignore[no-any-return]
    try:
        return np.datetime64(value.astimezone(UTC).replace(tzinfo=None) if zoned else value)  # type: ignore[attr-defined]
    except OverflowError:
        raise BadTime("a time of the years 1 to 9999") from None


def _check_zone(times: TimeType, *, zoned: bool) -> None:
    if zoned and not times.zoned:
        raise BadTime("a time without a time zone, as in training")
    if times.zoned and not zoned:
        raise BadTime('a time with its time zone, such as "2024-05-01T12:30+02:00"')


def _nanoseconds(text: str) -> int:
    """Those that a text has beyond its microseconds; what is finer still is rounded down."""
    finer = _FINER.match(text.strip())
    return int(finer[1].ljust(3, "0")) if finer else 0


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip() if len(text) <= _LONGEST else "")
    except ValueError:
        raise BadTime(_EXPECTED) from None
