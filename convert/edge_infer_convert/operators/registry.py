"""Which function converts which estimator class."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, Final

from edge_infer.errors import UnsupportedModelError
from edge_infer.manifest import METHODS
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

    Register it in the module that defines the class, so that whoever unpickles an estimator has the converter too:
    `examples/own_estimator` is one that runs.

    Args:
        kind: the class; its subclasses are not taken for it.
        converter: called as converter(builder, estimator, reads) with a `GraphBuilder`, the fitted estimator and the
            name of a tensor [rows, features] of `builder.dtype` (float32 or float64), perhaps once for each.
            It adds nodes of ONNX: `builder.node("Mul", reads, builder.constant(2.0))` gives the new tensor's name.
            It returns tensors by method, a list of one each, in `builder.dtype`:
            {"transform": [name]} [rows, outputs]; {"predict": [name]} [rows] or [rows, targets]; of a classifier,
            "predict" is the position in `classes_`, int64 [rows], "predict_proba" [rows, classes], and
            "decision_function" [rows] or [rows, classes]. Several label columns: a tensor each in the list.
            What it cannot express, it refuses with `edge_infer.errors.UnsupportedModelError`.

    Raises:
        TypeError: `kind` is no class.

    The gate compares the result with the estimator's own answers, as it does for every other one.
    """
    if not isinstance(kind, type):
        raise TypeError(f"register_converter: expected a class, got {kind!r:.80}")
    _OPERATORS.setdefault(kind, []).insert(0, (_checked(converter), lambda estimator: True))


def _checked(converter: Operator) -> Operator:
    """Mistakes in a user's converter are told as what they are."""

    @wraps(converter)
    def checking(builder: GraphBuilder, estimator: Any, reads: str) -> dict[str, list[str]]:
        name = getattr(converter, "__name__", repr(converter))
        try:
            written = converter(builder, estimator, reads)
        except UnsupportedModelError:
            raise
        except Exception as error:
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise UnsupportedModelError(f"its registered converter {name} raised {told}; mend the converter") from error
        wrong = _mistake(builder, written, reads)
        if wrong:
            raise UnsupportedModelError(f"its registered converter {name} returned {wrong}; see register_converter")
        return written

    return checking


def _mistake(builder: GraphBuilder, written: Any, reads: str) -> str | None:
    if not isinstance(written, dict) or not written:
        return f"{written!r:.80} instead of tensors by method, such as {{'transform': [name]}}"
    made = {reads, *builder.constants, *(output for node in builder.nodes for output in node.output)}
    for method, tensors in written.items():
        if method not in METHODS:
            return f"the unknown method {method!r:.80}; known are {', '.join(METHODS)}"
        if not isinstance(tensors, list) or not tensors:
            return f"{tensors!r:.80} for {method}, instead of a list of tensors' names"
        unknown = [tensor for tensor in tensors if tensor not in made]
        if unknown:
            return f"{unknown[0]!r:.80} for {method}, which no node of it writes"
    return None
