"""Arrays from a .npy or .npz file; objects in them, which are pickles, are not read."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.cli.documents import InputTextError

__all__ = ["ARRAY_FILES", "read_arrays"]

ARRAY_FILES = (".npy", ".npz")


def read_arrays(path: str) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """The array of a .npy file, or those of a .npz file by name. Raises OSError, InputTextError."""
    with open(path, "rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else dict(loaded.items())
        except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise InputTextError(
                f"{path}: expected arrays of numbers as numpy.save or savez write them; {error}"
            ) from None
