"""Signatures made by hand, right and wrong: any payload, any envelope, with a key of any curve."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from edge_infer.signing import PrivateKey

DATA = Path(__file__).parent / "data"
NAME = "small-1.0.0.onnx"
MODEL = (DATA / NAME).read_bytes()
KEY = PrivateKey(ec.generate_private_key(ec.SECP256R1()))
OTHER = PrivateKey(ec.generate_private_key(ec.SECP256R1()))

Document = dict[str, Any]
Mutation = Callable[[Document], object]

_DIGEST = sha256(MODEL).hexdigest()
STATEMENT: Document = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": NAME, "digest": {"sha256": sha256(bytes.fromhex(_DIGEST)).hexdigest()}}],
    "predicateType": "https://model_signing/signature/v1.0",
    "predicate": {
        "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": [".git"]},
        "resources": [{"name": ".", "algorithm": "sha256", "digest": _DIGEST}],
    },
}


def mutated(document: Document, mutate: Mutation) -> Document:
    changed = copy.deepcopy(document)
    mutate(changed)
    return changed


def envelope(payload: bytes, key: PrivateKey = KEY, kind: str = "application/vnd.in-toto+json") -> Document:
    """A bundle whose signature is right, whatever its payload and its type say."""
    signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": sha256(key.public.pem).hexdigest()}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [{"sig": base64.b64encode(key.sign(signed)).decode(), "keyid": ""}],
        },
    }


def signed(statement: Document) -> bytes:
    """A bundle that KEY signed, with this statement."""
    return json.dumps(envelope(json.dumps(statement).encode())).encode()
