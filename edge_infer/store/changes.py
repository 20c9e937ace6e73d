"""How a state follows from another: pure functions, and what they refuse."""

from __future__ import annotations

from typing import Any, Final

from edge_infer.errors import EdgeInferError, NotInstalledError, RefusedError
from edge_infer.store.here import now
from edge_infer.store.names import order_of
from edge_infer.store.state import Refusal, Release, State, brief
from edge_infer.store.trial import Trial

__all__ = [
    "activated",
    "check_order",
    "confirmed",
    "kept_reason",
    "refused",
    "rolled_back",
    "superseded",
    "with_release",
    "without",
    "without_key",
    "written_reason",
]

_KEPT_HISTORY: Final = 20
_KEPT_REFUSALS: Final = 20


def with_release(state: State, release: Release) -> State:
    others = [each for each in state.releases if each.digest != release.digest]
    releases = sorted([*others, release], key=lambda each: (each.release, order_of(each.version)))
    return state._replace(releases=tuple(releases))


def activated(state: State, release: Release, trial: Trial | None = None) -> State:
    """With a release active, whatever it was refused for before; on trial, if there is one to go back to. One that was
    on trial is no place to go back to, since nobody confirmed it."""
    history = state.history
    if state.active is not None and state.active != release.digest:
        last = () if state.trial is not None else (state.active,)
        history = (*(digest for digest in history if digest != release.digest), *last)[-_KEPT_HISTORY:]
    since = state.since if state.active == release.digest else now()
    highest = max(_order(release), (state.highest, order_of(state.highest_version or "0")))
    if highest == _order(release):
        state = state._replace(highest=release.release, highest_version=release.version)
    refusals = tuple(each for each in state.refusals if each.digest != release.digest)
    if trial is not None and state.trial is not None and state.active == release.digest:  # its processes go on
        trial = state.trial if trial.terms == state.trial.terms else trial._replace(starts=state.trial.starts)
    state = state._replace(active=release.digest, since=since, history=history, refusals=refusals)
    return state._replace(trial=trial if history else None)


def confirmed(state: State) -> State:
    """The active release is on trial no more, and stays."""
    return state._replace(trial=None)


def rolled_back(state: State, digest: str | None = None) -> State:
    """To the release that was active before, or to an earlier one of the history."""
    if state.previous is None:
        raise NotInstalledError(f"{state.name}: no release was active before this one; nothing to go back to")
    to = digest or state.previous
    return state._replace(active=to, since=now(), history=state.history[: state.history.index(to)], trial=None)


def superseded(state: State, keep: int) -> list[Release]:
    """Releases that nobody needs: not the active one, nor the `keep` that were active before it, nor newer ones."""
    active = state.of_digest(state.active)
    if active is None:
        return []
    keep = max(keep, 1) if state.trial is not None else keep
    kept = {state.active, *(state.history[-keep:] if keep else ())}
    rest = [release for release in state.releases if release.digest not in kept]
    return [each for each in rest if each.digest in state.history or _order(each) < _order(active)]


def without(state: State, digests: set[str]) -> State:
    releases = tuple(release for release in state.releases if release.digest not in digests)
    history = tuple(digest for digest in state.history if digest not in digests)
    return state._replace(releases=releases, history=history, trial=state.trial if history else None)


def without_key(state: State, fingerprint: str) -> State:
    """Without the releases that a key has signed; the last active one of another key, if there is one, is active.

    What "older" means is told by what is left: a key that was stolen may have signed a very high number.
    """
    gone = {release.digest for release in state.releases if release.signed_by == fingerprint}
    others = [release for release in state.releases if release.digest not in gone]
    for release in state.releases:
        if release.digest in gone:
            state = refused(state, release, RefusedError("revoked", f"the key {fingerprint} was revoked"), "")
    if state.active in gone:
        signed = {release.digest for release in others if release.signed_by}
        left = tuple(digest for digest in state.history if digest in signed)
        active = left[-1] if left else None
        state = state._replace(active=active, since=now() if active else None, history=left[:-1], trial=None)
    last = max(others, key=_order, default=None)
    number, version = (last.release, last.version) if last else (0, None)
    return without(state, gone)._replace(highest=number, highest_version=version)


def refused(state: State, release: Release, error: EdgeInferError, circumstances: str) -> State:
    kind = error.kind if isinstance(error, RefusedError) else "damaged"
    refusal = Refusal(release.digest, release.version, kind, kept_reason(release, error), now(), circumstances)
    others = [each for each in state.refusals if (each.digest, each.kind) != (release.digest, kind)]
    return state._replace(refusals=(*others, refusal)[-_KEPT_REFUSALS:])


def kept_reason(release: Release, error: EdgeInferError) -> str:
    """What is written down of a release."""
    return written_reason(error, encrypted=release.encrypted is not None)


def written_reason(error: EdgeInferError, *, encrypted: bool) -> str:
    """Of an encrypted release nothing that a check has read in it."""
    kind = error.kind if isinstance(error, RefusedError) else ""
    if encrypted and kind in ("unhealthy", "breaking"):
        return f"{kind}; the reason is not kept, since the model is encrypted"
    return brief(str(error))


def _order(release: Release) -> tuple[int, Any]:
    return release.release, order_of(release.version)


def check_order(state: State, release: Release) -> None:
    """A release number, and among equal ones the version, only grows: an older release may have a known flaw."""
    if state.highest_version is None or _order(release) >= (state.highest, order_of(state.highest_version)):
        return
    raise RefusedError(
        "older",
        f"{state.name}@{release.version} (release {release.release}) is older than {state.highest_version} (release "
        f"{state.highest}), which was active: edge-infer rollback goes back to the release before; --allow-older "
        "takes any",
    )
