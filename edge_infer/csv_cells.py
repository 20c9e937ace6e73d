"""CSV text by the manifest's columns: where each column stands, what an empty cell, a number or a boolean is.

What `edge-infer predict` and `edge-infer batch` read a CSV by.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection
from typing import Any, Final

from edge_infer.errors import InputError, Mismatch
from edge_infer.manifest import Column, Inputs

__all__ = [
    "DELIMITERS",
    "MISSING",
    "BadCell",
    "cell_reader",
    "is_number",
    "likely_delimiter",
    "places_in",
    "texts_for_missing",
]

#: Texts that pandas.read_csv takes for missing, so that the file reads as it did in training.
MISSING: Final = frozenset(
    {
        *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
        *("NULL", "null", "None"),
    }
)
_TRUE: Final = frozenset({"true", "yes", "1", "1.0", "t", "y"})
_FALSE: Final = frozenset({"false", "no", "0", "0.0", "f", "n"})
_WHOLE: Final = re.compile(r"[+-]?\d{1,19}")
#: That a file may have; of the first line.
DELIMITERS: Final = (",", ";", "\t")


class BadCell(ValueError):
    """A cell that is not of its column's kind."""

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(expected)


# --- the header -------------------------------------------------------------------------


def likely_delimiter(header: str, names: Collection[str]) -> str:
    """The one that gives the most known column names in the header; then the most cells."""
    known = set(names)

    def score(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        return len(known.intersection(map(str.strip, cells))), len(cells)

    return max(DELIMITERS, key=score)


def places_in(header: list[str], inputs: Inputs) -> tuple[list[int], int]:
    """Where each column stands in a record (−1: not there, and not used), and how many records are header."""
    positions = {name: i for i, name in enumerate(header)}
    for i, name in enumerate(header):
        positions.setdefault(name.strip(), i)
    names = [column.name for column in inputs.columns]
    needed = [column.name for column in inputs.columns if column.used]
    if all(name in positions for name in needed) and any(name in positions for name in names):
        _check_single(header, set(needed))
        return [positions.get(name, -1) for name in names], 1
    if inputs.style in ("array", "texts") and len(header) == len(names):
        return list(range(len(names))), 0 if all(map(is_number, header)) else 1
    absent = [
        Mismatch(None, column.name, f"a column of the kind {column.kind}", "no such column in the header")
        for column in inputs.columns
        if column.used and column.name not in positions
    ]
    raise InputError(absent, _name_hint([m.column or "" for m in absent], header))


def _check_single(header: list[str], names: set[str]) -> None:
    twice = [name for name in names if header.count(name) > 1]
    if twice:
        raise InputError([Mismatch(None, name, "one column", f"{header.count(name)} of this name") for name in twice])


def _name_hint(absent: list[str], header: list[str]) -> str:
    import difflib

    folded = {name.casefold().strip(): name for name in header}
    pairs = []
    for name in absent:
        near = difflib.get_close_matches(name.casefold(), folded, 1, 0.75)
        pairs += [f"the file's {folded[near[0]]!r} is close to {name!r}"] if near else []
    shown = ", ".join(map(repr, header[:12])) + (", …" if len(header) > 12 else "")
    return "\n".join([f"the header has: {shown:.400}", *(["hint: " + "; ".join(pairs[:5])] if pairs else [])])


# --- cells ------------------------------------------------------------------------------


def texts_for_missing(column: Column) -> frozenset[str]:
    """A known category is never missing."""
    return MISSING.difference(c for c in column.categories or () if isinstance(c, str))


def cell_reader(column: Column) -> Callable[[str], Any]:
    """Text → a value of the column's kind, None for missing. A known category is never missing, nor is free text."""
    if column.free_text:
        return str
    missing = texts_for_missing(column)
    converters: dict[str, Callable[[str], Any]] = {
        "string": str,
        "datetime": str,
        "boolean": _boolean,
        "integer": _integer,
    }
    convert = converters.get(column.kind, _number)

    def read(text: str) -> Any:
        if text in missing or (column.kind != "string" and text.strip() in missing):
            return None
        return convert(text)

    return read


def _number(text: str) -> float:
    try:
        if "_" not in text:
            return float(text)
    except ValueError:
        pass
    raise BadCell("a number")


def _integer(text: str) -> int | float:
    digits = text.strip()
    if _WHOLE.fullmatch(digits):
        return int(digits)
    try:
        return _number(text)
    except BadCell:
        raise BadCell("a whole number") from None


def _boolean(text: str) -> bool:
    word = text.strip().casefold()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise BadCell("true or false (or yes, no, 1, 0)")


def is_number(text: str) -> bool:
    """Whether it is one, or missing."""
    try:
        return text in MISSING or _number(text) is not None
    except BadCell:
        return False
