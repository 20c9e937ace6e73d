"""Which function combines the members of which estimator class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.frozen import FrozenEstimator
from sklearn.semi_supervised import SelfTrainingClassifier

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["Answers", "Combine", "Composite", "Member", "composite", "find_composite", "find_wrapped"]

#: Tensors by method.
Answers = dict[str, list[str]]
#: (builder, fitted composite, its members' answers, its own features as a tensor or "") → its answers.
Combine = Callable[[GraphBuilder, Any, list[Answers], str], Answers]


class Member(NamedTuple):
    """A fitted estimator inside another. `features`: positions of the columns that it gets; None for all."""

    name: str
    estimator: Any
    features: Any = None


class Composite(NamedTuple):
    """`reads` tells whether `combine` needs the features themselves, all numbers then, besides the members' answers."""

    combine: Combine
    members: Callable[[Any], list[Member]]
    reads: Callable[[Any], bool]


_COMPOSITES: dict[type, Composite] = {}
#: Estimators that answer as the fitted estimator in this attribute does.
_WRAPPERS: dict[type, str] = {FrozenEstimator: "estimator", SelfTrainingClassifier: "estimator_"}


def listed(model: Any) -> list[Member]:
    """The members in `estimators_`."""
    return [Member(f"estimators_[{i}]", member) for i, member in enumerate(model.estimators_)]


def composite(
    *classes: type,
    members: Callable[[Any], list[Member]] = listed,
    reads: Callable[[Any], bool] = lambda model: False,
) -> Callable[[Combine], Combine]:
    """Register how estimators of exactly these classes combine their members."""

    def register(function: Combine) -> Combine:
        for kind in classes:
            _COMPOSITES[kind] = Composite(function, members, reads)
        return function

    return register


def find_composite(estimator: Any) -> Composite | None:
    return _COMPOSITES.get(type(estimator))


def find_wrapped(estimator: Any) -> str | None:
    """The attribute that holds the estimator which gives all answers: of searches and frozen estimators."""
    if hasattr(estimator, "best_estimator_"):
        return "best_estimator_"
    return _WRAPPERS.get(type(estimator))
