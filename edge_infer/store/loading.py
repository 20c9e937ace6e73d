"""From a name to a model that works here: proven on this machine, and if it fails, the one before it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from edge_infer.artifact import Artifact
from edge_infer.errors import (
    ArtifactError,
    DamagedStoreError,
    DecryptionError,
    EdgeInferError,
    InferenceError,
    NotInstalledError,
    RefusedError,
    RuntimeFitError,
    StoreWriteError,
    UnsafePathError,
)
from edge_infer.model import Model
from edge_infer.observed import Observing, together
from edge_infer.options import SessionOptions
from edge_infer.store import here
from edge_infer.store.admission import circumstances_of, health_of, refuse_again
from edge_infer.store.artifacts import Identity, path_of, read_artifact_of
from edge_infer.store.changes import kept_reason, refused, rolled_back, with_release
from edge_infer.store.counting import Tracker, track
from edge_infer.store.files import Files
from edge_infer.store.lookup import chosen, missing, state_of
from edge_infer.store.names import Reference, parse_reference
from edge_infer.store.records import commit, read_state
from edge_infer.store.state import Release, State
from edge_infer.store.trial import advanced, failure

__all__ = ["StoreWarning", "last_usable", "listener", "load", "usable"]

#: Who is told in place of warnings, in a thread that no program looks at.
listener: Final[ContextVar[Callable[[str], None] | None]] = ContextVar("listener", default=None)

#: Of a release that another one stands in for.
_UNUSABLE: Final = (RefusedError, DamagedStoreError, UnsafePathError)
#: Of a release that passed the gate, so that what is wrong may pass as well; one on trial gives way.
_BROKEN: Final = (ArtifactError, RuntimeFitError, InferenceError)
_TRIES: Final = 10  # of a reader whose release is removed under it
_KEPT_HEALTH: Final = 8


class StoreWarning(UserWarning):
    """The store did something by itself, such as falling back to the release before."""


def load(
    files: Files, reference: str, options: SessionOptions | None, identity: Identity, monitor: Observing | None = None
) -> Model:
    """See `Store.load`."""
    wanted, failed = parse_reference(reference), frozenset[str]()
    for _ in range(_TRIES):
        state, tracker = state_of(files, wanted.name), None
        if wanted.version is None and state.trial is not None:
            state, tracker = _begin(files, state)
        release = chosen(state, wanted, failed)
        error: EdgeInferError
        try:
            return _loaded(files, wanted.name, release, options, identity, tracker, monitor)
        except FileNotFoundError:
            now = state_of(files, wanted.name).of_digest(release.digest)
            if now is None or path_of(now) != path_of(release):  # removed, or encrypted anew, since its name was read
                continue
            error = missing(files, release)
        except _UNUSABLE as told:
            error = told
        except _BROKEN as told:
            if tracker is None or isinstance(told, DecryptionError):
                raise
            error = told
        failed |= {release.digest}
        if wanted.version is not None or failed.issuperset(state.history):
            raise error
        _fall_back(files, wanted.name, release, error)
    raise DamagedStoreError(f"{reference}: its releases change too often to load one")


def usable(files: Files, name: str, release: Release, identity: Identity) -> Artifact:
    """A release that works on this machine. Raises one of `_UNUSABLE`, FileNotFoundError, and as `decrypt` does."""
    artifact = read_artifact_of(files, release, identity)
    if not release.works_on(here.machine_fingerprint()):
        _prove(files, name, release, artifact.data)
    return artifact


def last_usable(files: Files, state: State, identity: Identity) -> Release:
    """Of those that were active before. Raises NotInstalledError, RefusedError, DamagedStoreError, DecryptionError."""
    error: EdgeInferError = NotInstalledError(
        f"{state.name}: no release was active before this one; nothing to go back to"
    )
    for digest in reversed(state.history):
        release = state.of_digest(digest)
        assert release is not None  # the state's parser sees to that
        try:
            usable(files, state.name, release, identity)
            return release
        except FileNotFoundError:
            error = missing(files, release)
        except (*_UNUSABLE, DecryptionError) as told:
            error = told
    raise error


def _loaded(
    files: Files,
    name: str,
    release: Release,
    options: SessionOptions | None,
    identity: Identity,
    tracker: Tracker | None,
    monitor: Observing | None,
) -> Model:
    try:
        artifact = usable(files, name, release, identity)
        observer = together(tracker, None if monitor is None else monitor.observer(artifact))
        return Model(artifact, options, observer=observer)
    except (EdgeInferError, FileNotFoundError):  # told by the store; all else is the end of most programs
        if tracker is not None:
            tracker.closed()
        raise


def _begin(files: Files, state: State) -> tuple[State, Tracker | None]:
    """The state that loading starts from, the start of a release on trial counted, or its trial lost."""
    try:
        after, tracker = track(files, state.name)
    except StoreWriteError as error:
        return _uncounted(state, error), None
    if after is None:  # removed since
        return state_of(files, state.name), None
    if after.active == state.previous and after.refusals != state.refusals:
        back = chosen(after, Reference(state.name)).version
        _warn(f"{after.refusals[-1].reason}; {back} is active again")
    return after, tracker


def _uncounted(state: State, error: StoreWriteError) -> State:
    """For a reader that cannot write: what it can tell of the trial holds for this load only."""
    assert state.trial is not None
    reason = failure(advanced(state.trial, here.moment()))
    if reason is None:
        _warn(f"{state.name}: its trial cannot be counted: {error}")
        return state
    _warn(f"{state.name}: the release on trial failed, and the one before it is loaded: {reason}\n{error}")
    return rolled_back(state)


def _prove(files: Files, name: str, release: Release, data: bytes) -> None:
    """Replay the goldens on the machine as it is now, and note that they came out."""
    refuse_again(files, name, release, None)
    health = health_of(files, name, release, data, None)
    try:
        with files.locked():
            state = read_state(files, name)
            known = state.of_digest(release.digest) if state is not None else None
            if state is not None and known is not None:
                proven = known._replace(health=(*known.health, health)[-_KEPT_HEALTH:])
                commit(files, with_release(state, proven), "prove", proven)
    except StoreWriteError as error:
        _warn(f"{name}: proven on this machine, which cannot be noted: {error}")


def _fall_back(files: Files, name: str, failed: Release, error: EdgeInferError) -> None:
    """From a release that fails to the one before it; where that cannot be written, for this load only."""
    try:
        with files.locked():
            state = state_of(files, name)
            if state.active != failed.digest or state.previous is None:  # another process was quicker
                return
            state = refused(rolled_back(state), failed, error, circumstances_of(None))
            release = state.of_digest(state.active)
            assert release is not None
            commit(files, state, "fall back", release, detail=kept_reason(failed, error))
    except StoreWriteError as unwritten:
        _warn(f"{name}@{failed.version} failed, and the release before it is loaded: {error}\n{unwritten}")
        return
    _warn(f"{name}@{failed.version} failed, and {release.version} is active again: {error}")


def _warn(message: str) -> None:
    """At the line of the program that called, whatever lies between."""
    told = listener.get()
    if told is not None:
        told(message)
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("edge_infer."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, StoreWarning, level)
