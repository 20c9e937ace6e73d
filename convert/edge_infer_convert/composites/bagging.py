"""Bags: BaggingClassifier and BaggingRegressor; each member sees its own columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import BaggingClassifier, BaggingRegressor

from edge_infer_convert.composites.answers import positions, take
from edge_infer_convert.composites.registry import Answers, Member, composite
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column, first_largest


def _members(model: Any) -> list[Member]:
    pairs = zip(model.estimators_, model.estimators_features_, strict=True)
    return [Member(f"estimators_[{i}]", member, features) for i, (member, features) in enumerate(pairs)]


@composite(BaggingClassifier, members=_members)
def bagging_classifier(builder: GraphBuilder, model: BaggingClassifier, members: list[Answers], reads: str) -> Answers:
    """The mean of the members' probabilities, or of their votes where they have none."""
    pairs = list(zip(model.estimators_, members, strict=True))
    shares = [_shares(builder, member, answers, len(model.classes_)) for member, answers in pairs]
    mean = _mean(builder, shares)
    found = {"predict": [first_largest(builder, mean)], "predict_proba": [mean]}
    if hasattr(model, "decision_function"):
        scores = [take(answers, "decision_function", member) for member, answers in pairs]
        found["decision_function"] = [_mean(builder, scores)]
    return found


def _shares(builder: GraphBuilder, member: Any, answers: Answers, classes: int) -> str:
    """[rows, classes]: probabilities, or 1 for the class voted for; members may not know all classes."""
    if hasattr(member, "predict_proba"):
        shares = take(answers, "predict_proba", member)
        known = np.asarray(member.classes_, np.int64)
        if len(known) == classes:
            return shares
        spread = np.zeros((len(known), classes))
        spread[np.arange(len(known)), known] = 1.0
        return builder.node("MatMul", shares, builder.constant(spread))
    vote = column(builder, positions(builder, member, answers))
    equal = builder.node("Equal", vote, builder.constant(np.arange(classes), np.int64))
    return builder.node("Cast", equal, to=builder.elem_type)


@composite(BaggingRegressor, members=_members)
def bagging_regressor(builder: GraphBuilder, model: BaggingRegressor, members: list[Answers], reads: str) -> Answers:
    """The mean of the members' numbers."""
    pairs = zip(model.estimators_, members, strict=True)
    return {"predict": [_mean(builder, [take(answers, "predict", member) for member, answers in pairs])]}


def _mean(builder: GraphBuilder, tensors: list[str]) -> str:
    total = builder.node("Sum", *tensors) if len(tensors) > 1 else tensors[0]
    return builder.node("Div", total, builder.constant(float(len(tensors))))
