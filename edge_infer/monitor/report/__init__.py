"""The page of `edge-infer monitor report`: one file, no script, nothing from a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from edge_infer.monitor.looking import Look
from edge_infer.monitor.report.page import render_page

__all__ = ["render_page", "write_report"]


def write_report(looks: Sequence[Look], output: str | os.PathLike[str]) -> int:
    """Replaces the file as a whole; its size in bytes. Raises OSError."""
    from edge_infer.files import write_atomically

    data = render_page(looks).encode()
    write_atomically(Path(output), data)
    return len(data)
