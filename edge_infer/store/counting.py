"""What a process tells the store of a release on trial that it uses: its start, its calls, and its end.

An end is orderly when the model is closed, or the process ends without an error that nobody caught; all others are
told by the system, which lets go of the start's file.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import Any, Final

from edge_infer.errors import ArtifactError, EdgeInferError, InferenceError, InputError, MethodError, UsageError
from edge_infer.events import report_event
from edge_infer.process_end import AtEnd
from edge_infer.store.files import Files
from edge_infer.store.on_trial import PATIENCE, Begun, Counts, add_counts, begin, start_file
from edge_infer.store.state import State, brief
from edge_infer.store.trial import Start, failure, is_confirmed

__all__ = ["Tracker", "track"]

#: What is wrong with the model; all else is raised by what the caller gave.
_MODELS: Final = (InferenceError, ArtifactError)
_CALLERS: Final = (InputError, MethodError, UsageError)
_FIRST_SECONDS: Final = 1.0  # from the start until the first counts are brought
_SECONDS: Final = 10.0  # and between later ones
_IDLE_SECONDS: Final = 60.0  # where no number of answers is waited for


def track(files: Files, name: str) -> tuple[State | None, Tracker | None]:
    """Before the active release is loaded; see `on_trial.begin`."""
    _end_unused()
    state, begun = begin(files, name)
    return state, None if begun is None else Tracker(_Counter(files, name, begun))


class Tracker:
    """Looks on at the calls of one load of a release on trial (`observed.Observer`).

    The start ends when it is closed. Where nobody can call any more (a method may outlive the model that it was taken
    from) it ends at the next occasion: a finalizer runs in the middle of anything, so that it may wait for no lock.
    """

    def __init__(self, counter: _Counter) -> None:
        self.answered, self.failed, self.closed = counter.answered, counter.failed, counter.close
        weakref.finalize(self, counter.let_go).atexit = False


class _Counter:
    """What one start has to tell the store. Thread-safe, and safe in a handler of a signal.

    Counts are brought to the store by a thread of a moment: after the first second, then every ten, and when they
    decide something. A child that is forked makes a start of its own with its first call.
    """

    def __init__(self, files: Files, name: str, begun: Begun) -> None:
        self._files, self._name = files, name
        self._digest = begun.state.active
        release = begun.state.of_digest(begun.state.active)
        self._secret = release is not None and release.encrypted is not None
        self.unused = self._over = False
        self._joining = threading.Lock()
        self._take(begun)

    def _take(self, begun: Begun) -> None:
        """A start, in this process."""
        assert begun.state.trial is not None
        self._trial = begun.state.trial  # as the store has it
        self._descriptor = begun.descriptor
        self._new = Counts()
        self._changing, self._writing = threading.RLock(), threading.Lock()
        self._writer = 0  # the thread that brings
        self._bringing = self._ends = self._closed = False
        self._next = time.monotonic() + _FIRST_SECONDS
        self._start: Start | None = begun.start  # last: other threads of a child wait for it
        _running[begun.start.name] = self
        _at_end.watch()

    # --- calls ---

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        latency = self._trial.terms.latency
        self._count(Counts(answers=1, slow=int(latency is not None and seconds > latency)))

    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None:
        if isinstance(error, _MODELS) and method != "run":  # whose tensors nobody has checked
            told = type(error).__name__ if self._secret else f"{type(error).__name__}: {error}"
            self._count(Counts(errors=1, last_error=brief(f"{method}: {told}")))

    def _count(self, counts: Counts) -> None:
        if self._start is None:
            self._join()
        if self._over or self._closed:
            return
        with self._changing:
            self._new = self._new.plus(counts)
            due = self._decides() or time.monotonic() >= self._next
        if due:
            self._bring_soon()

    def _decides(self) -> bool:
        trial = self._new.on_top_of(self._trial)
        return is_confirmed(trial) or failure(trial) is not None

    # --- ends ---

    def close(self) -> None:
        """The release worked until its user let go of it."""
        if self._start is not None and not self._closed:
            self._bring(ends=True)

    def let_go(self) -> None:
        """Nobody can call any more."""
        self.unused = True

    def forked(self) -> None:
        """In the child: the start is the parent's, and so is the lock, which an unlocking here would take from it."""
        os.close(self._descriptor)
        self._start, self._joining = None, threading.Lock()

    def _join(self) -> None:
        """A child's own start, one for all of its threads, if the same release is still on trial."""
        with self._joining:
            if self._start is not None or self._over:
                return
            try:
                _, begun = begin(self._files, self._name, self._digest)
            except (EdgeInferError, OSError) as error:
                report_event("store", f"{self._name}: a child's calls of a release on trial are not counted: {error}")
                begun = None
            if begun is None:
                self._over = True
            else:
                self._take(begun)

    # --- bringing ---

    def _bring_soon(self) -> None:
        with self._changing:
            if self._bringing or self._closed:
                return
            self._bringing = True
        try:
            threading.Thread(target=self._bring, name="edge-infer trial").start()
        except RuntimeError:  # no more threads: later, or at the end
            self._next, self._bringing = time.monotonic() + _SECONDS, False

    def _bring(self, *, ends: bool = False) -> None:
        """Until nothing is left that decides, or it cannot be written."""
        with self._changing:
            self._ends |= ends
            if self._writer == threading.get_ident():  # in a handler of a signal: what it broke into goes on
                return
        with self._writing:
            self._writer = threading.get_ident()
            try:
                while not self._closed and self._brought() and (self._ends or (not self._over and self._decides())):
                    pass
            finally:
                seconds = _IDLE_SECONDS if self._trial.terms.answers is None else _SECONDS
                self._next, self._bringing, self._writer = time.monotonic() + seconds, False, 0

    def _brought(self) -> bool:
        """Whether the store has all that there was."""
        with self._changing:
            new, ends = self._new, self._ends
            self._new = Counts()
        try:
            assert self._start is not None
            with self._files.locked(PATIENCE):
                trial = add_counts(self._files, self._name, self._start, new, ends=ends)
        except BaseException as error:
            with self._changing:
                self._new, self._ends = new.plus(self._new), False
            if not isinstance(error, EdgeInferError | OSError):
                raise
            report_event("store", f"{self._name}: calls of a release on trial are not counted yet: {error}")
            return False
        self._over, self._trial = trial is None, trial or self._trial
        if ends:
            self._end()
        return True

    def _end(self) -> None:
        """The file is held no more."""
        assert self._start is not None
        self._closed = True
        _running.pop(self._start.name, None)
        self._files.let_go(self._descriptor)
        with suppress(EdgeInferError, OSError):  # prune takes it
            self._files.remove(*start_file(self._name, self._start))


# --- the process ------------------------------------------------------------------------

#: The starts of this process that have not ended.
_running: Final[dict[str, _Counter]] = {}


def _end_unused() -> None:
    for counter in list(_running.values()):
        if counter.unused:
            counter.close()


def _end_all() -> None:
    """But after an error that nobody caught, unless the caller's data was wrong, the starts count as crashes."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if isinstance(error, Exception) and not isinstance(error, _CALLERS) and not hasattr(sys, "ps1"):
        return
    for counter in list(_running.values()):
        counter.close()


_at_end: Final = AtEnd(_end_all)


def _in_a_child() -> None:
    for counter in list(_running.values()):
        counter.forked()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
