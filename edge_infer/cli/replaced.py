"""The file that a conversion would replace: the same model's, made anew as often as one likes, or another one's."""

from __future__ import annotations

import os
from typing import Any

from edge_infer.artifact import Artifact, read_artifact
from edge_infer.errors import EdgeInferError, UsageError
from edge_infer.manifest import Manifest

__all__ = ["check_task", "outcome", "standing"]


def standing(target: str | os.PathLike[str], name: str, *, force: bool) -> Artifact | None:
    """The artifact that `target` holds; None where there is no file, or nothing that can be read and `force` is given.

    Raises:
        UsageError: the file holds another model than `name`, or none, and `force` is not given.
    """
    path = os.fspath(target)
    if not os.path.lexists(path):
        return None
    try:
        found = read_artifact(path)
    except (EdgeInferError, OSError):
        found = None
    if not force and (found is None or not found.described):
        raise _refused(path, "a file that edge-infer did not make")
    if not force and found is not None and found.manifest.name != name:
        raise _refused(path, f"another model, {found.manifest.name} {found.manifest.version}")
    return found


def check_task(before: Artifact | None, manifest: Manifest, *, force: bool) -> None:
    """Raises UsageError where the file's model does something else than the new one, and `force` is not given."""
    if force or before is None or before.manifest.task == manifest.task:
        return
    held = f"{before.manifest.name} {before.manifest.version}, a model for {before.manifest.task}"
    raise _refused(before.source or "", f"{held}; the new one is for {manifest.task}")


def _refused(path: str, held: str) -> UsageError:
    return UsageError(
        f"{path!r} holds {held}: nothing was written. Choose another --name or -o, or replace it by --force"
    )


def outcome(before: Artifact | None, target: str | os.PathLike[str], data: bytes) -> dict[str, Any]:
    """`replaced`: the release whose other bytes stood there, or None. `stale_signature`: its signature's file, which
    does not hold for the new bytes, or None."""
    if before is None or before.data == data:
        return {"replaced": None, "stale_signature": None}
    signature = f"{os.fspath(target)}.sig"
    return {
        "replaced": f"{before.manifest.name} {before.manifest.version}",
        "stale_signature": signature if os.path.isfile(signature) else None,
    }
