"""`--output`: judged before any work."""

from __future__ import annotations

import os

from edge_infer.errors import UsageError

__all__ = ["check_output"]


def check_output(output: str | None, *sources: str) -> None:
    """The folder is there, and none of the files that are read would be overwritten.

    Raises:
        UsageError: with the reason.
    """
    if output is None:
        return
    folder = os.path.dirname(output) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"--output: expected an existing folder, got {folder!r}; make it first")
    for source in sources:
        both = len(source) < 4096 and os.path.exists(source) and os.path.exists(output)
        if both and os.path.samefile(source, output):
            raise UsageError(f"--output: {output!r} is the file that is read; choose another name")
