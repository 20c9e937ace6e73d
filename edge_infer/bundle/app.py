"""The program of a single file (`edge-infer bundle --single-file`): the command line, with its own models by name."""

from __future__ import annotations

import json
import os
import sys
from typing import Final

__all__ = ["INDEX", "PACKAGE", "main"]

#: The folder of the models, beside the package edge_infer, and what tells their names there, as
#: {"titanic": "titanic-1.0.0.onnx"}.
PACKAGE: Final = "edge_infer_models"
INDEX: Final = "index.json"
_ASK: Final = ("predict", "stream", "inspect", "verify", "bench", "doctor", "install")


def main() -> int:
    """`edge-infer`, whose commands that take a model find those of this file before those of the store."""
    from edge_infer.cli.main import main as command

    return command(_with_paths(sys.argv[1:]))


def _with_paths(args: list[str]) -> list[str]:
    """The first argument that is a model's name becomes its path."""
    if not args or args[0] not in _ASK:
        return args
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), PACKAGE)
    with open(os.path.join(folder, INDEX), encoding="utf-8") as file:
        known = json.load(file)
    for place, arg in enumerate(args[1:], 1):
        if arg in known:
            return [*args[:place], os.path.join(folder, known[arg]), *args[place + 1 :]]
    return args


if __name__ == "__main__":
    sys.exit(main())
