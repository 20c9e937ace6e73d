"""A folder of files, replaced as a whole: it is the old export or the new one, and never another's folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge_infer.errors import UsageError
from edge_infer.files import write_atomically

__all__ = ["MARK", "check_folder", "replace_folder"]

#: Tells, in an exported folder, what the export wrote.
MARK: Final = "edge-infer-export.json"


def check_folder(target: Path) -> None:
    """That an export may be written there.

    Raises:
        UsageError: it is no folder, its parent is not there, or it holds what no export wrote.
    """
    if not target.parent.is_dir():
        raise UsageError(f"--output: expected a folder in an existing one, but there is no {str(target.parent)!r}")
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError(f"--output: expected a folder, got the file {str(target)!r}; choose another name")
    others = sorted(set(os.listdir(target)) - _written(target))
    if others:
        shown = ", ".join(map(repr, others[:5])) + (", …" if len(others) > 5 else "")
        raise UsageError(
            f"--output: {str(target)!r} holds what no export wrote ({shown}), which would be lost; choose a new "
            "folder, or move them away"
        )


def replace_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write `files`, name → content, in place of what the folder had; a failure leaves the old ones.

    Raises:
        UsageError: as `check_folder`.
        OSError: as the system says.
    """
    target = target.resolve()
    check_folder(target)
    new, old = (target.with_name(f".{target.name}.{os.getpid()}.{kind}") for kind in ("new", "old"))
    try:
        new.mkdir()
        for name, data in {**files, MARK: _mark(files)}.items():
            write_atomically(new / name, data)
        _swap(target, new, old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _swap(target: Path, new: Path, old: Path) -> None:
    existed = target.exists()
    if existed:
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        if existed:
            os.rename(old, target)
        raise


def _mark(files: Mapping[str, bytes]) -> bytes:
    return json.dumps({"made_by": "edge-infer export", "files": sorted(files)}, indent=1).encode() + b"\n"


def _written(folder: Path) -> set[str]:
    """The names that an earlier export wrote there; none where there was none."""
    try:
        told: Any = json.loads((folder / MARK).read_bytes())
    except (OSError, ValueError):
        return set()
    files = told.get("files") if isinstance(told, dict) and told.get("made_by") == "edge-infer export" else None
    return {MARK, *(name for name in files if isinstance(name, str))} if isinstance(files, list) else set()
