"""Encrypted models: age files to X25519 recipients (extra `secure`), decrypted in memory only.

    recipient = generate_identity("device.age-identity")         # on the device
    encrypted = encrypt(model, [recipient])                      # on the laptop
    edge_infer.load("titanic-1.2.0.onnx.age", identity="device.age-identity")

The format is age-encryption.org/v1; any `age` reads what this writes. SECURITY.md says what it does not protect.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from edge_infer.errors import DecryptionError, KeyFileError, LimitError, UsageError
from edge_infer.extras import needs
from edge_infer.limits import LIMITS, Limits
from edge_infer.private_files import read_private, write_new

with needs("secure", "pyrage", "encrypting and decrypting"):
    import pyrage

__all__ = ["decrypt", "encrypt", "generate_identity", "read_identities"]

_VARIABLE: Final = "EDGE_INFER_IDENTITY"
_SECRET: Final = "AGE-SECRET-KEY-1"


def generate_identity(path: str | os.PathLike[str]) -> str:
    """Make an identity, the file of a secret (mode 0600, as `age-keygen` writes it); its recipient, to encrypt to.

    Raises:
        UsageError: the file exists.
        OSError: as the system says.
    """
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    write_new(os.fspath(path), f"# public key: {recipient}\n{identity}\n".encode(), 0o600)
    return recipient


def encrypt(data: bytes, recipients: Sequence[str]) -> bytes:
    """`data` for whoever holds the identity of any of `recipients` ("age1…").

    Raises:
        UsageError: no recipient, or a text that is none.
    """
    if not recipients:
        raise UsageError("encrypting needs at least one recipient (age1…)")
    encrypted: bytes = pyrage.encrypt(data, [_recipient(text) for text in recipients])
    return encrypted


def _recipient(text: str) -> Any:
    if text.strip().upper().startswith("AGE-SECRET-KEY"):
        raise UsageError("expected a recipient (age1…), got a secret identity; keep that one to yourself")
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise UsageError(f"expected a recipient (age1…, of `keygen --age`), got {text!r:.80}") from None


def decrypt(data: bytes, identity: str | os.PathLike[str] | None = None, limits: Limits = LIMITS) -> bytes:
    """What was encrypted, in memory; no temporary file is made.

    identity: the file of the secret; None: the one that EDGE_INFER_IDENTITY names.

    Raises:
        UsageError: no identity is given.
        KeyFileError, OSError: see `read_identities`.
        LimitError: more bytes than a model may have. (Decrypted there are fewer: age does not compress.)
        DecryptionError: not for this identity, damaged, changed or cut short.
    """
    path = os.fspath(identity or os.environ.get(_VARIABLE) or "")
    if not path:
        raise UsageError(f"the model is encrypted; give the identity that it was encrypted to (or set {_VARIABLE})")
    if len(data) > limits.model_bytes:
        raise LimitError(f"the encrypted model has {len(data):,} bytes, the limit is {limits.model_bytes:,}")
    identities = read_identities(path)
    try:
        decrypted: bytes = pyrage.decrypt(data, identities)
    except pyrage.DecryptError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise DecryptionError(f"it cannot be decrypted with the identity {path}: {reason}") from None
    return decrypted


def read_identities(path: str | os.PathLike[str]) -> list[Any]:
    """The X25519 identities of a file, one a line; lines that begin with # are comments.

    Raises:
        KeyFileError: readable by others, a symlink, or no such file of identities. The secret is never shown.
        OSError: as the system says.
    """
    source = os.fspath(path)
    text = read_private(source, LIMITS.key_bytes).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or not all(line.startswith(_SECRET) for line in lines):
        raise KeyFileError(f"{source}: expected lines of {_SECRET}…, as `edge-infer keygen --age` and age-keygen write")
    try:
        return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise KeyFileError(f"{source}: an identity in it is torn or changed") from None
