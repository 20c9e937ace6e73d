"""Whether metadata that has expired is still taken: a policy of the device, and what "now" is there.

Metadata expires so that nobody can keep a device at an old state for ever (a frozen repository). A device that is
offline for months, or has no clock, needs more patience, which it gets here and nowhere else.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from edge_infer.errors import UsageError

__all__ = ["STRICT", "Expiry", "known_now", "parse_expiry"]

_DURATION: Final = re.compile(r"([0-9]{1,6})(min|h|d)")
_SECONDS: Final = {"min": 60, "h": 3600, "d": 86_400}
_MOST: Final = timedelta(days=36_500)


class Expiry(NamedTuple):
    """grace: so long after it has expired metadata is still taken, with a warning; None: for ever."""

    text: str
    grace: timedelta | None

    def reference(self, now: datetime) -> datetime:
        """The time that metadata is held against."""
        return datetime.min.replace(tzinfo=UTC) if self.grace is None else now - self.grace


STRICT: Final = Expiry("strict", timedelta(0))


def parse_expiry(text: str) -> Expiry:
    """ "strict", "ignore", or a duration such as "30d". Raises UsageError."""
    if text == STRICT.text:
        return STRICT
    if text == "ignore":
        return Expiry(text, None)
    match = _DURATION.fullmatch(text)
    grace = timedelta(seconds=int(match[1]) * _SECONDS[match[2]]) if match else None
    if grace is None or grace > _MOST:
        raise UsageError(
            f"--expiry {text!r:.40}: expected strict, ignore, or for how long expired metadata is still taken, "
            "such as 30d or 12h (d, h or min)"
        )
    return Expiry(text, grace)


def known_now(latest: str | None) -> datetime:
    """The later of the device's clock and the latest moment that an update has seen: a clock that was set back, or
    begins in 1970 at each start, makes no old metadata young again."""
    clock = datetime.now(UTC)
    try:
        seen = datetime.fromisoformat(latest) if latest else clock
    except ValueError:
        return clock
    return max(clock, seen if seen.tzinfo else seen.replace(tzinfo=UTC))
