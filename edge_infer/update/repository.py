"""A repository as it stands in its folder: read, and verified as a device would, before anything of it is signed again.

Only expiry is not judged: what has expired is signed again. Roles, signatures and versions are those of TUF 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeVar

from edge_infer.errors import EdgeInferError, PublishError, UnsafePathError
from edge_infer.extras import needs
from edge_infer.store.files import TEMPORARY, Files
from edge_infer.store.names import check_name
from edge_infer.update.index import INDEX_BYTES, Index, parse_index
from edge_infer.update.layout import (
    METADATA,
    ROLES,
    ROOT,
    TARGETS,
    TIMESTAMP,
    index_path,
    is_channel,
    metadata_name,
    pattern_of,
    stored_path,
)

with needs("update", "tuf", "publishing updates"):
    from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
    from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
    from tuf.api.serialization import DeserializationError

__all__ = ["Repository", "check_same_root", "load_repository", "read_index", "stage_of"]

_METADATA_BYTES: Final = 5_000_000  # as much as python-tuf's client takes of its largest kind
_OWN: Final = {METADATA, TARGETS, TEMPORARY, "lock"}
_FIRST: Final = 1
_UNFINISHED: Final = re.compile(r".+\.[0-9]+\.[0-9a-f]{8}")  # as `Files` names what it is writing

S = TypeVar("S", Root, Snapshot, Targets, Timestamp)


class Repository(NamedTuple):
    """Verified metadata. Its parts are changed in place while a publication is prepared.

    stale: the top-level roles that are not signed by the keys that the newest root names, but by those of the root
    before: a rotation of keys that are lost was stopped midway.
    """

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]
    channels: dict[str, Metadata[Targets]]
    stale: frozenset[str] = frozenset()

    def metadata(self, role: str) -> Metadata[Any]:
        """That of a top-level role or a channel."""
        found: Metadata[Any] = getattr(self, role) if role in ROLES else self.channels[role]
        return found

    def keys_of(self, role: str) -> tuple[list[str], int]:
        """The ids of a role's keys, and how many of them must sign."""
        named = self.root.signed.roles[role] if role in ROLES else _delegated(self.targets.signed)[role]
        return named.keyids, named.threshold

    def roles(self) -> list[str]:
        """All of them, top-level roles first."""
        return [*ROLES, *self.channels]


def stage_of(files: Files) -> str:
    """What a folder holds: "whole", a repository; "begun", one whose first publication was stopped; or "empty".

    Raises:
        PublishError: anything else, of which nothing may be written over.
        OSError: it is no folder, or cannot be read.
    """
    metadata = _in(files, METADATA)
    if metadata_name(TIMESTAMP, _FIRST) in metadata:
        return "whole"
    others = [name for name in files.names() if name not in _OWN or (name == TARGETS and _in(files, name))]
    others += [f"{METADATA}/{name}" for name in metadata if not _is_of_first(name)]
    others += [f"{TEMPORARY}/{name}" for name in _in(files, TEMPORARY) if not _UNFINISHED.fullmatch(name)]
    if others:
        found = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        raise PublishError(
            f"{files.root}: expected a repository of edge-infer publish, or an empty folder for a new one; there is no "
            f"{METADATA}/timestamp.json, but there is {found}. Nothing was written"
        )
    return "begun" if metadata else "empty"


def _in(files: Files, folder: str) -> list[str]:
    try:
        return files.names(folder)
    except (NotADirectoryError, UnsafePathError):
        return [""]  # something else of that name


def _is_of_first(name: str) -> bool:
    version, _, role = name.removesuffix(".json").partition(".")
    return version == str(_FIRST) and (role in ROLES or is_channel(role))


def check_same_root(files: Files, repository: Repository) -> None:
    """Raises PublishError where a folder whose first publication was stopped has a root with other keys."""
    name = metadata_name(ROOT, _FIRST)
    if name in files.names(METADATA):
        found = _read_root(files, _FIRST, None)
        if sorted(found.signed.roles[ROOT].keyids) != sorted(repository.keys_of(ROOT)[0]):
            raise PublishError(
                f"{files.shown((METADATA, name))}: other keys than those of --keys began this repository; name their "
                "folder, or choose another folder to publish. Nothing was written"
            )


def load_repository(files: Files) -> Repository:
    """Read and verify all that the timestamp leads to.

    Raises:
        PublishError: a file is missing or was changed, or another program made the repository.
    """
    root, before = _newest_root(files)
    authorities = [root.signed] + ([before.signed] if before else [])
    stale: set[str] = set()
    timestamp = _top(files, Timestamp, None, authorities, stale)
    snapshot = _top(files, Snapshot, timestamp.signed.snapshot_meta, authorities, stale)
    targets = _top(files, Targets, _listed(files, snapshot.signed, TARGETS), authorities, stale)
    _check_own(files, root.signed, targets.signed)
    channels = {
        channel: _read(files, Targets, channel, _listed(files, snapshot.signed, channel), [targets.signed], stale)
        for channel in _delegated(targets.signed)
    }
    return Repository(root, timestamp, snapshot, targets, channels, frozenset(stale))


def read_index(files: Files, repository: Repository, channel: str, name: str) -> Index:
    """A model's index in a channel; an empty one where it has none.

    Raises:
        PublishError: it is missing or was changed.
    """
    path = index_path(channel, check_name(name))
    target = repository.channels[channel].signed.targets.get(path)
    if target is None:
        return Index(name, channel)
    where = stored_path(path, target.hashes["sha256"])
    with _telling(files, where):
        data = files.read(*where, most=INDEX_BYTES)
        target.verify_length_and_hashes(data)
        index = parse_index(data)
        if (index.name, index.channel) != (name, channel):
            raise ValueError(f"it is that of {index.name} in {index.channel}")
        return index


def _newest_root(files: Files) -> tuple[Metadata[Root], Metadata[Root] | None]:
    """The last of the chain, each verified by itself and the one before; and that one."""
    names = set(files.names(METADATA))
    newest: Metadata[Root] | None = None
    before: Metadata[Root] | None = None
    version = _FIRST
    while newest is None or metadata_name(ROOT, version) in names:
        before = newest
        newest = _read_root(files, version, before)
        version += 1
    roots = sorted(name for name in names if name.endswith(f".{ROOT}.json"))
    if len(roots) != newest.signed.version:
        missing = metadata_name(ROOT, version)
        raise PublishError(f"{files.shown((METADATA,))}: {missing} is missing, of {', '.join(roots)}; {_REMEDY}")
    return newest, before


def _read_root(files: Files, version: int, before: Metadata[Root] | None) -> Metadata[Root]:
    name = metadata_name(ROOT, version)
    with _telling(files, (METADATA, name)):
        found = _parsed(files, Root, name, version)
        for authority in (found, before) if before else (found,):
            authority.signed.verify_delegate(ROOT, found.signed_bytes, found.signatures)
    return found


def _top(files: Files, kind: type[S], meta: MetaFile | None, authorities: list[Root], stale: set[str]) -> Metadata[S]:
    return _read(files, kind, kind.type, meta, authorities, stale)


def _read(
    files: Files,
    kind: type[S],
    role: str,
    meta: MetaFile | None,
    authorities: list[Root] | list[Targets],
    stale: set[str],
) -> Metadata[S]:
    """A role's metadata as `meta` tells it, signed by the keys of the first of `authorities`, or of the second."""
    name = metadata_name(role, meta.version if meta else _FIRST)
    with _telling(files, (METADATA, name)):
        found = _parsed(files, kind, name, meta.version if meta else None, meta)
        try:
            authorities[0].verify_delegate(role, found.signed_bytes, found.signatures)
        except UnsignedMetadataError:
            if len(authorities) < 2:
                raise
            authorities[1].verify_delegate(role, found.signed_bytes, found.signatures)
            stale.add(role)
    return found


def _parsed(files: Files, kind: type[S], name: str, version: int | None, meta: MetaFile | None = None) -> Metadata[S]:
    data = files.read(METADATA, name, most=_METADATA_BYTES)
    if meta is not None:
        meta.verify_length_and_hashes(data)
    found = Metadata[S].from_bytes(data)
    if not isinstance(found.signed, kind) or version not in (None, found.signed.version):
        raise ValueError(f"it is version {found.signed.version} of {found.signed.type}")
    return found


def _listed(files: Files, snapshot: Snapshot, role: str) -> MetaFile:
    meta = snapshot.meta.get(f"{role}.json")
    if meta is None:
        raise PublishError(f"{files.shown((METADATA,))}: the snapshot does not list the role {role!r}")
    return meta


def _delegated(targets: Targets) -> dict[str, Any]:
    return dict(targets.delegations.roles or {}) if targets.delegations else {}


def _check_own(files: Files, root: Root, targets: Targets) -> None:
    """Whether edge-infer made the repository: other programs may arrange theirs otherwise."""
    channels = _delegated(targets)
    apart = all(
        is_channel(name) and role.terminating and role.paths == [pattern_of(name)] for name, role in channels.items()
    )
    if not (root.consistent_snapshot and channels and apart) or targets.targets:
        raise PublishError(
            f"{files.root}: a TUF repository, but not one that edge-infer publish made (a role for each channel, "
            "consistent snapshots); choose another folder"
        )


@contextmanager
def _telling(files: Files, path: tuple[str, ...]) -> Iterator[None]:
    """Which file is not as it must be."""
    try:
        yield
    except FileNotFoundError as error:
        raise PublishError(f"{files.shown(path)}: it is missing; {_REMEDY}") from error
    except (RepositoryError, DeserializationError, ValueError, KeyError, EdgeInferError) as error:
        raise PublishError(f"{files.shown(path)}: {error}; {_REMEDY}") from error


_REMEDY: Final = "bring the folder back as it was last published: a copy of it serves. Nothing was written"
