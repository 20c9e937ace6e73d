"""Strict reading of JSON that nobody has vouched for: typed access with the path in every error.

`parse` refuses what `json` lets through (duplicate keys, NaN, too much nesting); a `Node` is a value
with its path, so that a mistake reads `$.inputs.columns[3].name: expected text, got a number`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from edge_infer.errors import FormatError, LimitError

__all__ = ["Node", "parse"]

_STRING: Final = re.compile(rb'"[^"]*(?:"|\Z)')
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true/false",
    type(None): "null",
    int: "a number",
    float: "a number",
}


class Node(NamedTuple):
    """A JSON value and where it stands."""

    value: Any
    path: str

    def fail(self, expected: str) -> FormatError:
        got = _NAMES.get(type(self.value), type(self.value).__name__)  # JSON has no other types, TOML has
        shown = "" if isinstance(self.value, dict | list) else f" {self.value!r:.60}"
        return FormatError(f"{self.path}: expected {expected}, got {got}{shown}")

    def get(self, key: str) -> Node:
        """A field that must be there."""
        if not isinstance(self.value, dict):
            raise self.fail("an object")
        if key not in self.value:
            raise FormatError(f"{self.path}: the field {key!r} is missing")
        return Node(self.value[key], f"{self.path}.{key}")

    def find(self, key: str) -> Node | None:
        """A field that may be absent or null."""
        if not isinstance(self.value, dict):
            raise self.fail("an object")
        value = self.value.get(key)
        return None if value is None else Node(value, f"{self.path}.{key}")

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.fail("text")
        return self.value

    def one_of(self, allowed: tuple[str, ...]) -> str:
        if self.value not in allowed:
            raise self.fail(" or ".join(repr(name) for name in allowed))
        return str(self.value)

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.fail("true or false")
        return self.value

    def integer(self, least: int = 0) -> int:
        if type(self.value) is not int or self.value < least:
            raise self.fail(f"a whole number ≥ {least}")
        return self.value

    def number(self) -> float:
        if type(self.value) not in (int, float):
            raise self.fail("a number")
        try:
            return float(self.value)
        except OverflowError:
            raise self.fail("a number that float64 holds") from None

    def list(self, most: int | None = None) -> Iterator[Node]:
        if not isinstance(self.value, list):
            raise self.fail("a list")
        if most is not None and len(self.value) > most:
            raise LimitError(f"{self.path}: {len(self.value):,} items, the limit is {most:,}")
        return (Node(item, f"{self.path}[{i}]") for i, item in enumerate(self.value))

    def fields(self) -> Iterator[tuple[str, Node]]:
        if not isinstance(self.value, dict):
            raise self.fail("an object")
        return ((key, Node(item, f"{self.path}.{key}")) for key, item in self.value.items())


def parse(text: bytes, *, what: str, most_bytes: int, most_depth: int) -> Node:
    """The root of a JSON document.

    Raises:
        LimitError: more than `most_bytes` bytes, or nested deeper than `most_depth`.
        FormatError: not UTF-8, not JSON, a key twice, or a number that JSON does not know.
    """
    if len(text) > most_bytes:
        raise LimitError(f"{what}: {len(text):,} bytes, the limit is {most_bytes:,}")
    if _is_deep(text, most_depth):
        raise LimitError(f"{what}: nested more than {most_depth} deep")
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise FormatError(f"{what} is not strict JSON: {error}") from error
    return Node(value, "$")


def _is_deep(text: bytes, most: int) -> bool:
    """Whether brackets outside strings nest deeper than `most`, in linear time and without recursion.

    Each pass takes away the innermost pairs, which is one level. Text with brackets left open may pass up
    to twice as deep; it is no JSON then, and is refused as such.
    """
    plain = _STRING.sub(b"", text.replace(rb"\\", b"").replace(rb"\"", b""))
    brackets = plain.translate(_SQUARE, _NO_BRACKETS)
    for _ in range(most):
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets or brackets.count(b"[") > most


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r:.60} stands twice in one object")
    return fields


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits:.60} is beyond float64")
    return number


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON; non-finite numbers are written as text")
