"""How cases are written down: an unfitted estimator and the names of data sets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.base import clone

from matrix.case import Case, Fitted
from matrix.data import load

__all__ = ["Cases"]


class Cases:
    """Cases of one group, in the order in which they are added."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.cases: list[Case] = []

    def add(
        self, estimator: Any, on: str, option: str = "", *, subject: str | None = None, known: bool = False
    ) -> None:
        """A case for each data set in `on`, separated by blanks; `option` tells what is special."""
        for dataset in on.split():
            name = dataset.replace("_", " ") + (f", {option}" if option else "")
            fit = partial(_fitted, estimator, dataset, known)
            self._append(Case(self.group, subject or type(estimator).__name__, name, fit))

    def special(self, subject: str, name: str, fit: Callable[[], Fitted]) -> None:
        """A case that is fitted in its own way."""
        self._append(Case(self.group, subject, name, fit))

    def _append(self, case: Case) -> None:
        if any(case.key == other.key for other in self.cases):
            raise ValueError(f"two cases are called {case.key}")
        self.cases.append(case)


def _fitted(estimator: Any, dataset: str, known: bool) -> Fitted:
    X, y = load(dataset)
    twin = clone(estimator)
    return Fitted(twin.fit(X) if y is None else twin.fit(X, y), X, known=known)
