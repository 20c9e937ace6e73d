"""Naive Bayes: the joint log-likelihood of a row and each class, then the softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import first_largest, require_float64
from edge_infer_convert.operators.registry import operator


@operator(GaussianNB)
def gaussian_bayes(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """log π − ½ Σ log(2 π σ²) − ½ Σ (x − θ)² / σ²."""
    require_float64(builder, "GaussianNB")
    spread = builder.node("Unsqueeze", reads, builder.constant([1], np.int64))
    moved = builder.node("Sub", spread, builder.constant(model.theta_[None]))
    shares = builder.node("Div", builder.node("Mul", moved, moved), builder.constant(model.var_[None]))
    distance = builder.node("ReduceSum", shares, builder.constant([2], np.int64), keepdims=0)
    fixed = np.log(model.class_prior_) - 0.5 * np.log(2.0 * np.pi * model.var_).sum(axis=1)
    halves = builder.node("Mul", distance, builder.constant(0.5))
    return _answers(builder, builder.node("Sub", builder.constant(fixed), halves))


@operator(MultinomialNB, ComplementNB)
def counting_bayes(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """x · log P(feature | class), plus the log prior; ComplementNB adds that only to a lone class."""
    likelihood = builder.node("MatMul", reads, builder.constant(model.feature_log_prob_.T))
    if isinstance(model, MultinomialNB) or len(model.classes_) == 1:
        likelihood = builder.node("Add", likelihood, builder.constant(model.class_log_prior_))
    return _answers(builder, likelihood)


@operator(BernoulliNB)
def bernoulli_bayes(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """x · (log p − log(1 − p)) + log prior + Σ log(1 − p), where x > binarize counts as 1, else 0."""
    if model.binarize is not None:
        above = builder.node("Greater", reads, builder.constant(model.binarize))
        reads = builder.node("Cast", above, to=builder.elem_type)
    absent = np.log(1 - np.exp(model.feature_log_prob_))
    likelihood = builder.node("MatMul", reads, builder.constant((model.feature_log_prob_ - absent).T))
    fixed = model.class_log_prior_ + absent.sum(axis=1)
    return _answers(builder, builder.node("Add", likelihood, builder.constant(fixed)))


@operator(CategoricalNB)
def categorical_bayes(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Σ log P(category | class) + log prior. A category that fitting did not see is refused at run time, as there."""
    sizes = np.array([table.shape[1] for table in model.feature_log_prob_])
    table = np.concatenate([part.T for part in model.feature_log_prob_])
    codes = builder.node("Cast", reads, to=TensorProto.INT64)
    below = builder.node("Less", codes, builder.constant(0, np.int64))
    beyond = builder.node("GreaterOrEqual", codes, builder.constant(sizes, np.int64))
    places = builder.node("Add", codes, builder.constant(np.cumsum(sizes) - sizes, np.int64))
    nowhere = builder.constant(len(table), np.int64)  # Gather raises an error there
    places = builder.node("Where", builder.node("Or", below, beyond), nowhere, places)
    logs = builder.node("Gather", builder.constant(table), places, axis=0)
    likelihood = builder.node("ReduceSum", logs, builder.constant([1], np.int64), keepdims=0)
    return _answers(builder, builder.node("Add", likelihood, builder.constant(model.class_log_prior_)))


def _answers(builder: GraphBuilder, likelihood: str) -> dict[str, list[str]]:
    return {
        "predict": [first_largest(builder, likelihood)],
        "predict_proba": [builder.node("Softmax", likelihood, axis=1)],
    }
