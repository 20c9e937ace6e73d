"""`edge-infer encrypt`: a model for some devices only."""

from __future__ import annotations

from collections.abc import Sequence

from edge_infer.artifact import parse_artifact, read_model_file
from edge_infer.cli.console import dumps, write
from edge_infer.cli.output_file import check_output
from edge_infer.files import write_atomically

__all__ = ["run"]


def run(*, model: str, to: Sequence[str], output: str | None, json: bool) -> int:
    """The command; its exit code. A file that could not be loaded is not encrypted."""
    from edge_infer.encryption import encrypt

    target = output or f"{model}.age"
    check_output(target, model)
    data = read_model_file(model)
    parse_artifact(data, source=model)
    write_atomically(target, encrypt(data, to))
    if json:
        write(dumps({"file": model, "encrypted": target, "recipients": list(to)}))
    else:
        write(f"{target}: for {len(to)} recipient{'s'[: len(to) != 1]}")
    return 0
