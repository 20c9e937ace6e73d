"""A self-contained HTML page about one comparison, for people: opens offline, the same bytes for the same input."""

from __future__ import annotations

from pathlib import Path

from edge_infer.files import write_atomically
from edge_infer.manifest import Manifest
from edge_infer_convert.parity import Parity
from edge_infer_convert.report.page import render_page

__all__ = ["write_report"]


def write_report(path: Path, name: str, manifest: Manifest, parity: Parity) -> None:
    """Write the page, whole or not at all; a page that stands there is replaced.

    Raises:
        OSError: as the system says.
    """
    write_atomically(path, render_page(name, manifest, parity).encode())
