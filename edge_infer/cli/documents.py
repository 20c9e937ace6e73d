"""JSON from callers → what `Model.predict` takes. Pure: text and values in, a `Request` out."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from edge_infer.errors import InputError, LimitError
from edge_infer.limits import LIMITS

__all__ = ["InputTextError", "Request", "parse_json", "parse_lines", "request_of"]

_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true/false",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_TEXTS: Final = 'a text, a list of texts, {"text": "…"}, or {"input": …}'
_SHAPES: Final = 'an object {"column": value}, a list of them, a list of lists, or {"input": …}'


class InputTextError(InputError):
    """The input's text cannot be read at all; there are no mismatches to list."""

    def __init__(self, message: str) -> None:
        super().__init__([])
        self.args = (message,)


class Request(NamedTuple):
    """Data for one call of a model.

    single: one record, so one answer. service: it came as {"input": …}, so the answer is an object.
    rows: how many; lines: the line of the file that each row stands in.
    """

    data: Any
    rows: int
    single: bool = False
    service: bool = False
    lines: list[int] | None = None
    hint: str | None = None


def parse_json(text: str | bytes, where: str) -> Any:
    """A JSON value. NaN and Infinity are taken, as Python writes them.

    Raises:
        LimitError: longer than `LIMITS.text_bytes`.
        InputTextError: not UTF-8, not JSON, nested too deeply, or a key twice in an object.
    """
    if len(text) > LIMITS.text_bytes:
        raise LimitError(f"{len(text):,} bytes of JSON, the limit is {LIMITS.text_bytes:,}; use a CSV file", where)
    try:
        return json.loads(_decoded(text, where), object_pairs_hook=_unique)
    except RecursionError:
        raise InputTextError(f"{where}: the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InputTextError(f"{where}: expected JSON, {_syntax(error)}") from None
    except ValueError as error:
        raise InputTextError(f"{where}: {error}") from None


def _decoded(text: str | bytes, where: str) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputTextError(
            f"{where}: expected UTF-8, got the byte 0x{text[error.start]:02x} at {error.start}"
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r:.60} stands twice in one object")
    return fields


def _syntax(error: json.JSONDecodeError) -> str:
    near = error.doc[error.pos : error.pos + 20]
    got = f"got {near!r}" if near else "it ends too early"
    place = f"at line {error.lineno}, character {error.colno}"
    hint = ""
    if "property name" in error.msg or near[:1] == "'":
        hint = "; names and text stand in double quotes: '{\"age\": 29}'"
    return f"{got} {place} ({error.msg}){hint}"


def request_of(value: Any, where: str, *, texts: bool = False) -> Request:
    """One record (an object or a flat list), many (a list of objects or lists), or {"input": either}.

    texts: the model takes one text a row, so a text is a record, and a list of them is many.
    """
    if isinstance(value, dict) and isinstance(value.get("input"), dict | list | str if texts else dict | list):
        return request_of_rows(value["input"], where, texts=texts)._replace(service=True)
    return request_of_rows(value, where, texts=texts)


def request_of_rows(value: Any, where: str, *, texts: bool = False) -> Request:
    if isinstance(value, dict) or (texts and isinstance(value, str)):
        return Request(value, 1, single=True)
    if not isinstance(value, list):
        raise InputTextError(
            f"{where}: expected {_TEXTS if texts else _SHAPES}, got {_KINDS.get(type(value), type(value).__name__)}"
        )
    if value and not texts and not any(isinstance(item, dict | list) for item in value):
        return Request(value, 1, single=True)
    for row, item in enumerate(value):
        if type(item) is not type(value[0]):
            got, first = (_KINDS.get(type(i), type(i).__name__) for i in (item, value[0]))
            raise InputTextError(f"{where}: row {row}: expected {first} like row 0, got {got}")
    return Request(value, len(value))


def parse_lines(text: bytes, where: str, *, texts: bool = False) -> Request:
    """JSON Lines: a record a line; blank lines are passed over."""
    records, lines = [], []
    for number, line in enumerate(text.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            records.append(parse_json(line, f"{where}, line {number}"))
            lines.append(number)
    return request_of_rows(records, where, texts=texts)._replace(single=False, rows=len(records), lines=lines)
