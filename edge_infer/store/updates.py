"""What a store keeps for updates over TUF: whom it trusts, unfinished downloads, the device's id, what was found last.

update/metadata/  1.root.json … (each root that was trusted, the last one counts), timestamp.json, snapshot.json,
                  targets.json, CHANNEL.json: as they were last verified
update/partial/   the first bytes of a release's file, under the sha256 of the whole
update/device-id  32 hex digits
update/known.json the latest moment that was known, the last update, what was refused
update/lock       held while an update runs
"""

from __future__ import annotations

import json
import re
import secrets
import warnings
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from edge_infer.errors import DamagedStoreError, FormatError, LimitError
from edge_infer.store.files import Files, Path
from edge_infer.store.state import brief
from edge_infer.strict_json import Node, parse

__all__ = [
    "Known",
    "Last",
    "Refused",
    "StoredTrust",
    "device_id",
    "drop_partials",
    "extend_partial",
    "keep_known",
    "keep_trust",
    "partial_size",
    "read_known",
    "read_partial",
    "read_trust",
    "updating",
]

_UPDATE: Final = "update"
_METADATA: Final = (_UPDATE, "metadata")
_PARTIAL: Final = (_UPDATE, "partial")
_ID: Final = (_UPDATE, "device-id")
_KNOWN: Final = (_UPDATE, "known.json")

_METADATA_BYTES: Final = 5_000_000  # as much as python-tuf takes of its largest kind
_KNOWN_BYTES: Final = 1 << 20
_KEPT_REFUSED: Final = 100
_FORMAT: Final = 1
_ROOT: Final = re.compile(r"([1-9][0-9]{0,9})\.root\.json")
_OTHER: Final = re.compile(r"[a-z][a-z0-9-]*\.json")
_DEVICE: Final = re.compile(r"[0-9a-f]{32}")
#: An interrupted write leaves the earlier ones new and the later ones old, as an interrupted download would.
_ORDER: Final = ("timestamp.json", "snapshot.json", "targets.json")


class StoredTrust(NamedTuple):
    """Metadata as it was verified. roots: by version; others: by the name of their file."""

    roots: dict[int, bytes]
    others: dict[str, bytes]


class Refused(NamedTuple):
    """A release's file (its sha256) that was not taken, and what must change before it is downloaded again."""

    digest: str
    circumstances: str
    reason: str


class Last(NamedTuple):
    """The last update: when (UTC, by the device's clock), from where, and what came of it, in a line for people."""

    when: str
    source: str
    channel: str
    result: str


class Known(NamedTuple):
    """latest: the latest moment that a clock showed while all metadata was valid, UTC, ISO 8601."""

    latest: str | None = None
    last: Last | None = None
    refused: tuple[Refused, ...] = ()

    def having(self, refused: Refused) -> Known:
        others = [each for each in self.refused if each.digest != refused.digest]
        kept = (*others, refused._replace(reason=brief(refused.reason)))[-_KEPT_REFUSED:]
        return self._replace(refused=kept)


def updating(files: Files) -> AbstractContextManager[None]:
    """One update at a time, of all processes."""
    return files.locked(path=(_UPDATE, "lock"))


# --- trust ------------------------------------------------------------------------------


def read_trust(files: Files) -> StoredTrust:
    """Raises UnsafePathError, DamagedStoreError."""
    roots: dict[int, bytes] = {}
    others: dict[str, bytes] = {}
    for name in files.names(*_METADATA):
        match = _ROOT.fullmatch(name)
        if match:
            roots[int(match[1])] = files.read(*_METADATA, name, most=_METADATA_BYTES)
        elif _OTHER.fullmatch(name):
            others[name] = files.read(*_METADATA, name, most=_METADATA_BYTES)
    return StoredTrust(roots, others)


def keep_trust(files: Files, trust: StoredTrust) -> None:
    """Write what has changed: roots first, in their order, then what they vouch for."""
    names = {f"{version}.root.json": data for version, data in sorted(trust.roots.items())}
    names |= {name: trust.others[name] for name in _ORDER if name in trust.others}
    names |= trust.others
    with files.locked():
        before = read_trust(files)
        there = {f"{version}.root.json": data for version, data in before.roots.items()} | before.others
        for name, data in names.items():
            if there.get(name) != data:
                files.replace((*_METADATA, name), data)


# --- unfinished downloads ---------------------------------------------------------------


def partial_size(files: Files, digest: str) -> int:
    """The bytes that are there."""
    status = files.status(*_partial(digest))
    return status.st_size if status else 0


def extend_partial(files: Files, digest: str, data: bytes, *, at: int) -> None:
    files.extend(_partial(digest), data, at=at)


def read_partial(files: Files, digest: str, *, most: int) -> bytes:
    """Raises FileNotFoundError, UnsafePathError, DamagedStoreError."""
    return files.read(*_partial(digest), most=most)


def drop_partials(files: Files, digests: Collection[str] | None = None, *, but: Collection[str] = ()) -> int:
    """Remove these, or all `but` some; the bytes that were freed."""
    freed = 0
    for name in files.names(*_PARTIAL) if digests is None else digests:
        if name not in but:
            freed += partial_size(files, name)
            files.remove(*_partial(name))
    return freed


def _partial(digest: str) -> Path:
    return (*_PARTIAL, digest)


# --- the device -------------------------------------------------------------------------


def device_id(files: Files) -> str:
    """Made once, at random."""
    found = _read_id(files)
    if found is not None:
        return found
    with files.locked():
        found = _read_id(files)
        if found is None:
            found = secrets.token_hex(16)
            files.replace(_ID, found.encode() + b"\n")
    return found


def _read_id(files: Files) -> str | None:
    try:
        text = files.read(*_ID, most=64).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    if not _DEVICE.fullmatch(text):
        raise DamagedStoreError(
            f"{files.shown(_ID)}: expected 32 hex digits; remove the file, and the device gets another id, or set "
            "EDGE_INFER_DEVICE_ID"
        )
    return text


# --- what was found last ----------------------------------------------------------------


def read_known(files: Files) -> Known:
    """Nothing, with a warning, where the file cannot be read: it must not stop updates for good."""
    try:
        data = files.read(*_KNOWN, most=_KNOWN_BYTES)
        return _known(parse(data, what=files.shown(_KNOWN), most_bytes=_KNOWN_BYTES, most_depth=8))
    except FileNotFoundError:
        return Known()
    except (FormatError, LimitError, DamagedStoreError) as error:
        from edge_infer.store.store import StoreWarning

        warnings.warn(f"{files.shown(_KNOWN)} cannot be read and is begun anew: {error}", StoreWarning, stacklevel=2)
        return Known()


def keep_known(files: Files, known: Known) -> None:
    """Write it, if it has changed."""
    if known == read_known(files):
        return
    with files.locked():
        files.replace(_KNOWN, json.dumps(_plain(known), ensure_ascii=False, indent=1).encode() + b"\n")


def _plain(known: Known) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "latest": known.latest,
        "last": known.last._asdict() if known.last else None,
        "refused": [refused._asdict() for refused in known.refused],
    }


def _known(root: Node) -> Known:
    if root.get("format").integer(1) > _FORMAT:
        raise FormatError("written by a later edge-infer")
    latest, last = root.find("latest"), root.find("last")
    return Known(
        latest=latest.text() if latest else None,
        last=Last(*_texts(last, Last._fields)) if last else None,
        refused=tuple(Refused(*_texts(node, Refused._fields)) for node in root.get("refused").list(_KEPT_REFUSED)),
    )


def _texts(node: Node, names: tuple[str, ...]) -> Iterator[str]:
    return (node.get(name).text() for name in names)
