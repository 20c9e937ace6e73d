"""Updating the models of a store from a repository: what is published for this device is verified, and installed.

from edge_infer.store import Store
from edge_infer.update.client import update

update(Store(), "https://example.org/models", ["titanic"], root="1.root.json")
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Final, NamedTuple

from edge_infer.artifact import decrypted, parse_artifact
from edge_infer.errors import (
    ArtifactError,
    EdgeInferError,
    NotInstalledError,
    RefusedError,
    SignatureError,
    UpdateError,
    UsageError,
)
from edge_infer.limits import LIMITS
from edge_infer.store import here
from edge_infer.store.admission import note_unsigned, standing_refusal
from edge_infer.store.changes import written_reason
from edge_infer.store.files import Files
from edge_infer.store.names import check_name
from edge_infer.store.state import State, brief
from edge_infer.store.store import Installed, Store, StoreWarning
from edge_infer.store.trial import Terms
from edge_infer.store.trust import trusted_keys, vouched_for
from edge_infer.store.updates import (
    Known,
    Last,
    Refused,
    StoredTrust,
    drop_partials,
    keep_known,
    keep_trust,
    read_known,
    read_trust,
    updating,
)
from edge_infer.update.choice import choose
from edge_infer.update.device import in_share, this_device
from edge_infer.update.download import download
from edge_infer.update.expiry import STRICT, Expiry, known_now
from edge_infer.update.index import IndexedRelease
from edge_infer.update.layout import DEFAULT_CHANNEL, check_channel
from edge_infer.update.remote import Expired, Remote, Target, check_root
from edge_infer.update.source import Deadline, Source, open_source

__all__ = ["SECONDS", "Updated", "update"]

#: How long an update may take, if nothing else is said.
SECONDS: Final = 3600.0
_ROOT_BYTES: Final = 512_000  # as python-tuf has it
#: What a release can be blamed for, rather than the disk or the network.
_BLAMED: Final = (RefusedError, ArtifactError, UsageError)


class Updated(NamedTuple):
    """What came of a model.

    action: "installed" (it is active), "available" (it would be: nothing was to be changed), "current" (nothing to do),
    "absent" (not published in the channel), or "failed"; version: that of the release that was taken or tried, else
    the active one; before: the active version before; reason: why nothing was done; halted: the active release was
    halted by its publisher; error: of "failed"; on_trial: it is installed, and goes back unless it is confirmed.
    """

    name: str
    action: str
    version: str | None = None
    before: str | None = None
    reason: str = ""
    halted: bool = False
    error: EdgeInferError | None = None
    on_trial: bool = False


def update(
    store: Store,
    source: str | Source,
    names: Sequence[str] = (),
    *,
    root: str | os.PathLike[str] | None = None,
    channel: str = DEFAULT_CHANNEL,
    expiry: Expiry = STRICT,
    check: bool = False,
    seconds: float = SECONDS,
    allow_breaking: bool = False,
    trial: Terms | None = None,
) -> list[Updated]:
    """Bring models to the release that a repository has for this device.

    source: its folder or address; names: left out, all installed models, otherwise those, installed or not;
    root: a file of trusted root metadata, needed the first time; check: only say what would be done, and change
    nothing; seconds: how long it may take; allow_breaking: though callers of the active release must change;
    trial: see `Store.activate`. One model that fails stops no other.

    Raises:
        UpdateError: the repository cannot be used, and no model was looked at.
        UsageError: a name or option is wrong.
        StoreWriteError: the store cannot be written.
    """
    wanted = [check_name(name) for name in dict.fromkeys(names)]
    check_channel(channel)
    opened = open_source(source) if isinstance(source, str) else source
    deadline = Deadline(seconds)
    alone: AbstractContextManager[None] = nullcontext() if check else updating(store.files)
    with alone, tempfile.TemporaryDirectory(prefix="edge-infer-") as folder:
        known, kept = read_known(store.files), read_trust(store.files)
        now, given = known_now(known.latest), _read_root(root)
        remote = Remote(opened, deadline, folder, _anchor(kept, given, opened), now, expiry.reference(now))
        try:
            _verify(store.files, remote, given, channel, is_first=not kept.roots, check=check)
        except UpdateError as error:
            if not check:
                _note(store.files, known, opened, channel, f"refused: {error}")
            raise
        run = _Run(store, opened, remote, deadline, channel, check, _Terms(allow_breaking, trial), known)
        found = run.all(wanted)
        late = remote.expired(channel)
        _warn(opened, late, expiry)
        if not check:
            run.remember(found, now if not late else None)
        if not check and not wanted:
            drop_partials(store.files, but=run.unfinished)
    return found


def _verify(files: Files, remote: Remote, given: _Root | None, channel: str, *, is_first: bool, check: bool) -> None:
    """Get the metadata, and keep what is verified; a first root once its repository has proven to be the one."""
    proven = not is_first
    try:
        remote.refresh()
        _check_given(remote.trust(), given)
        proven = True
        remote.open_channel(channel)
    finally:
        if proven and not check:
            keep_trust(files, remote.trust())


def _note(files: Files, known: Known, source: Source, channel: str, result: str) -> None:
    """For `edge-infer status`."""
    keep_known(files, known._replace(last=Last(here.now(), source.shown, channel, brief(result))))


def _warn(source: Source, late: list[Expired], expiry: Expiry) -> None:
    if late:
        told = ", ".join(f"{each.file} expired at {each.when:%Y-%m-%d %H:%M} UTC" for each in late)
        warnings.warn(
            f"{source.shown}: {told}, and was taken all the same (--expiry {expiry.text})", StoreWarning, stacklevel=3
        )


# --- trust ------------------------------------------------------------------------------


class _Root(NamedTuple):
    """Root metadata that the caller trusts."""

    where: str
    version: int
    data: bytes


def _read_root(path: str | os.PathLike[str] | None) -> _Root | None:
    if path is None:
        return None
    where = os.fspath(path)
    with open(where, "rb") as file:
        data = file.read(_ROOT_BYTES + 1)
    if len(data) > _ROOT_BYTES:
        raise UpdateError("oversized", f"{where}: root metadata of at most {_ROOT_BYTES:,} bytes expected")
    return _Root(where, check_root(data, where), data)


def _anchor(kept: StoredTrust, given: _Root | None, source: Source) -> StoredTrust:
    """What to begin with: the trust that is kept, or the root that is given."""
    if kept.roots:
        if given is not None and given.version < min(kept.roots):
            raise _another(given)
        if given is not None and given.version in kept.roots and kept.roots[given.version] != given.data:
            raise _another(given)
        return kept
    if given is None:
        raise UpdateError(
            "root",
            f"{source.shown}: this store trusts no repository yet. Get the root metadata (1.root.json) from the "
            "publisher by a way that you trust, not from the repository alone, and name it: --root 1.root.json",
        )
    return StoredTrust({given.version: given.data}, {})


def _check_given(trust: StoredTrust, given: _Root | None) -> None:
    if given is not None and trust.roots.get(given.version, given.data) != given.data:
        raise _another(given)
    if given is not None and given.version > max(trust.roots):
        raise _another(given)


def _another(given: _Root) -> UpdateError:
    return UpdateError(
        "root",
        f"{given.where}: this is not the root metadata that this store trusts. A store takes updates from one "
        "repository; leave --root out to go on with it, or remove the folder `update` in the store to begin with "
        "another",
    )


# --- models -----------------------------------------------------------------------------


class _Terms(NamedTuple):
    """What a release becomes active on."""

    allow_breaking: bool
    trial: Terms | None


class _Run:
    """One update. unfinished: the sha256 of files whose download goes on another time."""

    def __init__(
        self,
        store: Store,
        source: Source,
        remote: Remote,
        deadline: Deadline,
        channel: str,
        check: bool,
        terms: _Terms,
        known: Known,
    ) -> None:
        self._store, self._source, self._remote, self._deadline = store, source, remote, deadline
        self._channel, self._check, self._terms, self._known = channel, check, terms, known
        self.unfinished: set[str] = set()

    def all(self, wanted: list[str]) -> list[Updated]:
        return [self._one(name, asked=bool(wanted)) for name in wanted or self._store.names()]

    def remember(self, found: list[Updated], now: datetime | None) -> None:
        """What came of it; now: the latest moment that is known, None where it is no measure."""
        counts = {action: sum(each.action == action for each in found) for action in ("installed", "current", "failed")}
        told = ", ".join(f"{count} {action}" for action, count in counts.items() if count) or "nothing to do"
        latest = now.isoformat(timespec="seconds") if now else self._known.latest
        _note(self._store.files, self._known._replace(latest=latest), self._source, self._channel, told)

    def _one(self, name: str, *, asked: bool) -> Updated:
        """A model, whatever is wrong with it."""
        version = before = None
        halted = False
        try:
            state = self._state(name)
            before = _active_version(state)
            index = self._remote.index(self._channel, name)
            if index is None:
                return self._unpublished(name, before, asked)
            choice = choose(index, state, lambda release: self._takes_part(name, release))
            halted = choice.halted
            if choice.release is None:
                return Updated(name, "current", before, before, choice.reason, halted)
            version = choice.release.version
            on_trial = self._take(name, state, choice.release)
        except EdgeInferError as error:
            return Updated(name, "failed", version, before, str(error), halted, error)
        if self._check:
            return Updated(name, "available", version, before, halted=halted)
        return Updated(name, "installed", version, before, on_trial=on_trial)

    def _state(self, name: str) -> State | None:
        try:
            return self._store.state(name)
        except NotInstalledError:
            return None

    def _unpublished(self, name: str, before: str | None, asked: bool) -> Updated:
        told = f"{self._source.shown}: the channel {self._channel!r} has no model {name!r}"
        if asked:
            raise UpdateError("absent", f"{told}; --channel names another")
        return Updated(name, "absent", before, before, told)

    def _takes_part(self, name: str, release: IndexedRelease) -> bool:
        return in_share(this_device(self._store.files), name, release.version, release.share)

    def _take(self, name: str, state: State | None, release: IndexedRelease) -> bool:
        """Download and install a release; the health gate is the store's; whether it is on trial. Raises
        EdgeInferError."""
        model, signature = self._remote.files(self._channel, release)
        circumstances = self._circumstances(state)
        self._refuse_again(state, release, model.digest, circumstances)
        if self._check:
            return False
        with self._blaming(model.digest, circumstances, encrypted=False):
            bundle = self._signature(signature)
            self.unfinished.add(model.digest)
            data = download(self._store.files, self._source, self._deadline, model)
        opened = decrypted(data, self._store.identity, source=release.file)  # which no file is blamed for
        self.unfinished.discard(model.digest)
        with self._blaming(model.digest, circumstances, encrypted=opened is not data):
            installed = self._install(name, release, data, opened, bundle)
        drop_partials(self._store.files, [model.digest])
        return installed.on_trial

    @contextmanager
    def _blaming(self, digest: str, circumstances: str, *, encrypted: bool) -> Iterator[None]:
        """What a release's file is blamed for is remembered, and the file removed."""
        try:
            yield
        except _BLAMED as error:
            self.unfinished.discard(digest)
            self._known = self._known.having(Refused(digest, circumstances, written_reason(error, encrypted=encrypted)))
            drop_partials(self._store.files, [digest])
            keep_known(self._store.files, self._known)
            raise

    def _signature(self, target: Target | None) -> bytes | None:
        """Where the store trusts keys, so that it asks for one."""
        if target is None or trusted_keys(self._store.files) is None:
            return None
        return self._remote.read(target, LIMITS.signature_bytes)

    def _install(
        self, name: str, release: IndexedRelease, data: bytes, opened: bytes, signature: bytes | None
    ) -> Installed:
        """opened: the model that `data` encrypts, or `data` itself."""
        try:
            vouched_for(self._store.files, opened, None, signature)  # before anything looks into the file
        except SignatureError as error:
            note_unsigned(self._store.files, release.file, opened, error)
            raise
        manifest = parse_artifact(opened).manifest
        if (manifest.name, manifest.version, manifest.release) != (name, release.version, release.release):
            raise RefusedError(
                "other",
                f"{release.file}: the index calls it {name}@{release.version} (release {release.release}), it is "
                f"{manifest.name}@{manifest.version} (release {manifest.release}); tell the publisher",
            )
        breaking, trial = self._terms
        return self._store.install(data, allow_breaking=breaking, signature=signature, trial=trial)

    # --- what was refused before ---

    def _circumstances(self, state: State | None) -> str:
        """What must change before a release that was refused here is tried again."""
        keys = trusted_keys(self._store.files)
        trusted = [*(key.fingerprint for key in keys.keys), *sorted(keys.revoked)] if keys else []
        facts = (here.machine_fingerprint(), state.active if state else None, self._terms.allow_breaking, *trusted)
        return " ".join(map(str, facts))

    def _refuse_again(self, state: State | None, release: IndexedRelease, digest: str, circumstances: str) -> None:
        before = [
            each.reason for each in self._known.refused if (each.digest, each.circumstances) == (digest, circumstances)
        ]
        standing = standing_refusal(state, digest, None) if state else None
        before += [standing.reason] if standing else []
        if before:
            raise RefusedError(
                "before",
                f"{release.file} was refused here before, and nothing has changed since, so that it was not downloaded "
                f"again: {before[-1]}",
            )


def _active_version(state: State | None) -> str | None:
    active = state.of_digest(state.active) if state else None
    return active.version if active else None
