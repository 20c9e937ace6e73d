"""Why a signature does not hold, one class for each reason; all are `edge_infer.errors.SignatureError`.

SignatureError
├── NotSignedError             there is no signature
├── MalformedBundleError       the signature file breaks the format
├── UnsupportedSignatureError  it follows a format, or is made in a way, that is not read here
├── UntrustedKeyError          another key made it than those trusted
├── RevokedKeyError            a key made it that has been revoked
├── ExpiredKeyError            a key made it whose last day is past
├── BadSignatureError          the bytes that were signed have changed, or the signature has
├── DigestMismatchError        the model is not the one that was signed
└── NameMismatchError          … or was signed under another name
"""

from __future__ import annotations

from edge_infer.errors import SignatureError

__all__ = [
    "BadSignatureError",
    "DigestMismatchError",
    "ExpiredKeyError",
    "MalformedBundleError",
    "NameMismatchError",
    "NotSignedError",
    "RevokedKeyError",
    "SignatureError",
    "UnsupportedSignatureError",
    "UntrustedKeyError",
]


class NotSignedError(SignatureError):
    """There is no signature: no file, or a bundle without one."""


class MalformedBundleError(SignatureError):
    """The signature file is not strict JSON, is above a limit, or lacks what the format asks for."""


class UnsupportedSignatureError(SignatureError):
    """A certificate, a payload, a predicate or a digest of another kind than edge-infer reads."""


class UntrustedKeyError(SignatureError):
    """None of the trusted keys made this signature."""


class RevokedKeyError(SignatureError):
    """The key that made this signature is revoked."""


class ExpiredKeyError(SignatureError):
    """The key that made this signature is past its last day."""


class BadSignatureError(SignatureError):
    """The signature does not fit what it is said to sign."""


class DigestMismatchError(SignatureError):
    """The model's bytes are not those that were signed."""


class NameMismatchError(SignatureError):
    """The model was signed under another name."""
