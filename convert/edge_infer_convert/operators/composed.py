"""Votes, bags and one-against-rest: their members are converted one by one, and combined as scikit-learn does."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, VotingClassifier, VotingRegressor
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column, normalised
from edge_infer_convert.operators.registry import operator

Answers = dict[str, list[str]]


def _member(builder: GraphBuilder, owner: Any, number: int, estimator: Any, reads: str) -> Answers:
    """A member's tensors by method; a Pipeline of numeric steps is followed."""
    from edge_infer_convert.graph.leaf import convert_leaf  # leaf looks operators up: a ring otherwise

    path = f"{type(owner).__name__}[{number}]"
    steps = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
    for step in steps[:-1]:
        if step is None or step == "passthrough":
            continue
        reads = convert_leaf(builder, path, step, reads, step.n_features_in_, final=False)["transform"][0]
    return convert_leaf(builder, path, steps[-1], reads, steps[-1].n_features_in_, final=True)


def _of(answers: Answers, method: str, owner: Any) -> str:
    if method not in answers:
        raise UnsupportedModelError(
            f"{type(owner).__name__}: {method} of one of its members cannot be converted; choose another member"
        )
    return answers[method][0]


# --- votes ------------------------------------------------------------------------------


@operator(VotingClassifier, when=lambda model: model.voting == "soft" and model.flatten_transform)
def soft_vote(builder: GraphBuilder, model: Any, reads: str) -> Answers:
    """The weighted mean of the members' probabilities."""
    members = [
        _of(_member(builder, model, i, m, reads), "predict_proba", model) for i, m in enumerate(model.estimators_)
    ]
    mean = _weighted_mean(builder, members, model._weights_not_none)
    side_by_side = builder.node("Concat", *members, axis=1)
    return {
        "predict": [builder.node("ArgMax", mean, axis=1, keepdims=0)],
        "predict_proba": [mean],
        "transform": [side_by_side],
    }


@operator(VotingClassifier, when=lambda model: model.voting == "hard")
def hard_vote(builder: GraphBuilder, model: Any, reads: str) -> Answers:
    """The first of the classes with the largest weight of votes."""
    members = [_of(_member(builder, model, i, m, reads), "predict", model) for i, m in enumerate(model.estimators_)]
    columns = [column(builder, member) for member in members]
    weights = model._weights_not_none or [1.0] * len(members)
    classes = builder.constant(np.arange(len(model.classes_)), np.int64)
    votes = [
        builder.node(
            "Mul",
            builder.node("Cast", builder.node("Equal", column, classes), to=builder.elem_type),
            builder.constant(float(weight)),
        )
        for column, weight in zip(columns, weights, strict=True)
    ]
    counts = builder.node("Sum", *votes)
    return {
        "predict": [builder.node("ArgMax", counts, axis=1, keepdims=0)],
        "transform": [builder.node("Concat", *columns, axis=1)],
    }


@operator(VotingRegressor)
def mean_of_regressors(builder: GraphBuilder, model: Any, reads: str) -> Answers:
    """The weighted mean of the members' numbers."""
    members = [_of(_member(builder, model, i, m, reads), "predict", model) for i, m in enumerate(model.estimators_)]
    columns = [column(builder, member) for member in members]
    mean = _weighted_mean(builder, columns, model._weights_not_none)
    return {"predict": [mean], "transform": [builder.node("Concat", *columns, axis=1)]}


def _weighted_mean(builder: GraphBuilder, tensors: list[str], weights: Any) -> str:
    shares = np.ones(len(tensors)) if weights is None else np.asarray(weights, np.float64)
    if weights is not None:
        tensors = [
            builder.node("Mul", t, builder.constant(w)) if w != 1 else t for t, w in zip(tensors, shares, strict=True)
        ]
    return builder.node("Div", builder.node("Sum", *tensors), builder.constant(shares.sum()))


# --- bags -------------------------------------------------------------------------------


@operator(BaggingClassifier, when=lambda model: all(_whole(model, member) for member in model.estimators_))
def bagging_classifier(builder: GraphBuilder, model: Any, reads: str) -> Answers:
    """The mean of the members' probabilities, each on its own features."""
    members = [_of(answers, "predict_proba", model) for answers in _bag(builder, model, reads)]
    mean = builder.node("Div", builder.node("Sum", *members), builder.constant(float(len(members))))
    return {"predict": [builder.node("ArgMax", mean, axis=1, keepdims=0)], "predict_proba": [mean]}


def _whole(model: Any, member: Any) -> bool:
    """Whether a member knows all classes and has probabilities."""
    return hasattr(member, "predict_proba") and len(member.classes_) == len(model.classes_)


@operator(BaggingRegressor)
def bagging_regressor(builder: GraphBuilder, model: Any, reads: str) -> Answers:
    """The mean of the members' numbers, each on its own features."""
    members = [_of(answers, "predict", model) for answers in _bag(builder, model, reads)]
    if getattr(model, "n_outputs_", 1) == 1 and np.ndim(model.predict(np.zeros((1, model.n_features_in_)))) == 1:
        members = [column(builder, member) for member in members]
    return {"predict": [builder.node("Div", builder.node("Sum", *members), builder.constant(float(len(members))))]}


def _bag(builder: GraphBuilder, model: Any, reads: str) -> list[Answers]:
    everything = list(range(model.n_features_in_))
    answers = []
    for i, (member, features) in enumerate(zip(model.estimators_, model.estimators_features_, strict=True)):
        own = reads
        if list(features) != everything:
            own = builder.node("Gather", reads, builder.constant(features, np.int64), axis=1)
        answers.append(_member(builder, model, i, member, own))
    return answers


# --- one against the rest ---------------------------------------------------------------


@operator(
    OneVsRestClassifier,
    when=lambda model: not model.multilabel_ and len(model.classes_) > 2 and not is_regressor(model.estimators_[0]),
)
def one_against_rest(builder: GraphBuilder, model: Any, reads: str) -> Answers:
    """The label by the largest score; probabilities of the positive classes, made to sum to 1."""
    members = [_member(builder, model, i, m, reads) for i, m in enumerate(model.estimators_)]
    answers: Answers = {}
    if hasattr(model.estimators_[0], "predict_proba"):
        positive = [_second(builder, _of(member, "predict_proba", model)) for member in members]
        joined = builder.node("Concat", *positive, axis=1)
        answers["predict_proba"] = [normalised(builder, joined, 0.0)]
        scores = joined
    if hasattr(model.estimators_[0], "decision_function"):
        columns = [column(builder, _of(member, "decision_function", model)) for member in members]
        scores = builder.node("Concat", *columns, axis=1)
        answers["decision_function"] = [scores]
    return answers | {"predict": [builder.node("ArgMax", scores, axis=1, keepdims=0)]}


def _second(builder: GraphBuilder, probabilities: str) -> str:
    return builder.node("Gather", probabilities, builder.constant([1], np.int64), axis=1)
