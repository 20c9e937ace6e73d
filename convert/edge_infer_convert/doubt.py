"""Rows on which the original's own answer is decided by rounding or by the order of its training rows.

Nearest neighbours jump where two training rows are equally far: which of them is the k-th depends on the original's
heap and on how its tree is walked (scikit-learn's documentation: "the results will depend on the ordering of the
training data"). Brute force takes distances as x² − 2xy + y², whose last digits are lost near a training row. Such rows
are told by the original's own distances, wherever in a pipeline the estimator stands, and counted, never dropped.
Networks compute in float32: of far rows, whose large terms cancel, they keep few digits (`networks/doubts.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.manifest import METHODS
from edge_infer_convert.networks import find_network

__all__ = ["NONE", "ROUNDING", "SINGLE", "TIE", "Doubt", "Recorded", "doubtful", "recorded_doubt"]

#: What a row's answer may be: exact within the tolerance; within float32's; within what few digits of float32 hold;
#: any of several.
NONE, ROUNDING, SINGLE, TIE = 0, 1, 2, 3

#: (fitted estimator, rows [rows, features]) → NONE, ROUNDING, SINGLE or TIE for each row.
Doubt = Callable[[Any, NDArray[Any]], NDArray[np.int8]]
_DOUBTS: Final[dict[type, Doubt]] = {}


def doubtful(*classes: type) -> Callable[[Doubt], Doubt]:
    """Register what tells the doubtful rows of estimators of exactly these classes."""

    def register(function: Doubt) -> Doubt:
        for kind in classes:
            _DOUBTS[kind] = function
        return function

    return register


class Recorded(NamedTuple):
    """NONE, ROUNDING, SINGLE or TIE for each row, and whether anything is watched at all."""

    rows: NDArray[np.int8]
    watched: bool


@contextmanager
def recorded_doubt(estimator: Any, rows: int) -> Iterator[Recorded]:
    """While open, calls of `estimator` with `rows` rows fill the array that this gives.

    Estimators inside of it are watched by methods set on them for as long.
    """
    found = np.zeros(rows, np.int8)
    watched: list[tuple[Any, str]] = []
    try:
        for inner in _inner_estimators(estimator):
            recorder = _Recorder(inner, found)
            for method in METHODS:
                if hasattr(inner, method):
                    vars(inner)[method] = recorder.around(getattr(inner, method))
                    watched.append((inner, method))
        yield Recorded(found, bool(watched))
    finally:
        for inner, method in watched:
            vars(inner).pop(method, None)


class _Recorder:
    """Asks for the doubt of the rows that reach one estimator, once for the same rows."""

    def __init__(self, estimator: Any, found: NDArray[np.int8]) -> None:
        doubt = _doubt_of(estimator)
        assert doubt is not None
        self.estimator, self.doubt = estimator, doubt
        self.found = found
        self.inside = False
        self.seen: NDArray[Any] | None = None

    def around(self, method: Any) -> Any:
        def asked(X: Any, *args: Any, **kwargs: Any) -> Any:
            if self.inside:  # its methods call each other
                return method(X, *args, **kwargs)
            self.inside = True
            try:
                self.record(X)
                return method(X, *args, **kwargs)
            finally:
                self.inside = False

        return asked

    def record(self, X: Any) -> None:
        rows = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
        if rows.ndim != 2 or len(rows) != len(self.found):
            return
        if self.seen is None or not np.array_equal(self.seen, rows, equal_nan=True):
            np.maximum(self.found, self.doubt(self.estimator, rows), out=self.found)
            self.seen = rows


def _doubt_of(estimator: Any) -> Doubt | None:
    if find_network(estimator) is None:
        return _DOUBTS.get(type(estimator))
    from edge_infer_convert.networks.doubts import doubt_of_network  # it takes what is here: a ring otherwise

    return doubt_of_network


def _inner_estimators(estimator: Any) -> list[Any]:
    """All estimators of registered classes that an estimator holds, itself included."""
    waiting, known, found = [estimator], set(), []
    while waiting:
        item = waiting.pop()
        if id(item) in known:
            continue
        known.add(id(item))
        if _doubt_of(item) is not None:
            found.append(item)
        waiting += _members(item)
    return found


def _members(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    if isinstance(item, list | tuple):
        return list(item) if len(item) <= 100_000 else []
    if isinstance(item, np.ndarray):
        return list(item.ravel()) if item.dtype == object and item.size <= 100_000 else []
    return list(vars(item).values()) if hasattr(type(item), "get_params") and hasattr(item, "__dict__") else []
