"""The bytes of releases, named by their sha256: what is read is what was installed, or an error."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from edge_infer.errors import DamagedStoreError, UnsafePathError
from edge_infer.limits import LIMITS
from edge_infer.store.files import TEMPORARY, Files, Path
from edge_infer.store.state import Release

__all__ = ["keep_bytes", "path_of", "read_bytes", "remove_all_but", "remove_unfinished"]

_ARTIFACTS: Final = "artifacts"


def path_of(release: Release) -> Path:
    return _ARTIFACTS, f"{release.digest}.onnx"


def read_bytes(files: Files, release: Release) -> bytes:
    """Those that were installed.

    Raises:
        FileNotFoundError: the file is not there.
        DamagedStoreError: its bytes are others, or cannot be read.
        UnsafePathError: a link, or no file, stands in its place.
    """
    path = path_of(release)
    try:
        data = files.read(*path, most=LIMITS.model_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedStoreError(f"{files.shown(path)}: it cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != release.digest:
        told = "its bytes are not those that were installed; install the release again"
        raise DamagedStoreError(f"{files.shown(path)}: {told}")
    return data


def keep_bytes(files: Files, release: Release, data: bytes) -> bool:
    """So that they last; whether they had to be written. For writers."""
    try:
        read_bytes(files, release)
        files.settle(path_of(release))
    except (FileNotFoundError, DamagedStoreError, UnsafePathError):
        files.replace(path_of(release), data)
        return True
    return False


def remove_all_but(files: Files, needed: Iterable[Release]) -> int:
    """Remove artifacts that no model needs; the bytes that were freed. For writers."""
    kept = {path_of(release) for release in needed}
    return _remove(files, [(_ARTIFACTS, name) for name in files.names(_ARTIFACTS) if (_ARTIFACTS, name) not in kept])


def remove_unfinished(files: Files) -> int:
    """Remove what crashes left half written; the bytes that were freed.

    For writers: while they hold the lock, nobody else is writing.
    """
    return _remove(files, [(TEMPORARY, name) for name in files.names(TEMPORARY)])


def _remove(files: Files, paths: list[Path]) -> int:
    freed = 0
    for path in paths:
        status = files.status(*path)
        files.remove(*path)
        freed += status.st_size if status else 0
    return freed
