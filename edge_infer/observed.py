"""Calls of a loaded model that somebody looks on at: a release on trial, a candidate beside the active one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from edge_infer.artifact import Artifact

__all__ = ["Observer", "Observing", "observed", "observing", "together"]

Answer = Callable[[Any], Any]

_VARIABLE: Final = "EDGE_INFER_MONITOR"


class Observer(Protocol):
    """Told of each call of a model's methods, by the thread that called, before the caller has its answer. What it
    raises, the caller gets.

    One that is in a hurry has `around(method, answer)` besides, which gives the observed method itself.
    """

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        """A call that gave an answer."""

    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None:
        """A call that raised, whosever fault it is; the error goes on to the caller."""

    def closed(self) -> None:
        """There will be no more calls."""


class Observing(Protocol):
    """What looks on at any number of models: `monitor.Monitor`."""

    def observer(self, artifact: Artifact) -> Observer:
        """Of one loaded model's calls."""


def observing(monitor: Observing | None) -> Observing | None:
    """The monitor that is given, else one of the folder that EDGE_INFER_MONITOR names, else none."""
    if monitor is not None or not os.environ.get(_VARIABLE):
        return monitor
    from edge_infer.monitor.monitor import monitor_of_folder

    return monitor_of_folder(os.environ[_VARIABLE])


def observed(method: str, answer: Answer, observer: Observer, doc: str | None) -> Answer:
    """A method of a model whose calls the observer is told of; of `run`, `data` is (feeds, outputs)."""
    around: Callable[[str, Answer], Answer] = getattr(observer, "around", partial(_told, observer))
    call = around(method, answer)
    call.__name__, call.__doc__ = method, doc
    return call


def _told(observer: Observer, method: str, answer: Answer) -> Answer:
    def call(data: Any) -> Any:
        start = perf_counter()
        try:
            found = answer(data)
        except Exception as error:
            observer.failed(method, data, error, perf_counter() - start)
            raise
        observer.answered(method, data, found, perf_counter() - start)
        return found

    return call


class _Several:
    """Each is told, in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        for observer in self._observers:
            observer.answered(method, data, answer, seconds)

    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None:
        for observer in self._observers:
            observer.failed(method, data, error, seconds)

    def closed(self) -> None:
        for observer in self._observers:
            observer.closed()


def together(*observers: Observer | None) -> Observer | None:
    """One that tells all that there are; None of none."""
    there = [observer for observer in observers if observer is not None]
    return _Several(there) if len(there) > 1 else there[0] if there else None
