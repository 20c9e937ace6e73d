"""Whom a store trusts: the keys in its folder `keys`, and what they have signed. Without a key, nothing is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_infer.limits import LIMITS
from edge_infer.store.files import Files

if TYPE_CHECKING:
    from edge_infer.signing import PublicKey, TrustedKeys, Verified

__all__ = ["check_signature", "revoke_key", "trust_key", "trusted_keys"]

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


def check_signature(files: Files, data: bytes, signature: bytes | None) -> Verified | None:
    """What a trusted key vouches for; None where no key is trusted, so that nothing is checked.

    data: the model's bytes, which nobody has looked into; signature: of its file, None where there is none.

    Raises:
        SignatureError: see `edge_infer.signing.errors` for its kinds.
    """
    keys = trusted_keys(files)
    if keys is None:
        return None
    from datetime import UTC, datetime

    from edge_infer.signing import NotSignedError, verify

    if signature is None:
        raise NotSignedError("there is no signature, and this store takes only what a trusted key has signed")
    return verify(data, signature, keys, name=None, now=datetime.now(UTC))


def trust_key(files: Files, key: PublicKey) -> None:
    """For writers. A revoked key stays revoked."""
    files.replace((_KEYS, f"{key.fingerprint[:16]}.pub"), key.pem)


def revoke_key(files: Files, fingerprint: str) -> None:
    """For writers."""
    try:
        before = files.read(_KEYS, _REVOKED, most=LIMITS.key_bytes)
    except FileNotFoundError:
        before = b""
    if fingerprint.encode() not in before:
        files.replace((_KEYS, _REVOKED), before.rstrip(b"\n") + b"\n" * bool(before) + fingerprint.encode() + b"\n")
