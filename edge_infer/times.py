"""What a column of dates and times counts: whole units since 1970-01-01T00:00 (UTC, where training had a time zone)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

__all__ = ["TimeType"]

_DTYPE: Final = re.compile(r"datetime64\[(D|h|m|s|ms|us|ns)(, [^\]]{1,60})?\]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND: Final = {"D": 1 / 86400, "h": 1 / 3600, "m": 1 / 60, "s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


class TimeType(NamedTuple):
    """The `dtype` of a column of the kind "datetime", as pandas writes it: datetime64[us], datetime64[ns, UTC]."""

    unit: str  # as numpy names it
    zoned: bool  # training had a time zone: values are instants, counted in UTC

    @classmethod
    def parse(cls, dtype: str) -> TimeType | None:
        """None for the name of anything else."""
        match = _DTYPE.fullmatch(dtype)
        return cls(match[1], match[2] is not None) if match else None

    @property
    def years(self) -> tuple[int, int]:
        """First and last whole year: those of Python, in nanoseconds those of int64."""
        return (1678, 2261) if self.unit == "ns" else (1, 9999)

    def moment(self, number: float) -> datetime:
        """The time of a number of units, to the microsecond, moved into `years` where it is beyond."""
        seconds = number / _PER_SECOND[self.unit]
        first, last = (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH for year in self.years)
        moment = _EPOCH + timedelta(seconds=min(max(seconds, first.total_seconds()), last.total_seconds()))
        return moment if self.zoned else moment.replace(tzinfo=None)

    def shown(self, number: float) -> str:
        """For people: the time of a number of units, without a midnight."""
        return self.moment(number).isoformat(sep=" ").removesuffix("+00:00").removesuffix(" 00:00:00")
