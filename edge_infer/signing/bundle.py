"""The signature file: a Sigstore bundle around a DSSE envelope. Pure: bytes in, values out; nothing is verified here.

Sources: sigstore/protobuf-specs `sigstore_bundle.proto` (v0.3, one signature an envelope), and DSSE 1.0
(secure-systems-lab/dsse, `protocol.md` for the bytes that are signed, `envelope.md` for the JSON).
"""

from __future__ import annotations

import base64
import json
from typing import Final, NamedTuple

from edge_infer.limits import LIMITS
from edge_infer.signing.errors import MalformedBundleError, NotSignedError, UnsupportedSignatureError
from edge_infer.strict_json import Node, parse

__all__ = ["PAYLOAD_TYPE", "Bundle", "parse_bundle", "render_bundle"]

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"

#: Fields that a bundle made with a key may have. Older writers put the key itself beside its hint; it is not looked at.
_FIELDS: Final = {
    "$": {"mediaType", "verificationMaterial", "dsseEnvelope"},
    "$.verificationMaterial": {"publicKey", "tlogEntries", "timestampVerificationData"},
    "$.verificationMaterial.publicKey": {"hint", "rawBytes", "keyDetails"},
    "$.dsseEnvelope": {"payload", "payloadType", "signatures"},
    "$.dsseEnvelope.signatures[0]": {"sig", "keyid"},
}


class Bundle(NamedTuple):
    """A signature (DER), the payload it is of, and the sha256 of the signer's PEM file, where it is told."""

    payload: bytes
    signature: bytes
    hint: str | None

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is of: DSSE's pre-authentication encoding (PAE)."""
        return pre_authentication_encoding(PAYLOAD_TYPE, self.payload)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSE 1.0, `protocol.md`: the type and the payload, each after its length in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def render_bundle(bundle: Bundle) -> bytes:
    """The bundle as the file's JSON."""
    root = {
        "mediaType": _MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": bundle.hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(bundle.payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(bundle.signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(root, separators=(",", ":")).encode()


def parse_bundle(data: bytes) -> Bundle:
    """A bundle that was made with a key.

    Raises:
        FormatError, LimitError: not strict JSON, too large, or a field is missing or of another type.
        MalformedBundleError: a field that no such bundle has, or more than one signature.
        NotSignedError: an envelope without a signature.
        UnsupportedSignatureError: another version, another payload, or made with a certificate.
    """
    root = parse(data, what="the signature file", most_bytes=LIMITS.signature_bytes, most_depth=LIMITS.json_depth)
    _must_be(root.get("mediaType"), _MEDIA_TYPE, "a Sigstore bundle of version 0.3")
    material, envelope = root.get("verificationMaterial"), root.get("dsseEnvelope")
    if material.find("publicKey") is None and (material.find("certificate") or material.find("x509CertificateChain")):
        raise UnsupportedSignatureError("it was made with a certificate; expected one made with a key (sign key)")
    key = material.get("publicKey")
    _must_be(envelope.get("payloadType"), PAYLOAD_TYPE, "an in-toto statement")
    signature = _only_signature(envelope.get("signatures"))
    for node in (root, material, key, envelope, signature):
        _refuse_unknown(node)
    hint = key.find("hint")
    return Bundle(
        payload=_decoded(envelope.get("payload")),
        signature=_decoded(signature.get("sig")),
        hint=(hint.text() or None) if hint else None,
    )


def _must_be(field: Node, wanted: str, what: str) -> None:
    if field.text() != wanted:
        raise UnsupportedSignatureError(f"{field.path}: expected {what} ({wanted}), got {field.text()!r:.80}")


def _only_signature(signatures: Node) -> Node:
    found = list(signatures.list())
    if not found:
        raise NotSignedError("the signature file's envelope holds no signature")
    if len(found) > 1:
        raise MalformedBundleError(f"{signatures.path}: expected one signature, got {len(found)}")
    return found[0]


def _refuse_unknown(node: Node) -> None:
    unknown = sorted(key for key, _ in node.fields() if key not in _FIELDS[node.path])
    if unknown:
        raise MalformedBundleError(f"{node.path}: unknown field {unknown[0]!r:.60}")


def _decoded(field: Node) -> bytes:
    """Base64 in its one canonical form: a changed character is never passed over."""
    text = field.text()
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise field.fail("base64") from None
    if base64.b64encode(data).decode() != text:
        raise field.fail("canonical base64")
    return data
