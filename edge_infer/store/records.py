"""Reading and changing what a store knows of its models: a state and a journal for each name."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

from edge_infer.errors import DamagedStoreError, StoreWriteError
from edge_infer.store.files import Files, Path
from edge_infer.store.here import now, who
from edge_infer.store.journal import complete, read_journal, shorten
from edge_infer.store.names import check_name, is_name
from edge_infer.store.state import MOST_BYTES, Event, Release, State, brief, parse_state, render

__all__ = [
    "commit",
    "events_of",
    "forget",
    "known_names",
    "note",
    "read_state",
    "read_states",
    "settle_state",
    "state_status",
    "tell",
]

_MODELS: Final = "models"


def known_names(files: Files) -> list[str]:
    """Models that have or had a release; other files that stand among theirs are nobody's."""
    return [name for name in files.names(_MODELS) if is_name(name) and _is_folder(files, name)]


def _is_folder(files: Files, name: str) -> bool:
    status = files.status(_MODELS, name)
    return status is not None and stat.S_ISDIR(status.st_mode)


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


def read_states(files: Files) -> tuple[list[State], dict[str, DamagedStoreError]]:
    """Of all models; and what is wrong with those that cannot be read, by name."""
    states: list[State] = []
    damaged: dict[str, DamagedStoreError] = {}
    for name in known_names(files):
        try:
            state = read_state(files, name)
        except DamagedStoreError as error:
            damaged[name] = error
        else:
            states += [state] if state else []
    return states, damaged


def tell(damaged: dict[str, DamagedStoreError]) -> None:
    """Raises DamagedStoreError, if there is any: all was done but for these models."""
    if damaged:
        reasons = "\n".join(f"  {error}" for error in damaged.values())
        raise DamagedStoreError(
            f"done, but for models whose state cannot be read (edge-infer remove NAME drops it):\n{reasons}"
        )


def commit(
    files: Files, state: State, action: str, release: Release, *, result: str = "done", detail: str = ""
) -> None:
    """Write the state, with what happened, and then the journal. For writers."""
    journal = _journal(state.name)
    shorten(files, journal)
    complete(files, journal, state)
    number = (state.event.number if state.event else 0) + 1
    event = Event(number, now(), who(), action, release.version, release.digest, result, brief(detail))
    note(files, state._replace(event=event))
    with suppress(StoreWriteError):  # it is done; the state holds the event, and the next change completes the journal
        complete(files, journal, state._replace(event=event))


def note(files: Files, state: State) -> None:
    """Write the state: by itself where nothing happened that is told, such as a count. For writers."""
    path, data = _state_file(state.name), render(state)
    parse_state(data, where=files.shown(path))  # nothing is written that could not be read
    files.replace(path, data)


def events_of(files: Files, state: State) -> list[Event]:
    """What happened to a model, the oldest event first."""
    return read_journal(files, _journal(state.name), state)


def state_status(files: Files, name: str) -> os.stat_result | None:
    """Of the file that holds a model's state, which is another one after each change; None where there is none."""
    return files.status(*_state_file(name))


def settle_state(files: Files, name: str) -> None:
    """What is known of a model lasts from now on. For writers."""
    files.settle(_state_file(name))


def forget(files: Files, name: str) -> None:
    """Remove a state that cannot be read; the journal stays. For writers."""
    files.remove(*_state_file(name))


def _state_file(name: str) -> Path:
    return _MODELS, check_name(name), "state.json"


def _journal(name: str) -> Path:
    return _MODELS, check_name(name), "journal.jsonl"
