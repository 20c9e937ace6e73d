"""Strict reading of JSON that nobody has vouched for: typed access with the path in every error.

`parse` refuses what `json` lets through (duplicate keys, NaN, too much nesting); a `Node` is a value
with its path, so that a mistake reads `$.inputs.columns[3].name: expected text, got a number`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from edge_infer.errors import FormatError, LimitError

__all__ = ["Node", "parse"]

_NAMES = {dict: "an object", list: "a list", str: "text", bool: "true/false", type(None): "null"}


class Node(NamedTuple):
    """A JSON value and where it stands."""

    value: Any
    path: str

    def fail(self, expected: str) -> FormatError:
        got = _NAMES.get(type(self.value), "a number")
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
        return float(self.value)

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
    if _depth(text) > most_depth:
        raise LimitError(f"{what}: nested more than {most_depth} deep")
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise FormatError(f"{what} is not strict JSON: {error}") from error
    return Node(value, "$")


def _depth(text: bytes) -> int:
    """The deepest nesting, counted without recursion; brackets inside strings do not count."""
    deepest = depth = 0
    for position, part in enumerate(_unescaped(text).split(b'"')):
        if position % 2:
            continue
        for byte in part:
            if byte in b"[{":
                depth += 1
                deepest = max(deepest, depth)
            elif byte in b"]}":
                depth -= 1
    return deepest


def _unescaped(text: bytes) -> bytes:
    return text.replace(rb"\\", b"").replace(rb"\"", b"")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {twice!r:.60} stands twice in one object")
    return fields


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON; non-finite numbers are written as text")
