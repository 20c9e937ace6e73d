"""Which function converts which estimator class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["Operator", "find_operator", "operator"]

#: (builder, fitted estimator, tensor [rows, features]) → tensors by method; None: this case is left to skl2onnx.
Operator = Callable[[GraphBuilder, Any, str], dict[str, list[str]]]

_OPERATORS: dict[type, list[tuple[Operator, Callable[[Any], bool]]]] = {}


def operator(*classes: type, when: Callable[[Any], bool] = lambda estimator: True) -> Callable[[Operator], Operator]:
    """Register a converter for estimators of exactly these classes, for the cases in which `when` holds."""

    def register(function: Operator) -> Operator:
        for kind in classes:
            _OPERATORS.setdefault(kind, []).append((function, when))
        return function

    return register


def find_operator(estimator: Any) -> Operator | None:
    """The first registered converter that takes this case; subclasses are not taken for their base."""
    return next((function for function, when in _OPERATORS.get(type(estimator), []) if when(estimator)), None)
