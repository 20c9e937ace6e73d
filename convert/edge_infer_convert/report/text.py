"""Text for the page. Names, categories and labels come from anywhere: nothing of them reaches the page unescaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

__all__ = ["compact", "counted", "escaped", "isolated", "listing", "number", "table", "told", "value_text"]

_MOST: Final = 60  # characters of one name or label


def escaped(value: Any, most: int = _MOST) -> str:
    """Cut, invisible and direction-changing characters spelt out, then escaped for text and attributes."""
    text = str(value)
    cut = text if len(text) <= most else text[: most - 1] + "…"
    plain = (char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)
    return html.escape("".join(plain), quote=True)


def isolated(value: Any, most: int = _MOST) -> str:
    """The same inside <bdi>, so that right-to-left text does not reorder its surroundings."""
    return f"<bdi>{escaped(value, most)}</bdi>"


def told(text: str, most: int) -> str:
    """What an author tells people, isolated: its lines and paragraphs in one."""
    return isolated(" ".join(text.split()), most)


def value_text(value: Any, digits: int = 0) -> str:
    """A cell or an answer in brief, not escaped. Without `digits`, floats have as many as they need."""
    if value is None:
        return "missing"
    if isinstance(value, float | np.floating):
        return number(float(value), digits)
    return str(value)


def number(value: float, digits: int = 0) -> str:
    """At most `digits` significant digits, or as many as tell the number from its neighbours; NaN, ∞ and −∞."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}g}" if digits else repr(value).removesuffix(".0")
    return text.replace("-", "−")


def counted(count: int, one: str, many: str = "") -> str:
    """ "1 row", "1,234 rows"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def compact(count: int) -> str:
    """Four characters or so: 950, 1.2k, 13k, 4M."""
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if count >= size:
            short = f"{count / size:.{1 if count < 10 * size else 0}f}"
            return short.removesuffix(".0") + letter
    return str(count)


def listing(values: Sequence[Any], most: int = 6) -> str:
    """The first values, and how many there are."""
    shown = ", ".join(isolated(value_text(value), 30) for value in values[:most])
    return shown if len(values) <= most else f"{shown}, … ({len(values):,} in all)"


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], kinds: str = "") -> str:
    """A table of cells that are HTML already. `kinds`: a letter a column; n for numbers, t for text, w for long text.

    The first cell of a row heads it. Wide tables scroll in their own frame, by keyboard too.
    """
    classes = ["" if kind == "t" else f' class="{kind}"' for kind in kinds.ljust(len(heads), "t")]
    head = "".join(f'<th scope="col"{at}>{text}</th>' for text, at in zip(heads, classes, strict=True))
    body = "\n".join(f"<tr>{_row(cells, classes)}</tr>" for cells in rows)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(caption)}">'
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(cells: Sequence[str], classes: Sequence[str]) -> str:
    first = f'<th scope="row"{classes[0]}>{cells[0]}</th>'
    return first + "".join(f"<td{at}>{cell}</td>" for cell, at in zip(cells[1:], classes[1:], strict=True))
