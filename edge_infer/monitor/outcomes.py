"""What became of predictions: outcomes by the id that the log gave, recorded when they are known, and pairs of both.

`NAME/outcomes/NUMBER.jsonl`: a line each, {"id": …, "value": …, "utc": …}; of several of one id the last one holds.
"""

from __future__ import annotations

import csv
import datetime
import json
import math
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final, NamedTuple

from edge_infer.errors import UnsafePathError, UsageError
from edge_infer.monitor.log_ids import MOST_ID, is_id
from edge_infer.monitor.log_lines import iso
from edge_infer.monitor.log_reading import LogReader, lines_of
from edge_infer.store.files import Files
from edge_infer.store.names import check_name

__all__ = ["Outcome", "Pair", "Value", "pairs", "read_outcomes", "record_outcomes"]

Value = str | int | float | bool | list[Any]

_FOLDER: Final = "outcomes"
_FILE: Final = re.compile(r"([0-9]{6,9})\.jsonl")
_MOST_FILE: Final = 4 << 20  # bytes of a file
_MOST_FILES: Final = 16  # the oldest go
_AT_ONCE: Final = 1000  # lines of one write
_MOST_KNOWN: Final = 100_000  # outcomes in memory
_MOST_TEXT: Final = 1000  # characters of a value
_MOST_VALUES: Final = 1000  # of an outcome of several
_MOST_LINE: Final = 1 << 20
_SHOWN: Final = 5  # mistakes in a file
_PIECE: Final = 1 << 16
_IDS: Final = ("id", "prediction_id")
_VALUES: Final = ("outcome", "value", "label", "actual", "target")


class Outcome(NamedTuple):
    """What a prediction should have been: a label, a number, or a list of them for several outputs."""

    id: str
    value: Value


class Pair(NamedTuple):
    """A logged answer and its outcome. utc: of the prediction, ISO 8601; id: as the log has it."""

    answer: Any
    outcome: Any
    utc: str
    id: str
    method: str
    version: str


# --- recording --------------------------------------------------------------------------


def record_outcomes(
    files: Files,
    name: str,
    outcomes: Iterable[tuple[str, Value]],
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
) -> int:
    """Add outcomes; how many. They last when this returns. Recording one again does no harm.

    At most 64 MiB are kept, the latest. Where an error is raised midway, those before it are recorded, in thousands.

    Raises:
        UsageError: what is no id, or no value.
        StoreWriteError, UnsafePathError: the folder cannot be written.
    """
    check_name(name)
    utc, written = iso(now().timestamp()), 0
    rest = iter(outcomes)
    while some := list(islice(rest, _AT_ONCE)):
        data = b"".join(_line(_checked(*each), utc) for each in some)
        with files.locked(path=(name, _FOLDER, "lock")):
            files.append(_place(files, name, len(data)), data, private=True)
        written += len(some)
    return written


def _line(outcome: Outcome, utc: str) -> bytes:
    text = json.dumps({**outcome._asdict(), "utc": utc}, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace") + b"\n"


def _checked(name: object, value: object) -> Outcome:
    """Raises UsageError."""
    if not is_id(name):
        raise UsageError(f"expected an id of 1 to {MOST_ID} printable characters, got {name!r:.60}")
    return Outcome(str(name), _value(value))


def _value(value: Any) -> Any:
    plain = value.tolist() if type(value).__module__ == "numpy" else value
    if isinstance(plain, list | tuple) and 0 < len(plain) <= _MOST_VALUES:
        return [_scalar(item) for item in plain]
    return _scalar(plain)


def _scalar(value: Any) -> Any:
    is_number = isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
    if is_number or (isinstance(value, str) and 0 < len(value) <= _MOST_TEXT):
        return value
    raise UsageError(f"expected an outcome (a label, a finite number, or a list of them), got {value!r:.60}")


def _place(files: Files, name: str, size: int) -> tuple[str, ...]:
    """Where lines are added; the oldest file goes where there are too many. For writers."""
    there = _numbers(files, name)
    last = there[-1] if there else 1
    status = files.status(*_path(name, last))
    if status is not None and status.st_size + size > _MOST_FILE:
        last += 1
        for number in there[: max(0, len(there) + 1 - _MOST_FILES)]:
            files.remove(*_path(name, number))
    return _path(name, last)


def _numbers(files: Files, name: str) -> list[int]:
    return sorted(int(match[1]) for file in files.names(name, _FOLDER) if (match := _FILE.fullmatch(file)))


def _path(name: str, number: int) -> tuple[str, ...]:
    return (name, _FOLDER, f"{number:06}.jsonl")


# --- files of outcomes ------------------------------------------------------------------


def read_outcomes(path: str | os.PathLike[str]) -> Iterator[Outcome]:
    """The outcomes in a CSV file, or JSON Lines (a name that ends in .jsonl or .ndjson), which is checked first.

    It has the columns `id` (or `prediction_id`) and one of outcome, value, label, actual, target. A cell of a CSV that
    is written as JSON writes numbers and true/false is such a value, all else is text.

    Raises:
        UsageError: with the lines that do not fit, before anything is given.
        OSError: the file cannot be read.
    """
    where, wrong, many = os.fspath(path), [], 0
    for number, found in _rows(where):
        many += 1
        if isinstance(found, str):
            wrong.append(f"  line {number}: {found}")
    if wrong:
        more = [f"  … and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise UsageError(
            "\n".join([f"{where}: {len(wrong)} of {many} outcomes cannot be read:", *wrong[:_SHOWN], *more])
        )
    return (found for _, found in _rows(where) if isinstance(found, Outcome))


def _rows(path: str) -> Iterator[tuple[int, Outcome | str]]:
    """By line: an outcome, or what is wrong with it. Raises UsageError for columns that are not there."""
    if path.lower().endswith((".jsonl", ".ndjson")):
        with open(path, "rb") as file:
            yield from _json_rows(file)
        return
    with open(path, encoding="utf-8-sig", newline="") as text:
        try:
            yield from _csv_rows(text, path)
        except UnicodeDecodeError:
            raise UsageError(f"{path}: expected UTF-8; save it as 'CSV UTF-8'") from None
        except csv.Error as error:
            raise UsageError(f"{path}: {error}") from None


def _csv_rows(text: IO[str], path: str) -> Iterator[tuple[int, Outcome | str]]:
    reader = csv.reader(text)
    header = [name.strip() for name in next(reader, [])]
    place, value = (_column(header, names, path) for names in (_IDS, _VALUES))
    for row in reader:
        if not any(row):
            continue
        if len(row) != len(header):
            yield reader.line_num, f"expected {len(header)} cells, got {len(row)}"
        else:
            yield reader.line_num, _outcome_or_reason(row[place].strip(), _of_cell(row[value].strip()))


def _column(header: list[str], names: tuple[str, ...], path: str) -> int:
    found = [position for position, name in enumerate(header) if name.lower() in names]
    if len(found) != 1:
        shown = ", ".join(header)[:200] or "nothing"
        raise UsageError(f"{path}, line 1: expected one column named {' or '.join(names)}, got {shown}")
    return found[0]


def _of_cell(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, int | float) else text


def _json_rows(file: IO[bytes]) -> Iterator[tuple[int, Outcome | str]]:
    for number, line in enumerate(lines_of(iter(lambda: file.read(_PIECE), b"")), 1):
        if line is None or line.strip():
            yield number, _of_line(line)


def _of_line(line: bytes | None) -> Outcome | str:
    try:
        found = None if line is None else json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return 'expected an object, {"id": …, "outcome": …}'
    ids, values = [found[name] for name in _IDS if name in found], [found[name] for name in _VALUES if name in found]
    if len(ids) != 1 or len(values) != 1:
        return f"expected one of {', '.join(_IDS)} and one of {', '.join(_VALUES)}"
    return _outcome_or_reason(ids[0], values[0])


def _outcome_or_reason(name: object, value: object) -> Outcome | str:
    try:
        return _checked(name, value)
    except UsageError as error:
        return str(error)


# --- pairs ------------------------------------------------------------------------------


def pairs(files: Files, name: str, since: datetime.datetime | None = None) -> Iterator[Pair]:
    """Answers whose outcome is known, of predictions of `since` and later, in bounded memory.

    In the order of the log; where more than 100,000 outcomes are kept, the log is read once for each so many, and the
    order holds within each reading. Of `predict_proba`, the answer is the most probable label.

    Raises:
        UsageError: a time without a zone.
        UnsafePathError: a name that cannot name files.
    """
    check_name(name)
    kept = sum(1 for _ in _recorded(files, name))
    parts = -(-kept // _MOST_KNOWN)
    for part in range(parts):
        known = {each.id: each.value for each in _recorded(files, name) if _part(each.id, parts) == part}
        for line in LogReader(files, name, since):
            logged, answer = line.get("id"), line.get("answer")
            if isinstance(logged, str) and logged in known and answer is not None:
                yield Pair(
                    answer, known[logged], line["utc"], logged, str(line.get("method")), str(line.get("version"))
                )


def _part(name: str, parts: int) -> int:
    return zlib.crc32(name.encode(errors="backslashreplace")) % parts


def _recorded(files: Files, name: str) -> Iterator[Outcome]:
    """As they were recorded; what is no line of outcomes is passed over."""
    for number in _numbers(files, name):
        try:
            for line in lines_of(files.pieces(*_path(name, number), size=_PIECE)):
                found = None if line is None or len(line) > _MOST_LINE else _of_line(line)
                if isinstance(found, Outcome):
                    yield found
        except (FileNotFoundError, UnsafePathError):  # removed meanwhile, or a link
            continue
