"""What a caller says of a conversion, judged before any model is read. Imports no framework."""

from __future__ import annotations

import re
from typing import Final

from edge_infer.errors import UsageError

__all__ = ["PRECISIONS", "check_arguments"]

PRECISIONS: Final = ("auto", "float32", "float64")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_arguments(name: str, version: str, precision: str) -> None:
    """Raises UsageError for a name or version that is no plain one, and for a precision that is none."""
    for what, text in (("name", name), ("version", version)):
        if not _NAME.fullmatch(text):
            raise UsageError(
                f"{what}: expected letters, digits, '.', '_' or '-', beginning with a letter or digit "
                f"(at most 100), got {text!r:.60}"
            )
    if precision not in PRECISIONS:
        raise UsageError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
