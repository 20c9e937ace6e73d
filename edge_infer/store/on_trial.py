"""Trials in the store: a start is noted before the model is made, counts are added, and what is decided is written.

A start holds a file while its process lives: one that nobody holds, and that was not taken back, has died.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Final, NamedTuple

from edge_infer.errors import RefusedError, StoreError
from edge_infer.events import report_event
from edge_infer.store import here
from edge_infer.store.changes import confirmed, refused, rolled_back
from edge_infer.store.files import Files, Path
from edge_infer.store.records import commit, note, read_state
from edge_infer.store.state import State
from edge_infer.store.trial import Moment, Start, Terms, Trial, advanced, failure, is_confirmed, is_crash, passed

__all__ = ["PATIENCE", "Begun", "Counts", "add_counts", "begin", "confirm", "forget_starts", "new_trial", "start_file"]

#: Seconds that a reader waits for a writer: it would rather not count than not answer.
PATIENCE: Final = 2.0
_STARTS: Final = "starts"


class Counts(NamedTuple):
    """Calls that are not in the store yet; see `Trial`."""

    answers: int = 0
    errors: int = 0
    slow: int = 0
    last_error: str = ""

    def plus(self, other: Counts) -> Counts:
        sums = (self.answers + other.answers, self.errors + other.errors, self.slow + other.slow)
        return Counts(*sums, other.last_error or self.last_error)

    def on_top_of(self, trial: Trial) -> Trial:
        return trial._replace(
            answers=trial.answers + self.answers,
            errors=trial.errors + self.errors,
            slow=trial.slow + self.slow,
            last_error=self.last_error or trial.last_error,
        )


class Begun(NamedTuple):
    """A start of the release that is active in `state`, and the descriptor that holds its file."""

    state: State
    start: Start
    descriptor: int


def new_trial(terms: Terms | None) -> Trial | None:
    """One that begins now. Raises UsageError."""
    return None if terms is None else Trial(terms.checked(), here.now(), here.moment())


def begin(files: Files, name: str, digest: str | None = None) -> tuple[State | None, Begun | None]:
    """Before the active release is used: its start is noted, if it is on trial and stays so.

    digest: of the release that is meant; None: whichever is active.

    Raises StoreWriteError: nothing was noted.
    """
    with files.locked(PATIENCE):
        state = read_state(files, name)
        if state is None or state.trial is None or digest not in (None, state.active):
            return state, None
        trial = _with_the_dead(files, name, state.trial, here.moment())
        decided = _decided(files, state._replace(trial=trial))
        if decided is not None:
            return decided, None
        start = Start(secrets.token_hex(8), trial.at)
        state = state._replace(trial=trial._replace(starts=(*trial.starts, start)))
        descriptor = files.hold(start_file(name, start))
        try:
            note(files, state)
        except BaseException:
            files.let_go(descriptor)
            raise
    return state, Begun(state, start, descriptor)


def add_counts(files: Files, name: str, start: Start, counts: Counts, *, ends: bool) -> Trial | None:
    """The trial with a start's counts, and without the start if it ends; None: it is over. For writers."""
    state = read_state(files, name)
    trial = state.trial if state is not None else None
    known = next((each for each in trial.starts if each.name == start.name), None) if trial is not None else None
    if state is None or trial is None or known is None:
        return None
    trial = advanced(counts.on_top_of(trial), here.moment())
    if counts.answers:
        known = known._replace(answered=passed(known.begun, trial.at))
    others = tuple(each for each in trial.starts if each.name != start.name)
    trial = trial._replace(starts=others if ends else (*others, known))
    state = state._replace(trial=trial)
    if _decided(files, state) is not None:
        return None
    note(files, state)
    return trial


def confirm(files: Files, name: str) -> State | None:
    """The active release stays, on trial or not. Raises StoreWriteError."""
    with files.locked():
        state = read_state(files, name)
        release = state.of_digest(state.active) if state is not None else None
        if state is None or release is None or state.trial is None:
            return state
        after = confirmed(state)
        commit(files, after, "mark-good", release)
        forget_starts(files, after)
        return after


def forget_starts(files: Files, state: State) -> None:
    """Remove the files of starts that do not count any more. For writers."""
    counted = {start.name for start in state.trial.starts} if state.trial is not None else set()
    for name in files.names(*_folder_of(state.name)):
        if name not in counted:
            with suppress(StoreError):  # of a folder, or where an open file cannot be removed: in nobody's way
                files.remove(*_folder_of(state.name), name)


def start_file(name: str, start: Start) -> Path:
    return *_folder_of(name), start.name


def _folder_of(name: str) -> Path:
    return "models", name, _STARTS


def _with_the_dead(files: Files, name: str, trial: Trial, now: Moment) -> Trial:
    """With the starts whose processes are gone taken out, those that crashed counted, and the time that has passed."""
    alive = tuple(start for start in trial.starts if files.is_held(start_file(name, start)))
    crashed = sum(is_crash(start, now) for start in trial.starts if start not in alive)
    return advanced(trial._replace(starts=alive, crashed=trial.crashed + crashed), now)


def _decided(files: Files, state: State) -> State | None:
    """Back at the release before, or confirmed, as it was written; None while it is still on trial. For writers."""
    release = state.of_digest(state.active)
    assert state.trial is not None
    assert release is not None  # the state's parser sees to that
    reason = failure(state.trial)
    if reason is None and not is_confirmed(state.trial):
        return None
    if reason is None:
        after = confirmed(state)
        commit(files, after, "mark-good", release, detail=f"by itself, after {state.trial.answers:,} answers")
    else:
        error = RefusedError("trial", f"{state.name}@{release.version} failed its trial: {reason}")
        after = refused(rolled_back(state), release, error, here.machine_fingerprint())
        back = after.of_digest(after.active)
        assert back is not None
        commit(files, after, "fall back", back, detail=str(error))
        report_event("store", f"{error}; {back.version} is active again")
    forget_starts(files, after)
    return after
