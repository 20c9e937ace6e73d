"""Pictures as SVG inside the page, coloured by its style sheet: spreads as bars, numbers over time as lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Final

from edge_infer.monitor.counts import Counts
from edge_infer.monitor.profile import Profile

__all__ = ["bars", "over_time"]

_STEP: Final = 10.0  # across, for a bin
_HEIGHT: Final = 40.0
_MOST_PLACES: Final = 30  # bars; categories beyond the most frequent are one
_WIDE, _HIGH, _LEFT, _BELOW, _ABOVE = 640.0, 150.0, 64.0, 22.0, 12.0


def bars(profile: Profile, counts: Counts, name: str) -> str:
    """Shares by bin or category, and of missing values at the end: the reference wide and pale, the window narrow."""
    before = [*profile.counts, profile.other, profile.missing]
    now = [*counts.counts.tolist(), counts.other, counts.missing]
    places = _shown(before, now)
    first, second = _shares(before, places), _shares(now, places)
    most = max([*first, *second, 1e-9])
    wide = len(places) * _STEP
    return (
        f'<svg class="bars" viewBox="0 0 {wide:g} {_HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{name}: shares in the reference and now">'
        f'<path class="before" d="{_columns(first, most, 0.5, 9)}"/>'
        f'<path class="now" d="{_columns(second, most, 2.5, 5)}"/></svg>'
    )


def _shown(before: Sequence[int], now: Sequence[int]) -> list[list[int]]:
    """Which places a bar stands for: where there is no room for all, the rarest together; no empty ones at the end."""
    last = len(before) - 2
    kept = [[place] for place in range(last)]
    if last > _MOST_PLACES:
        order = sorted(range(last), key=lambda place: -(before[place] + now[place]))
        kept = [[place] for place in sorted(order[: _MOST_PLACES - 1])] + [order[_MOST_PLACES - 1 :]]
    return kept + [[place] for place in (last, last + 1) if before[place] or now[place]]


def _shares(counts: Sequence[int], places: Sequence[Sequence[int]]) -> list[float]:
    total = sum(counts) or 1
    return [sum(counts[place] for place in group) / total for group in places]


def _columns(shares: Sequence[float], most: float, left: float, wide: float) -> str:
    parts = []
    for place, share in enumerate(shares):
        high = share / most * (_HEIGHT - 2)
        if high > 0:
            parts.append(f"M{place * _STEP + left:g} {_HEIGHT:g}v{-high:.1f}h{wide:g}v{high:.1f}z")
    return "".join(parts)


def over_time(
    title: str,
    labels: Sequence[str],
    lines: Mapping[str, Sequence[float | None]],
    shown: Callable[[float], str],
) -> str:
    """Numbers by window, from 0 to the largest. labels: when each window began."""
    most = max((value for values in lines.values() for value in values if value is not None), default=0.0) or 1.0
    across = (_WIDE - _LEFT - 8) / max(1, len(labels) - 1)
    up = (_HIGH - _BELOW - _ABOVE) / most
    drawn = []
    for number, (name, values) in enumerate(lines.items()):
        points = [
            f"{_LEFT + place * across:.1f} {_HIGH - _BELOW - value * up:.1f}"
            for place, value in enumerate(values)
            if value is not None
        ]
        drawn.append(f'<polyline class="line{number}" points="{",".join(points)}"><title>{name}</title></polyline>')
    ends = [(0, "start"), (len(labels) - 1, "end")]
    ticks = "".join(
        f'<text x="{_LEFT + place * across:.1f}" y="{_HIGH - 6:g}" text-anchor="{anchor}">'
        f"{escape(labels[place])}</text>"
        for place, anchor in ends
    )
    levels = "".join(
        f'<path class="level" d="M{_LEFT:g} {_HIGH - _BELOW - level * up:.1f}H{_WIDE - 8:g}"/>'
        f'<text x="{_LEFT - 6:g}" y="{_HIGH - _BELOW - level * up + 4:.1f}" text-anchor="end">'
        f"{escape(shown(level))}</text>"
        for level in ((0.0, most / 2, most) if shown(most / 2) not in (shown(0.0), shown(most)) else (0.0, most))
    )
    key = "".join(f' <span class="line{number}">{name}</span>' for number, name in enumerate(lines) if len(lines) > 1)
    return (
        f'<figure><figcaption>{title}{key}</figcaption><svg class="time" viewBox="0 0 {_WIDE:g} {_HIGH:g}" role="img" '
        f'aria-label="{title} over time, at most {escape(shown(most))}">{levels}{"".join(drawn)}{ticks}</svg></figure>'
    )
