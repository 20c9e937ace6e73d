"""Making a signature."""

from __future__ import annotations

from hashlib import sha256

from edge_infer.signing.bundle import Bundle, render_bundle
from edge_infer.signing.keys import PrivateKey
from edge_infer.signing.statement import Statement, render_statement

__all__ = ["sign"]


def sign(
    model: bytes, name: str, key: PrivateKey, *, release: int | None = None, rollback_allowed: bool = False
) -> bytes:
    """The content of `NAME-VERSION.onnx.sig`, which the public tool `model_signing` verifies too.

    Args:
        model: the file's bytes.
        name: the file's name, without a folder.
        key: signs with ECDSA.
        release: grows with each published model of a name; devices refuse to go back by it.
        rollback_allowed: says that this release may take the place of a newer one.
    """
    statement = Statement(name, sha256(model).hexdigest(), release, rollback_allowed)
    unsigned = Bundle(render_statement(statement), b"", key.public.hint)
    return render_bundle(unsigned._replace(signature=key.sign(unsigned.signed_bytes)))
