"""Keys that sign and verify: ECDSA on the curves P-256, P-384 and P-521, in PEM files."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Final

from edge_infer.errors import KeyFileError, UsageError
from edge_infer.extras import needs
from edge_infer.limits import LIMITS
from edge_infer.private_files import read_private, write_new

with needs("secure", "cryptography", "signing and verifying"):
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["PrivateKey", "PublicKey", "generate_key"]

#: The hash that goes with each curve (sigstore/protobuf-specs, PublicKeyDetails).
_HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}
_CURVES: Final = "elliptic curve P-256, P-384 or P-521"


class PublicKey:
    """A key that verifies. Immutable; equal keys have equal fingerprints.

    fingerprint: sha256 of the SubjectPublicKeyInfo in DER, in hex, as `openssl pkey -pubin -outform DER` gives it.
    hint: sha256 of the same in PEM, in hex: how a model-signing bundle names its key.
    pem: the key as a PEM file has it.
    """

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key = key
        self._hash = _HASHES[key.curve.name]()
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        self.pem: Final = key.public_bytes(serialization.Encoding.PEM, info)
        self.hint: Final = sha256(self.pem).hexdigest()
        self.fingerprint: Final = sha256(key.public_bytes(serialization.Encoding.DER, info)).hexdigest()

    @classmethod
    def parse(cls, pem: bytes, source: str = "the key") -> PublicKey:
        """From a PEM file's content.

        Raises:
            KeyFileError: not one public key of a curve that is supported; `source` names it.
        """
        if b"PRIVATE KEY-----" in pem:
            raise KeyFileError(f"{source}: this is a private key; trust its public key, the file beside it (.pub)")
        if pem.count(b"-----BEGIN ") != 1:
            raise KeyFileError(f"{source}: expected one PEM block (BEGIN PUBLIC KEY), got {pem.count(b'-----BEGIN ')}")
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise KeyFileError(f"{source}: this is no public key in PEM (BEGIN PUBLIC KEY), or a torn one") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
            raise KeyFileError(f"{source}: expected a key on the {_CURVES}, got another kind")
        return cls(key)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PublicKey:
        """From a PEM file.

        Raises:
            KeyFileError: see `parse`, or a file above the limit.
            OSError: as the system says.
        """
        source = os.fspath(path)
        with open(source, "rb") as file:
            pem = file.read(LIMITS.key_bytes + 1)
        if len(pem) > LIMITS.key_bytes:
            raise KeyFileError(f"{source}: more than {LIMITS.key_bytes:,} bytes; this is no public key")
        return cls.parse(pem, source)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (DER) is this key's of `message`."""
        try:
            self._key.verify(signature, message, ec.ECDSA(self._hash))
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"<edge_infer.signing.PublicKey {self.fingerprint}>"


class PrivateKey:
    """A key that signs; `public` is its other half. It is never shown."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public: Final = PublicKey(key.public_key())

    @classmethod
    def read(cls, path: str | os.PathLike[str], passphrase: str | None = None) -> PrivateKey:
        """From a PEM file (PKCS 8, or as OpenSSL writes EC keys) that its owner alone can read.

        Raises:
            KeyFileError: no such key, readable by others, or encrypted with another passphrase.
            OSError: as the system says.
        """
        source = os.fspath(path)
        pem = read_private(source, LIMITS.key_bytes)
        try:
            key = serialization.load_pem_private_key(pem, passphrase.encode() if passphrase else None)
        except TypeError:
            raise KeyFileError(f"{source}: {_of_passphrase(passphrase)}") from None
        except (ValueError, UnsupportedAlgorithm):
            wrong = "the passphrase is wrong, or the file is torn" if passphrase else "this is no private key in PEM"
            raise KeyFileError(f"{source}: {wrong}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _HASHES:
            raise KeyFileError(f"{source}: expected a key on the {_CURVES}, got another kind")
        return cls(key)

    @property
    def elliptic(self) -> ec.EllipticCurvePrivateKey:
        """As the package cryptography has it, for other formats than edge-infer's own."""
        return self._key

    def sign(self, message: bytes) -> bytes:
        """The ECDSA signature of `message`, in DER."""
        return self._key.sign(message, ec.ECDSA(self.public._hash))


def _of_passphrase(passphrase: str | None) -> str:
    return "it has no passphrase, but one was given" if passphrase else "it is encrypted; give its passphrase"


def generate_key(path: str | os.PathLike[str], passphrase: str | None = None) -> PublicKey:
    """Make a P-256 key: the private half at `path` (PKCS 8, mode 0600), the public half at `path`.pub.

    passphrase: encrypts the private half; "" is refused, since it would not.

    Raises:
        UsageError: one of the two files exists, or the passphrase is empty.
        OSError: as the system says.
    """
    if passphrase == "":
        raise UsageError("the passphrase is empty; leave it out for a key without one")
    name = os.fspath(path)
    key = ec.generate_private_key(ec.SECP256R1())
    cipher = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)
    public = PublicKey(key.public_key())
    write_new(name, pem, 0o600)
    try:
        write_new(f"{name}.pub", public.pem, 0o644)
    except BaseException:
        os.unlink(name)  # made a moment ago, and of no use without its other half
        raise
    return public
