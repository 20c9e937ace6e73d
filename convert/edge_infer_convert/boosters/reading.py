"""One reading of a booster for a whole conversion: its dump is asked for by several stages and precisions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, TypeVar

__all__ = ["read_once", "readings_kept"]

#: By function, booster and other arguments: the booster, so that its id stays its own, and what was read.
_Kept = dict[tuple[Hashable, ...], tuple[Any, Any]]
_kept: Final[ContextVar[_Kept | None]] = ContextVar("readings", default=None)
_Read = TypeVar("_Read")


@contextmanager
def readings_kept() -> Iterator[None]:
    """While open, functions of `read_once` read a booster once. It must not be trained on meanwhile."""
    if _kept.get() is not None:  # an outer one keeps them
        yield
        return
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def read_once(read: Callable[..., _Read]) -> Callable[..., _Read]:
    """For `read(booster, *others)`: kept within `readings_kept`, asked anew outside of it."""

    @wraps(read)
    def reading(booster: Any, *others: Hashable) -> _Read:
        kept = _kept.get()
        if kept is None:
            return read(booster, *others)
        key = (read, id(booster), *others)
        if key not in kept:
            kept[key] = (booster, read(booster, *others))
        found: _Read = kept[key][1]
        return found

    return reading
