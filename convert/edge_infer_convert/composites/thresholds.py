"""Classifiers with a decision threshold of their own: FixedThresholdClassifier and TunedThresholdClassifierCV."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from edge_infer_convert.composites.answers import second, take
from edge_infer_convert.composites.registry import Answers, Member, composite
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import flat

_RESPONSES = ("predict_proba", "decision_function")


def _member(model: Any) -> list[Member]:
    return [Member("estimator_", _inner(model))]


def _inner(model: Any) -> Any:
    return getattr(model, "estimator_", model.estimator)


@composite(FixedThresholdClassifier, members=_member)
def fixed_threshold(builder: GraphBuilder, model: Any, members: list[Answers], reads: str) -> Answers:
    method = _method(model)
    usual = 0.5 if method == "predict_proba" else 0.0
    threshold = usual if isinstance(model.threshold, str) else float(model.threshold)
    return _decided(builder, model, members[0], method, threshold, model.pos_label)


@composite(TunedThresholdClassifierCV, members=_member)
def tuned_threshold(builder: GraphBuilder, model: Any, members: list[Answers], reads: str) -> Answers:
    positive = model._curve_scorer._get_pos_label()
    return _decided(builder, model, members[0], _method(model), float(model.best_threshold_), positive)


def _method(model: Any) -> str:
    """The first response that the estimator has, as scikit-learn chooses it."""
    wanted = model._get_response_method()
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    return next((name for name in names if hasattr(_inner(model), name)), names[0])


def _decided(
    builder: GraphBuilder, model: Any, member: Answers, method: str, threshold: float, positive: Any
) -> Answers:
    """The positive class where its score is at least the threshold; probabilities and scores stay the member's."""
    raw = take(member, method, _inner(model))
    last = positive is None or model.classes_[1] == positive
    if method == "predict_proba":
        place = builder.constant([1 if last else 0], np.int64)
        score = flat(builder, second(builder, raw) if last else builder.node("Gather", raw, place, axis=1))
    else:
        score = raw if last else builder.node("Neg", raw)
    above = builder.node("GreaterOrEqual", score, builder.constant(threshold))
    position = builder.node("Cast", above, to=TensorProto.INT64)
    if not last:
        position = builder.node("Sub", builder.constant(1, np.int64), position)
    return {"predict": [position]} | {name: member[name] for name in _RESPONSES if name in member}
