"""What becomes of a log's closed files: cut where a crash has torn them, compressed, counted, and removed when the log
is too large or they are too old.

Whoever changes a file holds the log's lock. Each step may be the last one before a crash: the next who tends goes on
there.
"""

from __future__ import annotations

import datetime
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from edge_infer.errors import DamagedStoreError, FormatError, LimitError, UnsafePathError
from edge_infer.events import report_event
from edge_infer.monitor.log_files import HELD, LOG, LogFile, held_by, lock_of, log_files
from edge_infer.monitor.log_reading import parsed_line
from edge_infer.store.files import TEMPORARY, Files, Path
from edge_infer.strict_json import parse

__all__ = ["Keeping", "Repaired", "bytes_per_day", "tend"]

_PIECE: Final = 1 << 16
_MOST_TAIL: Final = 2 << 20  # bytes: more than a line has
_BLOCK: Final = 4096  # bytes that the smallest file takes on a disk
_MOST_FILES: Final = 4096
_MOST_DAYS: Final = 366  # whose bytes are remembered
_MOST_RECORD: Final = 1 << 20
_CLOCK_SET: Final = "20200101"  # before that, a device's clock was never set
_PATIENCE: Final = 5.0  # seconds
_GZIP: Final = 31  # zlib's wbits for a gzip header without name or time


class Keeping(NamedTuple):
    """What a log may take. bytes: of all files; days: their age."""

    bytes: int
    days: float
    compress: bool


class Repaired(NamedTuple):
    """Files that a crash had torn, and the bytes that were cut away."""

    files: int
    bytes: int


def tend(files: Files, name: str, keeping: Keeping, today: str) -> Repaired:
    """today: by the device's clock, "20261128". Others may begin between two files, since they wait for the lock.

    Raises StoreWriteError, UnsafePathError, OSError.
    """
    lock = lock_of(name)
    with files.locked(_PATIENCE, path=lock):
        there, current = log_files(files.names(name, LOG)), _current(files, name)
        closed = [file for file in there if file not in current]
        _remove_unfinished(files, name, there)
    torn = []
    for file in closed:
        with files.locked(_PATIENCE, path=lock):
            torn.append(_finish(files, name, file, compress=keeping.compress))
    with files.locked(_PATIENCE, path=lock):
        names = files.names(name, LOG)
        left = {file.process for file in set(log_files(names)).difference(closed)}
        for process in set(held_by(names)) - _alive(files, name, names) - left:
            files.remove(name, LOG, process + HELD)
        _thin_out(files, name, keeping, today)
    return Repaired(sum(map(bool, torn)), sum(torn))


def _alive(files: Files, name: str, names: list[str]) -> set[str]:
    """Processes that write to this log."""
    return {process for process in held_by(names) if files.is_held((name, LOG, process + HELD))}


def _current(files: Files, name: str) -> set[LogFile]:
    """Files that are written: the last one of each process that lives."""
    names = files.names(name, LOG)
    alive = _alive(files, name, names)
    return set({file.process: file for file in log_files(names) if file.process in alive}.values())


def _remove_unfinished(files: Files, name: str, there: list[LogFile]) -> None:
    """What a crash has left of files of this log alone: others write in that folder too."""
    own = (_record(name)[-1], *(each.plain for each in there), *(each.packed for each in there))
    for temporary in files.names(TEMPORARY):
        if temporary.startswith(tuple(f"{file}." for file in own)):
            files.remove(TEMPORARY, temporary)


# --- closed files -----------------------------------------------------------------------


def _finish(files: Files, name: str, file: LogFile, *, compress: bool) -> int:
    """How many bytes a crash had left of a last line."""
    names = files.names(name, LOG)
    if file.plain not in names:
        return 0
    plain, packed = (name, LOG, file.plain), (name, LOG, file.packed)
    try:
        size = _size(files, plain)
        torn = 0 if file.packed in names else size - _whole_bytes(files, plain)
        if compress and file.packed not in names and size > torn:
            files.replace(packed, _compressed(files, plain, size - torn), private=True)
        _count(files, name, file, size + _size(files, packed))
        if compress or file.packed in names or size == torn:
            files.remove(*plain)
        elif torn:
            files.replace(plain, b"".join(_first(files, plain, size - torn)), private=True)
    except (UnsafePathError, FileNotFoundError, IsADirectoryError) as error:  # or somebody has removed it
        report_event("monitor", f"a file of the log is left as it is: {error}")
        return 0
    return torn


def _whole_bytes(files: Files, path: Path) -> int:
    """Those up to the end of the last whole line, though the sign of its end may be missing: what readers take."""
    size = _size(files, path)
    if files.read_end(*path, most=1) in (b"", b"\n"):
        return size
    end = files.read_end(*path, most=_MOST_TAIL)
    tail = end.rpartition(b"\n")[2]
    is_ours = len(tail) < _MOST_TAIL  # else it is nothing that a log wrote
    return size - len(tail) if is_ours and parsed_line(tail) is None else size


def _first(files: Files, path: Path, most: int) -> Iterator[bytes]:
    for piece in files.pieces(*path, size=_PIECE):
        yield piece[:most]
        most -= len(piece)
        if most <= 0:
            return


def _compressed(files: Files, path: Path, most: int) -> bytes:
    """In memory, as `Files.replace` takes it: a tenth of the file or so."""
    packer = zlib.compressobj(wbits=_GZIP)
    return b"".join([packer.compress(piece) for piece in _first(files, path, most)] + [packer.flush()])


def _size(files: Files, path: Path) -> int:
    status = files.status(*path)
    return 0 if status is None else status.st_size


# --- what may stay ----------------------------------------------------------------------


def _thin_out(files: Files, name: str, keeping: Keeping, today: str) -> None:
    names, current = files.names(name, LOG), _current(files, name)
    there = log_files(names)
    sizes = {file: sum(_on_disk(files, name, each) for each in (file.plain, file.packed) if each in names)
             for file in there}  # fmt: skip
    total, left, days = sum(sizes.values()), len(there), _days(there, today)
    first = _days_before(today, keeping.days)
    for file in there:
        if file in current or not (days[file] < first or total > keeping.bytes or left > _MOST_FILES):
            continue
        for each in (file.plain, file.packed):
            with suppress(UnsafePathError):  # a folder
                files.remove(name, LOG, each)
        total, left = total - sizes[file], left - 1


def _on_disk(files: Files, name: str, file: str) -> int:
    return -(-_size(files, (name, LOG, file)) // _BLOCK) * _BLOCK


def _days(there: list[LogFile], today: str) -> dict[LogFile, str]:
    """The day of each; where a clock that was never set, or is ahead, has told it, that of the file after it."""
    found, later = {}, today
    for file in reversed(there):
        later = file.day if _CLOCK_SET <= file.day <= today else later
        found[file] = later
    return found


def _days_before(today: str, days: float) -> str:
    try:
        return (datetime.date.fromisoformat(today) - datetime.timedelta(days=days)).strftime("%Y%m%d")
    except (ValueError, OverflowError):  # before the year 1
        return "00000000"


# --- what was written -------------------------------------------------------------------


class _Written(NamedTuple):
    """days: bytes of closed files by their day; counted: those among them that are not compressed (yet)."""

    days: dict[str, int]
    counted: tuple[str, ...]


def bytes_per_day(files: Files, name: str) -> dict[str, int]:
    """What the log has written, by the UTC day of each file, of the last year: lines, and files that were compressed.

    A disk writes whole blocks: with flush="line" it writes far more than this.
    """
    days, counted = _read_written(files, name)
    names = files.names(name, LOG)
    for file in log_files(names):
        if file.plain in names and file.stem not in counted:
            days[file.day] = days.get(file.day, 0) + _size(files, (name, LOG, file.plain))
    return dict(sorted(days.items()))


def _count(files: Files, name: str, file: LogFile, size: int) -> None:
    """Once, though the process may be stopped before the file is compressed and removed."""
    days, counted = _read_written(files, name)
    if file.stem in counted:
        return
    days[file.day] = days.get(file.day, 0) + size
    plain = {each.removesuffix(".jsonl") for each in files.names(name, LOG)}
    document = {
        "days": dict(sorted(days.items())[-_MOST_DAYS:]),
        "counted": sorted({*counted, file.stem} & plain),
    }
    files.replace(_record(name), json.dumps(document, separators=(",", ":")).encode() + b"\n", private=True)


def _record(name: str) -> Path:
    return (name, LOG, f"{name}.written.json")


def _read_written(files: Files, name: str) -> _Written:
    try:
        text = files.read(*_record(name), most=_MOST_RECORD)
        root = parse(text, what="written.json", most_bytes=_MOST_RECORD, most_depth=3)
        return _Written(
            {day: node.integer() for day, node in root.get("days").fields()},
            tuple(node.text() for node in root.get("counted").list()),
        )
    except FileNotFoundError:
        return _Written({}, ())
    except (DamagedStoreError, UnsafePathError, FormatError, LimitError) as error:
        report_event("monitor", f"the bytes that the log of {name} has written are counted anew: {error}")
        return _Written({}, ())
