"""Which function converts which estimator class."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["Operator", "find_operator", "operator", "register_converter"]

#: (builder, fitted estimator, tensor [rows, features]) → tensors by method; None: this case is left to skl2onnx.
Operator = Callable[[GraphBuilder, Any, str], dict[str, list[str]]]

_OPERATORS: dict[type, list[tuple[Operator, Callable[[Any], bool]]]] = {}
#: Top packages of estimators → our module that registers converters for them; imported when the first one comes.
_LATE: Final = {name: f"edge_infer_convert.boosters.{name}" for name in ("xgboost", "lightgbm", "catboost")}


def operator(*classes: type, when: Callable[[Any], bool] = lambda estimator: True) -> Callable[[Operator], Operator]:
    """Register a converter for estimators of exactly these classes, for the cases in which `when` holds."""

    def register(function: Operator) -> Operator:
        for kind in classes:
            _OPERATORS.setdefault(kind, []).append((function, when))
        return function

    return register


def find_operator(estimator: Any) -> Operator | None:
    """The first registered converter that takes this case; subclasses are not taken for their base."""
    late = _LATE.get(type(estimator).__module__.partition(".")[0])
    if late is not None:
        import_module(late)
    return next((function for function, when in _OPERATORS.get(type(estimator), []) if when(estimator)), None)


def register_converter(kind: type, converter: Operator) -> None:
    """Teach `convert` an estimator class of your own, or another way to convert a known one; the last one wins.

    Args:
        kind: the class; its subclasses are not taken for it.
        converter: called as converter(builder, estimator, reads). `reads` names a tensor [rows, features] of
            `builder.dtype`. It adds nodes (`builder.node("Mul", reads, builder.constant(2.0))` gives the new
            tensor's name) and returns tensors by method: {"transform": [name]}, {"predict": [name]}, … A classifier's
            "predict" is the position in `classes_`, int64 [rows]. What it cannot express, it refuses with
            `edge_infer.errors.UnsupportedModelError`.

    Raises:
        TypeError: `kind` is no class.

    The gate compares the result with the estimator's own answers, as it does for every other one.
    """
    if not isinstance(kind, type):
        raise TypeError(f"register_converter: expected a class, got {kind!r:.80}")
    _OPERATORS.setdefault(kind, []).insert(0, (converter, lambda estimator: True))
