"""The command `bundle`, added to the typer app."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_infer.cli import panels
from edge_infer.cli.app import Json, app, folded
from edge_infer.cli.completion import platforms

_BUNDLE_HELP = """\
Make a folder that installs edge-infer and models on a device with no network.

It holds wheels for the device (linux-x86_64 or linux-aarch64, glibc 2.28 or newer), the models and
their signatures (MODEL.sig), the keys, and install.sh, which checks all of it, makes a virtual
environment, proves the models on the device, and upgrades when it is run again. With --key every
model must be signed by one of these keys, and the device trusts them from then on.

With --single-file it is one executable file: no pip and no installation on the device, only a Python of
that version. Its first start unpacks it into a cache (PEX_ROOT; left out, ~/.cache/pex).

sbom.cdx.json names every wheel and model with version, license and sha256 (CycloneDX 1.6).

pip brings the wheels to this machine, which need not be like the device; pip's own configuration
and environment say from where.

Example:

  edge-infer bundle titanic-1.2.0.onnx --platform linux-aarch64 \\
      --key release.key.pub -o bundle
  sh bundle/install.sh     (on the device, from a stick that may be read-only)
  edge-infer bundle titanic-1.2.0.onnx --platform linux-aarch64 \\
      --single-file -o titanic.pex
  ./titanic.pex predict titanic '{"age": 29, "sex": "female"}'

--json prints one object: folder, platform, python, version, own (where edge-infer's wheel is
from), extras, models, keys (fingerprints), sizes (bytes by file), size, digest (the sha256 of
SHA256SUMS, to compare on the device by hand). With --single-file: file, platform, python, version, own,
extras, names, size, digest (the file's sha256)."""


@app.command("bundle", rich_help_panel=panels.BRING, help=folded(_BUNDLE_HELP))
def _bundle(
    models: Annotated[list[str], typer.Argument(metavar="MODEL", help="Models: .onnx or .onnx.age files.")],
    platform: Annotated[
        str, typer.Option("--platform", help="linux-x86_64 or linux-aarch64.", autocompletion=platforms)
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder to make; with --single-file the file.")
    ],
    python: Annotated[str, typer.Option("--python", metavar="VERSION", help="The device's Python.")] = "3.11",
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="KEY.pub", help="A public key to trust. Repeatable.")
    ] = None,
    extra: Annotated[
        list[str] | None, typer.Option("--extra", help="batch, secure or update. Repeatable; --key brings secure.")
    ] = None,
    wheel: Annotated[
        str | None,
        typer.Option("--wheel", metavar="FILE", help="edge-infer's own wheel. Left out: that of this installation."),
    ] = None,
    constraint: Annotated[
        str | None, typer.Option("--constraint", metavar="FILE", help="Versions to take, as pip reads them.")
    ] = None,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="One executable file in place of a folder (a PEX).")
    ] = False,
    sbom: Annotated[bool, typer.Option("--sbom/--no-sbom", help="With the bill of materials, sbom.cdx.json.")] = True,
    json: Json = False,
) -> None:
    from edge_infer.cli import bundle

    raise typer.Exit(
        bundle.run(
            models=models,
            platform=platform,
            output=output,
            python=python,
            keys=key or [],
            extras=extra or [],
            wheel=wheel,
            constraint=constraint,
            single_file=single_file,
            sbom=sbom,
            json=json,
        )
    )
