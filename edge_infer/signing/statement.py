"""What is signed: an in-toto statement with the predicate of OpenSSF Model Signing 1.0. Pure: bytes in, values out.

Of one file, the format has one resource named "." with the file's sha256; the subject's digest is the sha256 of all
resources' digests, one after the other. (sigstore/model-transparency, `model_signing/_signing/signing.py`; readers
of 1.0 pass over other fields of the predicate, which is where `edge_infer` stands.)
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Final, NamedTuple

from edge_infer.limits import LIMITS
from edge_infer.signing.errors import MalformedBundleError, UnsupportedSignatureError
from edge_infer.strict_json import Node, parse

__all__ = ["Statement", "parse_statement", "render_statement"]

_TYPE: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "https://model_signing/signature/v1.0"
_ONE_FILE: Final = "."


class Statement(NamedTuple):
    """A model and what its signer says of it.

    name: the file's name. digest: sha256 of its bytes, in hex. release: what "newer" means, where the signer told.
    rollback_allowed: whether this release may take the place of a newer one.
    """

    name: str
    digest: str
    release: int | None = None
    rollback_allowed: bool = False


def render_statement(statement: Statement) -> bytes:
    """The statement as JSON; the same statement gives the same bytes."""
    resource = {"name": _ONE_FILE, "algorithm": "sha256", "digest": statement.digest}
    claims = {"release": statement.release, "rollback_allowed": statement.rollback_allowed or None}
    claims = {key: value for key, value in claims.items() if value is not None}
    predicate = {
        "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
        "resources": [resource],
    }
    root = {
        "_type": _TYPE,
        "subject": [{"name": statement.name, "digest": {"sha256": _root_digest(statement.digest)}}],
        "predicateType": _PREDICATE,
        "predicate": predicate | ({"edge_infer": claims} if claims else {}),
    }
    return json.dumps(root, ensure_ascii=False, separators=(",", ":")).encode()


def parse_statement(payload: bytes) -> Statement:
    """A statement about one file.

    Raises:
        FormatError, LimitError: not strict JSON, or a field is missing or of another type.
        UnsupportedSignatureError: another kind of statement, digest or serialization, or one about several files.
        MalformedBundleError: the subject's digest is not that of the resources.
    """
    root = parse(payload, what="the signed statement", most_bytes=LIMITS.signature_bytes, most_depth=LIMITS.json_depth)
    _must_be(root.get("_type"), _TYPE)
    _must_be(root.get("predicateType"), _PREDICATE)
    predicate = root.get("predicate")
    _must_be(predicate.get("serialization").get("method"), "files")
    _must_be(predicate.get("serialization").get("hash_type"), "sha256")
    digest = _digest_of_one_file(predicate.get("resources"))
    subject = _only(root.get("subject"), "one subject")
    if _hex_digest(subject.get("digest").get("sha256")) != _root_digest(digest):
        raise MalformedBundleError("the subject's digest is not that of the resources: the statement is inconsistent")
    release, rollback_allowed = _claims(predicate.find("edge_infer"))
    return Statement(subject.get("name").text(), digest, release, rollback_allowed)


def _digest_of_one_file(resources: Node) -> str:
    resource = _only(resources, "one file: sign the model's file rather than its folder")
    _must_be(resource.get("name"), _ONE_FILE)
    _must_be(resource.get("algorithm"), "sha256")
    return _hex_digest(resource.get("digest"))


def _only(items: Node, expected: str) -> Node:
    found = list(items.list())
    if len(found) != 1:
        raise UnsupportedSignatureError(f"{items.path}: {len(found)} items; expected a signature of {expected}")
    return found[0]


def _claims(claims: Node | None) -> tuple[int | None, bool]:
    if claims is None:
        return None, False
    release, rollback = claims.find("release"), claims.find("rollback_allowed")
    return None if release is None else release.integer(), rollback is not None and rollback.boolean()


def _must_be(field: Node, wanted: str) -> None:
    if field.text() != wanted:
        raise UnsupportedSignatureError(f"{field.path}: expected {wanted!r}, got {field.text()!r:.80}")


def _hex_digest(field: Node) -> str:
    text = field.text()
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise field.fail("a sha256 in 64 small hex digits")
    return text


def _root_digest(digest: str) -> str:
    return sha256(bytes.fromhex(digest)).hexdigest()
