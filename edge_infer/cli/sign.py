"""`edge-infer sign`: a signature beside the model."""

from __future__ import annotations

import os

from edge_infer.artifact import parse_artifact, read_model_file
from edge_infer.cli import passphrase as passphrases
from edge_infer.cli.console import dumps, wrapped, write
from edge_infer.cli.output_file import check_output
from edge_infer.files import write_atomically

__all__ = ["run"]


def run(*, model: str, key: str, output: str | None, passphrase: bool, allow_rollback: bool, json: bool) -> int:
    """The command; its exit code. A file that could not be loaded is not signed."""
    from edge_infer import signing

    target = output or signing.signature_path(model)
    check_output(target, model, key)
    data = read_model_file(model)
    artifact = parse_artifact(data, source=model)
    private = signing.PrivateKey.read(key, passphrases.ask() if passphrase else None)
    name = os.path.basename(model)
    release = artifact.manifest.release if artifact.described else None
    write_atomically(target, signing.sign(data, name, private, release=release, rollback_allowed=allow_rollback))
    fingerprint = private.public.fingerprint
    if json:
        signed = {"name": name, "release": release, "rollback_allowed": allow_rollback, "fingerprint": fingerprint}
        write(dumps({"file": model, "signature": target, "digest": f"sha256:{artifact.digest}", **signed}))
        return 0
    numbered = "" if release is None else f", release {release}"
    write(wrapped(f"{target}: {name}{numbered}, by the key {fingerprint}", 2))
    return 0
