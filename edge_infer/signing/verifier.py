"""Judging a signature: bundle, key, signature, statement and model, in this order. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from edge_infer.errors import FormatError, LimitError
from edge_infer.signing.bundle import Bundle, parse_bundle
from edge_infer.signing.errors import (
    BadSignatureError,
    DigestMismatchError,
    MalformedBundleError,
    NameMismatchError,
    UntrustedKeyError,
)
from edge_infer.signing.keys import PublicKey
from edge_infer.signing.statement import parse_statement
from edge_infer.signing.trust import TrustedKeys

__all__ = ["Verified", "verify"]


class Verified(NamedTuple):
    """What a trusted key vouches for; see `Statement`. `fingerprint` is the key's."""

    fingerprint: str
    name: str
    digest: str
    release: int | None
    rollback_allowed: bool


def verify(
    model: bytes,
    bundle: bytes,
    trusted: TrustedKeys | Sequence[PublicKey],
    *,
    name: str | None,
    now: datetime | None = None,
) -> Verified:
    """Whether a trusted key signed these very bytes under this name.

    Args:
        model: the bytes that are going to be used; the file is not looked at again.
        bundle: the content of the signature file.
        trusted: keys, and which of them are revoked or have a last day.
        name: the file's name without a folder; None takes whatever name it was signed under.
        now: judges last days, with its zone; None where there is no clock, and they are not judged.

    Raises:
        SignatureError: they did not; see `edge_infer.signing.errors` for its kinds.
    """
    trust = trusted if isinstance(trusted, TrustedKeys) else TrustedKeys(tuple(trusted))
    try:
        found = parse_bundle(bundle)
        key = _signer(found, trust.keys)
        trust.check(key, now)
        statement = parse_statement(found.payload)
    except (FormatError, LimitError) as error:
        raise MalformedBundleError(str(error)) from error
    digest = sha256(model).hexdigest()
    if digest != statement.digest:
        raise DigestMismatchError(f"the model's sha256 is {digest}; signed was {statement.digest}")
    if name is not None and name != statement.name:
        raise NameMismatchError(
            f"the model is named {name!r}, but was signed as {statement.name!r:.200}; name it so, or sign it anew"
        )
    return Verified(key.fingerprint, *statement)


def _signer(bundle: Bundle, keys: Sequence[PublicKey]) -> PublicKey:
    """The one of `keys` that made the signature: the one that the bundle hints at, or any where it has no hint."""
    likely = [key for key in keys if bundle.hint in (None, key.hint)]
    if not likely:
        raise UntrustedKeyError(_untrusted(bundle, keys))
    for key in likely:
        if key.verifies(bundle.signature, bundle.signed_bytes):
            return key
    if bundle.hint is None:
        raise UntrustedKeyError(_untrusted(bundle, keys))
    raise BadSignatureError(
        f"the signature does not fit: it, or what it signs, was changed since the key {likely[0].fingerprint} made it"
    )


def _untrusted(bundle: Bundle, keys: Sequence[PublicKey]) -> str:
    told = (
        "does not name its key" if bundle.hint is None else f"names a key whose .pub has the sha256 {bundle.hint:.64}"
    )
    known = "".join(f"\n  {key.fingerprint}" for key in keys)
    return f"no trusted key made the signature, which {told}; trusted are, by fingerprint:{known or ' none'}"
