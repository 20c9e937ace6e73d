"""Reading and changing what a store knows of its models: a state and a journal for each name."""

from __future__ import annotations

from typing import Final

from edge_infer.errors import DamagedStoreError
from edge_infer.store.files import Files, Path
from edge_infer.store.here import now, who
from edge_infer.store.journal import complete, read_journal, shorten
from edge_infer.store.names import check_name, is_name
from edge_infer.store.state import MOST_BYTES, Event, Release, State, parse_state, render

__all__ = ["commit", "events_of", "known_names", "read_state", "shorten_journal"]

_MODELS: Final = "models"


def known_names(files: Files) -> list[str]:
    """Models that have or had a release; other files that stand among theirs are nobody's."""
    return [name for name in files.names(_MODELS) if is_name(name)]


def read_state(files: Files, name: str) -> State | None:
    """None where nothing is known of such a model. Raises UnsafePathError, DamagedStoreError."""
    path = _state_file(name)
    try:
        state = parse_state(files.read(*path, most=MOST_BYTES), where=files.shown(path))
    except FileNotFoundError:
        return None
    if state.name != name:
        raise DamagedStoreError(f"{files.shown(path)}: it is about {state.name!r}")
    return state


def commit(
    files: Files, state: State, action: str, release: Release, *, result: str = "done", detail: str = ""
) -> None:
    """Write the state, with what happened, and then the journal. For writers."""
    journal = _journal(state.name)
    complete(files, journal, state)
    number = (state.event.number if state.event else 0) + 1
    event = Event(number, now(), who(), action, release.version, release.digest, result, detail)
    files.replace(_state_file(state.name), render(state._replace(event=event)))
    complete(files, journal, state._replace(event=event))


def events_of(files: Files, state: State) -> list[Event]:
    """What happened to a model, the oldest event first."""
    return read_journal(files, _journal(state.name), state)


def shorten_journal(files: Files, name: str) -> None:
    """For writers."""
    shorten(files, _journal(name))


def _state_file(name: str) -> Path:
    return _MODELS, check_name(name), "state.json"


def _journal(name: str) -> Path:
    return _MODELS, check_name(name), "journal.jsonl"
