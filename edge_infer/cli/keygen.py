"""`edge-infer keygen`: a new key to sign with."""

from __future__ import annotations

from edge_infer.cli import passphrase as passphrases
from edge_infer.cli.console import dumps, write

__all__ = ["run"]


def run(*, key: str, passphrase: bool, json: bool) -> int:
    """The command; its exit code."""
    from edge_infer.signing import generate_key

    public = generate_key(key, passphrases.ask(twice=True) if passphrase else None)
    if json:
        write(dumps({"key": key, "public": f"{key}.pub", "fingerprint": public.fingerprint}))
        return 0
    write(f"{key}      keep it secret: whoever has it can sign in your name")
    write(f"{key}.pub  give it to every device that shall trust you")
    write(f"fingerprint {public.fingerprint}")
    return 0
