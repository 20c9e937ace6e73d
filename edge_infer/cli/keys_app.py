"""The commands that sign and encrypt, and make the keys for it, added to the typer app."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_infer.cli import panels
from edge_infer.cli.app import Json, ModelFile, app, folded

_KEYGEN_HELP = """\
Make a key to sign models with: KEY, which is yours alone, and KEY.pub, which devices trust.

Both are PEM files of the curve P-256; neither may exist yet. --passphrase encrypts KEY; without a
terminal it is taken from EDGE_INFER_PASSPHRASE.

With --age, KEY is a device's identity in place of that: the secret that opens the models which are
encrypted to its recipient (age1…). The recipient is shown; there is no second file.

Example:

  edge-infer keygen release.key
  edge-infer keygen --age device.identity

--json prints one object: key, public, fingerprint (sha256 of the public key in DER); with --age
key, recipient."""

_SIGN_HELP = """\
Sign a model: the signature is written beside it, as MODEL.sig.

It says that these very bytes, under this file's name, come from you. The format is OpenSSF Model
Signing 1.0: `model_signing verify key` checks it too. The manifest's release number is signed along.

Example:

  edge-infer sign titanic-1.2.0.onnx --key release.key
  edge-infer verify titanic-1.2.0.onnx --trust release.key.pub

--json prints one object: file, signature, digest, name, release, rollback_allowed, fingerprint."""

_ENCRYPT_HELP = """\
Encrypt a model for some devices: only who holds the identity of a recipient can open it.

The file is an age file (age-encryption.org); `predict`, `stream`, `inspect` and `verify` open it in
memory with --identity. It is no signature: sign the model first, and bring MODEL.sig along.

Example:

  edge-infer keygen --age device.identity
  edge-infer encrypt titanic-1.2.0.onnx --to age1… -o titanic-1.2.0.onnx.age
  edge-infer predict titanic-1.2.0.onnx.age '{"age": 29}' \\
      --identity device.identity

--json prints one object: file, encrypted, recipients."""

Passphrase = Annotated[bool, typer.Option("--passphrase", help="Ask for the passphrase that encrypts KEY.")]


@app.command("keygen", rich_help_panel=panels.BRING, help=folded(_KEYGEN_HELP))
def _keygen(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The file to make; KEY.pub is made beside it.")],
    age: Annotated[bool, typer.Option("--age", help="Make an identity to decrypt models with.")] = False,
    passphrase: Passphrase = False,
    json: Json = False,
) -> None:
    from edge_infer.cli import keygen

    raise typer.Exit(keygen.run(key=key, age=age, passphrase=passphrase, json=json))


@app.command("sign", rich_help_panel=panels.BRING, help=folded(_SIGN_HELP))
def _sign(
    model: ModelFile,
    key: Annotated[str, typer.Option("--key", metavar="KEY", help="The private key: a PEM file, as keygen makes it.")],
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Left out: MODEL.sig.")] = None,
    passphrase: Passphrase = False,
    allow_rollback: Annotated[
        bool, typer.Option("--allow-rollback", help="Say that it may take the place of a newer release.")
    ] = False,
    json: Json = False,
) -> None:
    from edge_infer.cli import sign

    raise typer.Exit(
        sign.run(model=model, key=key, output=output, passphrase=passphrase, allow_rollback=allow_rollback, json=json)
    )


@app.command("encrypt", rich_help_panel=panels.BRING, help=folded(_ENCRYPT_HELP))
def _encrypt(
    model: ModelFile,
    to: Annotated[list[str], typer.Option("--to", metavar="RECIPIENT", help="Who can open it: age1…. Repeatable.")],
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Left out: MODEL.age.")] = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import encrypt

    raise typer.Exit(encrypt.run(model=model, to=to, output=output, json=json))
