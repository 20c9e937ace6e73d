"""`edge-infer keygen`: a new key to sign with, or an identity to decrypt with."""

from __future__ import annotations

from edge_infer.cli import passphrase as passphrases
from edge_infer.cli.console import dumps, write
from edge_infer.errors import UsageError

__all__ = ["run"]


def run(*, key: str, age: bool, passphrase: bool, json: bool) -> int:
    """The command; its exit code."""
    if age:
        if passphrase:
            raise UsageError("--passphrase: an identity has none, since a device opens its models by itself")
        return _identity(key, json=json)
    return _signing_key(key, passphrase=passphrase, json=json)


def _identity(path: str, *, json: bool) -> int:
    from edge_infer.encryption import generate_identity

    recipient = generate_identity(path)
    if json:
        write(dumps({"key": path, "recipient": recipient}))
        return 0
    write(f"{path}  keep it secret, on its device alone")
    write(f"recipient {recipient}")
    return 0


def _signing_key(key: str, *, passphrase: bool, json: bool) -> int:
    from edge_infer.signing import generate_key

    public = generate_key(key, passphrases.ask(twice=True) if passphrase else None)
    if json:
        write(dumps({"key": key, "public": f"{key}.pub", "fingerprint": public.fingerprint}))
        return 0
    write(f"{key}      keep it secret: whoever has it can sign in your name")
    write(f"{key}.pub  give it to every device that shall trust you")
    write(f"fingerprint {public.fingerprint}")
    return 0
