"""From a file to an installed release: signed, whole, proven here, fit to follow the active one; only then active."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from edge_infer.artifact import Artifact, decrypted, is_encrypted, parse_artifact, read_model_file
from edge_infer.errors import RefusedError, SignatureError, UsageError
from edge_infer.store import here, schemas
from edge_infer.store.admission import (
    Allowed,
    check_follows,
    health_of,
    note_refusal,
    note_unsigned,
    refuse_again,
)
from edge_infer.store.artifacts import Identity, keep_bytes, path_of, remove_all_but
from edge_infer.store.changes import activated, with_release
from edge_infer.store.files import Files
from edge_infer.store.gate import Limits
from edge_infer.store.names import check_name, check_version
from edge_infer.store.on_trial import new_trial
from edge_infer.store.records import commit, read_state, read_states, settle_state
from edge_infer.store.state import Release, State
from edge_infer.store.trial import Terms, Trial, described
from edge_infer.store.trust import vouched_for

if TYPE_CHECKING:
    from edge_infer.signing import Verified

__all__ = ["Installed", "Wishes", "install", "remove_unused", "trial_detail"]


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


class Wishes(NamedTuple):
    """What the caller of `Store.install` asked for; see there."""

    activate: bool
    allow_breaking: bool
    allow_older: bool
    limits: Limits | None
    signature: str | os.PathLike[str] | bytes | None
    trial: Terms | None


class _Candidate(NamedTuple):
    """A file that is whole and signed. shown: its model's path, for messages and for the signature beside it."""

    shown: str | None
    stored: bytes  # as they came
    artifact: Artifact
    vouched: Verified | None

    @property
    def name(self) -> str:
        return check_name(self.artifact.manifest.name)

    def release(self) -> Release:
        manifest = self.artifact.manifest
        return Release(
            version=check_version(manifest.version),
            release=manifest.release,
            digest=self.artifact.digest,
            size=len(self.stored),
            installed=here.now(),
            signed_by=self.vouched.fingerprint if self.vouched else None,
            encrypted=hashlib.sha256(self.stored).hexdigest() if is_encrypted(self.stored) else None,
        )


def install(files: Files, source: str | os.PathLike[str] | bytes, wishes: Wishes, identity: Identity) -> Installed:
    """See `Store.install`."""
    trial = new_trial(wishes.trial)
    found = _candidate(files, source, wishes, identity)
    release = found.release()
    refuse_again(files, found.name, release, wishes.limits)
    try:
        return _admitted(files, found, release, wishes, trial, identity)
    except RefusedError as error:
        note_refusal(files, found.name, release, error, wishes.limits)
        raise


def _candidate(files: Files, source: str | os.PathLike[str] | bytes, wishes: Wishes, identity: Identity) -> _Candidate:
    """Raises SignatureError, ArtifactError, OSError, UsageError, KeyFileError."""
    stored, shown = (source, None) if isinstance(source, bytes) else (read_model_file(source), os.fspath(source))
    data = decrypted(stored, identity, source=shown)
    if shown is not None and data is not stored:  # the signature is of the model within, and beside it
        shown = shown.removesuffix(".age")
    try:
        vouched = vouched_for(files, data, shown, wishes.signature)
    except SignatureError as error:
        note_unsigned(files, shown, data, error)
        raise error.at(shown) if shown else error from None
    artifact = parse_artifact(data, source=shown)
    if not artifact.described:
        raise UsageError(
            f"{shown or 'these bytes'}: a plain ONNX file has no name, no version and no golden rows to prove it "
            "by; convert the model with edge-infer, or load the file by its path"
        )
    return _Candidate(shown, stored, artifact, vouched)


def _admitted(
    files: Files, found: _Candidate, release: Release, wishes: Wishes, trial: Trial | None, identity: Identity
) -> Installed:
    """Installed. Raises RefusedError where something stands in its way."""
    name, artifact = found.name, found.artifact
    older = wishes.allow_older or (found.vouched is not None and found.vouched.rollback_allowed)
    allowed = Allowed(wishes.allow_breaking or not wishes.activate, older or not wishes.activate)
    check_follows(files, read_state(files, name), artifact, release, allowed, identity)
    release = release._replace(health=(health_of(files, name, release, artifact.data, wishes.limits),))
    with files.locked():  # what was true before may be so no more
        vouched_for(files, artifact.data, found.shown, wishes.signature)
        state = read_state(files, name) or State(name)
        changes = check_follows(files, state, artifact, release, allowed, identity)
        after = with_release(state, release)
        if wishes.activate and state.active != release.digest:
            after = activated(after, release, trial)
        action = _kept(files, state, after, release, found.stored)
    verdict = None if state.active is None or changes is None else schemas.verdict(changes)
    active = after.active == release.digest
    on_trial = active and after.trial is not None
    return Installed(name, release, action, active, on_trial, verdict, tuple(changes or ()))


def _kept(files: Files, state: State, after: State, release: Release, stored: bytes) -> str:
    """What was done; see `Installed`. For writers."""
    written, known = keep_bytes(files, release, stored), state.of_digest(release.digest)
    moved = known is not None and path_of(known) != path_of(release)
    if after.active != state.active:
        action = "install"
    elif known is None:
        action = "install" if after.active == release.digest else "add"
    elif written or moved:
        action = "repair"
    else:  # whoever wrote it may have been stopped before it was flushed
        settle_state(files, state.name)
        return "none"
    commit(files, after, action, release, detail=trial_detail(after) if action == "install" else "")
    if moved:
        remove_unused(files)
    return action


def remove_unused(files: Files) -> int:
    """The bytes that were freed; none while a state cannot be read, which may need them. For writers."""
    from edge_infer.store.shadow_records import forget_shadows

    states, damaged = read_states(files)
    for state in states:
        forget_shadows(files, state)
    return 0 if damaged else remove_all_but(files, [each for state in states for each in state.releases])


def trial_detail(state: State) -> str:
    """For the journal."""
    return "" if state.trial is None else described(state.trial.terms)
