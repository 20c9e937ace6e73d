"""`Store`: a folder of models by name, their releases, the active one, and what happened."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from edge_infer.errors import DamagedStoreError, RefusedError, UnsafePathError, UsageError
from edge_infer.model import Model
from edge_infer.observed import Observing, observing
from edge_infer.options import SessionOptions
from edge_infer.store.admission import Allowed, check_follows
from edge_infer.store.artifacts import Identity, path_of, remove_unfinished, stored_bytes
from edge_infer.store.changes import activated, rolled_back, superseded, without, without_key
from edge_infer.store.files import Files
from edge_infer.store.gate import Limits
from edge_infer.store.here import default_folder
from edge_infer.store.installing import Installed, Wishes, install, remove_unused, trial_detail
from edge_infer.store.loading import StoreWarning, last_usable, load, usable
from edge_infer.store.lookup import chosen, missing, names_of, state_of
from edge_infer.store.names import Reference, parse_reference
from edge_infer.store.on_trial import confirm, forget_starts, new_trial
from edge_infer.store.records import commit, events_of, forget, read_states, tell
from edge_infer.store.state import Event, Release, State
from edge_infer.store.trial import Terms
from edge_infer.store.trust import revoke_key, trust_key, trusted_keys
from edge_infer.store.updates import drop_partials

if TYPE_CHECKING:
    from edge_infer.signing import PublicKey, TrustedKeys
    from edge_infer.store.shadow_records import Shadow
    from edge_infer.store.watched import Watched

__all__ = ["Installed", "Store", "StoreWarning"]

_FINGERPRINT: Final = re.compile("[0-9a-f]{64}")
_LEAST_DIGITS: Final = 8  # of a fingerprint that is not given whole


class Store:
    """Models on this device. Any number of processes may use one at the same time: readers never wait."""

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        identity: Identity = None,
        files: Files | None = None,
    ) -> None:
        """folder: made when something is installed; left out: `default_folder()`; identity: the file of the secret that
        opens encrypted models, None for the one that EDGE_INFER_IDENTITY names."""
        self._identity = identity
        self._files = files or Files(default_folder() if folder is None else folder)

    @property
    def folder(self) -> str:
        return self._files.root

    @property
    def files(self) -> Files:
        """For what stands in the store's folder beside the models."""
        return self._files

    @property
    def identity(self) -> Identity:
        """The file of the secret that opens encrypted models; None for the one that EDGE_INFER_IDENTITY names."""
        return self._identity

    # --- asking ---

    def names(self) -> list[str]:
        """The models that have a release, and those whose state is damaged, which `state` tells."""
        return names_of(self._files)

    def state(self, name: str) -> State:
        """All that is known of a model. Raises NotInstalledError."""
        return state_of(self._files, name)

    def log(self, name: str) -> list[Event]:
        """What happened to a model, the oldest event first. Raises NotInstalledError."""
        return events_of(self._files, self.state(name))

    def load(self, reference: str, *, options: SessionOptions | None = None, monitor: Observing | None = None) -> Model:
        """The active release of a model ("titanic"), or one of its releases ("titanic@1.2.0").

        A release that has not been proven on this machine as it is now replays its goldens first; if they do not come
        out, the active one falls back to the one before, with a `StoreWarning`.

        Raises:
            NotInstalledError: there is no such model, or release, or none of it is active.
            RefusedError: it does not work on this machine, and there is none to fall back to.
            DamagedStoreError: its bytes are not those that were installed.
        """
        return load(self._files, reference, options, self._identity, observing(monitor))

    def watch(
        self,
        reference: str,
        *,
        shadow: str | None = None,
        sample: float = 0.01,
        interval: float = 1.0,
        options: SessionOptions | None = None,
        monitor: Observing | None = None,
    ) -> Watched:
        """A model that follows what is active here; see `edge_infer.watch`."""
        from edge_infer.store.watched import Source, Watched

        source = Source.of(self._files, self._identity, reference, options, observing(monitor))
        return Watched(source, interval, shadow=shadow, sample=sample)

    def shadows(self, name: str) -> list[Shadow]:
        """What `watch(…, shadow=…)` has found of candidates beside the release that is active now.

        Raises NotInstalledError, and DamagedStoreError where a record cannot be read.
        """
        from edge_infer.store.shadow_records import read_shadows

        return read_shadows(self._files, self.state(name))

    def damage(self, name: str) -> str | None:
        """What is wrong with the bytes of the active release; None where nothing is, or none is active."""
        state = self.state(name)
        release = state.of_digest(state.active)
        if release is None:
            return None
        try:
            stored_bytes(self._files, release)
        except FileNotFoundError:
            return str(missing(self._files, release))
        except (DamagedStoreError, UnsafePathError) as error:
            return str(error)
        return None

    def path(self, reference: str) -> str:
        """The file of the active release of a model, or of one of its releases. Raises NotInstalledError."""
        wanted = parse_reference(reference)
        return self._files.shown(path_of(chosen(self.state(wanted.name), wanted)))

    # --- changing ---

    def install(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        activate: bool = True,
        allow_breaking: bool = False,
        allow_older: bool = False,
        limits: Limits | None = None,
        signature: str | os.PathLike[str] | bytes | None = None,
        trial: Terms | None = None,
    ) -> Installed:
        """Check an artifact, replay its goldens in a process of its own, and only then make it the active release.

        activate: False only adds it to the releases; allow_breaking: though callers of the active release must change;
        allow_older: though its release number, or version, is below one that was active; limits: see `gate.Limits`;
        signature: a file, or its bytes; left out, the file beside `source`, under its name and ".sig". It is looked at
        where a key is trusted (`trust`), and before anything else; trial: see `activate`.

        Raises:
            SignatureError: no trusted key has signed it.
            ArtifactError, OSError: it cannot be read, or is no edge-infer artifact.
            UsageError, KeyFileError, DecryptionError: it is encrypted, and not for this store's identity.
            RefusedError: it may not become active; the reason is in the journal too.
            StoreWriteError: nothing was changed.
        """
        wishes = Wishes(activate, allow_breaking, allow_older, limits, signature, trial)
        return install(self._files, source, wishes, self._identity)

    def activate(
        self,
        reference: str,
        *,
        allow_breaking: bool = False,
        allow_older: bool = False,
        trial: Terms | None = None,
    ) -> Release:
        """Make an installed release the active one.

        trial: it must do this to stay, or else the release before it is active again, whoever finds it out: the process
        that uses it, or the next one that loads it. Where nothing was active before, there is nothing to go back to,
        and so no trial. Without one, a release that is on trial is confirmed.

        Raises NotInstalledError, RefusedError, StoreWriteError.
        """
        begun = new_trial(trial)
        wanted = parse_reference(reference)
        if wanted.version is None:
            raise UsageError(f"{reference!r}: expected NAME@VERSION, since a model may have several releases")
        artifact = usable(self._files, wanted.name, chosen(self.state(wanted.name), wanted), self._identity)
        with self._files.locked():
            state = self.state(wanted.name)
            release = chosen(state, wanted)
            allowed = Allowed(allow_breaking, allow_older)
            check_follows(self._files, state, artifact, release, allowed, self._identity)
            after = activated(state, release, begun)
            commit(self._files, after, "activate", release, detail=trial_detail(after))
        return release

    def mark_good(self, name: str) -> Release:
        """The active release stays, and its trial, if it is on one, ends. Raises NotInstalledError, StoreWriteError."""
        chosen(self.state(name), Reference(name))
        return chosen(confirm(self._files, name) or self.state(name), Reference(name))

    def rollback(self, name: str) -> Release:
        """Go back to the release that was active before; one that cannot be used any more is passed over.

        Raises:
            NotInstalledError: none was active before.
            RefusedError, DamagedStoreError: none of them can be used.
            StoreWriteError: nothing was changed.
        """
        seen = self.state(name)
        release = last_usable(self._files, seen, self._identity)
        with self._files.locked():
            state = self.state(name)
            if (state.active, state.history) != (seen.active, seen.history):
                told = f"{name}: another process has just changed what is active; edge-infer status shows it"
                raise RefusedError("other", told)
            commit(self._files, rolled_back(state, release.digest), "rollback", release)
        return release

    def remove(self, reference: str) -> list[Release]:
        """A release that is not active ("titanic@1.2.0"), or a model with all its releases ("titanic").

        The journal stays, and so does the highest release number, unless the model's state is damaged: that is dropped.

        Raises:
            NotInstalledError, StoreWriteError.
            UsageError: the release is the active one.
        """
        wanted = parse_reference(reference)
        with self._files.locked():
            try:
                state = self.state(wanted.name)
            except DamagedStoreError:
                if wanted.version is not None:
                    raise
                forget(self._files, wanted.name)
                return []
            if wanted.version is None:
                none = state._replace(releases=(), active=None, since=None, history=(), trial=None)
                gone, left = state.releases, none
            else:
                release = chosen(state, wanted)
                if release.digest == state.active:
                    raise UsageError(f"{reference} is active; activate another release first, or remove {wanted.name}")
                if state.trial is not None and release.digest == state.previous:
                    raise UsageError(
                        f"{reference} is what the release on trial goes back to; edge-infer mark-good or rollback first"
                    )
                gone, left = (release,), without(state, {release.digest})
            if gone:
                told = gone[0] if wanted.version else gone[0]._replace(version="all", digest="")
                commit(self._files, left, "remove", told)
            remove_unused(self._files)
        return list(gone)

    def trust(self, key: str | os.PathLike[str]) -> PublicKey:
        """Trust the holder of a key (its public part, in PEM). From the first one on, what is installed must be signed.

        Raises:
            KeyFileError, OSError: it is no public key.
            MissingExtraError: the extra `secure` is not installed.
        """
        from edge_infer.signing import PublicKey

        found = PublicKey.read(key)
        with self._files.locked():
            trust_key(self._files, found)
        return found

    def trusted(self) -> TrustedKeys | None:
        """The trusted keys; None where there is none, so that signatures are not looked at."""
        return trusted_keys(self._files)

    def revoke(self, fingerprint: str) -> list[str]:
        """Trust a key no longer: what it signed is removed, and what is active falls back to a release of another.

        Gives the models that changed. Raises UsageError where no such key is trusted.
        """
        keys = self.trusted()
        known = [key.fingerprint for key in keys.keys] if keys else []
        found = [each for each in known if each.startswith(fingerprint) and len(fingerprint) >= _LEAST_DIGITS]
        if keys and _FINGERPRINT.fullmatch(fingerprint):  # whether its file is still here or not
            found = [fingerprint]
        if len(found) != 1:
            raise UsageError(
                f"{fingerprint!r}: expected the fingerprint of a trusted key; trusted: {', '.join(known) or 'none'}"
            )
        with self._files.locked():
            if keys is None or found[0] not in keys.revoked:
                revoke_key(self._files, found[0])
            states, damaged = read_states(self._files)
            hit = [state for state in states if any(release.signed_by == found[0] for release in state.releases)]
            for state in hit:
                left = without_key(state, found[0])
                release = left.of_digest(left.active) or state.releases[-1]._replace(version="none")
                commit(self._files, left, "revoke", release, detail=f"the key {found[0]}")
            remove_unused(self._files)
        tell(damaged)
        return [state.name for state in hit]

    def prune(self, keep: int = 2) -> int:
        """Remove what nothing needs: releases older than the active one but the `keep` that were active before it, and
        files that a crash left behind. Gives the bytes that were freed.

        Raises:
            DamagedStoreError: a model's state cannot be read; no model's bytes were removed then.
        """
        with self._files.locked():
            freed = drop_partials(self._files)
            freed += remove_unfinished(self._files)  # before anything is written: the disk may be full
            freed += remove_unused(self._files)
            states, damaged = read_states(self._files)
            for state in states:
                forget_starts(self._files, state)
                gone = superseded(state, keep)
                if gone:
                    told = gone[-1]._replace(version=", ".join(release.version for release in gone[:5]))
                    commit(self._files, without(state, {release.digest for release in gone}), "prune", told)
            freed += remove_unused(self._files)
        tell(damaged)
        return freed
