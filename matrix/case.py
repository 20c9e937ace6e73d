"""A case: something fitted, the data it was fitted on, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from edge_infer.manifest import METHODS

__all__ = ["GROUPS", "Case", "Fitted"]

GROUPS = ("estimators", "pipelines", "boosters")


class Fitted(NamedTuple):
    """A fitted model and its training data without the target.

    `asked` replaces the model's own methods where they do not take plain rows (raw boosters); `known` says that
    only values which training saw make sense (codes of categories).
    """

    model: Any
    data: Any
    asked: dict[str, Callable[[Any], Any]] | None = None
    known: bool = False

    def methods(self) -> dict[str, Callable[[Any], Any]]:
        """What answers new rows, by name."""
        if self.asked is not None:
            return self.asked
        return {method: getattr(self.model, method) for method in METHODS if hasattr(self.model, method)}


class Case(NamedTuple):
    """`subject` is the estimator's (or pipeline's) name, `name` tells its cases apart."""

    group: str
    subject: str
    name: str
    fit: Callable[[], Fitted]

    @property
    def key(self) -> str:
        """Unique; the key of the recorded results."""
        return f"{self.group}/{self.subject}/{self.name}"
