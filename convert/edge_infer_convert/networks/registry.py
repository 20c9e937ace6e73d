"""Which module joins the network of which estimator."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["Family", "find_network", "holds_network", "network_versions"]

#: (top package, class) → our module for estimators of that class and of classes made from it.
_FAMILIES: Final = {
    ("skorch", "NeuralNet"): "edge_infer_convert.networks.skorch",
    ("keras", "SKLBase"): "edge_infer_convert.networks.keras",
    ("scikeras", "BaseWrapper"): "edge_infer_convert.networks.scikeras",
}


class Family(Protocol):
    """What a module for one library gives. `estimator` is a fitted estimator of it."""

    def join(self, builder: GraphBuilder, estimator: Any, reads: str, width: int) -> dict[str, list[str]]:
        """Add the network to the graph; tensors by method, as an operator gives them.

        reads: a tensor [rows, width] in the graph's precision. Raises UnsupportedModelError.
        """

    def refusal(self, estimator: Any) -> tuple[str, str] | None:
        """A reason why it cannot be in an artifact, and what to do; None where nothing is known to stand in the way."""

    def taken(self, estimator: Any) -> np.dtype[Any]:
        """The numbers that its first layer takes: float32, for all but a few."""

    def answered(self, estimator: Any, rows: NDArray[Any]) -> NDArray[Any]:
        """What its network answers to rows [rows, features] of that dtype: [rows, outputs]."""

    def versions(self) -> dict[str, str]:
        """Of the library and its framework, for the manifest."""


def find_network(estimator: Any) -> Family | None:
    """The module that joins this estimator; None where it is no network of a known library."""
    if not hasattr(type(estimator), "fit"):
        return None
    bases = type(estimator).__mro__
    module = next((name for base in bases if (name := _FAMILIES.get((_package(base), base.__name__)))), None)
    return None if module is None else cast(Family, import_module(module))


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def holds_network(estimators: Iterable[Any]) -> bool:
    """Whether one of them is a network, which computes in float32 whatever the precision of the graph around it."""
    return any(find_network(estimator) is not None for estimator in estimators)


def network_versions(estimators: Iterable[Any]) -> dict[str, str]:
    """Of the libraries whose networks are among the estimators."""
    families = [find_network(estimator) for estimator in estimators]
    return {name: version for family in families if family for name, version in family.versions().items()}
