"""Signatures of models: OpenSSF Model Signing 1.0 with elliptic-curve keys, made and verified (extra `secure`).

    from edge_infer.signing import PrivateKey, TrustedKeys, sign, verify

    bundle = sign(model, "titanic-1.2.0.onnx", PrivateKey.read("release.key"))
    verify(model, bundle, TrustedKeys.read("trust/"), name="titanic-1.2.0.onnx")

Of a file `NAME-VERSION.onnx`, the signature is `NAME-VERSION.onnx.sig`; `artifacts/SIGNATURES.md` describes it.
"""

from __future__ import annotations

from edge_infer.signing.errors import (
    BadSignatureError,
    DigestMismatchError,
    ExpiredKeyError,
    MalformedBundleError,
    NameMismatchError,
    NotSignedError,
    RevokedKeyError,
    SignatureError,
    UnsupportedSignatureError,
    UntrustedKeyError,
)
from edge_infer.signing.keys import PrivateKey, PublicKey, generate_key
from edge_infer.signing.sidecar import read_signature, signature_path
from edge_infer.signing.signer import sign
from edge_infer.signing.trust import TrustedKeys
from edge_infer.signing.verifier import Verified, verify

__all__ = [
    "BadSignatureError",
    "DigestMismatchError",
    "ExpiredKeyError",
    "MalformedBundleError",
    "NameMismatchError",
    "NotSignedError",
    "PrivateKey",
    "PublicKey",
    "RevokedKeyError",
    "SignatureError",
    "TrustedKeys",
    "UnsupportedSignatureError",
    "UntrustedKeyError",
    "Verified",
    "generate_key",
    "read_signature",
    "sign",
    "signature_path",
    "verify",
]
