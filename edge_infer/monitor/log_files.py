"""The files of a log, `NAME/log/NUMBER-DAY-PROCESS.jsonl`: a process writes its own alone, and holds `PROCESS.held`
while it lives. Numbers tell their order; DAY is of the first line, by the device's clock.

Where a process has died, its file may end in the middle of a line: readers pass over that, and `log_tending` cuts it.
"""

from __future__ import annotations

import re
import time
from collections import deque
from contextlib import suppress
from itertools import accumulate, islice, takewhile
from typing import Final, NamedTuple

from edge_infer.errors import EdgeInferError
from edge_infer.store.files import Files, Path

__all__ = ["HELD", "LOG", "LogFile", "LogWriter", "lock_of", "log_files", "process_name"]

LOG: Final = "log"
HELD: Final = ".held"
_PLAIN: Final = ".jsonl"
_PACKED: Final = ".jsonl.gz"
_PROCESS: Final = r"[0-9a-z]{1,8}-[0-9]{1,10}-[0-9a-f]{16}"
_FILE: Final = re.compile(rf"([0-9]{{6,9}})-([0-9]{{8}})-({_PROCESS})\.jsonl(?:\.gz)?")
_HELD: Final = re.compile(rf"({_PROCESS})\.held")
_PATIENCE: Final = 10.0  # seconds that a process waits for another that tends the files


class LogFile(NamedTuple):
    """By its name: plain, compressed, or both where a crash fell between."""

    number: int
    day: str
    process: str

    @property
    def stem(self) -> str:
        return f"{self.number:06}-{self.day}-{self.process}"

    @property
    def plain(self) -> str:
        return self.stem + _PLAIN

    @property
    def packed(self) -> str:
        return self.stem + _PACKED


def log_files(names: list[str]) -> list[LogFile]:
    """Of the names in the folder, in their order, each once."""
    found = {
        LogFile(int(match[1]), match[2], match[3]) for name in names if (match := _FILE.fullmatch(name)) is not None
    }
    return sorted(found)


def held_by(names: list[str]) -> list[str]:
    """The processes that hold a file, or have left it behind."""
    return [match[1] for name in names if (match := _HELD.fullmatch(name)) is not None]


def lock_of(name: str) -> Path:
    """What is locked by who begins to write or tends the files."""
    return (name, LOG, "lock")


def process_name(boot: str, pid: int, prefix: str) -> str:
    """boot: the machine's id of its start; prefix: 16 hex digits of this process alone."""
    short = re.sub(r"[^0-9a-z]", "", boot.lower())[:8] or "none"
    return f"{short}-{pid}-{prefix}"


class LogWriter:
    """The files of one process, one after the other. Not thread-safe: its owner sees to that.

    Nothing is made before the first line.
    """

    def __init__(self, files: Files, name: str, process: str, *, most_bytes: int, most_seconds: float) -> None:
        self._files, self._name, self._process = files, name, process
        self._most_bytes, self._most_seconds = most_bytes, most_seconds
        self._held: int | None = None
        self._file: LogFile | None = None
        self._size, self._begun, self._failed = 0, 0.0, False
        self.has_turned = False  # since its owner has looked: there is a file to tend

    @property
    def is_begun(self) -> bool:
        return self._held is not None

    def write(self, lines: deque[bytes], day: str) -> None:
        """Append and flush; takes away from the left what is written, all of it if nothing is raised.

        day: now, by the clock, "20261128".

        Raises:
            EdgeInferError, OSError: the rest is left in `lines`; what stands there in part is written again, whole.
        """
        while lines:
            path = self._place(day)
            room = self._most_bytes - self._size
            self._append(path, lines, max(1, _fitting(lines, room)))

    def turn_if_old(self, day: str) -> None:
        """Close a file that is too old, though nothing is to be written."""
        if self._file is not None and self._is_over(self._file, day):
            self._file, self.has_turned = None, True

    def end(self) -> None:
        """Whoever comes next may tend this process's files."""
        held, self._held, self._file = self._held, None, None
        if held is not None:
            self._files.let_go(held)
            with suppress(EdgeInferError, OSError):  # the next who tends takes it
                self._files.remove(self._name, LOG, self._process + HELD)

    @property
    def held(self) -> int | None:
        """The descriptor, for a child to close that is forked."""
        return self._held

    # --- places ---

    def _place(self, day: str) -> Path:
        """Where the next line goes."""
        if self._held is not None and self._size and self._status() is None:
            self.end()  # somebody has removed the files: the lock went with them
        if self._held is None:
            self._begin()
        self.turn_if_old(day)
        if self._file is None:
            there = log_files(self._files.names(self._name, LOG))
            self._file = LogFile(1 + max((file.number for file in there), default=0), day, self._process)
            self._size, self._begun, self._failed = 0, time.monotonic(), False
        return self._path(self._file)

    def _path(self, file: LogFile) -> Path:
        return (self._name, LOG, file.plain)

    def _status(self) -> int | None:
        """The size of the file that is written; None where it is not there."""
        status = None if self._file is None else self._files.status(*self._path(self._file))
        return None if status is None else status.st_size

    def _begin(self) -> None:
        with self._files.locked(_PATIENCE, path=lock_of(self._name)):  # who tends would take it for one left behind
            self._held = self._files.hold((self._name, LOG, self._process + HELD))
        self._file, self.has_turned = None, True

    def _is_over(self, file: LogFile, day: str) -> bool:
        is_old = time.monotonic() - self._begun >= self._most_seconds
        return bool(self._size) and (self._size >= self._most_bytes or is_old or file.day != day)

    # --- lines ---

    def _append(self, path: Path, lines: deque[bytes], some: int) -> None:
        """The first `some` lines."""
        data = b"".join(islice(lines, some))
        start = self._size + (self._failed and self._is_open(path))  # a new line ends what was left open
        try:
            self._files.append(path, data, private=True)
        except BaseException:
            self._failed = True
            self._size = self._status() or 0
            some = min(some, _fitting(lines, self._size - start + 1))  # the next line brings an end that is missing
            raise
        else:
            self._failed, self._size = False, start + len(data)
        finally:
            for _ in range(some):
                lines.popleft()

    def _is_open(self, path: Path) -> bool:
        """Whether the file ends within a line."""
        with suppress(FileNotFoundError):
            return self._files.read_end(*path, most=1) not in (b"", b"\n")
        return False


def _fitting(lines: deque[bytes], room: int) -> int:
    """How many of the first lines take no more bytes than `room`."""
    return sum(1 for _ in takewhile(lambda size: size <= room, accumulate(map(len, lines))))
