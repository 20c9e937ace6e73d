"""Releases on trial, as processes use them: each start and each call is counted, and the first to know the outcome
writes it.

A start holds a file while its process lives: one that nobody holds, and that was not taken back, is a crash.
"""

from __future__ import annotations

import atexit
import os
import secrets
import threading
import time
import weakref
from typing import Any, Final, NamedTuple

from edge_infer.errors import EdgeInferError, InputError, MethodError, RefusedError, UsageError
from edge_infer.events import tell
from edge_infer.store import here
from edge_infer.store.admission import circumstances_of
from edge_infer.store.changes import confirmed, refused, rolled_back
from edge_infer.store.files import Files, Path
from edge_infer.store.records import commit, note, read_state
from edge_infer.store.state import State, brief
from edge_infer.store.trial import Terms, Trial, advanced, failure, is_confirmed

__all__ = ["Tracker", "begin", "confirm", "forget_starts", "new_trial"]

#: What is wrong with the call, not with the model.
_CALLERS: Final = (InputError, MethodError, UsageError)
_BRING_SECONDS: Final = 1.0  # between two writes of a process that answers without end
_STARTS: Final = "starts"


def new_trial(terms: Terms | None) -> Trial | None:
    """One that begins now. Raises UsageError."""
    return None if terms is None else Trial(terms.checked(), here.now(), here.moment())


def begin(files: Files, name: str) -> tuple[State | None, Tracker | None]:
    """Before the active release is loaded: its start is counted, if it is on trial and stays so.

    Raises StoreWriteError: nothing was counted.
    """
    _end_unused()
    with files.locked():
        state = read_state(files, name)
        if state is None or state.trial is None:
            return state, None
        trial = _with_the_dead(files, name, state.trial)
        decided = _decided(files, state._replace(trial=trial))
        if decided is not None:
            return decided, None
        start = secrets.token_hex(8)
        descriptor = files.hold(_file_of(name, start))
        trial = trial._replace(starts=(*trial.starts, start))
        state = state._replace(trial=trial)
        try:
            note(files, state)
        except BaseException:
            os.close(descriptor)
            raise
    return state, Tracker(_Counter(files, name, trial, start, descriptor))


#: The starts of this process that have not ended.
_running: Final[dict[str, _Counter]] = {}


@atexit.register
def _end_all() -> None:
    for counter in list(_running.values()):
        counter.close()


def _end_unused() -> None:
    for counter in list(_running.values()):
        if counter.unused:
            counter.close()


def _with_the_dead(files: Files, name: str, trial: Trial) -> Trial:
    """With the starts whose processes are gone counted as crashes, and the time that has passed."""
    alive = tuple(start for start in trial.starts if files.is_held(_file_of(name, start)))
    crashed = trial.crashed + len(trial.starts) - len(alive)
    return advanced(trial._replace(starts=alive, crashed=crashed), here.moment())


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
        after = refused(rolled_back(state), release, error, circumstances_of(None))
        back = after.of_digest(after.active)
        assert back is not None
        commit(files, after, "fall back", back, detail=str(error))
        tell("store", f"{error}; {back.version} is active again")
    forget_starts(files, after)
    return after


def forget_starts(files: Files, state: State) -> None:
    """Remove the files of starts that do not count any more. For writers."""
    counted = state.trial.starts if state.trial is not None else ()
    for start in files.names(*_folder_of(state.name)):
        if start not in counted:
            files.remove(*_file_of(state.name, start))


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


def _folder_of(name: str) -> Path:
    return "models", name, _STARTS


def _file_of(name: str, start: str) -> Path:
    return *_folder_of(name), start


class _Counts(NamedTuple):
    answers: int = 0
    errors: int = 0
    slow: int = 0
    last_error: str = ""


class Tracker:
    """Looks on at the calls of one load of a release on trial (`observed.Observer`).

    The start ends when it is closed. Where nobody can call any more (a method may outlive the model that it was taken
    from) it ends at the next occasion: a finalizer runs in the middle of anything, so that it may wait for no lock.
    """

    def __init__(self, counter: _Counter) -> None:
        self.answered, self.failed, self.closed = counter.answered, counter.failed, counter.close
        weakref.finalize(self, counter.let_go).atexit = False


class _Counter:
    """What one start has to tell the store. Thread-safe.

    Counts are brought to the store by a thread of a moment, at most once a second and when they decide something. A
    child that is forked counts nothing.
    """

    def __init__(self, files: Files, name: str, trial: Trial, start: str, descriptor: int) -> None:
        self._files, self._name, self._start, self._descriptor = files, name, start, descriptor
        self._terms, self._known = trial.terms, trial.answers
        self._new = _Counts()
        self._process = os.getpid()
        self._changing, self._writing = threading.Lock(), threading.Lock()
        self._next = time.monotonic() + _BRING_SECONDS
        self._bringing = self._over = self._closed = self.unused = False
        _running[start] = self

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        if self._over or self._process != os.getpid():
            return
        slow = self._terms.latency is not None and seconds > self._terms.latency
        with self._changing:
            new = self._new
            self._new = new._replace(answers=new.answers + 1, slow=new.slow + slow)
        enough = self._terms.answers is not None and self._known + self._new.answers >= self._terms.answers
        if enough or time.monotonic() >= self._next:
            self._bring_soon()

    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None:
        if self._over or self._process != os.getpid() or isinstance(error, _CALLERS):
            return
        told = brief(f"{method}: {type(error).__name__}: {error}")
        with self._changing:
            self._new = self._new._replace(errors=self._new.errors + 1, last_error=told)
        self._bring_soon()

    def close(self) -> None:
        """The release worked until its user let go of it."""
        if self._closed or self._process != os.getpid():
            return
        self._closed = True
        _running.pop(self._start, None)
        self._bring(ends=True)
        os.close(self._descriptor)

    def let_go(self) -> None:
        """Nobody can call any more."""
        self.unused = True

    def _bring_soon(self) -> None:
        with self._changing:
            if self._bringing or self._closed:
                return
            self._bringing = True
        try:
            threading.Thread(target=self._bring, name="edge-infer trial").start()
        except RuntimeError:  # the interpreter ends: `close` brings them
            self._bringing = False

    def _bring(self, *, ends: bool = False) -> None:
        with self._writing:
            with self._changing:
                new, self._new = self._new, _Counts()
            try:
                with self._files.locked():
                    self._write(new, ends=ends)
            except (EdgeInferError, OSError) as error:
                tell("store", f"{self._name}: calls of a release on trial could not be counted: {error}")
            self._next = time.monotonic() + _BRING_SECONDS
            self._bringing = False

    def _write(self, new: _Counts, *, ends: bool) -> None:
        state = read_state(self._files, self._name)
        trial = state.trial if state is not None else None
        self._over = trial is None or self._start not in trial.starts
        if state is None or trial is None or self._over:
            if ends:
                self._files.remove(*_file_of(self._name, self._start))
            return
        trial = trial._replace(
            answers=trial.answers + new.answers,
            errors=trial.errors + new.errors,
            slow=trial.slow + new.slow,
            last_error=new.last_error or trial.last_error,
        )
        if ends:
            trial = trial._replace(starts=tuple(start for start in trial.starts if start != self._start))
        state = state._replace(trial=advanced(trial, here.moment()))
        self._known = trial.answers
        self._over = _decided(self._files, state) is not None
        if self._over:
            return
        note(self._files, state)
        if ends:
            self._files.remove(*_file_of(self._name, self._start))
