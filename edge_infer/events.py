"""What the library does by itself, told to Python's `logging` under "edge_infer": silent until a program listens."""

from __future__ import annotations

__all__ = ["report_event"]


def report_event(part: str, message: str) -> None:
    """A warning of the logger `edge_infer.PART`. Imported late: most processes have nothing to tell."""
    import logging

    top = logging.getLogger("edge_infer")
    if not top.handlers:
        top.addHandler(logging.NullHandler())
    logging.getLogger(f"edge_infer.{part}").warning("%s", message)
