"""Whom a store trusts: the keys in its folder `keys`, and what they have signed. Without a key, nothing is checked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from edge_infer.limits import LIMITS
from edge_infer.store.files import Files

if TYPE_CHECKING:
    from edge_infer.signing import PublicKey, TrustedKeys, Verified

__all__ = ["revoke_key", "trust_key", "trusted_keys", "vouched_for"]

_KEYS: Final = "keys"
_REVOKED: Final = "revoked"


def trusted_keys(files: Files) -> TrustedKeys | None:
    """None where there is no key.

    Raises:
        KeyFileError: a file of the folder is not as `edge_infer.signing.trust` describes it.
    """
    names = [name for name in files.names(_KEYS) if not name.startswith(".")]
    if not names:
        return None
    from edge_infer.signing import TrustedKeys  # loads OpenSSL

    contents = {name: files.read(_KEYS, name, most=LIMITS.key_bytes) for name in names}
    return TrustedKeys.of_files(files.shown((_KEYS,)), contents)


def vouched_for(
    files: Files, data: bytes, shown: str | None, signature: str | os.PathLike[str] | bytes | None
) -> Verified | None:
    """What a trusted key vouches for; None where no key is trusted, so that no signature is looked at.

    data: the model's bytes, which nobody has looked into; shown: their file; signature: the signature's bytes or file,
    None for the one beside the model's.

    Raises:
        SignatureError: see `edge_infer.signing.errors` for its kinds.
    """
    keys = trusted_keys(files)
    if keys is None:
        return None
    from datetime import UTC, datetime

    from edge_infer.signing import NotSignedError, verify

    bundle = signature if isinstance(signature, bytes) else _read(shown, signature)
    if bundle is None:
        raise NotSignedError(
            "there is no signature, and this store takes only what a trusted key has signed; "
            "edge-infer sign MODEL --key KEY makes one, MODEL.sig, which belongs beside the model"
        )
    return verify(data, bundle, keys, name=None, now=datetime.now(UTC))


def _read(shown: str | None, signature: str | os.PathLike[str] | None) -> bytes | None:
    """None where there is none beside the model. Raises FileNotFoundError where a file that is named is not there."""
    if signature is None and shown is None:
        return None
    try:
        with open(signature or f"{shown}.sig", "rb") as file:
            return file.read(LIMITS.signature_bytes + 1)
    except FileNotFoundError:
        if signature is not None:
            raise
        return None


def trust_key(files: Files, key: PublicKey) -> None:
    """For writers. A revoked key stays revoked."""
    files.replace((_KEYS, f"{key.fingerprint[:16]}.pub"), key.pem)


def revoke_key(files: Files, fingerprint: str) -> None:
    """Of a key that is not revoked yet. For writers."""
    try:
        before = files.read(_KEYS, _REVOKED, most=LIMITS.key_bytes)
    except FileNotFoundError:
        before = b""
    files.replace((_KEYS, _REVOKED), before + b"\n" * (not before.endswith(b"\n")) + fingerprint.encode() + b"\n")
