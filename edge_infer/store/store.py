"""`Store`: a folder of models by name, their releases, the active one, and what happened."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_infer.artifact import Artifact, decrypted, is_encrypted, parse_artifact, read_model_file
from edge_infer.errors import (
    DamagedStoreError,
    RefusedError,
    SignatureError,
    UnsafePathError,
    UsageError,
)
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.store import here, schemas
from edge_infer.store.admission import (
    Allowed,
    check_follows,
    health_of,
    note_refusal,
    note_unsigned,
    refuse_again,
)
from edge_infer.store.artifacts import (
    Identity,
    keep_bytes,
    path_of,
    remove_all_but,
    remove_unfinished,
    stored_bytes,
)
from edge_infer.store.changes import (
    activated,
    rolled_back,
    superseded,
    with_release,
    without,
    without_key,
)
from edge_infer.store.files import Files
from edge_infer.store.gate import Limits
from edge_infer.store.here import default_folder
from edge_infer.store.loading import StoreWarning, last_usable, load, usable
from edge_infer.store.lookup import chosen, gone, names_of, state_of
from edge_infer.store.names import Reference, check_name, check_version, parse_reference
from edge_infer.store.on_trial import confirm, forget_starts, new_trial
from edge_infer.store.records import commit, events_of, forget, read_state, read_states, settle_state, tell
from edge_infer.store.state import Event, Release, State
from edge_infer.store.trial import Terms, described
from edge_infer.store.trust import revoke_key, trust_key, trusted_keys, vouched_for

if TYPE_CHECKING:
    from edge_infer.signing import PublicKey, TrustedKeys, Verified
    from edge_infer.store.shadow_records import Shadow
    from edge_infer.store.watched import Watched

__all__ = ["Installed", "Store", "StoreWarning"]

_FINGERPRINT: Final = re.compile("[0-9a-f]{64}")
_LEAST_DIGITS: Final = 8  # of a fingerprint that is not given whole


class Installed(NamedTuple):
    """What an installation did.

    action: "install", "add" (without making it active), "repair" (its bytes were damaged, or were encrypted otherwise),
    or "none", where all was so already; active: whether the release is active now; on_trial: whether it is so on trial;
    verdict: "compatible", "widening" or "breaking" for callers of the release that was active before (None where there
    was none), and how it differs.
    """

    name: str
    release: Release
    action: str
    active: bool
    on_trial: bool
    verdict: str | None
    changes: tuple[schemas.Change, ...]


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

    def load(self, reference: str, *, options: SessionOptions | None = None) -> Model:
        """The active release of a model ("titanic"), or one of its releases ("titanic@1.2.0").

        A release that has not been proven on this machine as it is now replays its goldens first; if they do not come
        out, the active one falls back to the one before, with a `StoreWarning`.

        Raises:
            NotInstalledError: there is no such model, or release, or none of it is active.
            RefusedError: it does not work on this machine, and there is none to fall back to.
            DamagedStoreError: its bytes are not those that were installed.
        """
        return load(self._files, reference, options, self._identity)

    def watch(
        self,
        reference: str,
        *,
        shadow: str | None = None,
        sample: float = 0.01,
        interval: float = 1.0,
        options: SessionOptions | None = None,
    ) -> Watched:
        """A model that follows what is active here; see `edge_infer.watch`."""
        from edge_infer.store.watched import Source, Watched

        source = Source.of(self._files, self._identity, reference, options)
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
            return str(gone(self._files, release))
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
        stored, shown = (source, None) if isinstance(source, bytes) else (read_model_file(source), os.fspath(source))
        data = decrypted(stored, self._identity, source=shown)
        if shown is not None and data is not stored:  # the signature is of the model within, and beside it
            shown = shown.removesuffix(".age")
        try:
            vouched = vouched_for(self._files, data, shown, signature)
        except SignatureError as error:
            note_unsigned(self._files, shown, data, error)
            raise error.at(shown) if shown else error from None
        artifact = parse_artifact(data, source=shown)
        if not artifact.described:
            raise UsageError(
                f"{shown or 'these bytes'}: a plain ONNX file has no name, no version and no golden rows to prove it "
                "by; convert the model with edge-infer, or load the file by its path"
            )
        begun = new_trial(trial)
        release, name = _release_of(artifact, vouched, stored), check_name(artifact.manifest.name)
        older = allow_older or (vouched is not None and vouched.rollback_allowed)
        allowed = Allowed(breaking=allow_breaking or not activate, older=older or not activate)
        refuse_again(self._files, name, release, limits)
        try:
            check_follows(self._files, read_state(self._files, name), artifact, release, allowed, self._identity)
            release = release._replace(health=(health_of(self._files, name, release, data, limits),))
            with self._files.locked():  # what was true before may be so no more
                vouched_for(self._files, data, shown, signature)
                state = read_state(self._files, name) or State(name)
                changes = check_follows(self._files, state, artifact, release, allowed, self._identity)
                after = with_release(state, release)
                if activate and state.active != release.digest:
                    after = activated(after, release, begun)
                action = self._install_under_lock(state, after, release, stored, activate)
        except RefusedError as error:
            note_refusal(self._files, name, release, error, limits)
            raise
        verdict = None if state.active is None or changes is None else schemas.verdict(changes)
        active = after.active == release.digest
        return Installed(
            name, release, action, active, active and after.trial is not None, verdict, tuple(changes or ())
        )

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
            commit(self._files, after, "activate", release, detail=_detail(after))
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
            self._remove_unused()
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
            self._remove_unused()
        tell(damaged)
        return [state.name for state in hit]

    def prune(self, keep: int = 2) -> int:
        """Remove what nothing needs: releases older than the active one but the `keep` that were active before it, and
        files that a crash left behind. Gives the bytes that were freed.

        Raises:
            DamagedStoreError: a model's state cannot be read; no model's bytes were removed then.
        """
        with self._files.locked():
            freed = remove_unfinished(self._files)  # before anything is written: the disk may be full
            freed += self._remove_unused()
            states, damaged = read_states(self._files)
            for state in states:
                forget_starts(self._files, state)
                gone = superseded(state, keep)
                if gone:
                    told = gone[-1]._replace(version=", ".join(release.version for release in gone[:5]))
                    commit(self._files, without(state, {release.digest for release in gone}), "prune", told)
            freed += self._remove_unused()
        tell(damaged)
        return freed

    # --- steps ---

    def _install_under_lock(self, state: State, after: State, release: Release, stored: bytes, activate: bool) -> str:
        """What was done; see `Installed`."""
        written, known = keep_bytes(self._files, release, stored), state.of_digest(release.digest)
        if known is None or after.active != state.active:
            action = "install" if activate else "add"
        elif written:
            action = "repair"
        else:  # whoever wrote it may have been stopped before it was flushed
            settle_state(self._files, state.name)
            return "none"
        commit(self._files, after, action, release, detail=_detail(after) if action == "install" else "")
        return action

    def _remove_unused(self) -> int:
        """The bytes that were freed; none while a state cannot be read, which may need them. For writers."""
        from edge_infer.store.shadow_records import forget_shadows

        states, damaged = read_states(self._files)
        for state in states:
            forget_shadows(self._files, state)
        return 0 if damaged else remove_all_but(self._files, [each for state in states for each in state.releases])


# --- small facts ------------------------------------------------------------------------


def _detail(state: State) -> str:
    return "" if state.trial is None else described(state.trial.terms)


def _release_of(artifact: Artifact, vouched: Verified | None, stored: bytes) -> Release:
    manifest = artifact.manifest
    return Release(
        version=check_version(manifest.version),
        release=manifest.release,
        digest=artifact.digest,
        size=len(stored),
        installed=here.now(),
        signed_by=vouched.fingerprint if vouched else None,
        encrypted=hashlib.sha256(stored).hexdigest() if is_encrypted(stored) else None,
    )
