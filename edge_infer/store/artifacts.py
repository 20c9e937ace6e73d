"""The bytes of releases, named by their sha256: what is read is what was installed, or an error."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from edge_infer.errors import DamagedStoreError
from edge_infer.limits import LIMITS
from edge_infer.store.files import TEMPORARY, Files, Path
from edge_infer.store.state import Release

__all__ = ["keep_bytes", "path_of", "read_bytes", "remove_all_but"]

_ARTIFACTS: Final = "artifacts"


def path_of(release: Release) -> Path:
    return _ARTIFACTS, f"{release.digest}.onnx"


def read_bytes(files: Files, release: Release) -> bytes:
    """Raises FileNotFoundError, and DamagedStoreError where they are not those that were installed."""
    path = path_of(release)
    data = files.read(*path, most=LIMITS.model_bytes)
    if hashlib.sha256(data).hexdigest() != release.digest:
        raise DamagedStoreError(f"{files.shown(path)}: its bytes are not those that were installed")
    return data


def keep_bytes(files: Files, release: Release, data: bytes) -> None:
    """For writers."""
    try:
        read_bytes(files, release)
    except (FileNotFoundError, DamagedStoreError):
        files.replace(path_of(release), data)


def remove_all_but(files: Files, needed: Iterable[Release]) -> int:
    """Remove artifacts that no model needs, and what crashes left half written; the bytes that were freed.

    For writers: while they hold the lock, nobody else is writing.
    """
    kept = {path_of(release) for release in needed}
    freed = 0
    for folder in (_ARTIFACTS, TEMPORARY):
        for name in files.names(folder):
            if (folder, name) not in kept:
                status = files.status(folder, name)
                freed += status.st_size if status else 0
                files.remove(folder, name)
    return freed
