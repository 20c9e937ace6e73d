"""Calls → lines of the log: one JSON object each, strict JSON whatever the caller's data holds.

| field | holds |
|---|---|
| kind | "answer" (of a row), "error" (a call that failed), "dropped" (rows that the log lost), "repaired" |
| utc | ISO 8601 with microseconds, by the device's clock |
| boot, seconds | which start of the machine, and the time since it, which no clock changes |
| model, version, digest | the release: its digest's first 12 hex digits |
| id, row | of the prediction; the place of the row in a call with many |
| method, latency | of the call, in seconds |
| inputs, inputs_hash | by column; or `row_hash` |
| answer, probabilities | of `predict_proba`: the most probable label, and each label's |
| error, column, row, expected, mismatches | the kind of error, and of bad input its first place and their number |
| got, message | what the data was, where all inputs are logged |
| left_out | why inputs and answer are not there |
| rows; files, bytes | how many were dropped; files that a crash had torn, and the bytes cut away |

Numbers that are not finite are written as in the goldens: of inputs, NaN is null, since it is a missing value; all else
is the text "NaN", "Infinity" or "-Infinity".
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from edge_infer.artifact import Artifact
from edge_infer.columns import Coded, is_missing
from edge_infer.errors import InputError
from edge_infer.frames import ABSENT, read_column, read_table
from edge_infer.manifest import Label
from edge_infer.monitor.log_settings import LogSettings

__all__ = ["Call", "Lines", "LoggedModel", "Stamp", "error_fields", "iso", "plain", "row_hash"]

_MOST_LINE: Final = 1 << 20  # bytes
_MOST_DEPTH: Final = 32  # of lists and objects in a cell
_MOST_BITS: Final = 4096  # of a whole number: Python reads no more than 4,300 digits
_MOST_TEXT: Final = 500  # characters of what an error says
_DIGITS: Final = 12  # of the digest
_NOT_FINITE: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


class Stamp(NamedTuple):
    """A moment: seconds since 1970 (UTC) by the device's clock, which may be wrong, and since the machine's start."""

    utc: float
    seconds: float


class LoggedModel(NamedTuple):
    """Whose calls are logged. columns: the names of its inputs; style: see `manifest.Inputs`; classes: the labels of
    each label column, if it has any."""

    name: str
    version: str
    digest: str
    columns: tuple[str, ...]
    style: str
    classes: tuple[tuple[Label, ...], ...] | None

    @classmethod
    def of(cls, artifact: Artifact) -> LoggedModel:
        manifest = artifact.manifest
        predict = manifest.output("predict")
        columns = tuple(column.name for column in manifest.inputs.columns)
        classes = predict.classes if predict else None
        return cls(manifest.name, manifest.version, artifact.digest, columns, manifest.inputs.style, classes)


class Call(NamedTuple):
    """A call, or a part of its rows, with the caller's data and answer as they were.

    id: of the call; ids: of each of these rows, where the caller has named them. rows: None for one record. first: the
    place of the first of these rows in the call. error: what went wrong, by `error_fields`.
    """

    id: str
    at: Stamp
    method: str
    data: Any
    answer: Any
    latency: float
    rows: int | None = None
    first: int = 0
    ids: tuple[str, ...] | None = None
    error: dict[str, Any] | None = None


class Lines:
    """Of one model in one process. Thread-safe. Raises KeyFileError, OSError for the secret."""

    def __init__(self, model: LoggedModel, settings: LogSettings, boot: str) -> None:
        self._model, self._inputs = model, settings.inputs
        self._columns = settings.inputs if isinstance(settings.inputs, tuple) else None
        self._probabilities = settings.probabilities
        self._key = settings.key()
        self._boot = boot
        self._about = {"model": model.name, "version": model.version, "digest": model.digest[:_DIGITS]}
        self._labels = None if model.classes is None else [_keys(labels) for labels in model.classes]

    def of(self, call: Call) -> list[bytes]:
        """A line for each row, whatever the data is: what cannot be written is left out, and the line says so."""
        if call.error is not None:
            return [self._line("error", call.at, {"id": call.id, "method": call.method, **call.error}, call.latency)]
        inputs = _or_nothing(self._rows_of_inputs, call)
        answers = _or_nothing(self._rows_of_answers, call)
        return [
            self._row(call, place, inputs[place] if inputs else {}, answers[place] if answers else {})
            for place in range(1 if call.rows is None else call.rows)
        ]

    def note(self, kind: str, at: Stamp, fields: dict[str, Any]) -> bytes:
        """A line that is of no call."""
        return self._line(kind, at, fields)

    def _row(self, call: Call, place: int, inputs: dict[str, Any], answer: dict[str, Any]) -> bytes:
        head: dict[str, Any] = {"id": call.id, "method": call.method}
        if call.rows is not None:
            row = call.first + place
            head = {"id": call.ids[place] if call.ids else f"{call.id}.{row}", "method": call.method, "row": row}
        try:
            line = self._line("answer", call.at, {**head, **inputs, **answer}, call.latency)
            if len(line) <= _MOST_LINE:
                return line
            reason = f"{len(line):,} bytes"
        except (ValueError, TypeError, RecursionError) as error:
            reason = type(error).__name__
        return self._line("answer", call.at, {**head, "left_out": reason}, call.latency)

    def _line(self, kind: str, at: Stamp, fields: dict[str, Any], latency: float | None = None) -> bytes:
        line = {"kind": kind, "utc": iso(at.utc), "boot": self._boot, "seconds": at.seconds, **self._about, **fields}
        if latency is not None:
            line["latency"] = round(latency, 9)
        return _bytes(_ENCODER, line) + b"\n"

    # --- inputs ---

    def _rows_of_inputs(self, call: Call) -> list[dict[str, Any]]:
        if self._inputs == "none" or call.method == "run":
            return []
        rows = _records(call, self._model)
        if self._inputs == "hash":
            return [{"inputs_hash": row_hash(row, self._key)} for row in rows]
        if self._columns is not None:
            rows = [{name: row[name] for name in self._columns if name in row} for row in rows]
        return [{"inputs": row} for row in rows]

    # --- answers ---

    def _rows_of_answers(self, call: Call) -> list[dict[str, Any]]:
        if call.method == "run":
            return []
        answers = _answer_rows(call)
        if call.method == "predict_proba" and self._model.classes is not None and self._labels is not None:
            return [self._probable(row, self._model.classes, self._labels) for row in answers]
        return [{"answer": row} for row in answers]

    def _probable(
        self, row: Any, classes: tuple[tuple[Label, ...], ...], keys: list[list[str] | None]
    ) -> dict[str, Any]:
        """The most probable label, the first of several, and the probabilities by label."""
        parts = [row] if len(classes) == 1 else row
        if any(len(part) != len(labels) for part, labels in zip(parts, classes, strict=True)):
            return {"answer": row}
        best = [labels[_first_largest(part)] for part, labels in zip(parts, classes, strict=True)]
        fields: dict[str, Any] = {"answer": best[0] if len(classes) == 1 else best}
        if self._probabilities:
            named = [
                part if names is None else dict(zip(names, part, strict=True))
                for part, names in zip(parts, keys, strict=True)
            ]
            fields["probabilities"] = named[0] if len(classes) == 1 else named
        return fields


def _keys(labels: tuple[Label, ...]) -> list[str] | None:
    """Labels as keys of JSON; None where two are written alike."""
    keys = [label if isinstance(label, str) else json.dumps(label) for label in labels]
    return keys if len(set(keys)) == len(keys) else None


def _first_largest(row: Sequence[Any]) -> int:
    return max(range(len(row)), key=lambda place: row[place] if isinstance(row[place], int | float) else -math.inf)


def _or_nothing(rows: Any, call: Call) -> list[dict[str, Any]]:
    """None of the rows where the data cannot be read as rows: the call was answered all the same."""
    try:
        found: list[dict[str, Any]] = rows(call)
    except Exception:  # noqa: BLE001  # whatever the caller's own kinds of data do
        return []
    return found if len(found) == (1 if call.rows is None else call.rows) else []


# --- rows -------------------------------------------------------------------------------


def _records(call: Call, model: LoggedModel) -> list[dict[str, Any]]:
    """The model's columns by name, as the caller gave them."""
    data, names = call.data, model.columns
    if call.rows is None:
        if isinstance(data, Mapping):
            return [{name: plain(data[name]) for name in names if name in data}]
        cells = [data] if isinstance(data, str) else data
        return [dict(zip(names, map(plain, cells), strict=True))]
    if model.style == "texts" and (column := read_column(data)) is not None:
        return [{names[0]: text} for text in _cells(column)]
    table = read_table(data, names)
    if table is None:
        return []
    by_name = table.names is not None and (model.style == "columns" or bool(set(names) & set(table.names)))
    places = (
        {name: table.names.index(name) for name in names if name in table.names}
        if by_name and table.names
        else (dict(zip(names, range(table.width), strict=True)))
    )
    columns = {name: list(_cells(table.column(place))) for name, place in places.items()}
    return [
        {name: cells[row] for name, cells in columns.items() if cells[row] is not ABSENT} for row in range(table.rows)
    ]


def _cells(values: Any) -> Iterator[Any]:
    if isinstance(values, Coded):
        known = [*map(plain, values.values), None]
        return (known[position] for position in values.positions.tolist())
    if values.dtype.kind == "M":  # tolist makes whole numbers of nanoseconds
        return map(plain, values)
    return (cell if cell is ABSENT else plain(cell) for cell in values.tolist())


def _answer_rows(call: Call) -> list[Any]:
    answer = call.answer
    if call.rows is None:
        return [_plain_answer(answer)]
    if isinstance(answer, list):  # an array for each label column
        return [list(row) for row in zip(*map(_plain_answer, answer), strict=True)]
    return _plain_answer(answer)  # type: ignore[no-any-return]


# --- values -----------------------------------------------------------------------------


def plain(value: Any, depth: int = _MOST_DEPTH) -> Any:
    """A value of an input as JSON has it. Missing ones are null, times ISO 8601, bytes Base64, and what has no form in
    JSON is its type's name, "<Fraction>"."""
    kind = value.__class__
    if kind is str or kind is bool or value is None:
        return value
    if kind is float:
        return value if math.isfinite(value) else _NOT_FINITE.get(value)
    if kind is int:
        return value if value.bit_length() <= _MOST_BITS else f"<whole number of {value.bit_length()} bits>"
    return _plain_other(value, depth)


def _plain_other(value: Any, depth: int) -> Any:
    if is_missing(value):
        return None
    for kind, turn in _TURNS:
        if isinstance(value, kind):
            return turn(value)
    if depth and isinstance(value, Mapping):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [plain(item, depth - 1) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if not isinstance(value, Mapping | list | tuple | set | frozenset | np.ndarray) and hasattr(value, "__float__"):
        return plain(float(value))
    return f"<{type(value).__name__}>"


def _plain_scalar(value: np.generic) -> Any:
    found = value.item()
    return f"<{type(value).__name__}>" if isinstance(found, np.generic | complex) else plain(found)


#: The first that fits. str, int, float: their subclasses.
_TURNS: Final[tuple[tuple[Any, Any], ...]] = (
    (np.datetime64, lambda value: None if np.isnat(value) else str(value)),
    (str, str),
    (np.generic, _plain_scalar),
    (int, lambda value: plain(int(value))),
    (float, lambda value: plain(float(value))),
    (datetime.date | datetime.time, lambda value: value.isoformat()),
    (bytes | bytearray, lambda value: base64.b64encode(value).decode("ascii")),
)


def _plain_answer(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain_answer(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return plain(value)


def row_hash(row: Mapping[str, Any], key: bytes | None) -> str:
    """SHA-256 of a row by names of columns, in hex; with a key, its HMAC (RFC 2104).

    Of the row's JSON with sorted names, no spaces, in UTF-8; a whole number is written without ".0", whatever its type.
    """
    text = _bytes(_CANONICAL, {name: _whole(plain(value)) for name, value in row.items()})
    return hashlib.sha256(text).hexdigest() if key is None else hmac.digest(key, text, "sha256").hex()


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _bytes(encoder: json.JSONEncoder, value: Any) -> bytes:
    return encoder.encode(value).encode(errors="backslashreplace")  # a lone surrogate becomes its JSON escape


def iso(utc: float) -> str:
    """ISO 8601 with microseconds, of one width, so that it sorts as the times do."""
    return datetime.datetime.fromtimestamp(utc, datetime.UTC).isoformat(timespec="microseconds")


def error_fields(error: Exception, *, with_values: bool) -> dict[str, Any]:
    """What went wrong, and where; with what the caller's data says only if that may be kept."""
    fields: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, InputError) and error.mismatches:
        first = error.mismatches[0]
        fields |= {"column": first.column, "expected": first.expected[:_MOST_TEXT], "mismatches": len(error.mismatches)}
        if first.row is not None:
            fields["row"] = first.row
        if with_values:
            fields["got"] = first.got[:_MOST_TEXT]
    elif with_values:
        fields["message"] = str(error)[:_MOST_TEXT]
    return fields
