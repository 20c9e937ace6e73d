"""Votes: VotingClassifier and VotingRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier, VotingRegressor

from edge_infer_convert.composites.answers import positions, take
from edge_infer_convert.composites.registry import Answers, composite
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column, first_largest


@composite(VotingClassifier)
def voting_classifier(builder: GraphBuilder, model: VotingClassifier, members: list[Answers], reads: str) -> Answers:
    vote = soft_vote if model.voting == "soft" else hard_vote
    return vote(builder, model, members)


def soft_vote(builder: GraphBuilder, model: VotingClassifier, members: list[Answers]) -> Answers:
    """The weighted mean of the members' probabilities."""
    tensors = [take(m, "predict_proba", e) for m, e in zip(members, model.estimators_, strict=True)]
    mean = _weighted_mean(builder, tensors, model._weights_not_none)
    answers = {"predict": [first_largest(builder, mean)], "predict_proba": [mean]}
    if model.flatten_transform:  # else transform gives (members, rows, classes): not an answer a row
        answers["transform"] = [builder.node("Concat", *tensors, axis=1)]
    return answers


def hard_vote(builder: GraphBuilder, model: VotingClassifier, members: list[Answers]) -> Answers:
    """The first of the classes with the largest weight of votes."""
    votes = [column(builder, positions(builder, e, m)) for m, e in zip(members, model.estimators_, strict=True)]
    weights = model._weights_not_none or [1.0] * len(votes)
    classes = builder.constant(np.arange(len(model.classes_)), np.int64)
    counted = [
        builder.node(
            "Mul",
            builder.node("Cast", builder.node("Equal", vote, classes), to=builder.elem_type),
            builder.constant(float(weight)),
        )
        for vote, weight in zip(votes, weights, strict=True)
    ]
    return {
        "predict": [first_largest(builder, builder.node("Sum", *counted))],
        "transform": [builder.node("Concat", *votes, axis=1)],
    }


@composite(VotingRegressor)
def voting_regressor(builder: GraphBuilder, model: VotingRegressor, members: list[Answers], reads: str) -> Answers:
    """The weighted mean of the members' numbers."""
    columns = [column(builder, take(m, "predict", e)) for m, e in zip(members, model.estimators_, strict=True)]
    mean = _weighted_mean(builder, columns, model._weights_not_none)
    return {
        "predict": [builder.node("Reshape", mean, builder.constant([-1], np.int64))],
        "transform": [builder.node("Concat", *columns, axis=1)],
    }


def _weighted_mean(builder: GraphBuilder, tensors: list[str], weights: Any) -> str:
    shares = np.ones(len(tensors)) if weights is None else np.asarray(weights, np.float64)
    if weights is not None:
        tensors = [
            builder.node("Mul", t, builder.constant(w)) if w != 1 else t for t, w in zip(tensors, shares, strict=True)
        ]
    return builder.node("Div", builder.node("Sum", *tensors), builder.constant(shares.sum()))
