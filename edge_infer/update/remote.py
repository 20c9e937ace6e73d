"""A repository as a device sees it: python-tuf verifies, in a folder of its own, what a source gives.

The client workflow is that of the TUF specification (5), as `tuf.ngclient.Updater` has it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from edge_infer.errors import EdgeInferError, UnsafePathError, UpdateError
from edge_infer.extras import needs
from edge_infer.store.updates import StoredTrust
from edge_infer.update.failures import telling
from edge_infer.update.index import INDEX_BYTES, Index, IndexedRelease, parse_index
from edge_infer.update.layout import METADATA, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, index_path, stored_path, target_path
from edge_infer.update.source import Deadline, Source

with needs("update", "tuf", "updating models"):
    from tuf.api.exceptions import DownloadHTTPError, LengthOrHashMismatchError, RepositoryError
    from tuf.api.metadata import Metadata, Root, TargetFile, Targets
    from tuf.ngclient import Updater
    from tuf.ngclient.fetcher import FetcherInterface

__all__ = ["Expired", "Remote", "Target", "check_root"]

_BASE: Final = "repository:/"  # never opened: `_Fetcher` takes it away again
_HISTORY: Final = "root_history"  # python-tuf's folder of roots


class Expired(NamedTuple):
    """Metadata that is out of date; file: its name; when: it expired."""

    file: str
    when: datetime


class Target(NamedTuple):
    """A file that the metadata vouches for. path: below the repository; info: its length and hashes."""

    path: str
    digest: str
    info: TargetFile

    def fits(self, data: bytes) -> bool:
        """Whether these are its bytes, as TUF has it."""
        try:
            self.info.verify_length_and_hashes(data)
        except LengthOrHashMismatchError:
            return False
        return True


class _Fetcher(FetcherInterface):
    """python-tuf's way to the source."""

    def __init__(self, source: Source, deadline: Deadline) -> None:
        self._source, self._deadline = source, deadline
        self.last = ""
        self.got: dict[str, bytes] = {}

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.last = url.removeprefix(_BASE)
        self.got[self.last] = b""
        try:
            for piece in self._deadline.pieces(self._source, self.last):
                self.got[self.last] += piece
                yield piece
        except UpdateError as error:
            if error.kind == "absent":  # which is how the last of the roots is found
                raise DownloadHTTPError(error.reason, 404) from error
            raise


class Remote:
    """A source's repository, verified from the trust that is given, in a folder that is empty. Not thread-safe."""

    def __init__(
        self, source: Source, deadline: Deadline, folder: str, trust: StoredTrust, now: datetime, reference: datetime
    ) -> None:
        """now: for messages; reference: the time that expiry is judged by. Raises UpdateError, kind "root"."""
        self._source, self._deadline, self._now = source, deadline, now
        self._fetcher = _Fetcher(source, deadline)
        self._folder = folder
        for name, data in trust.others.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        version = max(trust.roots)
        try:
            self._updater = Updater(
                metadata_dir=folder,
                metadata_base_url=f"{_BASE}{METADATA}/",
                fetcher=self._fetcher,
                bootstrap=trust.roots[version],
            )
        except RepositoryError as error:
            raise UpdateError(
                "root",
                f"{version}.root.json, which this store trusts, is damaged: {error}. Remove the folder `update` in the "
                "store, and give the root metadata again (--root)",
            ) from error
        _set_time(self._updater, reference)

    def refresh(self) -> None:
        """Get and verify root, timestamp, snapshot and targets. Raises UpdateError."""
        with telling(self._where, self._expiry):
            self._updater.refresh()

    def open_channel(self, channel: str) -> None:
        """Get and verify a channel's metadata. Raises UpdateError, kind "absent" where there is no such channel."""
        delegations = Metadata[Targets].from_bytes(self._verified()[f"{TARGETS}.json"]).signed.delegations
        names = list((delegations.roles if delegations else None) or {})
        if channel not in names:
            raise UpdateError(
                "absent",
                f"{self._source.shown}: there is no channel {channel!r}; there are: {', '.join(names) or 'none'}",
            )
        self._target(index_path(channel, "any"))

    def index(self, channel: str, name: str) -> Index | None:
        """A model's index in a channel; None where it is not published there. Raises UpdateError."""
        target = self._target(index_path(channel, name))
        if target is None:
            return None
        data = self.read(target, INDEX_BYTES)
        try:
            index = parse_index(data)
        except UnsafePathError as error:
            raise UpdateError("unsafe", f"{self._source.shown}/{target.path}: {error}") from error
        except EdgeInferError as error:
            told = f"{self._source.shown}/{target.path}: {error}; update edge-infer, or tell the publisher"
            raise UpdateError("mixed", told) from error
        if (index.channel, index.name) != (channel, name):
            told = f"expected the index of {channel}/{name}, got that of {index.channel}/{index.name}"
            raise UpdateError("mixed", f"{self._source.shown}/{target.path}: {told}; tell the publisher")
        return index

    def files(self, channel: str, release: IndexedRelease) -> tuple[Target, Target | None]:
        """A release's file, and its signature if it has one. Raises UpdateError."""
        return self._needed(channel, release.file), self._needed(
            channel, release.signature
        ) if release.signature else None

    def read(self, target: Target, most: int) -> bytes:
        """A small file, verified. Raises UpdateError."""
        where = f"{self._source.shown}/{target.path}"
        if target.info.length > most:
            raise UpdateError("oversized", f"{where}: {target.info.length:,} bytes, at most {most:,} expected")
        data = b""
        for piece in self._deadline.pieces(self._source, target.path):
            data += piece
            if len(data) > target.info.length:
                raise UpdateError(
                    "endless", f"{where}: expected {target.info.length:,} bytes, more came; nothing was taken"
                )
        if not target.fits(data):
            raise UpdateError(
                "mixed",
                f"{where}: expected {target.info.length:,} bytes with the sha256 {target.digest[:12]}…, got "
                f"{len(data):,} other bytes: an upload or copy may be unfinished; try again later",
            )
        return data

    def trust(self) -> StoredTrust:
        """All that is verified by now."""
        folder, roots = os.path.join(self._folder, _HISTORY), {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                roots[int(name.partition(".")[0])] = file.read()
        return StoredTrust(roots, self._verified())

    def expired(self, channel: str) -> list[Expired]:
        """What is taken though it has expired by now."""
        files = self._verified()
        names = [f"{role}.json" for role in (TIMESTAMP, SNAPSHOT, TARGETS, channel)]
        return _expired({name: files[name] for name in names if name in files} | self._root(), self._now)

    # --- steps ---

    def _target(self, path: str) -> Target | None:
        with telling(self._where, self._expiry):
            info = self._updater.get_targetinfo(path)
        if info is None:
            return None
        digest = info.hashes.get("sha256")
        if digest is None:
            raise UpdateError(
                "mixed", f"{self._source.shown}: the metadata has no sha256 of {path}; tell the publisher"
            )
        return Target("/".join(stored_path(path, digest)), digest, info)

    def _needed(self, channel: str, file: str) -> Target:
        found = self._target(target_path(channel, file))
        if found is None:
            told = f"the index names {file}, which the channel {channel} does not have; tell the publisher"
            raise UpdateError("absent", f"{self._source.shown}: {told}")
        return found

    def _verified(self) -> dict[str, bytes]:
        """Metadata but root, by the name of its file."""
        found = {}
        for name in os.listdir(self._folder):
            if name.endswith(".json") and name != f"{ROOT}.json":
                with open(os.path.join(self._folder, name), "rb") as file:
                    found[name] = file.read()
        return found

    def _root(self) -> dict[str, bytes]:
        with open(os.path.join(self._folder, f"{ROOT}.json"), "rb") as file:
            return {f"{ROOT}.json": file.read()}

    def _where(self) -> str:
        return f"{self._source.shown}/{self._fetcher.last}"

    def _expiry(self) -> str:
        """Of the metadata that stopped the update."""
        last = {self._fetcher.last.rpartition("/")[2]: self._fetcher.got.get(self._fetcher.last, b"")}
        found = _expired(last, self._now) or _expired(self._root(), self._now)
        told = ", ".join(f"{each.file} expired at {each.when:%Y-%m-%d %H:%M} UTC" for each in found) or "it has expired"
        return f"{told}; it is {self._now:%Y-%m-%d %H:%M} UTC here"


def _set_time(updater: Updater, moment: datetime) -> None:
    """Let python-tuf judge expiry by another time than its clock's: it has no public way for that (6.0 to 7.0)."""
    trusted = updater._trusted_set
    if not isinstance(getattr(trusted, "reference_time", None), datetime):
        raise TypeError("this python-tuf keeps the time that it judges expiry by elsewhere")  # a test meets it first
    trusted.reference_time = moment


def _expired(files: dict[str, bytes], now: datetime) -> list[Expired]:
    found = []
    for name, data in files.items():
        try:
            when = datetime.fromisoformat(json.loads(data)["signed"]["expires"])
        except (ValueError, KeyError, TypeError):
            continue
        if when <= now:
            found.append(Expired(name, when))
    return found


def check_root(data: bytes, where: str) -> int:
    """The version of root metadata that may be trusted: signed by enough of its own keys. Raises UpdateError."""
    try:
        root = Metadata[Root].from_bytes(data)
        root.signed.verify_delegate(ROOT, root.signed_bytes, root.signatures)
    except (RepositoryError, ValueError) as error:
        told = f"expected root metadata as the publisher gives it (1.root.json): {error}"
        raise UpdateError("root", f"{where}: {told}") from error
    version: int = root.signed.version
    return version
