"""By what a logged prediction is called, so that its outcome can be told later."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Final

from edge_infer.errors import UsageError

__all__ = ["MOST_ID", "Ids", "is_id", "own_ids", "prediction_id"]

MOST_ID: Final = 200  # characters

_own: ContextVar[str | tuple[str, ...] | None] = ContextVar("edge_infer_prediction_id", default=None)


@contextmanager
def prediction_id(ids: str | Sequence[str]) -> Iterator[None]:
    """Calls within bear this id in the log, in this thread or task:

        with edge_infer.monitor.prediction_id("order-77"):
            model.predict(row)

    ids: a text; of a call with many rows, row 3 is "order-77.3". Or a text for each row of the call; where it has
        another number of rows, ids are made as usual, and the logger "edge_infer.monitor" is told.

    Whoever uses an id twice gets two predictions under it. Raises UsageError for what is no id: it takes printable text
    of 1 to 200 characters.
    """
    given = (ids,) if isinstance(ids, str) else tuple(ids)
    for each in given:
        if not is_id(each):
            raise UsageError(f"prediction_id: expected printable text of 1 to {MOST_ID} characters, got {each!r:.60}")
    token = _own.set(ids if isinstance(ids, str) else given)
    try:
        yield
    finally:
        _own.reset(token)


def is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_ID and value.isprintable()


def own_ids() -> str | tuple[str, ...] | None:
    """What `prediction_id` says here."""
    return _own.get()


class Ids:
    """Made here: 16 hex digits drawn for the process, and a number. They need no clock, and no other process."""

    def __init__(self) -> None:
        self.prefix = secrets.token_hex(8)
        self._numbers = count(1)

    def next(self) -> str:
        return f"{self.prefix}-{next(self._numbers):x}"
