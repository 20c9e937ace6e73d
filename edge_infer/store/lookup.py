"""Finding models and releases by what people call them."""

from __future__ import annotations

from edge_infer.errors import DamagedStoreError, NotInstalledError
from edge_infer.store.artifacts import path_of
from edge_infer.store.files import Files
from edge_infer.store.names import Reference, check_name
from edge_infer.store.records import read_state, read_states
from edge_infer.store.state import Release, State

__all__ = ["chosen", "missing", "names_of", "state_of"]


def names_of(files: Files) -> list[str]:
    """The models that have a release, and those whose state is damaged."""
    states, damaged = read_states(files)
    return sorted([*(state.name for state in states if state.releases), *damaged])


def state_of(files: Files, name: str) -> State:
    """Raises NotInstalledError."""
    found = read_state(files, check_name(name))
    if found is None:
        raise NotInstalledError(_absent(files, name))
    return found


def chosen(state: State, wanted: Reference, failed: frozenset[str] = frozenset()) -> Release:
    """The release that is asked for; the active one, or of those before it the last that has not failed.

    Raises NotInstalledError.
    """
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


def missing(files: Files, release: Release) -> DamagedStoreError:
    """What to raise where the bytes of a release are not there."""
    return DamagedStoreError(f"{files.shown(path_of(release))}: the file is not there; install the release again")


def _absent(files: Files, name: str) -> str:
    import difflib

    names = names_of(files)
    near = difflib.get_close_matches(name, names, 1)
    if near:
        return f"no model {name!r} in the store {files.root} (did you mean {near[0]!r}?)"
    if not names:
        return f"no model {name!r}: the store {files.root} is empty (edge-infer install FILE)"
    return f"no model {name!r} in the store {files.root}; it has: {', '.join(names[:10])}"
