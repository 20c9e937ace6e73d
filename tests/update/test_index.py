"""An index is read strictly: what is not as it must be is refused with its path, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from edge_infer.errors import EdgeInferError
from edge_infer.update.index import Index, IndexedRelease, parse_index, render_index


def release(version: str, number: int = 1, **other: Any) -> IndexedRelease:
    made = IndexedRelease(version, number, f"pets-{version}.onnx", None, 1.0, False, "2027-01-02T03:04:05+00:00")
    return made._replace(**other)


INDEX = Index("pets", "stable", (release("1.0.0"), release("1.10.0"), release("0.9", 2, share=0.1, halted=True)))

WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda d: d.update(format=2),
    "no name": lambda d: d.pop("name"),
    "a name that leads out": lambda d: d.update(name="../pets"),
    "a channel that is a role": lambda d: d.update(channel="root"),
    "no list": lambda d: d.update(releases={}),
    "too many": lambda d: d.update(releases=d["releases"] * 400),
    "another order": lambda d: d["releases"].reverse(),
    "a version twice": lambda d: d["releases"].insert(0, d["releases"][0]),
    "another file": lambda d: d["releases"][0].update(file="cats-1.0.0.onnx"),
    "a file that leads out": lambda d: d["releases"][0].update(file="../pets-1.0.0.onnx"),
    "another signature": lambda d: d["releases"][0].update(signature="pets-1.10.0.onnx.sig"),
    "an encrypted file of another": lambda d: d["releases"][0].update(file="cats-1.0.0.onnx.age"),
    "another suffix": lambda d: d["releases"][0].update(file="pets-1.0.0.onnx.sig"),
    "the signature of what is encrypted": lambda d: d["releases"][0].update(
        file="pets-1.0.0.onnx.age", signature="pets-1.0.0.onnx.age.sig"
    ),
    "a version that leads out": lambda d: d["releases"][0].update(version="1/0"),
    "a share above 1": lambda d: d["releases"][0].update(share=1.5),
    "a share below 0": lambda d: d["releases"][0].update(share=-0.1),
    "a share in text": lambda d: d["releases"][0].update(share="10%"),
    "halted by a number": lambda d: d["releases"][0].update(halted=0),
    "a release below 0": lambda d: d["releases"][0].update(release=-1),
}


def test_what_is_written_is_read() -> None:
    signed = INDEX.having(release("2.0", 3, signature="pets-2.0.onnx.sig"))
    encrypted = signed.having(release("3.0", 4, file="pets-3.0.onnx.age", signature="pets-3.0.onnx.sig"))
    for index in (INDEX, signed, encrypted, Index("pets", "beta")):
        assert parse_index(render_index(index)) == index


def test_unknown_fields_are_passed_over() -> None:
    document = json.loads(render_index(INDEX))
    document["later"] = document["releases"][0]["later"] = [{}]
    assert parse_index(json.dumps(document).encode()) == INDEX


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused(case: str) -> None:
    document = json.loads(render_index(INDEX))
    WRONG[case](document)
    with pytest.raises(EdgeInferError):
        parse_index(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"format":1,"format":1}', b"[" * 100, b" " * (1 << 21)], ids=len)
def test_what_is_no_index_is_refused(data: bytes) -> None:
    with pytest.raises(EdgeInferError):
        parse_index(data)


def test_a_release_takes_the_place_of_its_version_and_stands_in_order() -> None:
    index = INDEX.having(release("1.2.0")).having(release("1.0.0", share=0.5))
    assert [each.version for each in index.releases] == ["1.0.0", "1.2.0", "1.10.0", "0.9"]
    found = index.of_version("1.0.0")
    assert found is not None
    assert found.share == 0.5
    assert index.of_version("3.0") is None
