"""TensorFlow imported without the pages of notes that its C++ writes to stderr on start."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from edge_infer.extras import needs

__all__ = ["start_tensorflow"]


def start_tensorflow(purpose: str) -> None:
    """Where it is not imported yet. Its errors are raised by what is called, and shown nowhere else.

    Raises MissingExtraError.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with needs("tensorflow", "tensorflow", purpose), _nothing_to_stderr():
        import tensorflow  # noqa: F401  # for all that import it later


@contextlib.contextmanager
def _nothing_to_stderr() -> Iterator[None]:
    """Of the whole process: what C++ writes does not pass sys.stderr."""
    sys.stderr.flush()
    before, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nothing)
