"""The bytes of releases, named by their sha256: what is read is what was installed, or an error.

What came encrypted is kept as it came, and decrypted in memory by whoever reads it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Final

from edge_infer.artifact import Artifact, decrypted, parse_artifact
from edge_infer.errors import DamagedStoreError, UnsafePathError
from edge_infer.limits import LIMITS
from edge_infer.store.files import TEMPORARY, Files, Path
from edge_infer.store.state import Release

__all__ = [
    "Identity",
    "keep_bytes",
    "path_of",
    "read_artifact_of",
    "remove_all_but",
    "remove_unfinished",
    "stored_bytes",
]

#: The file of the secret that opens what is encrypted; None: the one that EDGE_INFER_IDENTITY names.
Identity = str | os.PathLike[str] | None

_ARTIFACTS: Final = "artifacts"


def path_of(release: Release) -> Path:
    return _ARTIFACTS, f"{release.digest}.onnx" if release.encrypted is None else f"{release.encrypted}.age"


def read_artifact_of(files: Files, release: Release, identity: Identity) -> Artifact:
    """What was installed, checked again.

    Raises:
        as `stored_bytes` does, and for an encrypted one as `edge_infer.encryption.decrypt`.
    """
    source = files.shown(path_of(release))
    data = decrypted(stored_bytes(files, release), identity, source=source)
    if release.encrypted is not None and hashlib.sha256(data).hexdigest() != release.digest:
        raise DamagedStoreError(f"{source}: the model within is not the one that was installed")
    artifact = parse_artifact(data, source=source)
    return artifact if identity is None else artifact._replace(identity=os.path.abspath(identity))


def stored_bytes(files: Files, release: Release) -> bytes:
    """Those that were installed, encrypted ones as they are.

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
    if hashlib.sha256(data).hexdigest() != (release.encrypted or release.digest):
        told = "its bytes are not those that were installed; install the release again"
        raise DamagedStoreError(f"{files.shown(path)}: {told}")
    return data


def keep_bytes(files: Files, release: Release, stored: bytes) -> bool:
    """So that they last; whether they had to be written. For writers."""
    try:
        stored_bytes(files, release)
        files.settle(path_of(release))
    except (FileNotFoundError, DamagedStoreError, UnsafePathError):
        files.replace(path_of(release), stored)
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
