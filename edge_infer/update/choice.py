"""Which of a model's published releases a device takes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from edge_infer.store.names import order_of
from edge_infer.store.state import Release, State
from edge_infer.update.index import Index, IndexedRelease

__all__ = ["Choice", "choose"]


class Choice(NamedTuple):
    """release: the one to take, None where nothing is to be done; `reason` says why then; halted: the active release
    was halted by its publisher."""

    release: IndexedRelease | None
    reason: str = ""
    halted: bool = False


def choose(index: Index, state: State | None, in_share: Callable[[IndexedRelease], bool]) -> Choice:
    """The highest release that is not halted and whose share has this device, if it is above all that were active here.

    in_share: asked only for releases above those, whose share is below 1.
    """
    active = state.of_digest(state.active) if state else None
    halted = active is not None and _is_halted(index, active)
    above = [release for release in index.releases if _is_above(release, state, active)]
    open_ = [release for release in above if not release.halted]
    taken = [release for release in open_ if release.share >= 1 or (release.share > 0 and in_share(release))]
    if taken:
        return Choice(max(taken, key=lambda release: release.order), halted=halted)
    return Choice(None, _reason(above, open_, state, active), halted)


def _is_above(release: IndexedRelease, state: State | None, active: Release | None) -> bool:
    if state is None or state.highest_version is None:
        return True
    highest = state.highest, order_of(state.highest_version)
    return release.order > highest or (active is None and release.order == highest)


def _is_halted(index: Index, active: Release) -> bool:
    found = index.of_version(active.version)
    return found is not None and found.halted and found.release == active.release


def _reason(
    above: list[IndexedRelease], open_: list[IndexedRelease], state: State | None, active: Release | None
) -> str:
    if open_:
        return f"{open_[-1].version} is given to {open_[-1].share:.4g} of the devices, and this one is not among them"
    if above:
        return f"{above[-1].version} was halted by its publisher"
    if state and active and active.version != state.highest_version:
        return f"{state.highest_version} was active before and is not now: only a later release is taken"
    return "nothing newer is published"
