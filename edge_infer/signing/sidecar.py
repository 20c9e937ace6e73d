"""Where a model's signature stands: beside it, under its name and ".sig"."""

from __future__ import annotations

import os

from edge_infer.limits import LIMITS
from edge_infer.signing.errors import NotSignedError

__all__ = ["read_signature", "signature_path"]


def signature_path(model: str | os.PathLike[str]) -> str:
    """`NAME-VERSION.onnx.sig` for `NAME-VERSION.onnx`."""
    return f"{os.fspath(model)}.sig"


def read_signature(path: str | os.PathLike[str]) -> bytes:
    """The content of a signature file, which `verify` judges; no more of it than just above the limit is read.

    Raises:
        NotSignedError: there is no such file.
        OSError: as the system says.
    """
    try:
        with open(path, "rb") as file:
            return file.read(LIMITS.signature_bytes + 1)
    except FileNotFoundError:
        raise NotSignedError(f"there is no signature file {os.fspath(path)}") from None
