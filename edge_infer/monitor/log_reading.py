"""Reading a log: all its files in their order, compressed or not, line by line, in constant memory."""

from __future__ import annotations

import datetime
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from edge_infer.errors import UnsafePathError, UsageError
from edge_infer.monitor.log_files import LOG, LogFile, log_files
from edge_infer.monitor.log_lines import iso
from edge_infer.store.files import Files
from edge_infer.store.names import check_name

__all__ = ["LogReader", "lines_of", "parsed_line", "read_log", "utc_text"]

_PIECE: Final = 1 << 16
_MOST_LINE: Final = 8 << 20
_GZIP: Final = 31  # zlib's wbits


def read_log(
    files: Files, name: str, since: datetime.datetime | None = None, until: datetime.datetime | None = None
) -> LogReader:
    """The lines of a model's log: those of `since` and later, and before `until`, by the device's clock.

    Files are read in the order in which they were begun; lines of processes that wrote at the same time are not mixed.

    Raises:
        UsageError: times without a zone.
        UnsafePathError: a name that cannot name files.
    """
    return LogReader(files, name, since, until)


class LogReader(Iterator[dict[str, Any]]):
    """Lines as dicts. What is no line of a log (torn by a crash, too long, no JSON) is passed over and counted.

    skipped: such lines, until now; unreadable: files that could not be read to their end, and why.
    read: lines that were looked at, by file.
    """

    def __init__(
        self,
        files: Files,
        name: str,
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        *,
        most: Mapping[str, int] | None = None,
    ) -> None:
        """most: lines that are looked at, by file: what another reader has seen. None: all."""
        self.skipped = 0
        self.unreadable: list[str] = []
        self.read: dict[str, int] = {}
        self._files, self._name, self._most = files, check_name(name), most
        self._since, self._until = utc_text(since, "since"), utc_text(until, "until")
        self._lines = self._all()

    def __next__(self) -> dict[str, Any]:
        return next(self._lines)

    def _all(self) -> Iterator[dict[str, Any]]:
        for file in log_files(self._files.names(self._name, LOG)):
            if self._most is not None and file.stem not in self._most:
                continue
            try:
                yield from self._of(file)
            except FileNotFoundError:  # it has left the log meanwhile
                continue
            except (UnsafePathError, OSError, zlib.error) as error:
                self.unreadable.append(f"{file.stem}: {error}")

    def _of(self, file: LogFile) -> Iterator[dict[str, Any]]:
        for number, text in enumerate(lines_of(self._pieces(file)), 1):
            if self._most is not None and number > self._most[file.stem]:
                return
            self.read[file.stem] = number
            line = parsed_line(text)
            if line is None:
                self.skipped += 1
            elif (self._since or "") <= line["utc"] and (self._until is None or line["utc"] < self._until):
                yield line

    def _pieces(self, file: LogFile) -> Iterator[bytes]:
        """Of the plain one, if there are both: each holds all that is whole."""
        try:
            yield from self._files.pieces(self._name, LOG, file.plain, size=_PIECE)
        except FileNotFoundError:  # compressed, maybe since its name was read
            yield from _unpacked(self._files.pieces(self._name, LOG, file.packed, size=_PIECE))


def utc_text(moment: datetime.datetime | None, what: str) -> str | None:
    """As the log writes it. Raises UsageError for a time without a zone."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise UsageError(f"{what}: expected a time with a zone, got {moment.isoformat()}; add tzinfo=datetime.UTC")
    return iso(moment.timestamp())


def lines_of(pieces: Iterator[bytes]) -> Iterator[bytes | None]:
    """Without their ends, the last one too if it has none; None for one that is too long to be held."""
    held, is_long = b"", False
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for part in whole:
            yield None if is_long else held + part
            held, is_long = b"", False
        if len(held) + len(rest) > _MOST_LINE:
            held, is_long = b"", True
        elif not is_long:
            held += rest
    if held or is_long:
        yield None if is_long else held


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """In pieces as small, however much it is. Raises zlib.error."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    for piece in pieces:
        while piece and not unpacker.eof:
            yield unpacker.decompress(piece, _PIECE)
            piece = unpacker.unconsumed_tail
    while not unpacker.eof and (rest := unpacker.decompress(b"", _PIECE)):
        yield rest
    if not unpacker.eof:
        raise zlib.error("the file ends too early")


def parsed_line(text: bytes | None) -> dict[str, Any] | None:
    """A line without its end; None for what is no line of a log."""
    if text is None:
        return None
    try:
        line = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    is_line = isinstance(line, dict) and isinstance(line.get("kind"), str) and isinstance(line.get("utc"), str)
    return line if is_line else None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
