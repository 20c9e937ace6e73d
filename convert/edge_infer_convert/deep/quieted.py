"""Exporters and tools that rewrite graphs print, log and warn; what goes wrong is raised anyway."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

__all__ = ["quieted"]


@contextlib.contextmanager
def quieted() -> Iterator[None]:
    """Nothing is printed, and the root logger is left as it was: importing one of them gives it a handler."""
    root = logging.getLogger()
    disabled, level, handlers = root.manager.disable, root.level, list(root.handlers)
    told = io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.setLevel(level)
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
