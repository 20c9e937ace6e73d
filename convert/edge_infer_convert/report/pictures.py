"""The pictures as inline SVG: no script, colours from the page's style, the same for the same input."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer_convert.report.answers import Answers, thinned
from edge_infer_convert.report.axes import Axis, tick_texts, ticks, window
from edge_infer_convert.report.text import compact, counted, escaped

__all__ = ["Picture", "histogram", "scatter"]

_WIDTH: Final = 380  # narrow, so that a phone shows its text in full size
_TOP, _RIGHT, _BOTTOM = 14, 18, 46
#: Each kind of rows has its own sign besides its colour: a path drawn from the point on.
_SIGNS: Final = {
    "in range": "h0",
    "far": "h0",
    "edge": "m0-3l3 5h-6z",
    "threshold": "m-2.5-2.5l5 5m0-5l-5 5",
    "sample": "m-3 0h6m-3-3v6",
}
_OTHER: Final = "m-3-3h6v6h-6z"
_DECADES: Final = range(-5, 4)  # edges of the histogram's bins: powers of ten of the tolerance
_BARS_HIGH: Final = 210


class Picture(NamedTuple):
    """An <svg> and what it leaves out, in a sentence."""

    svg: str
    note: str


# --- original against converted ---------------------------------------------------------


class _Points(NamedTuple):
    original: NDArray[np.float64]
    converted: NDArray[np.float64]
    share: NDArray[np.float64]
    kinds: NDArray[np.str_]

    def only(self, chosen: NDArray[np.intp]) -> _Points:
        return _Points(self.original[chosen], self.converted[chosen], self.share[chosen], self.kinds[chosen])


def scatter(answers: Answers, number: int) -> Picture | None:
    """Original (across) against converted (up), in the window of the usual rows; None without finite numbers."""
    if answers.share is None:
        return None
    points = _points(answers, answers.share)
    usual = np.repeat(answers.usual, answers.original.shape[1])
    span = window(points.original[usual]) or window(points.original)
    if span is None:
        return None
    inside = _inside(points.original, span) & _inside(points.converted, span)
    differing = (points.share > 1.0) & np.isfinite(points.original)  # drawn on the border if need be
    chosen = thinned(points.share, inside | differing)
    drawn = points.only(chosen)
    note = _note(points, inside, len(chosen), span)
    return Picture(_scatter_svg(answers.method, drawn, span, number), note)


def _points(answers: Answers, share: NDArray[np.float64]) -> _Points:
    """One point for each place of each row."""
    return _Points(
        answers.original.astype(np.float64).ravel(),
        answers.converted.astype(np.float64).ravel(),
        share.ravel(),
        np.repeat(answers.kinds, answers.original.shape[1]),
    )


def _inside(values: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((values >= span[0]) & (values <= span[1]), dtype=np.bool_)


def _note(points: _Points, inside: NDArray[np.bool_], drawn: int, span: tuple[float, float]) -> str:
    """How many answers the picture does not show at their place."""
    finite = np.isfinite(points.original) & np.isfinite(points.converted)
    beyond, odd = int((finite & ~inside).sum()), int((~finite).sum())
    far = int((finite & ~inside & (points.kinds == "far")).sum())
    parts = []
    if (~inside & (points.share > 1.0) & np.isfinite(points.original)).any():
        parts.append("differing answers beyond the window stand on its border")
    if drawn < int(inside.sum()):
        parts.append(f"{drawn:,} of {counted(len(inside), 'answer')} drawn, the worst among them")
    if beyond:
        parts.append(f"{counted(beyond, 'answer')} outside the window, {far:,} of them of far rows")
    if odd:
        parts.append(f"{counted(odd, 'answer')} without a finite number")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _scatter_svg(method: str, points: _Points, span: tuple[float, float], number: int) -> str:
    values = [value for value in ticks(*span) if span[0] <= value <= span[1]]
    texts = tick_texts(values)
    left = 30 + 6.4 * max((len(text) for text in texts), default=1)
    side = _WIDTH - left - _RIGHT
    across = Axis(*span, left, _WIDTH - _RIGHT)
    up = Axis(*span, _TOP + side, _TOP)
    legend, below = _legend(points, _TOP + side + _BOTTOM)
    inner = [
        _frame(across, up, values, texts, _titles(left, side)),
        f'<path class="same" d="M{left:.1f} {_TOP + side:.1f}L{_WIDTH - _RIGHT} {_TOP}"/>',
        *_signs(points, across, up),
        *_rings(points, across, up),
        legend,
    ]
    title = f"{escaped(method)}: original against converted"
    desc = f"{counted(len(points.share), 'answer')}; on the diagonal both models agree."
    return _svg(f"scatter-{number}", below, title, desc, inner)


def _titles(left: float, side: float) -> str:
    y = _TOP + side / 2
    return (
        f'<text class="axis" x="{left + side / 2:.1f}" y="{_TOP + side + 34:.1f}">original</text>'
        f'<text class="axis" x="12" y="{y:.1f}" transform="rotate(-90 12 {y:.1f})">converted</text>'
    )


def _frame(across: Axis, up: Axis, values: list[float], texts: list[str], titles: str) -> str:
    parts = [
        f'<rect class="frame" x="{across.start:.1f}" y="{up.end:.1f}" '
        f'width="{across.end - across.start:.1f}" height="{up.start - up.end:.1f}"/>'
    ]
    every = _every(across, len(texts), max(map(len, texts), default=0))
    for i, (value, text) in enumerate(zip(values, texts, strict=True)):
        x, y = across.at(value), up.at(value)
        parts.append(
            f'<path class="grid" d="M{x:.1f} {up.start:.1f}V{up.end}M{across.start:.1f} {y:.1f}H{across.end}"/>'
        )
        if i % every == 0:
            parts.append(f'<text class="tick across" x="{x:.1f}" y="{up.start + 15:.1f}">{text}</text>')
        parts.append(f'<text class="tick up" x="{across.start - 5:.1f}" y="{y + 4:.1f}">{text}</text>')
    return "".join(parts) + titles


def _every(across: Axis, count: int, longest: int) -> int:
    """1 where all texts fit side by side, 2 where every second does …"""
    return math.ceil((6.4 * longest + 8) * count / (across.end - across.start)) or 1


def _signs(points: _Points, across: Axis, up: Axis) -> list[str]:
    """A path for each kind: some twenty bytes a point."""
    paths = []
    for kind in _present(points.kinds):
        sign, chosen = _SIGNS.get(kind, _OTHER), points.kinds == kind
        places = zip(points.original[chosen], points.converted[chosen], strict=True)
        drawn = "".join(f"M{across.at(x):.1f} {up.at(_drawable(y)):.1f}{sign}" for x, y in places)
        paths.append(f'<path class="{_class(kind)}" d="{drawn}"/>')
    return paths


def _rings(points: _Points, across: Axis, up: Axis) -> list[str]:
    wrong = points.share > 1.0
    places = zip(points.original[wrong], points.converted[wrong], strict=True)
    return [f'<circle class="ring" cx="{across.at(x):.1f}" cy="{up.at(_drawable(y)):.1f}" r="5"/>' for x, y in places]


def _drawable(value: float) -> float:
    """NaN lies on the lower border: `min` and `max` do not order it."""
    return -np.inf if np.isnan(value) else value


def _legend(points: _Points, top: float) -> tuple[str, float]:
    """Signs with their names and counts, four in a line, and the height below them."""
    entries = [
        (f'<path class="{_class(kind)}" d="M{{x:.1f}} {{y:.1f}}{_SIGNS.get(kind, _OTHER)}"/>', escaped(kind, 12))
        for kind in _present(points.kinds)
    ]
    if (points.share > 1.0).any():
        entries.append(('<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="5"/>', "outside"))
    parts = []
    for i, (sign, text) in enumerate(entries):
        x, y = 20 + 90 * (i % 4), top + 8 + 18 * (i // 4)
        parts.append(sign.format(x=x, y=y) + f'<text class="key" x="{x + 10}" y="{y + 4:.1f}">{text}</text>')
    return "".join(parts), top + 18 * -(-len(entries) // 4) + 4


def _present(kinds: NDArray[np.str_]) -> list[str]:
    """Kinds in a fixed order, unforeseen ones last."""
    found = set(kinds.tolist())
    return [kind for kind in _SIGNS if kind in found] + sorted(found - set(_SIGNS))


def _class(kind: str) -> str:
    return f"s{list(_SIGNS).index(kind)}" if kind in _SIGNS else "s5"


# --- differences ------------------------------------------------------------------------


def histogram(answers: Answers, number: int) -> Picture | None:
    """How many answers differ by what share of the tolerance: bins of a decade, counts on a log axis."""
    if answers.share is None:
        return None
    share = answers.share.ravel()
    edges = np.array([10.0**power for power in _DECADES])
    bins = np.searchsorted(edges, share[share > 0], side="left") + 1
    counts = np.bincount(bins, minlength=len(edges) + 2)
    counts[0] = len(share) - len(bins)
    wrong = int(counts[_within() :].sum())
    desc = f"{counts[0]:,} of {counted(len(share), 'answer')} equal to the last bit, {wrong:,} outside the tolerance."
    title = f"{escaped(answers.method)}: differences as a share of the tolerance"
    return Picture(_svg(f"differences-{number}", _BARS_HIGH + 62, title, desc, _bars(counts.tolist())), desc)


def _within() -> int:
    """Bins within the tolerance: the exactly equal, those below the first edge, those up to 1."""
    return 2 - _DECADES.start


def _bars(counts: list[int]) -> list[str]:
    left, floor = 44, _BARS_HIGH
    width = (_WIDTH - left - _RIGHT) / len(counts)
    up = Axis(0.0, float(np.log10(1 + max(*counts, 9))), floor, 42)
    parts = [_levels(up, left, max(counts))]
    for i, count in enumerate(counts):
        x, y = left + i * width, up.at(float(np.log10(1 + count)))
        side = "good" if i < _within() else "bad"
        if count:
            parts.append(
                f'<rect class="{side}" x="{x + 2:.1f}" y="{y:.1f}" width="{width - 4:.1f}" height="{floor - y:.1f}"/>'
            )
            parts.append(f'<text class="count" x="{x + width / 2:.1f}" y="{y - 4:.1f}">{compact(count)}</text>')
    return [*parts, _edges(left, width, floor), _tolerance_line(left + _within() * width, floor)]


def _levels(up: Axis, left: float, most: int) -> str:
    """Lines at 1, 10, 100 … answers."""
    parts = []
    for power in range(len(str(max(most, 9)))):
        y = up.at(float(np.log10(1 + 10**power)))
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick up" x="{left - 5}" y="{y + 4:.1f}">{compact(10**power)}</text>')
    middle = (up.start + up.end) / 2
    return "".join(parts) + (
        f'<text class="axis" x="12" y="{middle:.1f}" transform="rotate(-90 12 {middle:.1f})">answers</text>'
    )


def _edges(left: float, width: float, floor: float) -> str:
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    parts = [f'<path class="floor" d="M{left} {floor}H{_WIDTH - _RIGHT}"/>']
    parts.append(f'<text class="tick across" x="{left + width / 2:.1f}" y="{floor + 15}">0</text>')
    for i, power in enumerate(_DECADES):
        x = left + (i + 2) * width
        text = {0: "1", 1: "10"}.get(power, "10" + str(power).translate(digits))
        parts.append(f'<path class="floor" d="M{x:.1f} {floor}v4"/>')
        parts.append(f'<text class="tick across" x="{x:.1f}" y="{floor + 15}">{text}</text>')
    middle = (left + _WIDTH - _RIGHT) / 2
    return "".join(parts) + f'<text class="axis" x="{middle:.1f}" y="{floor + 36}">|difference| ÷ tolerance</text>'


def _tolerance_line(x: float, floor: float) -> str:
    return (
        f'<path class="limit" d="M{x:.1f} {floor + 4}V6"/>'
        f'<text class="side" x="{x - 6:.1f}" y="14" text-anchor="end">within the tolerance</text>'
        f'<text class="side" x="{x + 6:.1f}" y="14">outside</text>'
    )


def _svg(identity: str, height: float, title: str, desc: str, inner: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-labelledby="{identity}-t {identity}-d">'
        f'<title id="{identity}-t">{title}</title><desc id="{identity}-d">{desc}</desc>{"".join(inner)}</svg>'
    )
