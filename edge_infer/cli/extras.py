"""The converter is an extra: what to say when it, or something that it needs, is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from edge_infer.errors import MissingExtraError

__all__ = ["needs_converter"]

#: Top-level modules of each extra; any other missing module is a bug, and shown as one.
_EXTRAS: Final = {
    "sklearn": "convert",
    "skl2onnx": "convert",
    "onnx": "convert",
    "pandas": "convert",
    "joblib": "convert",
    "skops": "skops",
    "torch": "torch",
    "onnxscript": "torch",
}


@contextmanager
def needs_converter(purpose: str) -> Iterator[None]:
    """Around the import of `edge_infer_convert`: MissingExtraError with the pip command for its dependencies."""
    try:
        yield
    except ImportError as error:
        top = (error.name or "").partition(".")[0]
        if isinstance(error, MissingExtraError) or top not in _EXTRAS or not isinstance(error, ModuleNotFoundError):
            raise
        raise MissingExtraError(top, _EXTRAS[top], purpose) from error
