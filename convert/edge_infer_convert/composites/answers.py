"""What composites ask of their members' answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.composites.registry import Answers
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import flat

__all__ = ["binary_score", "labels", "positions", "second", "take"]


def take(answers: Answers, method: str, member: Any) -> str:
    """The one tensor of a method.

    Raises:
        UnsupportedModelError: the member has no such answer, or a list of them.
    """
    tensors = answers.get(method, [])
    if len(tensors) != 1:
        raise UnsupportedModelError(
            f"{method} of its member {type(member).__name__} cannot be converted; choose another kind of member"
        )
    return tensors[0]


def labels(builder: GraphBuilder, member: Any, answers: Answers) -> str:
    """A member's predictions as numbers or labels rather than positions in its classes."""
    predicted = take(answers, "predict", member)
    classes = getattr(member, "classes_", None)
    if is_regressor(member) or not isinstance(classes, np.ndarray) or classes.ndim != 1:
        return predicted
    dtype = object if classes.dtype.kind in "OU" else classes.dtype
    return builder.node("Gather", builder.constant(classes.tolist(), dtype), predicted, axis=0)


def positions(builder: GraphBuilder, member: Any, answers: Answers) -> str:
    """Predictions of a member that was fitted on positions, int64 [rows]."""
    predicted = take(answers, "predict", member)
    classes = np.asarray(member.classes_)
    if np.array_equal(classes, np.arange(len(classes))):
        return predicted
    if classes.dtype.kind not in "iuf":
        raise UnsupportedModelError(
            f"its member {type(member).__name__} was fitted on other labels than positions; fit it with the whole"
        )
    return builder.node("Gather", builder.constant(classes, np.int64), predicted, axis=0)


def second(builder: GraphBuilder, probabilities: str) -> str:
    """The second column, [rows, 1]."""
    return builder.node("Gather", probabilities, builder.constant([1], np.int64), axis=1)


def binary_score(builder: GraphBuilder, member: Any, answers: Answers) -> str:
    """[rows]: a regressor's number, a classifier's decision, else its second class's probability.

    As sklearn.multiclass._predict_binary does.
    """
    if is_regressor(member):
        return flat(builder, take(answers, "predict", member))
    if hasattr(member, "decision_function"):
        return flat(builder, take(answers, "decision_function", member))
    return flat(builder, second(builder, take(answers, "predict_proba", member)))
