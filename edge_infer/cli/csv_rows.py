"""CSV text → rows by the manifest's columns: what an empty cell, a number or a boolean is, the manifest says."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from edge_infer.cli.documents import InputTextError, Request
from edge_infer.csv_cells import BadCell, cell_reader, is_number, likely_delimiter, places_in
from edge_infer.errors import InputError, Mismatch
from edge_infer.manifest import Inputs

__all__ = ["LineMismatch", "at_lines", "parse_csv"]

_DECIMAL_COMMA: Final = "hint: a number has a decimal comma; write it with a point (29.5)"


class LineMismatch(Mismatch):
    """A mismatch whose row is a line of a file."""

    __slots__ = ()

    def __str__(self) -> str:
        return super().__str__().replace(f"row {self.row}", f"line {self.row}", 1)


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
    places, skip = places_in(sheet.records[0], inputs)
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
    head = next(line for line in _physical_lines(text) if line.strip("\r\n")).rstrip("\r\n")
    return likely_delimiter(head, names)


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


# --- columns ---------------------------------------------------------------------------


def _check_widths(width: int, records: list[list[str]], lines: list[int]) -> None:
    found = [
        LineMismatch(line, None, f"{width} cells as in the header", str(len(record)))
        for record, line in zip(records, lines, strict=True)
        if len(record) != width
    ]
    if found:
        raise InputError(found, "hint: a cell that holds the delimiter stands in double quotes")


def _decimal_hint(found: list[Mismatch]) -> str | None:
    comma = any(
        "number" in m.expected and m.got.count(",") == 1 and is_number(m.got.strip("'\"").replace(",", "."))
        for m in found
    )
    return _DECIMAL_COMMA if comma else None
