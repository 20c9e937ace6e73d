"""Any exception → one clear message and an exit code."""

from __future__ import annotations

import os
from typing import Final

from edge_infer.cli.console import printable
from edge_infer.errors import EdgeInferError, UsageError

__all__ = ["describe", "similar_file"]

#: What edge-infer itself needs; some machines have no wheels of it.
_NEEDED: Final = ("numpy", "onnxruntime", "platformdirs", "typer")


def describe(error: Exception) -> tuple[str, int]:
    """The message for stderr, and the exit code: 2 for wrong usage, else 1."""
    if isinstance(error, UsageError):
        return f"error: {printable(str(error))}", 2
    if isinstance(error, EdgeInferError):
        return f"error: {printable(str(error))}", 1
    if isinstance(error, OSError):
        return f"error: {printable(_about_file(error))}", 1
    if isinstance(error, ModuleNotFoundError) and error.name in _NEEDED:
        return f"error: {error.name} is not installed; `python -m edge_infer.doctor` tells what to do here", 1
    if isinstance(error, MemoryError):
        return "error: not enough memory for this input; give fewer rows at a time", 1
    text = printable(" ".join(str(error).split()))
    shown = text if len(text) <= 300 else text[:300] + "…"
    return (
        f"error: unexpected {type(error).__name__}: {shown}\n"
        "This is a bug of edge-infer. EDGE_INFER_TRACEBACK=1 in the environment shows where it happened.",
        1,
    )


def _about_file(error: OSError) -> str:
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    if name is None:
        return str(error)
    if isinstance(error, FileNotFoundError):
        return f"{name}: no such file{_near(name)}"
    if isinstance(error, IsADirectoryError):
        return f"{name}: this is a folder; expected a file"
    if isinstance(error, PermissionError):
        return f"{name}: permission denied; check the owner and mode of the file and its folder"
    return f"{name}: {error.strerror or error}"


def _near(name: str) -> str:
    """A hint at a file of a similar name, or at the folder that was looked in."""
    folder = os.path.dirname(name)
    try:
        near = similar_file(name)
    except OSError:
        return f" (there is no folder {folder!r} that can be read)"
    if near is not None:
        return f" (did you mean {near!r}?)"
    return "" if folder else f" in {os.getcwd()}"


def similar_file(name: str, suffixes: tuple[str, ...] = ("",)) -> str | None:
    """The file of the most similar name in the same folder, of those that end so. Raises OSError."""
    import difflib

    folder, base = os.path.split(name)
    present = [each for each in os.listdir(folder or ".") if each.lower().endswith(suffixes)]
    near = difflib.get_close_matches(base, present, 1, 0.6)
    return os.path.join(folder, near[0]) if near else None
