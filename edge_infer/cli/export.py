"""`edge-infer export web`: write the app, and say what it weighs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from edge_infer.artifact import is_encrypted, parse_artifact, read_model_file
from edge_infer.cli.console import dumps, printable, write
from edge_infer.cli.model_file import model_file
from edge_infer.errors import UsageError

if TYPE_CHECKING:
    from edge_infer.export.web import WebExport

__all__ = ["web"]


def web(
    *, model: str, output: str, single_file: bool, runtime: str | None, fetch: bool, title: str | None, json: bool
) -> int:
    """The command; its exit code."""
    from edge_infer.export.web import export_web
    from edge_infer.export.web_runtime import PINNED, find_runtime

    path = model_file(model)
    data = read_model_file(path)
    if is_encrypted(data):
        raise UsageError(
            f"{path}: this model is encrypted, and in a web app it would be plain for everybody; export the file that "
            "it was made from if that is meant"
        )
    artifact = parse_artifact(data, source=path)
    found = find_runtime(runtime, fetch=fetch)
    done = export_web(artifact, output, runtime=found, title=title, single_file=single_file)
    if not json:
        _tell(done)
        return 0
    manifest = artifact.manifest
    told = {"name": manifest.name, "version": manifest.version, "digest": f"sha256:{artifact.digest}"}
    result = {"output": str(done.path), "single_file": done.single_file, "bytes": done.size, "parts": done.parts}
    write(dumps({**result, "runtime": PINNED.spec, "model": told}))
    return 0


def _tell(done: WebExport) -> None:
    write(printable(f"{done.path}: a web app of {done.size:,} bytes"))
    for part, size in done.parts.items():
        write(f"  {part:<20} {size:>12,}")
    if done.single_file:
        write("Open it by a double click; it needs no server and no network.")
    else:
        write(printable(f"Try it:  python -m http.server --directory {shlex.quote(str(done.path))}"))
