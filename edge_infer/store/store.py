"""`Store`: a folder of models by name, their releases, the active one, and what happened."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_infer.artifact import Artifact, parse_artifact, read_model_file
from edge_infer.errors import (
    DamagedStoreError,
    EdgeInferError,
    NotInstalledError,
    RefusedError,
    SignatureError,
    StoreWriteError,
    UsageError,
)
from edge_infer.limits import LIMITS
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.store import schemas
from edge_infer.store.artifacts import keep_bytes, path_of, read_bytes, remove_all_but
from edge_infer.store.changes import activated, check_order, refused, rolled_back, with_release, without, without_key
from edge_infer.store.files import Files
from edge_infer.store.gate import Limits, check_health
from edge_infer.store.here import machine_fingerprint, now
from edge_infer.store.names import Reference, check_name, check_version, parse_reference
from edge_infer.store.records import commit, events_of, known_names, read_state, shorten_journal
from edge_infer.store.state import Event, Health, Release, State
from edge_infer.store.trust import check_signature, revoke_key, trust_key, trusted_keys

if TYPE_CHECKING:
    from edge_infer.signing import PublicKey, TrustedKeys

__all__ = ["Installed", "Store", "StoreWarning", "default_folder"]

_TRIES: Final = 10  # of a reader whose release is removed under it
_KEPT_HEALTH: Final = 8
_LEAST_DIGITS: Final = 8  # of a fingerprint that is not given whole


class StoreWarning(UserWarning):
    """The store did something by itself, such as falling back to the release before."""


class Installed(NamedTuple):
    """What an installation did.

    active: whether the release is active now; verdict: "compatible", "widening" or "breaking" for callers of the
    release that was active before (None where there was none), and how it differs.
    """

    name: str
    release: Release
    active: bool
    verdict: str | None
    changes: tuple[schemas.Change, ...]


def default_folder() -> str:
    """$EDGE_INFER_HOME, or edge-infer's folder of the user's data as this system names it."""
    own = os.environ.get("EDGE_INFER_HOME")
    if own:
        return own
    import platformdirs

    return platformdirs.user_data_dir("edge-infer", appauthor=False)


class Store:
    """Models on this device. Any number of processes may use one at the same time: readers never wait."""

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, files: Files | None = None) -> None:
        """`folder`: made when something is installed; left out: `default_folder()`."""
        self._files = files or Files(default_folder() if folder is None else folder)

    @property
    def folder(self) -> str:
        return self._files.root

    # --- asking ---

    def names(self) -> list[str]:
        """The models, those of which no release is installed any more left out."""
        states = [read_state(self._files, name) for name in known_names(self._files)]
        return [state.name for state in states if state and state.releases]

    def state(self, name: str) -> State:
        """All that is known of a model. Raises NotInstalledError."""
        found = read_state(self._files, check_name(name))
        if found is None:
            raise NotInstalledError(self._absent(name))
        return found

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
        wanted, failed = parse_reference(reference), frozenset[str]()
        for _ in range(_TRIES):
            state = self.state(wanted.name)
            release = self._chosen(state, wanted, failed)
            error: EdgeInferError
            try:
                return self._opened(wanted.name, release, options)
            except FileNotFoundError:
                if self.state(wanted.name).of_digest(release.digest) is None:  # removed since its name was read
                    continue
                error = DamagedStoreError(f"{self._files.shown(path_of(release))}: the file is not there")
            except (RefusedError, DamagedStoreError) as told:
                error = told
            failed |= {release.digest}
            if wanted.version is not None or failed.issuperset(state.history):
                raise error
            self._fall_back(wanted.name, release, error)
        raise DamagedStoreError(f"{reference}: its releases change too often to load one")

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
    ) -> Installed:
        """Check an artifact, replay its goldens in a process of its own, and only then make it the active release.

        activate: False only adds it to the releases; allow_breaking: though callers of the active release must change;
        allow_older: though its release number, or version, is below one that was active; limits: see `gate.Limits`;
        signature: a file, or its bytes; left out, the file beside `source`, under its name and ".sig". It is looked at
        where a key is trusted (`trust`), and before anything else.

        Raises:
            SignatureError: no trusted key has signed it.
            ArtifactError, OSError: it cannot be read, or is no edge-infer artifact.
            RefusedError: it may not become active; the reason is in the journal too.
            StoreWriteError: nothing was changed.
        """
        data, bundle, shown = _given(source, signature)
        try:
            vouched = check_signature(self._files, data, bundle)
        except SignatureError as error:
            self._note_unsigned(shown, data, error)
            raise error.at(shown) if shown else error from None
        artifact = parse_artifact(data, source=shown)
        if not artifact.described:
            raise UsageError(
                f"{shown or 'these bytes'}: a plain ONNX file has no name, no version and no golden rows to prove it "
                "by; convert the model with edge-infer, or load the file by its path"
            )
        release, name = _release_of(artifact), check_name(artifact.manifest.name)
        if vouched is not None:
            release = release._replace(signed_by=vouched.fingerprint)
            allow_older = allow_older or vouched.rollback_allowed
        allowed = _Allowed(breaking=allow_breaking or not activate, older=allow_older or not activate)
        try:
            self._check(read_state(self._files, name), artifact, release, allowed)
            found = self._health_of(name, release, artifact.data, limits)
        except RefusedError as error:
            self._note_refusal(name, release, error)
            raise
        release = release._replace(health=(found,))
        with self._files.locked():
            state = read_state(self._files, name) or State(name)
            changes = self._check(state, artifact, release, allowed)  # another process may have changed it meanwhile
            keep_bytes(self._files, release, artifact.data)
            before, state = state.active, with_release(state, release)
            if activate:
                state = activated(state, release)
            commit(self._files, state, "install" if activate else "add", release)
        verdict = None if before is None else schemas.verdict(changes)
        return Installed(name, release, activate, verdict, tuple(changes))

    def activate(self, reference: str, *, allow_breaking: bool = False, allow_older: bool = False) -> Release:
        """Make an installed release the active one. Raises NotInstalledError, RefusedError, StoreWriteError."""
        wanted = parse_reference(reference)
        if wanted.version is None:
            raise UsageError(f"{reference!r}: expected NAME@VERSION, since a model may have several releases")
        release = self._chosen(self.state(wanted.name), wanted)
        data = read_bytes(self._files, release)
        if not _is_healthy(release, machine_fingerprint()):
            self._prove(wanted.name, release, data, machine_fingerprint())
        artifact = parse_artifact(data, source=self._files.shown(path_of(release)))
        allowed = _Allowed(allow_breaking, allow_older)
        return self._change(wanted.name, "activate", lambda state: self._made_active(state, wanted, artifact, allowed))

    def rollback(self, name: str) -> Release:
        """Go back to the release that was active before. Raises NotInstalledError, StoreWriteError."""
        previous = self.state(name).previous
        if previous is None:
            raise NotInstalledError(f"{name}: no release was active before this one; nothing to go back to")
        return self._change(name, "rollback", rolled_back)

    def remove(self, reference: str) -> list[Release]:
        """A release that is not active ("titanic@1.2.0"), or a model with all its releases ("titanic").

        The journal stays, and so does the highest release number.

        Raises:
            NotInstalledError, StoreWriteError.
            UsageError: the release is the active one.
        """
        wanted = parse_reference(reference)
        with self._files.locked():
            state = self.state(wanted.name)
            if wanted.version is None:
                gone, left = state.releases, state._replace(releases=(), active=None, since=None, history=())
            else:
                release = self._chosen(state, wanted)
                if release.digest == state.active:
                    raise UsageError(f"{reference} is active; activate another release first, or remove {wanted.name}")
                gone, left = (release,), without(state, {release.digest})
            if gone:
                commit(
                    self._files,
                    left,
                    "remove",
                    gone[0] if wanted.version else gone[0]._replace(version="all", digest=""),
                )
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
        found = [key.fingerprint for key in keys.keys if key.fingerprint.startswith(fingerprint)] if keys else []
        if len(found) != 1 or len(fingerprint) < _LEAST_DIGITS:
            known = ", ".join(key.fingerprint for key in keys.keys) if keys else "none"
            raise UsageError(f"{fingerprint!r}: expected the fingerprint of a trusted key; trusted: {known}")
        with self._files.locked():
            revoke_key(self._files, found[0])
            states = [state for name in known_names(self._files) if (state := read_state(self._files, name))]
            hit = [state for state in states if any(release.signed_by == found[0] for release in state.releases)]
            for state in hit:
                left = without_key(state, found[0])
                release = left.of_digest(left.active) or state.releases[-1]._replace(version="none")
                commit(self._files, left, "revoke", release, detail=f"the key {found[0]}")
            self._remove_unused()
        return [state.name for state in hit]

    def prune(self, keep: int = 2) -> int:
        """Remove what nothing needs: releases but the active one and the `keep` active before it, files that a crash
        left behind, and old lines of journals. Gives the bytes that were freed."""
        with self._files.locked():
            for name in known_names(self._files):
                state = read_state(self._files, name)
                if state is None:
                    continue
                kept = {state.active, *state.history[-keep:]} if keep else {state.active}
                gone = [release for release in state.releases if release.digest not in kept]
                if gone:
                    left = without(state, {release.digest for release in gone})
                    commit(self._files, left, "prune", gone[-1]._replace(version=", ".join(r.version for r in gone)))
                shorten_journal(self._files, name)
            return self._remove_unused()

    # --- steps ---

    def _check(
        self, state: State | None, artifact: Artifact, release: Release, allowed: _Allowed
    ) -> list[schemas.Change]:
        """Raises RefusedError where a release may not follow the active one; else how it differs from it."""
        if state is None:
            return []
        same = state.of_version(release.version)
        if same is not None and same.digest != release.digest:
            raise RefusedError(
                "other",
                f"{state.name}@{release.version} is installed with other content (sha256 {same.digest[:12]}…, this is "
                f"{release.digest[:12]}…): give the new model another version",
            )
        if not allowed.older:
            check_order(state, release)
        active = state.of_digest(state.active)
        if active is None or active.digest == release.digest:
            return []
        try:
            manifest = parse_artifact(read_bytes(self._files, active)).manifest
        except (EdgeInferError, FileNotFoundError):  # a damaged one is no measure
            return []
        changes = schemas.compare(manifest, artifact.manifest)
        if not allowed.breaking and schemas.verdict(changes) == schemas.BREAKING:
            breaks = "\n".join(f"  {change.what}" for change in changes if change.kind == schemas.BREAKING)
            raise RefusedError(
                "breaking",
                f"{state.name}@{release.version} would break programs that call {active.version}:\n{breaks}\n"
                "If they are ready for it: --allow-breaking",
            )
        return changes

    def _health_of(self, name: str, release: Release, data: bytes, limits: Limits | None) -> Health:
        """What is known already, or found by replaying the goldens; a failure is not tried again for nothing."""
        state, fingerprint = read_state(self._files, name), machine_fingerprint()
        known = state.of_digest(release.digest) if state else None
        healthy = [health for health in known.health if health.fingerprint == fingerprint] if known else []
        if healthy and limits in (None, Limits()):
            return healthy[-1]
        circumstances = _circumstances(fingerprint, limits)
        for refusal in state.refusals if state else ():
            if refusal.digest == release.digest and refusal.circumstances == circumstances:
                raise RefusedError(
                    "unhealthy",
                    f"{name}@{release.version} was refused at {refusal.when}, and nothing has changed since: "
                    f"{refusal.reason}",
                )
        found = check_health(data, limits)
        return Health(fingerprint, now(), found.seconds, found.resident)

    def _prove(self, name: str, release: Release, data: bytes, fingerprint: str) -> None:
        """Replay the goldens on the machine as it is now, and note that they came out."""
        health = self._health_of(name, release, data, None)
        try:
            with self._files.locked():
                state = self.state(name)
                known = state.of_digest(release.digest)
                if known is not None:
                    proven = known._replace(health=(*known.health, health)[-_KEPT_HEALTH:])
                    commit(self._files, with_release(state, proven), "prove", proven)
        except StoreWriteError as error:
            warnings.warn(f"{name}: proven on this machine, which cannot be noted: {error}", StoreWarning, 3)

    def _opened(self, name: str, release: Release, options: SessionOptions | None) -> Model:
        data, fingerprint = read_bytes(self._files, release), machine_fingerprint()
        if not _is_healthy(release, fingerprint):
            self._prove(name, release, data, fingerprint)
        return Model(parse_artifact(data, source=self._files.shown(path_of(release))), options)

    def _fall_back(self, name: str, failed: Release, error: EdgeInferError) -> None:
        """From a release that fails to the one before it; where that cannot be written, for this load only."""
        try:
            with self._files.locked():
                state = self.state(name)
                if state.active != failed.digest or state.previous is None:  # another process was quicker
                    return
                state = refused(rolled_back(state), failed, error, _circumstances(machine_fingerprint(), None))
                release = state.of_digest(state.active)
                assert release is not None
                commit(self._files, state, "fall back", release, detail=str(error))
        except StoreWriteError as unwritten:
            told = f"{name}@{failed.version} failed, and the release before it is loaded: {error}\n{unwritten}"
            warnings.warn(told, StoreWarning, 3)
            return
        warnings.warn(
            f"{name}@{failed.version} failed, and {release.version} is active again: {error}", StoreWarning, 3
        )

    def _made_active(self, state: State, wanted: Reference, artifact: Artifact, allowed: _Allowed) -> State:
        release = self._chosen(state, wanted)
        self._check(state, artifact, release, allowed)
        return activated(state, release)

    def _change(self, name: str, action: str, change: Callable[[State], State]) -> Release:
        """Change which release is active."""
        with self._files.locked():
            state = change(self.state(name))
            release = state.of_digest(state.active)
            assert release is not None
            commit(self._files, state, action, release)
        return release

    def _note_refusal(self, name: str, release: Release, error: RefusedError) -> None:
        """In the state and the journal of a model that is there; of others, nothing is kept."""
        try:
            with self._files.locked():
                state = read_state(self._files, name)
                if state is None:
                    return
                circumstances = _circumstances(machine_fingerprint(), None) if error.kind == "unhealthy" else ""
                state = refused(state, release, error, circumstances)
                commit(self._files, state, "install", release, result="refused", detail=error.reason)
        except StoreWriteError:
            pass  # the refusal itself is what the caller must see

    def _note_unsigned(self, shown: str | None, data: bytes, error: SignatureError) -> None:
        """By the file's name alone, since nobody vouches for what is in it."""
        base = os.path.basename(shown or "").removesuffix(".onnx")
        name = max((name for name in known_names(self._files) if base.startswith(f"{name}-")), key=len, default=None)
        if name is not None:
            version = base.removeprefix(f"{name}-")
            release = Release(version, 0, hashlib.sha256(data).hexdigest(), len(data), now())
            self._note_refusal(name, release, RefusedError("unsigned", str(error)))

    # --- reading ---

    def _chosen(self, state: State, wanted: Reference, failed: frozenset[str] = frozenset()) -> Release:
        """The release that is asked for; the active one, or of those before it the last that has not failed."""
        if wanted.version is None:
            standing = [digest for digest in (*state.history, state.active) if digest not in failed]
            release = state.of_digest(standing[-1] if standing else None)
            if release is None:
                raise NotInstalledError(f"{wanted.name}: no release is active; edge-infer activate NAME@VERSION")
            return release
        release = state.of_version(wanted.version)
        if release is None:
            there = ", ".join(each.version for each in state.releases) or "none"
            raise NotInstalledError(f"{wanted}: there is no such release; installed: {there}")
        return release

    def _remove_unused(self) -> int:
        """The bytes that were freed. For writers."""
        states = [read_state(self._files, name) for name in known_names(self._files)]
        return remove_all_but(self._files, [release for state in states if state for release in state.releases])

    def _absent(self, name: str) -> str:
        import difflib

        names = self.names()
        near = difflib.get_close_matches(name, names, 1)
        if near:
            return f"no model {name!r} in the store {self.folder} (did you mean {near[0]!r}?)"
        listed = ", ".join(names[:10]) or "none yet; edge-infer install FILE"
        return f"no model {name!r} in the store {self.folder}; it has: {listed}"


class _Allowed(NamedTuple):
    breaking: bool
    older: bool


# --- small facts ------------------------------------------------------------------------


def _circumstances(fingerprint: str, limits: Limits | None) -> str:
    return f"{fingerprint} {tuple(limits or Limits())}"


def _is_healthy(release: Release, fingerprint: str) -> bool:
    return any(health.fingerprint == fingerprint for health in release.health)


def _release_of(artifact: Artifact) -> Release:
    manifest = artifact.manifest
    return Release(
        version=check_version(manifest.version),
        release=manifest.release,
        digest=artifact.digest,
        size=len(artifact.data),
        installed=now(),
    )


def _given(
    source: str | os.PathLike[str] | bytes, signature: str | os.PathLike[str] | bytes | None
) -> tuple[bytes, bytes | None, str | None]:
    """The model's bytes, its signature's where there is one, and the model's file."""
    if isinstance(source, bytes):
        data, shown, beside = source, None, None
    else:
        shown = os.fspath(source)
        data, beside = read_model_file(shown), f"{shown}.sig"
    if isinstance(signature, bytes):
        return data, signature, shown
    path = beside if signature is None else os.fspath(signature)
    try:
        with open(path or "", "rb") as file:
            return data, file.read(LIMITS.signature_bytes + 1), shown
    except FileNotFoundError:
        if signature is not None:
            raise
        return data, None, shown
