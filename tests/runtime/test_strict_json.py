"""JSON that nobody has vouched for: the values of `json`, less all that a reader could take in two ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import FormatError, LimitError
from edge_infer.strict_json import Node, parse

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('[]{}"\\ax', max_size=5), inner, max_size=4),
    max_leaves=20,
)


def read(text: str | bytes, most_depth: int = 16) -> Node:
    data = text.encode() if isinstance(text, str) else text
    return parse(data, what="doc", most_bytes=2**24, most_depth=most_depth)


def depth(value: Any) -> int:
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, items), default=0)
    return 0


@given(_VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_what_json_writes_is_read_back(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    assert parse(text, what="doc", most_bytes=len(text), most_depth=100) == Node(value, "$")


@given(_VALUES)
def test_nesting_is_counted_exactly_whatever_stands_in_strings(value: Any) -> None:
    levels = depth(value)
    text = json.dumps(value)
    assert read(text, levels).value == value
    if levels:
        with pytest.raises(LimitError, match=f"doc: nested more than {levels - 1} deep"):
            read(text, levels - 1)


BROKEN: dict[str, str | bytes] = {
    "nothing": "",
    "NaN": '{"a": NaN}',
    "Infinity": "[Infinity]",
    "minus Infinity": "[-Infinity]",
    "a number beyond float64": "[1e999]",
    "a key twice": '{"a": 1, "b": 2, "a": 1}',
    "a key twice within": '[{"x": {"a": 1, "\\u0061": 2}}]',
    "not UTF-8": b'["\xff"]',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a comma too many": "[1,]",
    "a comment": "[1] // one",
    "two documents": "{} {}",
    "cut off": '{"a": [1, 2',
    "cut off in a string": '{"a": "b',
    "cut off after a backslash": '{"a": "b\\',
    "single quotes": "{'a': 1}",
    "a control character": '["\n"]',
    "closed too often": "]]]]",
    "too many digits": "1" * 5000,
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_strict_json_is_a_format_error(case: str) -> None:
    with pytest.raises(FormatError, match="doc is not strict JSON: "):
        read(BROKEN[case])


def test_a_key_that_stands_twice_is_named() -> None:
    with pytest.raises(FormatError, match="the key 'a' stands twice"):
        read('{"b": 1, "a": 1, "c": 3, "a": 1}')
    assert read('[{"a": 1}, {"a": 1}]').value == [{"a": 1}, {"a": 1}]


def test_bytes_are_limited() -> None:
    assert parse(b"[1]", what="doc", most_bytes=3, most_depth=1).value == [1]
    with pytest.raises(LimitError, match="doc: 4 bytes, the limit is 3"):
        parse(b"[12]", what="doc", most_bytes=3, most_depth=1)


_SIZE = 2_000_000
HOSTILE = {
    "open brackets": b"[" * _SIZE,
    "open braces": b'{"a":' * (_SIZE // 5),
    "pairs": b"[]" * (_SIZE // 2),
    "nested pairs": b"[" * (_SIZE // 2) + b"]" * (_SIZE // 2),
    "quotes": b'"' * _SIZE,
    "backslashes": b'"' + b"\\" * _SIZE,
    "closed brackets": b"]" * _SIZE,
    "a key twice at the end of many": b"{" + b",".join(b'"%d":0' % i for i in range(200_000)) + b',"7":0}',
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_nesting_and_keys_end_in_a_typed_error_without_recursion(case: str) -> None:
    with pytest.raises((FormatError, LimitError)):
        read(HOSTILE[case])


def test_a_mistake_is_told_with_its_path() -> None:
    root = read('{"a": [{"b": "text"}, 1e400], "big": 1}'.replace("1e400", "1" * 400))
    items = list(root.get("a").list())
    for call, message in (
        (lambda: items[0].get("b").integer(), r"\$\.a\[0\]\.b: expected a whole number ≥ 0, got text 'text'"),
        (lambda: items[0].get("c"), r"\$\.a\[0\]: the field 'c' is missing"),
        (items[1].number, r"\$\.a\[1\]: expected a number that float64 holds"),
        (lambda: items[1].get("x"), r"\$\.a\[1\]: expected an object, got a number"),
        (lambda: root.get("a").text(), r"\$\.a: expected text, got a list$"),
        (lambda: root.get("big").boolean(), r"\$\.big: expected true or false, got a number 1"),
        (lambda: list(root.get("big").list()), r"\$\.big: expected a list"),
        (lambda: root.get("big").integer(2), r"\$\.big: expected a whole number ≥ 2, got a number 1"),
    ):
        with pytest.raises(FormatError, match=message):
            call()
    with pytest.raises(LimitError, match=r"\$\.a: 2 items, the limit is 1"):
        list(root.get("a").list(1))
    assert len(list(root.get("a").list(2))) == 2


@pytest.mark.parametrize("value", ["true", "1.0", '"1"', "null"])
def test_only_a_whole_number_is_an_integer(value: str) -> None:
    with pytest.raises(FormatError):
        read(f"[{value}]").list().__next__().integer()
