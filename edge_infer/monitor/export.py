"""The log as a table, for retraining and audit: parquet, CSV or JSON Lines, in constant memory.

The log is read twice: for its columns and their types, then for the rows that the first reading has seen.
"""

from __future__ import annotations

import csv
import datetime
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from edge_infer.errors import UsageError
from edge_infer.extras import needs
from edge_infer.files import flush_folder
from edge_infer.monitor.log_reading import LogReader
from edge_infer.store.files import Files

__all__ = ["KINDS", "Exported", "export_log"]

KINDS: Final = ("csv", "jsonl", "parquet")
_CALLS: Final = ("answer", "error")
_FIELDS: Final[tuple[str, ...]] = (
    "kind", "id", "utc", "boot", "seconds", "model", "version", "digest", "method", "row", "answer", "latency",
    "inputs_hash", "left_out", "error", "column", "expected", "got", "message", "mismatches",
)  # fmt: skip
_NUMBERS: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_ROWS: Final = 10_000  # of a row group
_INT64: Final = 2**63

Row = dict[str, Any]


class Exported(NamedTuple):
    """rows: that were written; dropped: that the log tells of as lost, since the disk was full; skipped: lines that a
    crash has torn; unreadable: files of the log, and why."""

    rows: int
    columns: int
    dropped: int
    skipped: int
    unreadable: tuple[str, ...]


def export_log(
    files: Files,
    name: str,
    output: str | os.PathLike[str],
    kind: str = "parquet",
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
) -> Exported:
    """Write the calls of a model's log to a file: its fields, `input.NAME` for each column and `probability.LABEL`.

    A file that is there is replaced, as a whole, at the end. Whole numbers are int64, numbers float64, true/false
    boolean; a column of several kinds is text, what is no text in it as JSON. `utc` is a timestamp in parquet.

    Raises:
        UsageError: another kind, times without a zone, or there is no log of that name.
        MissingExtraError: parquet needs pyarrow, of the extra "monitor".
        OSError: the output cannot be written.
    """
    if kind not in KINDS:
        raise UsageError(f"kind: expected {', '.join(KINDS)}, got {kind!r:.60}")
    write = _parquet_writer() if kind == "parquet" else _WRITERS[kind]
    first = LogReader(files, name, since, until)
    seen = _Seen()
    for line in first:
        seen.add(line)
    if not first.read and not first.unreadable:
        raise UsageError(f"{files.root}: there is no log of {name!r} in this folder")
    columns = seen.columns()
    again = LogReader(files, name, since, until, most=first.read)
    rows = (_flat(line) for line in again if line["kind"] in _CALLS)
    with _replacing(Path(output)) as temporary:
        written = write(temporary, columns, rows)
    return Exported(written, len(columns), seen.dropped, first.skipped, tuple(first.unreadable))


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """A temporary name beside the output, which gets its place once all is written and flushed."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, output)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    flush_folder(output.parent)


# --- columns ----------------------------------------------------------------------------


class _Seen:
    """What the rows hold: names in the order of their coming, and the kinds of values of each."""

    def __init__(self) -> None:
        self.dropped = 0
        self._kinds: dict[str, set[str]] = {}

    def add(self, line: Row) -> None:
        if line["kind"] == "dropped" and isinstance(line.get("rows"), int):
            self.dropped += line["rows"]
        if line["kind"] in _CALLS:
            for name, value in _flat(line).items():
                self._kinds.setdefault(name, set()).add(_kind(value))

    def columns(self) -> dict[str, str]:
        """Each column's type: "bool", "int64", "float64" or "text"; the log's own fields come first."""
        fields = [name for name in _FIELDS if name in self._kinds] or ["kind", "id", "utc"]
        others = [name for name in self._kinds if name not in _FIELDS]
        others.sort(key=lambda name: not name.startswith("input."))
        return {name: _type(self._kinds.get(name, set())) for name in (*fields, *others)}


def _flat(line: Row) -> Row:
    row: Row = {name: line[name] for name in _FIELDS if name in line}
    for prefix, field in (("input", "inputs"), ("probability", "probabilities")):
        if isinstance(values := line.get(field), dict):
            row |= {f"{prefix}.{name}": value for name, value in values.items()}
        elif values is not None:  # of several label columns
            row[field] = values
    return row


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if -_INT64 <= value < _INT64 else "text"
    if isinstance(value, float):
        return "float64"
    return "not finite" if isinstance(value, str) and value in _NUMBERS else "text"


def _type(kinds: set[str]) -> str:
    """Of a column with values of these kinds; "NaN" and the like are numbers among numbers, and text among texts."""
    kinds = kinds - {"missing"}
    if kinds == {"bool"} or kinds == {"int64"}:
        return next(iter(kinds))
    return "float64" if kinds & {"int64", "float64"} and kinds <= {"int64", "float64", "not finite"} else "text"


def _cell(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "float64":
        return float(_NUMBERS.get(value, value) if isinstance(value, str) else value)
    if kind == "text" and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value


def _written(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()  # a lone surrogate


# --- writers ----------------------------------------------------------------------------


def _write_csv(path: Path, columns: dict[str, str], rows: Iterator[Row]) -> int:
    written = 0
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(columns)
        for row in rows:
            out.writerow([_csv_cell(_cell(row.get(name), kind)) for name, kind in columns.items()])
            written += 1
    return written


def _csv_cell(value: Any) -> Any:
    """Missing ones are empty."""
    return "" if value is None else json.dumps(value) if isinstance(value, bool) else value


def _write_lines(path: Path, columns: dict[str, str], rows: Iterator[Row]) -> int:
    """Strict JSON: as in the log, flattened; numbers that are not finite stay text."""
    written = 0
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            written += 1
    return written


_WRITERS: Final[dict[str, Callable[[Path, dict[str, str], Iterator[Row]], int]]] = {
    "csv": _write_csv,
    "jsonl": _write_lines,
}


def _parquet_writer() -> Callable[[Path, dict[str, str], Iterator[Row]], int]:
    with needs("monitor", "pyarrow", "export to parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    types = {"bool": pa.bool_(), "int64": pa.int64(), "float64": pa.float64(), "text": pa.string()}

    def write(path: Path, columns: dict[str, str], rows: Iterator[Row]) -> int:
        schema = pa.schema(
            [(name, pa.timestamp("us", tz="UTC") if name == "utc" else types[kind]) for name, kind in columns.items()]
        )
        written = 0
        with open(path, "wb") as file, pq.ParquetWriter(file, schema) as out:
            while some := list(islice(rows, _ROWS)):
                out.write_table(pa.table([_column(some, *each) for each in columns.items()], schema=schema))
                written += len(some)
        return written

    return write


def _column(rows: list[Row], name: str, kind: str) -> list[Any]:
    values = [_cell(row.get(name), kind) for row in rows]
    if name == "utc":
        return [_moment(value) for value in values]
    return [_written(value) if isinstance(value, str) else value for value in values]


def _moment(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:  # written by somebody else
        return None
