"""A text file in blocks that end where a record ends, so that each can be read by itself, by any thread.

A block is told by its place in the file alone. A record of CSV may hold newlines between quotes (RFC 4180); a quote
inside a field that does not begin with one is a character like others, as pyarrow and pandas read it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Block", "Cutter", "blocks_of", "is_utf8", "lines_of_records"]

_QUOTE, _NEWLINE, _RETURN = 0x22, 0x0A, 0x0D
_EMPTY: Final = 2  # bytes of a line without anything: \r\n


class Block(NamedTuple):
    """data: whole records; empty where one record is too long to be read. offset: of the block in the file, in bytes;
    end: of what follows it; line: its first, from 1; lines: how many it has."""

    data: bytes
    offset: int
    end: int
    line: int
    lines: int

    @property
    def is_too_long(self) -> bool:
        return not self.data


class Cutter:
    """Finds where records end. quotes: whether they may hold newlines; delimiter: what parts their fields."""

    def __init__(self, *, newline: bytes = b"\n", delimiter: bytes | None = None) -> None:
        self.newline = newline
        self._delimiter = delimiter
        before = b"".join({re.escape(delimiter or b","), rb"\r", rb"\n"})
        self._quoted = re.compile(rb"(?<![^" + before + rb'])"(?:[^"]++|"")*+("|\Z)')

    @property
    def has_cells(self) -> bool:
        """Whether it is a CSV."""
        return self._delimiter is not None

    def end_of(self, data: bytes) -> int:
        """Behind the last record that is whole; 0 where none is."""
        end = data.rfind(self.newline) + 1
        if not end or self._delimiter is None or data.find(b'"') < 0:
            return end
        return self._end_of_quoted(data)

    def first_end(self, data: bytes) -> int:
        """Behind the first record; 0 where it is not whole."""
        end = data.find(self.newline) + 1
        while end and self.is_open(data[:end]):
            end = data.find(self.newline, end) + 1
        return end

    def _end_of_quoted(self, data: bytes) -> int:
        marks = np.frombuffer(data, np.uint8)
        quotes = np.flatnonzero(marks == _QUOTE)
        if self._are_in_pairs(marks, quotes):
            return self._end_by_parity(data, quotes)
        return self._end_by_scan(data)

    def _are_in_pairs(self, marks: NDArray[np.uint8], quotes: NDArray[np.int64]) -> bool:
        """Whether each quote opens or closes a field, or doubles another: then those before a place tell whether it
        is quoted."""
        around = np.zeros(256, bool)
        around[[_QUOTE, 0x0A, 0x0D, *(self._delimiter or b"")]] = True
        opening, closing = quotes[::2], quotes[1::2]
        opens = around[marks[opening - 1]] | (opening == 0)
        closes = around[marks[np.minimum(closing + 1, len(marks) - 1)]] | (closing == len(marks) - 1)
        return bool(opens.all() and closes.all())

    def _end_by_parity(self, data: bytes, quotes: NDArray[np.int64]) -> int:
        end = len(data)
        while (end := data.rfind(self.newline, 0, end)) >= 0:
            before = int(np.searchsorted(quotes, end))
            if before % 2 == 0:
                return end + 1
            end = int(quotes[before - 1])  # the one that opens the field
        return 0

    def _end_by_scan(self, data: bytes) -> int:
        """Field by field: for quotes that stand alone."""
        newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == self.newline[0])
        plain = newlines[~self.are_quoted(data, newlines)]
        return int(plain[-1]) + 1 if len(plain) else 0

    def are_quoted(self, data: bytes, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each place is within a quoted field; `data` begins with a record."""
        if self._delimiter is None:
            return np.zeros(len(places), bool)
        spans = np.array([match.span() for match in self._quoted.finditer(data)], np.int64).reshape(-1, 2)
        span = np.searchsorted(spans[:, 0], places, side="right") - 1
        return (span >= 0) & (places < np.append(spans[:, 1], 0)[span])

    def is_open(self, data: bytes) -> bool:
        """Whether it ends within quotes."""
        if self._delimiter is None:
            return False
        last = deque(self._quoted.finditer(data), maxlen=1)
        return bool(last) and last[0].end() == len(data) and last[0].group(1) != b'"'


def blocks_of(
    file: IO[bytes], cutter: Cutter, size: int, *, start: bytes = b"", offset: int = 0, line: int = 1, most: int
) -> Iterator[Block]:
    """Blocks of about `size` bytes. start: what was read of the file behind `offset`; most: bytes of a record."""
    rest, ended, wanted = start, False, size
    while rest or not ended:
        while len(rest) < wanted and not ended:
            more = file.read(wanted - len(rest))
            ended = not more
            rest += more
        end = cutter.end_of(rest) or (len(rest) if ended and rest and not cutter.is_open(rest) else 0)
        if end:
            data, rest, wanted = rest[:end], rest[end:], size
            lines = data.count(cutter.newline) + (not data.endswith(cutter.newline))
            yield Block(data, offset, offset + end, line, lines)
        elif len(rest) < most and not ended:
            wanted = 2 * len(rest)
            continue
        elif rest:
            end, rest, ended = _past_line(file, cutter.newline, rest, size, ended=ended)
            lines, wanted = 1, size
            yield Block(b"", offset, offset + end, line, lines)
        offset, line = offset + end, line + (lines if end else 0)


def _past_line(file: IO[bytes], newline: bytes, rest: bytes, size: int, *, ended: bool) -> tuple[int, bytes, bool]:
    """Bytes up to the end of the line that `rest` begins with, what follows it, and whether the file has ended."""
    passed = 0
    while (end := rest.find(newline)) < 0:
        passed += len(rest)
        rest = b"" if ended else file.read(size)
        if not rest:
            return passed, b"", True
    return passed + end + 1, rest[end + 1 :], ended


def lines_of_records(data: bytes, cutter: Cutter, first: int) -> list[int]:
    """The line on which each record of a block begins; empty lines are no records."""
    marks = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(marks == cutter.newline[0])
    returns = np.flatnonzero(marks == _RETURN)
    alone = returns[np.append(marks[1:], 0)[returns] != _NEWLINE]  # pyarrow ends a record there too
    breaks = np.union1d(newlines, alone) if cutter.has_cells else newlines
    ends = breaks[~cutter.are_quoted(data, breaks)] + 1
    starts = [0, *ends.tolist()]
    lines = [first, *(first + np.searchsorted(newlines, ends)).tolist()]
    borders = [*starts[1:], len(data)]
    return [
        line
        for start, end, line in zip(starts, borders, lines, strict=True)
        if end - start > _EMPTY or data[start:end].strip(b"\r\n")
    ]


def is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
