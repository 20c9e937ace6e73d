"""What happened to a model, a line for each event, in the order of their numbers.

A change writes its event into the state first, as part of the change; the line in the journal comes after. Where a
crash falls between, the line is made up for by the next change, and a reader sees the event all the same.
"""

from __future__ import annotations

from typing import Final

from edge_infer.errors import FormatError, LimitError
from edge_infer.store.files import Files, Path
from edge_infer.store.state import Event, State, parse_event, render

__all__ = ["complete", "read_journal", "shorten"]

_MOST_BYTES: Final = 1 << 26
_LONG: Final = 1 << 20  # bytes from which on `shorten` does something
_KEPT: Final = 1000  # events


def read_journal(files: Files, path: Path, state: State) -> list[Event]:
    """All events that are kept, the oldest first; a line that a crash has torn is passed over."""
    events = _lines(files, path)
    if state.event is not None and (not events or events[-1].number < state.event.number):
        events.append(state.event)
    return events


def complete(files: Files, path: Path, state: State) -> None:
    """Add the state's last event where it is not there yet. For writers."""
    events = _lines(files, path)
    if state.event is not None and (not events or events[-1].number < state.event.number):
        files.append(path, render(state.event))


def shorten(files: Files, path: Path) -> None:
    """Keep the last 1,000 events of a journal of more than a MiB. For writers."""
    status = files.status(*path)
    if status is not None and status.st_size > _LONG:
        files.replace(path, b"".join(map(render, _lines(files, path)[-_KEPT:])))


def _lines(files: Files, path: Path) -> list[Event]:
    try:
        data = files.read(*path, most=_MOST_BYTES)
    except FileNotFoundError:
        return []
    events: list[Event] = []
    for line in data.splitlines():
        try:
            event = parse_event(line)
        except (FormatError, LimitError):  # torn
            continue
        if not events or event.number > events[-1].number:
            events.append(event)
    return events
