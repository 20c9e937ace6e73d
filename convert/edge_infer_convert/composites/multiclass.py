"""One against the rest, one against one, and output codes: many binary estimators for many classes.

Formulas: sklearn.multiclass of scikit-learn 1.9.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.base import is_classifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier, _ConstantPredictor

from edge_infer_convert.composites.answers import binary_score, labels, second, take
from edge_infer_convert.composites.registry import Answers, Member, composite
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column, first_largest, flat, normalised, require_float64
from edge_infer_convert.operators.registry import operator


@composite(OneVsRestClassifier)
def one_against_rest(builder: GraphBuilder, model: OneVsRestClassifier, members: list[Answers], reads: str) -> Answers:
    """The label by the largest score, or each label by its own score where there are several label columns."""
    pairs = list(zip(model.estimators_, members, strict=True))
    scores = _side_by_side(builder, [binary_score(builder, member, answers) for member, answers in pairs])
    answers: Answers = {}
    if hasattr(model, "predict_proba"):
        answers["predict_proba"] = [_rest_probabilities(builder, model, pairs)]
    if hasattr(model, "decision_function"):
        one = len(pairs) == 1
        answers["decision_function"] = [flat(builder, scores) if one else scores]
    if model.label_binarizer_.y_type_ == "multiclass":
        return answers | {"predict": [first_largest(builder, scores)]}
    above = builder.node("Cast", builder.node("Greater", scores, _threshold(builder, model)), to=TensorProto.INT64)
    return answers | {"predict": [above if model.multilabel_ else flat(builder, above)]}


def _rest_probabilities(builder: GraphBuilder, model: OneVsRestClassifier, pairs: list[tuple[Any, Answers]]) -> str:
    positive = [second(builder, take(answers, "predict_proba", member)) for member, answers in pairs]
    if len(positive) == 1:
        first = builder.node("Sub", builder.constant(1.0), positive[0])
        positive = [first, *positive]
    joined = builder.node("Concat", *positive, axis=1) if len(positive) > 1 else positive[0]
    return joined if model.multilabel_ else normalised(builder, joined, 0.0)


@operator(_ConstantPredictor)
def constant_predictor(builder: GraphBuilder, model: _ConstantPredictor, reads: str) -> Answers:
    """For a label that every training row, or none, had."""
    rows = builder.node("Shape", reads, start=0, end=1)
    value = float(model.y_[0])
    score = builder.node("Expand", builder.constant([value]), rows)
    pair = builder.node("Concat", rows, builder.constant([2], np.int64), axis=0)
    probabilities = builder.node("Expand", builder.constant([[1 - value, value]]), pair)
    return {"predict": [score], "decision_function": [score], "predict_proba": [probabilities]}


def _threshold(builder: GraphBuilder, model: Any) -> str:
    first = model.estimators_[0]
    return builder.constant(0.0 if hasattr(first, "decision_function") and is_classifier(first) else 0.5)


def _pairwise(model: OneVsOneClassifier) -> list[Member]:
    indices = model.pairwise_indices_ or [None] * len(model.estimators_)
    pairs = zip(model.estimators_, indices, strict=True)
    return [Member(f"estimators_[{i}]", member, columns) for i, (member, columns) in enumerate(pairs)]


@composite(OneVsOneClassifier, members=_pairwise)
def one_against_one(builder: GraphBuilder, model: OneVsOneClassifier, members: list[Answers], reads: str) -> Answers:
    """Votes of each pair of classes, and a third of a vote at most for the summed confidences.

    In float64: around 0 a sum of large confidences moves the score by all of that third.
    """
    require_float64(builder, "OneVsOneClassifier")
    pairs = list(zip(model.estimators_, members, strict=True))
    confidences = _side_by_side(builder, [binary_score(builder, member, answers) for member, answers in pairs])
    voted = _side_by_side(builder, [_as_number(builder, labels(builder, m, answers)) for m, answers in pairs])
    first, last = _sides(len(model.classes_))
    votes = builder.node(
        "Add",
        builder.node("MatMul", builder.node("Sub", builder.constant(1.0), voted), builder.constant(first)),
        builder.node("MatMul", voted, builder.constant(last)),
    )
    total = builder.node("MatMul", confidences, builder.constant(last - first))
    size = builder.node("Add", builder.node("Abs", total), builder.constant(1.0))
    scores = builder.node("Add", votes, builder.node("Div", total, builder.node("Mul", builder.constant(3.0), size)))
    if len(model.classes_) > 2:
        return {"predict": [first_largest(builder, scores)], "decision_function": [scores]}
    one = flat(builder, second(builder, scores))
    above = builder.node("Greater", one, _threshold(builder, model))
    return {"predict": [builder.node("Cast", above, to=TensorProto.INT64)], "decision_function": [one]}


def _sides(classes: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Two matrices [pairs, classes]: 1 at the first, and 1 at the second class of each pair."""
    pairs = list(itertools.combinations(range(classes), 2))
    first, last = np.zeros((len(pairs), classes)), np.zeros((len(pairs), classes))
    for row, (i, j) in enumerate(pairs):
        first[row, i] = last[row, j] = 1.0
    return first, last


@composite(OutputCodeClassifier)
def output_code(builder: GraphBuilder, model: OutputCodeClassifier, members: list[Answers], reads: str) -> Answers:
    """The class whose code word lies nearest to the scores: |c|² − 2 s·c is the distance less |s|²."""
    scores = _side_by_side(
        builder, [binary_score(builder, m, answers) for m, answers in zip(model.estimators_, members, strict=True)]
    )
    book = model.code_book_
    product = builder.node("MatMul", scores, builder.constant(-2.0 * book.T))
    distances = builder.node("Add", product, builder.constant((book**2).sum(axis=1)))
    return {"predict": [builder.node("ArgMin", distances, axis=1, keepdims=0)]}


def _as_number(builder: GraphBuilder, tensor: str) -> str:
    return builder.node("Cast", tensor, to=builder.elem_type)


def _side_by_side(builder: GraphBuilder, tensors: list[str]) -> str:
    columns = [column(builder, tensor) for tensor in tensors]
    return builder.node("Concat", *columns, axis=1) if len(columns) > 1 else columns[0]
