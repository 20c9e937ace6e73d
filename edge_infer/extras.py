"""Packages of extras: what to say where one is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge_infer.errors import MissingExtraError

__all__ = ["needs"]


@contextmanager
def needs(extra: str, module: str, purpose: str) -> Iterator[None]:
    """Around the import of `module`: MissingExtraError with the pip command where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module:  # a broken install is shown as such
            raise
        raise MissingExtraError(module, extra, purpose) from error
