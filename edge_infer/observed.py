"""Calls of a loaded model that somebody looks on at: a release on trial, a candidate beside the active one."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

__all__ = ["Observer", "observed"]

Answer = Callable[[Any], Any]


class Observer(Protocol):
    """Told of each call of a model's methods, by the thread that called, before the caller has its answer. What it
    raises, the caller gets."""

    def answered(self, method: str, data: Any, answer: Any, seconds: float) -> None:
        """A call that gave an answer."""

    def failed(self, method: str, data: Any, error: Exception, seconds: float) -> None:
        """A call that raised, whosever fault it is; the error goes on to the caller."""

    def closed(self) -> None:
        """There will be no more calls."""


def observed(method: str, answer: Answer, observer: Observer, doc: str | None) -> Answer:
    """A method of a model whose calls the observer is told of; of `run`, `data` is (feeds, outputs)."""

    def call(data: Any) -> Any:
        start = perf_counter()
        try:
            found = answer(data)
        except Exception as error:
            observer.failed(method, data, error, perf_counter() - start)
            raise
        observer.answered(method, data, found, perf_counter() - start)
        return found

    call.__name__, call.__doc__ = method, doc
    return call
