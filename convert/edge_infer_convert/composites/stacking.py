"""Stacks: a final estimator on the answers of others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import StackingClassifier, StackingRegressor

from edge_infer_convert.composites.answers import positions, take
from edge_infer_convert.composites.registry import Answers, composite
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column


@composite(StackingRegressor, reads=lambda model: bool(model.passthrough))
def stacking_regressor(builder: GraphBuilder, model: Any, members: list[Answers], reads: str) -> Answers:
    stacked, width = _stacked(builder, model, members, reads)
    final = _final(builder, model, stacked, width)
    return {"predict": final["predict"], "transform": [stacked]}


@composite(StackingClassifier, reads=lambda model: bool(model.passthrough))
def stacking_classifier(builder: GraphBuilder, model: Any, members: list[Answers], reads: str) -> Answers:
    """The final estimator was fitted on positions in `classes_`; of several label columns it tells the labels."""
    stacked, width = _stacked(builder, model, members, reads)
    final = _final(builder, model, stacked, width)
    answers = {"transform": [stacked], "decision_function": final.get("decision_function", [])}
    if isinstance(model._label_encoder, list):
        answers["predict"] = [_decoded(builder, model, final["predict"][0])]
        firsts = [_first(builder, tensor) for tensor in final.get("predict_proba", [])]
        answers["predict_proba"] = [builder.node("Concat", *firsts, axis=1)] if firsts else []
    else:
        answers["predict"] = [positions(builder, model.final_estimator_, final)]
        answers["predict_proba"] = final.get("predict_proba", [])
    return {method: tensors for method, tensors in answers.items() if tensors}


def _stacked(builder: GraphBuilder, model: Any, members: list[Answers], reads: str) -> tuple[str, int]:
    """The members' answers side by side, then the features where they are passed through; and the width."""
    parts: list[str] = []
    width = model.n_features_in_ if reads else 0
    for member, answers, method in zip(model.estimators_, members, model.stack_method_, strict=True):
        columns, count = _columns(builder, model, member, answers, method)
        parts += columns
        width += count
    parts += [reads] if reads else []
    return (builder.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]), width


def _columns(builder: GraphBuilder, model: Any, member: Any, answers: Answers, method: str) -> tuple[list[str], int]:
    """Without the first class's probability where the others tell it, as scikit-learn leaves it out."""
    tensors = answers.get(method, [])
    if method == "predict_proba" and len(tensors) > 1:
        counts = [len(classes) for classes in member.classes_]
        return [_without_first(builder, t, n) for t, n in zip(tensors, counts, strict=True)], sum(counts) - len(counts)
    tensor = take(answers, method, member)
    if method == "predict":
        if is_classifier(member) and np.ndim(member.classes_[0]) == 0:
            tensor = builder.node("Cast", positions(builder, member, answers), to=builder.elem_type)
        return [column(builder, tensor)], 1
    count = len(member.classes_)
    if method == "predict_proba":
        binary = len(model.classes_) == 2
        return ([_without_first(builder, tensor, count)], count - 1) if binary else ([tensor], count)
    return ([column(builder, tensor)], 1) if count == 2 else ([tensor], count)


def _without_first(builder: GraphBuilder, tensor: str, count: int) -> str:
    return builder.node("Gather", tensor, builder.constant(np.arange(1, count), np.int64), axis=1)


def _first(builder: GraphBuilder, tensor: str) -> str:
    return builder.node("Gather", tensor, builder.constant([0], np.int64), axis=1)


def _final(builder: GraphBuilder, model: Any, stacked: str, width: int) -> Answers:
    from edge_infer_convert.graph.leaf import convert_leaf  # it looks composites up: a ring otherwise

    return convert_leaf(builder, "final_estimator_", model.final_estimator_, stacked, width)


def _decoded(builder: GraphBuilder, model: Any, predicted: str) -> str:
    """Positions [rows, label columns] → labels."""
    indices = builder.node("Cast", predicted, to=7)
    columns = []
    for i, encoder in enumerate(model._label_encoder):
        one = builder.node("Gather", indices, builder.constant([i], np.int64), axis=1)
        labels = builder.constant(encoder.classes_.tolist(), _dtype(encoder.classes_))
        columns.append(builder.node("Gather", labels, one, axis=0))
    return builder.node("Concat", *columns, axis=1)


def _dtype(classes: Any) -> Any:
    return object if classes.dtype.kind in "OU" else classes.dtype
