"""Sets of Unicode code points, asked of this Python, and how RE2 writes them.

RE2's `\\w`, `\\s` and `\\b` know ASCII only, and a C library's lower-casing depends on its locale, so the graph gets
every set and every mapping written out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CodePoints", "ContextClasses", "character_class", "code_points", "context_classes", "folding", "members"]

_COUNT: Final = 0x110000
_SURROGATES: Final = slice(0xD800, 0xE000)  # no UTF-8 text holds them
_UTF_32: Final = np.dtype("<u4")
ALL_TEXT: Final = np.delete(np.arange(_COUNT, dtype=_UTF_32), _SURROGATES).tobytes().decode("utf-32-le")

#: One boolean for each code point.
CodePoints = NDArray[np.bool_]


def code_points(characters: Iterable[str]) -> CodePoints:
    """The set of these one-character texts."""
    chosen = np.zeros(_COUNT, np.bool_)
    chosen[np.frombuffer("".join(characters).encode("utf-32-le", "surrogatepass"), _UTF_32)] = True
    chosen[_SURROGATES] = False
    return chosen


@cache
def members(name: str) -> CodePoints:
    """The white space of `str.split` ("space"), or every code point ("any")."""
    return code_points(ALL_TEXT if name == "any" else filter(str.isspace, ALL_TEXT))


def character_class(chosen: CodePoints) -> str:
    """RE2's expression for one character of the set: ranges written out, or those of the complement."""
    rest = ~chosen
    rest[_SURROGATES] = False
    if not rest.any():
        return "(?s:.)"
    inside, outside = _ranges(chosen), _ranges(rest)
    return f"[{inside}]" if inside.count("x") <= outside.count("x") else f"[^{outside}]"


def _ranges(chosen: CodePoints) -> str:
    borders = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    pairs = borders.reshape(-1, 2).tolist()
    return "".join(f"\\x{{{low:x}}}" + (f"-\\x{{{high - 1:x}}}" if high - low > 1 else "") for low, high in pairs)


@cache
def folding(lower: bool, accents: str | None) -> dict[str, str]:
    """What the preprocessing of scikit-learn makes of each character that it changes; "" where it is dropped.

    Character by character is exact: lower-casing looks at its neighbours for Σ only (`context_classes`), and NFKD
    moves nothing but combining marks, which both kinds of accent stripping drop.
    """
    changes = {}
    for character in ALL_TEXT:
        folded = character.lower() if lower else character
        if accents is not None and not folded.isascii():
            decomposed = unicodedata.normalize("NFKD", folded)
            if accents == "ascii":
                folded = decomposed.encode("ascii", "ignore").decode("ascii")
            else:
                folded = "".join(c for c in decomposed if not unicodedata.combining(c))
        if folded != character:
            changes[character] = folded
    return changes


class ContextClasses:
    """What decides whether a Σ becomes ς: `ignorable` characters are passed over, then a `cased` one is looked for."""

    def __init__(self) -> None:
        self.cased = code_points(c for c in ALL_TEXT if (c + "Σ").lower()[-1] == "ς")
        skipped = (c for c in ALL_TEXT if ("A" + c + "Σ").lower()[-1] == "ς")
        self.ignorable = code_points(skipped) & ~self.cased


@cache
def context_classes() -> ContextClasses:
    """The classes of CPython's `handle_capital_sigma` (Objects/unicodeobject.c), found by asking `str.lower`."""
    return ContextClasses()
