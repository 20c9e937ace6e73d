"""The public test vectors of the age format, through `decrypt`."""

from __future__ import annotations

import zlib
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_infer.encryption import decrypt
from edge_infer.errors import DecryptionError

VECTORS = sorted(path for path in (Path(__file__).parent / "vectors").iterdir() if path.suffix != ".md")

#: rage takes a stanza without its last, empty line, as old files have it; it is authenticated like any other.
TAKEN_BY_RAGE = {"stanza_missing_body", "stanza_missing_final_line"}


class Vector(NamedTuple):
    expected: str
    payload: str | None
    identities: list[str]
    data: bytes


def read(path: Path) -> Vector:
    head, _, data = path.read_bytes().partition(b"\n\n")
    fields = [line.split(": ", 1) for line in head.decode().splitlines()]
    named = dict(fields)
    return Vector(
        named["expect"],
        named.get("payload"),
        [value for key, value in fields if key == "identity"],
        zlib.decompress(data) if named.get("compressed") == "zlib" else data,
    )


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_a_vector_gives_what_it_says(path: Path, tmp_path: Path) -> None:
    vector = read(path)
    identity = tmp_path / "identity"
    identity.touch(0o600)
    identity.write_text("\n".join(vector.identities))
    if path.name in TAKEN_BY_RAGE:
        assert decrypt(vector.data, identity) == b"age"
    elif vector.expected == "success":
        assert sha256(decrypt(vector.data, identity)).hexdigest() == vector.payload
    else:
        with pytest.raises(DecryptionError):
            decrypt(vector.data, identity)


def test_vectors_of_every_outcome_are_there() -> None:
    assert {read(path).expected for path in VECTORS} == {
        *("success", "no match", "HMAC failure", "header failure", "payload failure"),
    }
