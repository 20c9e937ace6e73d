"""`edge-infer bundle`: a folder that installs with no network."""

from __future__ import annotations

import os

from edge_infer.artifact import is_bare_name
from edge_infer.bundle import Bundle, SingleFile, make_bundle, make_single_file, target_of
from edge_infer.cli.console import dumps, wrapped, write
from edge_infer.errors import UsageError

__all__ = ["run"]


def run(
    *,
    models: list[str],
    platform: str,
    output: str,
    python: str,
    keys: list[str],
    extras: list[str],
    wheel: str | None,
    constraint: str | None,
    single_file: bool,
    sbom: bool,
    json: bool,
) -> int:
    """The command; its exit code."""
    for model in models:
        _check_is_file(model)
    make = make_single_file if single_file else make_bundle
    made = make(
        output,
        models,
        target_of(platform, python),
        keys=keys,
        extras=extras,
        wheel=wheel,
        constraint=constraint,
        sbom=sbom,
    )
    if json:
        write(dumps(_object(made)))
    elif isinstance(made, SingleFile):
        _show_file(made)
    else:
        _show(made)
    return 0


def _check_is_file(model: str) -> None:
    """A name in the store is the way of most other commands."""
    if is_bare_name(model) and not os.path.exists(model):
        raise UsageError(
            f"{model}: a bundle takes files, not names in the store; give the .onnx or .onnx.age file of the model"
        )


def _object(made: Bundle | SingleFile) -> dict[str, object]:
    about = made._asdict() | {"platform": made.target.platform, "python": made.target.python, "size": made.size}
    del about["target"]
    return about


def _show_file(made: SingleFile) -> None:
    """What it is for, how it can be checked, and how it is asked."""
    write(f"{made.file}: {made.target.platform}, Python {made.target.python}, {_mib(made.size)}")
    write(wrapped(f"edge-infer {made.version}: {made.own}", 2))
    write(f"sha256 {made.digest}")
    name = os.path.basename(made.file)
    write(f"on the device: compare that number, then  ./{name} predict {made.names[-1]} '{{…}}'")


def _show(made: Bundle) -> None:
    """What it is for and what is in it, the large first, and how the device's owner can check it."""
    extras = f" with {', '.join(made.extras)}" if made.extras else ""
    write(f"{made.folder}: {made.target.platform}, Python {made.target.python}, {_mib(made.size)}")
    write(wrapped(f"edge-infer {made.version}{extras}: {made.own}", 2))
    for name, size in sorted(made.sizes.items(), key=lambda item: -item[1]):
        if name.startswith(("wheels/", "models/")):
            write(f"  {_mib(size):>10}  {name}")
    for fingerprint in made.keys:
        write(f"trusts the key {fingerprint}")
    write(f"sha256 of SHA256SUMS {made.digest}")
    write(f"on the device: compare that number, then  sh {os.path.basename(os.path.normpath(made.folder))}/install.sh")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB" if size >= 2**20 else f"{size / 1024:,.1f} KiB"
