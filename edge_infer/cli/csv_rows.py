"""CSV text → rows by the manifest's columns: what an empty cell, a number or a boolean is, the manifest says."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from edge_infer.cli.documents import InputTextError, Request
from edge_infer.errors import InputError, Mismatch
from edge_infer.manifest import Column, Inputs

__all__ = ["LineMismatch", "at_lines", "parse_csv"]

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
_DELIMITERS: Final = (",", ";", "\t")
_DECIMAL_COMMA: Final = "hint: a number has a decimal comma; write it with a point (29.5)"


class LineMismatch(Mismatch):
    """A mismatch whose row is a line of a file."""

    __slots__ = ()

    def __str__(self) -> str:
        return super().__str__().replace(f"row {self.row}", f"line {self.row}", 1)


class BadCell(ValueError):
    """A cell that is not of its column's kind."""

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(expected)


class _Text(NamedTuple):
    """The records of a CSV and the line where each begins."""

    records: list[list[str]]
    lines: list[int]


def parse_csv(text: bytes, inputs: Inputs, where: str, delimiter: str | None = None) -> Request:
    """A request of the rows, in the manifest's order of columns.

    Raises:
        InputTextError: not UTF-8, empty, or not a CSV.
        InputError: columns that are not there, or cells that are not of their column's kind; all at once.
    """
    decoded = _decoded(text, where)
    names = [column.name for column in inputs.columns]
    sheet = _read(decoded, delimiter or _delimiter(decoded, names), where)
    places, skip = _places(sheet.records[0], inputs)
    records, lines = sheet.records[skip:], sheet.lines[skip:]
    _check_widths(len(sheet.records[0]), records, lines)
    cells = np.empty((len(records), len(names)), dtype=object)
    found: list[Mismatch] = []
    for position, (column, place) in enumerate(zip(inputs.columns, places, strict=True)):
        if not column.used:
            continue
        read = cell_reader(column)
        for row, record in enumerate(records):
            try:
                cells[row, position] = read(record[place])
            except BadCell as bad:
                found.append(LineMismatch(lines[row], column.name, bad.expected, repr(record[place])[:60]))
    if found:
        found.sort(key=lambda mismatch: mismatch.row or 0)
        raise InputError(found, _decimal_hint(found))
    return Request(cells, len(records), lines=lines)


def at_lines(error: InputError, lines: list[int]) -> InputError:
    """The same error with lines of the file in place of row numbers."""
    moved = [m if m.row is None else LineMismatch(lines[m.row], m.column, m.expected, m.got) for m in error.mismatches]
    return InputError(moved)


# --- text -------------------------------------------------------------------------------


def _decoded(text: bytes, where: str) -> str:
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputTextError(f"{where}: expected UTF-8, got UTF-16; save it as 'CSV UTF-8'")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise InputTextError(
            f"{where}, line {line}: expected UTF-8, got the byte 0x{text[error.start]:02x}; save it as 'CSV UTF-8'"
        ) from None
    if not decoded.strip():
        raise InputTextError(f"{where}: expected JSON, or a CSV with a header row; got nothing")
    return decoded


def _delimiter(text: str, names: list[str]) -> str:
    """The one that gives the most known column names in the header; then the most cells."""
    head = next(line for line in _physical_lines(text) if line.strip("\r\n")).rstrip("\r\n")
    known = set(names)

    def score(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([head], delimiter=delimiter), [])
        return len(known.intersection(map(str.strip, cells))), len(cells)

    return max(_DELIMITERS, key=score)


def _read(text: str, delimiter: str, where: str) -> _Text:
    records: list[list[str]] = []
    lines: list[int] = []
    start = 1
    reader = csv.reader(_physical_lines(text), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if record:
                records.append(record)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputTextError(f"{where}, line {max(start, reader.line_num)}: not a CSV: {error}") from None
    return _Text(records, lines)


def _physical_lines(text: str) -> Iterator[str]:
    """Lines at \\n, \\r\\n or \\r only: str.splitlines would break cells at other characters too."""
    import io

    return iter(io.StringIO(text, newline=""))


# --- columns ----------------------------------------------------------------------------


def _places(header: list[str], inputs: Inputs) -> tuple[list[int], int]:
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
        return list(range(len(names))), 0 if all(map(_is_number, header)) else 1
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


def _check_widths(width: int, records: list[list[str]], lines: list[int]) -> None:
    found = [
        LineMismatch(line, None, f"{width} cells as in the header", str(len(record)))
        for record, line in zip(records, lines, strict=True)
        if len(record) != width
    ]
    if found:
        raise InputError(found, "hint: a cell that holds the delimiter stands in double quotes")


# --- cells ------------------------------------------------------------------------------


def cell_reader(column: Column) -> Callable[[str], Any]:
    """Text → a value of the column's kind, None for missing. A known category is never missing, nor is free text."""
    if column.free_text:
        return str
    missing = MISSING.difference(c for c in column.categories or () if isinstance(c, str))
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


def _is_number(text: str) -> bool:
    try:
        return text in MISSING or _number(text) is not None
    except BadCell:
        return False


def _decimal_hint(found: list[Mismatch]) -> str | None:
    comma = any(
        "number" in m.expected and m.got.count(",") == 1 and _is_number(m.got.strip("'\"").replace(",", "."))
        for m in found
    )
    return _DECIMAL_COMMA if comma else None
