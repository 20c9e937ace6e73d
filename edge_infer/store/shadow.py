"""A candidate beside the active release: on a sample of calls, in a thread of its own, and nothing of it is seen.

A sampled call leaves copies of its data and its answer in a bounded queue; what does not fit is dropped, and counted.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from copy import deepcopy
from queue import Empty, SimpleQueue
from random import random
from typing import Any, Final, NamedTuple

from edge_infer.errors import EdgeInferError, InputError, UsageError
from edge_infer.events import report_event
from edge_infer.histogram import Histogram
from edge_infer.manifest import Output
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.process_end import AtEnd
from edge_infer.store.agreement import Agreement, compared, rows_of_answer
from edge_infer.store.artifacts import Identity
from edge_infer.store.files import Files
from edge_infer.store.loading import listener, load
from edge_infer.store.lookup import chosen, state_of
from edge_infer.store.names import parse_reference
from edge_infer.store.shadow_records import add
from edge_infer.store.state import brief

__all__ = ["Candidate", "Sampler"]

Answer = Callable[[Any], Any]

_MOST_WAITING: Final = 10_000  # rows in the queue
_GATHER_SECONDS: Final = 0.05  # that samples wait for others
_SECONDS: Final = 5.0  # between two writes
_PATIENCE: Final = 2.0  # seconds that the end of a process waits for the last write

#: Seconds of a thread's own, where the system tells them finely: waiting for other threads is no fault of a model.
_FINE: Final = time.get_clock_info("thread_time").resolution <= 1e-6
_PLAIN: Final = frozenset({float, int, str, bool, bytes, type(None)})


class Candidate(NamedTuple):
    """What runs beside the active release of the model `name`.

    share: of the calls; encrypted: its errors are kept without what they say.
    """

    files: Files
    identity: Identity
    name: str
    version: str
    digest: str
    encrypted: bool
    options: SessionOptions | None
    share: float

    @classmethod
    def of(
        cls, files: Files, identity: Identity, name: str, options: SessionOptions | None, reference: str, share: object
    ) -> Candidate:
        """Raises UsageError, NotInstalledError."""
        wanted = parse_reference(reference)
        if wanted.name != name or wanted.version is None:
            raise UsageError(f"shadow {reference!r}: expected a release of the model, {name}@VERSION")
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise UsageError(f"sample: expected a share of the calls, above 0 and at most 1, got {share!r:.60}")
        release = chosen(state_of(files, name), wanted)
        secret = release.encrypted is not None
        return cls(files, identity, name, wanted.version, release.digest, secret, options, float(share))

    def load(self) -> Model:
        return load(self.files, f"{self.name}@{self.version}", self.options, self.identity)


class _Basis(NamedTuple):
    """The active release that calls were answered by: its digest, and its outputs and their usual sizes by method."""

    digest: str
    outputs: dict[str, Output]
    scales: dict[str, float]


class _Job(NamedTuple):
    """One sampled call; seconds: that the active release took."""

    basis: _Basis
    method: str
    data: Any
    answer: Any
    seconds: float


class Sampler:
    """Takes samples of calls, and hands them to a thread, which begins with the first one. Thread-safe."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self._worker = worker = _Worker(candidate)
        self.close = worker.end
        weakref.finalize(self, worker.stop).atexit = False

    def beside(self, model: Model, digest: str, answers: dict[str, Answer]) -> dict[str, Answer]:
        """The same answers; the candidate is told of some of the calls, unless it is the active release itself."""
        if digest == self.candidate.digest:
            return answers
        basis, clock = _basis(model, digest), _clock(model)
        return answers | {
            name: self._sampled(answer, name, basis, clock) for name, answer in answers.items() if name in basis.outputs
        }

    def _sampled(self, answer: Answer, method: str, basis: _Basis, clock: Callable[[], float]) -> Answer:
        share = self.candidate.share

        def call(data: Any) -> Any:
            if random() >= share:
                return answer(data)
            start = clock()
            found = answer(data)
            self._worker.take(_Job(basis, method, data, found, clock() - start))
            return found

        return call


def _basis(model: Model, digest: str) -> _Basis:
    outputs = {output.method: output for output in model.manifest.outputs}
    if "predict_proba" in outputs:
        outputs["predict_log_proba"] = outputs["predict_proba"]
    goldens = model.artifact.goldens()
    known = {} if goldens is None else {method: each.scale for method, each in goldens.tolerances.items()}
    return _Basis(digest, outputs, {"predict_log_proba": 1.0} | known)


def _clock(model: Model) -> Callable[[], float]:
    return time.thread_time if _FINE and model.options.threads == 1 else time.perf_counter


class _Worker:
    """The thread of a process, its queue, and what it has found and not written yet."""

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate
        self._begin()

    def _begin(self) -> None:
        """In this process: a child that is forked has neither the thread nor what the parent has found."""
        self._process = os.getpid()
        self._jobs: SimpleQueue[tuple[_Job, int] | None] = SimpleQueue()
        self._changing = threading.RLock()  # a handler of a signal may call too
        self._waiting = 0  # rows
        self._thread: threading.Thread | None = None
        self._over = self._broken = self._told = False
        self._model: Model | None = None
        self._against, self._new = "", Agreement()  # the digest of the release that was active, and what was found
        self._is_new = self._is_left = False  # since the last write, and since the last one that succeeded
        self._next = time.monotonic() + _SECONDS

    # --- where calls are answered ---

    def take(self, job: _Job) -> None:
        """Raises nothing: whatever is wrong, the caller has its answer."""
        if self._process != os.getpid():
            self._begin()
        taken = 0
        try:
            rows = rows_of_answer(job.answer, job.basis.outputs[job.method])
            if self._has_room(rows):
                taken = rows
                self._start()
                self._jobs.put((job._replace(data=_copied(job.data), answer=_copied(job.answer)), rows))
                return
        except Exception:  # noqa: BLE001  # data that cannot be copied, no more threads, no memory
            pass
        self._count(job, Agreement(dropped=1), taken)

    def _has_room(self, rows: int) -> bool:
        with self._changing:
            fits = not (self._over or self._broken) and self._waiting + rows <= _MOST_WAITING
            self._waiting += rows if fits else 0
            return fits

    def _count(self, job: _Job, found: Agreement, rows: int = 0) -> None:
        """rows: that do not wait any more."""
        with self._changing:
            if self._against != job.basis.digest:
                self._against, self._new = job.basis.digest, Agreement()
            self._new, self._is_new, self._is_left = self._new.plus(found), True, True
            self._waiting -= rows

    def _start(self) -> None:
        with self._changing:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="edge-infer shadow", daemon=True)
                thread.start()
                self._thread = thread
                _running.add(self)
                _at_end.watch()

    # --- ends ---

    def stop(self) -> None:
        """Safe in a finalizer: it waits for nothing."""
        self._over = True
        self._jobs.put(None)

    def end(self) -> None:
        """What was found is written, if that does not take long."""
        if self._process == os.getpid() and self._thread is not None:
            self.stop()
            self._thread.join(_PATIENCE)

    # --- the thread ---

    def _work(self) -> None:
        listener.set(self._tell)
        ends = False
        while not ends:
            for taken in self._gathered():
                if taken is None:
                    ends = True
                else:
                    self._count(taken[0], self._judged(taken[0]), taken[1])
            if ends or time.monotonic() >= self._next:
                self._write()
        self._model = None

    def _gathered(self) -> list[tuple[_Job, int] | None]:
        """What waits, a moment after the first of it came: when this thread wakes up, a call may have to wait for it.
        Nothing where a write is due."""
        try:
            first = self._jobs.get(timeout=max(0.0, self._next - time.monotonic()) if self._is_new else None)
        except Empty:
            return []
        if first is not None:
            time.sleep(_GATHER_SECONDS)
        return [first, *(self._jobs.get_nowait() for _ in range(self._jobs.qsize()))]

    def _judged(self, job: _Job) -> Agreement:
        if self._broken:
            return Agreement(dropped=1)
        try:
            model = self._model = self._model or self._loaded()
            clock = _clock(model)
            start = clock()
            got = getattr(model, job.method)(job.data)
            seconds = clock() - start
            found = compared(job.answer, got, job.basis.outputs[job.method], job.basis.scales.get(job.method, 0.0))
            return found._replace(active=Histogram.of(job.seconds), candidate=Histogram.of(seconds))
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a candidate is what is asked
            return Agreement(errors=1, last_error=self._kept(error))

    def _loaded(self) -> Model:
        try:
            return self._candidate.load()
        except Exception as error:
            self._broken = True
            self._tell(f"the shadow {self._candidate.name}@{self._candidate.version} cannot be loaded: {error}")
            raise

    def _kept(self, error: Exception) -> str:
        """What a candidate's error says, without what is of the caller's data, or of an encrypted model."""
        kind = type(error).__name__
        if self._candidate.encrypted:
            return kind
        if isinstance(error, InputError):
            first = error.mismatches[0]
            return brief(
                f"{kind}: {'input' if first.column is None else repr(first.column)}: expected {first.expected}"
            )
        return brief(f"{kind}: {error}")

    def _write(self) -> None:
        """Where that fails, it is tried again with what is found next."""
        with self._changing:
            against, new, is_left = self._against, self._new, self._is_left
            self._new, self._is_new, self._is_left = Agreement(), False, False
        try:
            if is_left:
                add(self._candidate.files, self._candidate.name, self._candidate.digest, against, new)
        except (EdgeInferError, OSError) as error:
            with self._changing:
                if self._against == against:
                    self._new, self._is_left = new.plus(self._new), True
            if not self._told:
                self._tell(
                    f"what the shadow {self._candidate.name}@{self._candidate.version} finds is not kept: {error}"
                )
            self._told = True
        self._next = time.monotonic() + _SECONDS

    def _tell(self, message: str) -> None:
        report_event("store", message)


def _copied(value: Any) -> Any:
    """The caller may change its own."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {key: each if type(each) in _PLAIN else deepcopy(each) for key, each in value.items()}
    return deepcopy(value)


# --- the process ------------------------------------------------------------------------

_running: Final[weakref.WeakSet[_Worker]] = weakref.WeakSet()


def _end_all() -> None:
    for worker in list(_running):
        worker.end()


_at_end: Final = AtEnd(_end_all)
