"""CalibratedClassifierCV: the mean of calibrated classifiers. Formulas: sklearn.calibration of scikit-learn 1.9."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.isotonic import IsotonicRegression

from edge_infer_convert.composites.answers import second, take
from edge_infer_convert.composites.registry import Answers, Member, composite
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column, first_largest, normalised, sigmoid, two_columns

#: `eps` of sklearn.calibration._convert_to_logits.
_LOGIT_FLOOR = 1e-12


def _members(model: CalibratedClassifierCV) -> list[Member]:
    return [
        Member(f"calibrated_classifiers_[{i}].estimator", one.estimator)
        for i, one in enumerate(model.calibrated_classifiers_)
    ]


@composite(CalibratedClassifierCV, members=_members)
def calibrated(builder: GraphBuilder, model: CalibratedClassifierCV, members: list[Answers], reads: str) -> Answers:
    pairs = zip(model.calibrated_classifiers_, members, strict=True)
    each = [_calibrated(builder, one, answers) for one, answers in pairs]
    total = builder.node("Sum", *each) if len(each) > 1 else each[0]
    mean = builder.node("Div", total, builder.constant(float(len(each))))
    return {"predict": [first_largest(builder, mean)], "predict_proba": [mean]}


def _calibrated(builder: GraphBuilder, one: Any, answers: Answers) -> str:
    """The calibrated probabilities of one classifier, [rows, classes]; a hair above 1 counts as 1."""
    by_decision = hasattr(one.estimator, "decision_function")
    raw = take(answers, "decision_function" if by_decision else "predict_proba", one.estimator)
    binary = len(one.classes) == 2
    if binary:
        raw = column(builder, raw) if by_decision else second(builder, raw)
    if one.method == "temperature":
        shares = _by_temperature(builder, one.calibrators[0], raw, by_decision=by_decision, binary=binary)
    elif binary:
        shares = two_columns(builder, _calibrator(builder, one.calibrators[0], raw))
    else:
        shares = _each_class(builder, one, raw)
    hair = builder.node("LessOrEqual", shares, builder.constant(1.0 + 1e-5))
    capped = builder.node("Min", shares, builder.constant(1.0))
    return builder.node("Where", hair, capped, shares)


def _each_class(builder: GraphBuilder, one: Any, raw: str) -> str:
    """A calibrator for each class that the classifier knows, made to sum to 1; uniform where all are 0."""
    known = np.searchsorted(one.classes, one.estimator.classes_)
    count = len(one.classes)
    columns = [builder.node("Mul", _pick(builder, raw, 0), builder.constant(0.0))] * count
    for place, (position, calibrator) in enumerate(zip(known, one.calibrators, strict=False)):
        columns[int(position)] = _calibrator(builder, calibrator, _pick(builder, raw, place))
    return normalised(builder, builder.node("Concat", *columns, axis=1), 1.0 / count)


def _pick(builder: GraphBuilder, raw: str, place: int) -> str:
    return builder.node("Gather", raw, builder.constant([place], np.int64), axis=1)


def _calibrator(builder: GraphBuilder, calibrator: Any, score: str) -> str:
    """[rows, 1] → [rows, 1]."""
    if isinstance(calibrator, IsotonicRegression):
        from edge_infer_convert.graph.leaf import convert_leaf  # it looks composites up: a ring otherwise

        return column(builder, convert_leaf(builder, "calibrator", calibrator, score, 1)["predict"][0])
    line = builder.node(
        "Add", builder.node("Mul", score, builder.constant(calibrator.a_)), builder.constant(calibrator.b_)
    )
    return sigmoid(builder, builder.node("Neg", line))


def _by_temperature(builder: GraphBuilder, calibrator: Any, raw: str, *, by_decision: bool, binary: bool) -> str:
    """softmax(β · logits); probabilities become logits by their logarithm, one decision value by (−x, x)."""
    if by_decision:
        logits = builder.node("Concat", builder.node("Neg", raw), raw, axis=1) if binary else raw
    else:
        both = two_columns(builder, raw) if binary else raw
        logits = builder.node("Log", builder.node("Add", both, builder.constant(_LOGIT_FLOOR)))
    return builder.node("Softmax", builder.node("Mul", logits, builder.constant(float(calibrator.beta_))), axis=1)
