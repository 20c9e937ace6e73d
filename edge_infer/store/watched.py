"""`watch`: a model that moves to a newly activated release between two calls.

A call takes the answers of one release once, and runs wholly on it. Whether the active release has changed is looked at
by calls, at most every `interval` seconds; a new one is loaded by a thread of a moment, and put in place when it is
ready. The one before goes when its last call lets go of it.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from edge_infer.errors import EdgeInferError, NotInstalledError, UsageError
from edge_infer.events import report_event
from edge_infer.manifest import Manifest
from edge_infer.model import Model
from edge_infer.observed import Observing
from edge_infer.options import SessionOptions
from edge_infer.store.artifacts import Identity
from edge_infer.store.files import Files
from edge_infer.store.loading import listener, load
from edge_infer.store.names import check_name, parse_reference
from edge_infer.store.records import read_state, state_status

if TYPE_CHECKING:
    from edge_infer.store.shadow import Sampler
    from edge_infer.store.store import Store

__all__ = ["Watched", "watch"]

Answer = Callable[..., Any]

_RUN: Final = "run"


def watch(
    reference: str,
    *,
    shadow: str | None = None,
    sample: float = 0.01,
    interval: float = 1.0,
    options: SessionOptions | None = None,
    store: Store | None = None,
    monitor: Observing | None = None,
) -> Watched:
    """The active release of a model in the store, whichever it is: calls move to a newly activated one by themselves.

    Args:
        reference: the model's name.
        shadow: an installed release, NAME@VERSION, that runs beside the active one on a share `sample` of the calls,
            in a thread of its own. What it answers is compared, and `Store.shadows` and `edge-infer status` tell how
            far it agrees and what it takes; no caller sees anything of it.
        interval: seconds between two looks for a change, by whoever calls then; 0: with every call. Where nobody
            calls, nothing happens.
        options, monitor: see `load`. Each release is watched by itself.
        store: None: this device's own. `Store(identity=…)` opens encrypted models.

    Raises: as `load` does, and UsageError where `reference` names one release, or an argument makes no sense;
        NotInstalledError also where the shadow is not installed.
    """
    if store is None:
        from edge_infer.store.store import Store

        store = Store()
    return store.watch(reference, shadow=shadow, sample=sample, interval=interval, options=options, monitor=monitor)


class Watched:
    """A model that follows the store. Thread-safe, and a context manager.

    It has the methods and attributes of the `Model` that answers now; what only one of two releases has comes and goes
    with it. `model` is that Model: take it once where several calls belong together. A release that cannot be loaded
    disturbs nothing: the one before goes on answering, the reason goes to the logger "edge_infer.store", and it is
    tried again when the store's state of the model changes again.

    After a fork the child follows the store by itself; models with more than one thread must be watched anew there, as
    `Model` tells. It pickles as what it watches.
    """

    manifest: Manifest
    predict: Answer
    predict_proba: Answer
    predict_log_proba: Answer
    decision_function: Answer
    score_samples: Answer
    transform: Answer
    run: Answer

    def __init__(
        self, source: Source, interval: float = 1.0, *, shadow: str | None = None, sample: float = 0.01
    ) -> None:
        """`Store.watch` makes one. Raises as `watch`."""
        self._source, self._asked = source, (_seconds(interval), shadow, sample)
        sampler = None if shadow is None else _sampler(source, shadow, sample)
        self._follower = _Follower(source, self._asked[0], vars(self), sampler)

    @property
    def model(self) -> Model:
        """The model that answers now, after a look for a change where one is due. It stays what it is."""
        self._follower.check()
        return self._follower.model

    def refresh(self) -> bool:
        """Look now, and wait until the active release answers; whether it is another one than before.

        Raises: as `load` does; the model before goes on answering.
        """
        return self._follower.refresh()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._follower.model, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._follower.model) if name[0] != "_")})

    def __repr__(self) -> str:
        beside = "" if self._asked[1] is None else f", beside it {self._asked[1]}"
        return f"<edge_infer.Watched {self._source.name}, now {self._follower.model!r}{beside}>"

    def close(self) -> None:
        """Release the model's memory now, and follow the store no more."""
        self.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._follower.close(kind, error, trace)

    def __reduce__(self) -> tuple[Any, ...]:
        return _watched, (self._source.files.root, *self._source[1:], *self._asked)


class Source(NamedTuple):
    """What is watched: the active release of the model `name`, loaded with `options`."""

    files: Files
    identity: Identity
    name: str
    options: SessionOptions | None
    monitor: Observing | None = None

    @classmethod
    def of(
        cls,
        files: Files,
        identity: Identity,
        reference: str,
        options: SessionOptions | None,
        monitor: Observing | None = None,
    ) -> Source:
        """Raises UsageError for a release, which does not change."""
        wanted = parse_reference(reference)
        if wanted.version is not None:
            raise UsageError(f"{reference!r}: expected NAME, since a release does not change; load it instead")
        return cls(files, identity, check_name(wanted.name), options, monitor)

    def load(self) -> Model:
        return load(self.files, self.name, self.options, self.identity, self.monitor)


def _sampler(source: Source, shadow: str, sample: float) -> Sampler:
    from edge_infer.store.shadow import Candidate, Sampler  # most watch without one

    return Sampler(Candidate.of(*source[:4], shadow, sample))


def _seconds(interval: object) -> float:
    if isinstance(interval, int | float) and 0 <= interval < math.inf:
        return float(interval)
    raise UsageError(f"interval: expected a number of seconds from 0 on, got {interval!r:.60}")


def _watched(
    folder: str,
    identity: Identity,
    name: str,
    options: SessionOptions | None,
    monitor: Observing | None,
    interval: float,
    shadow: str | None,
    sample: float,
) -> Watched:
    """Of a pickle."""
    return Watched(Source(Files(folder), identity, name, options, monitor), interval, shadow=shadow, sample=sample)


#: What tells a state file from the one before it: when it was written, its number, its size. None: there is none.
_Seen = tuple[int, int, int] | None


class _Follower:
    """The model that answers now, and what moves on to the next; `shown` are the attributes that change with it."""

    def __init__(self, source: Source, interval: float, shown: dict[str, Any], sampler: Sampler | None) -> None:
        self._source, self._shown, self._sampler = source, shown, sampler
        self._seen = self._look()
        self._tried: tuple[str | None, int] | None = None  # the active digest and the last event, when it failed
        self._closed = False
        self._begin_in_this_process()
        self._calls = _Calls(interval, self.notice)
        self.check = self._calls.check
        self._move_to(source.load())

    def _begin_in_this_process(self) -> None:
        self._process = os.getpid()
        self._loading = threading.Lock()
        self._moving = threading.RLock()  # a handler of a signal may close it

    # --- looking ---

    def notice(self) -> None:
        """Whether the state is another one; if so, a thread looks closer. Called where a look is due."""
        if self._process != os.getpid():  # a thread of the parent may have held the locks
            self._begin_in_this_process()
        seen = self._look()
        if seen == self._seen or self._closed or not self._loading.acquire(blocking=False):
            return
        before, self._seen = self._seen, seen
        try:
            threading.Thread(target=self._follow, name="edge-infer watch").start()
        except RuntimeError:  # no more threads now, or the interpreter ends
            self._seen = before
            self._loading.release()

    def _look(self) -> _Seen:
        try:
            status = state_status(self._source.files, self._source.name)
        except (EdgeInferError, OSError):  # a link, no right to look: reading the state tells
            return None
        return None if status is None else (status.st_mtime_ns, status.st_ino, status.st_size)

    def _follow(self) -> None:
        """In a thread that nobody looks at."""
        listener.set(self._tell)
        try:
            self._load_if_changed(again=False)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a new release, answers go on
            self._tell(f"{self._source.name}: the active release cannot be loaded, {self._version} goes on: {error}")
        finally:
            self._loading.release()

    def refresh(self) -> bool:
        if self._process != os.getpid():
            self._begin_in_this_process()
        with self._loading:
            self._seen = self._look()
            return self._load_if_changed(again=True)

    def _load_if_changed(self, *, again: bool) -> bool:
        """Raises as `load`. again: also what has failed before."""
        state = read_state(self._source.files, self._source.name)
        active = None if state is None else state.active
        if state is None or active is None:
            raise NotInstalledError(f"{self._source.name}: no release is active any more")
        tried = active, state.event.number if state.event else 0
        if self._closed or active == self._digest or (tried == self._tried and not again):
            return False
        self._tried = tried
        before = self._digest
        self._move_to(self._source.load())
        return self._digest != before

    # --- moving ---

    def _move_to(self, model: Model) -> None:
        digest = model.artifact.digest
        with self._moving:
            if self._closed:
                model.close()
                return
            self.model, self._digest, self._version = model, digest, model.manifest.version
            self._calls.move(model, self._answers_of(model, digest))
            calls = self._calls.of(model)
            self._shown.update(calls, manifest=model.manifest)
            for name in self._calls.made - calls.keys():
                self._shown.pop(name, None)

    def close(self, *ending: Any) -> None:
        """ending: as `__exit__` is told."""
        with self._moving:
            self._closed = True
            self.model.__exit__(*ending)
            self._calls.move(self.model, _answers_of(self.model))
        if self._sampler is not None:
            self._sampler.close()

    def _answers_of(self, model: Model, digest: str) -> dict[str, Answer]:
        answers = _answers_of(model)
        return answers if self._sampler is None else self._sampler.beside(model, digest, answers)

    def _tell(self, message: str) -> None:
        report_event("store", message)


class _Calls:
    """One function for each method, which stay what they are, and the answers behind them, which change all at once."""

    def __init__(self, interval: float, notice: Callable[[], None]) -> None:
        answers: dict[str, Answer] = {}
        clock = time.monotonic
        due = clock() + interval

        def check() -> None:
            nonlocal due
            if clock() >= due:
                due = clock() + interval
                notice()

        def following(name: str) -> Answer:
            def call(data: Any) -> Any:
                if clock() >= due:
                    check()
                return answers[name](data)

            return call

        def run(feeds: Any, outputs: Any = None) -> Any:
            check()
            return answers[_RUN](feeds, outputs)

        def change(new: dict[str, Answer]) -> None:
            nonlocal answers
            answers = new

        self.check, self._following, self._change = check, following, change
        self._calls: dict[str, Answer] = {_RUN: run}

    @property
    def made(self) -> set[str]:
        return set(self._calls)

    def move(self, model: Model, answers: dict[str, Answer]) -> None:
        """From the next call on, these answer. A method that the model lacks tells so to whoever has kept it."""
        for name in answers.keys() - self._calls.keys():
            self._calls[name] = _named(self._following(name), name)
        self._change({name: answers.get(name) or _lacking(model, name) for name in self._calls})

    def of(self, model: Model) -> dict[str, Answer]:
        return {name: self._calls[name] for name in (*model.methods, _RUN)}


def _named(call: Answer, name: str) -> Answer:
    call.__name__, call.__doc__ = name, getattr(Model, name).__doc__
    return call


def _answers_of(model: Model) -> dict[str, Answer]:
    return {name: getattr(model, name) for name in (*model.methods, _RUN)}


def _lacking(model: Model, name: str) -> Answer:
    def call(data: Any) -> Any:
        return getattr(model, name)(data)

    return call
