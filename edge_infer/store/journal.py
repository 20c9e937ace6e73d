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

_READ: Final = 1 << 22  # bytes of the journal's end that are looked at
_LONG: Final = 1 << 20  # bytes from which on it is shortened
_KEPT: Final = 1000  # events
_LAST: Final = 1 << 17  # bytes that hold the last event for sure


def read_journal(files: Files, path: Path, state: State) -> list[Event]:
    """All events that are kept, the oldest first; a line that a crash has torn is passed over."""
    events = _lines(files, path, _READ)
    return [*events, state.event] if state.event is not None and _lacks(events, state.event) else events


def complete(files: Files, path: Path, state: State) -> None:
    """Add the state's last event where it is not there yet. For writers."""
    if state.event is not None and _lacks(_lines(files, path, _LAST), state.event):
        files.append(path, render(state.event))


def shorten(files: Files, path: Path) -> None:
    """Keep the last 1,000 events of a journal of more than a MiB. For writers."""
    status = files.status(*path)
    if status is not None and status.st_size > _LONG:
        files.replace(path, b"".join(map(render, _lines(files, path, _READ)[-_KEPT:])))


def _lacks(events: list[Event], event: Event) -> bool:
    return not events or events[-1].number < event.number


def _lines(files: Files, path: Path, most: int) -> list[Event]:
    """The events in the last bytes of the journal."""
    try:
        data = files.read_end(*path, most=most)
    except FileNotFoundError:
        return []
    events: list[Event] = []
    for line in data.splitlines():
        try:
            event = parse_event(line)
        except (FormatError, LimitError):  # torn, or cut off where the reading began
            continue
        if _lacks(events, event):
            events.append(event)
    return events
