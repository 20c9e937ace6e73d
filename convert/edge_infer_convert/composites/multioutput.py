"""Several targets: an estimator for each, side by side or in a chain."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.composites.answers import labels, second, take
from edge_infer_convert.composites.registry import Answers, composite
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column
from edge_infer_convert.operators.registry import operator


@composite(MultiOutputRegressor, MultiOutputClassifier)
def each_target(builder: GraphBuilder, model: Any, members: list[Answers], reads: str) -> Answers:
    """Predictions side by side, probabilities as a list."""
    pairs = list(zip(model.estimators_, members, strict=True))
    answers = {"predict": [_side_by_side(builder, [labels(builder, m, a) for m, a in pairs])]}
    if hasattr(model, "predict_proba"):
        answers["predict_proba"] = [take(a, "predict_proba", m) for m, a in pairs]
    return answers


@operator(ClassifierChain, RegressorChain)
def chain(builder: GraphBuilder, model: Any, reads: str) -> Answers:
    """Each member reads the features and what the members before it say; answers in the order of the targets."""
    from edge_infer_convert.graph.leaf import convert_leaf  # it looks composites up: a ring otherwise

    link = getattr(model, "chain_method_", "predict")
    methods = [m for m in ("predict", "predict_proba", "decision_function") if hasattr(model, m)]
    found: dict[str, list[str]] = {method: [] for method in methods}
    width, augmented = model.n_features_in_, reads
    for number, member in enumerate(model.estimators_):
        answers = convert_leaf(builder, f"estimators_[{number}]", member, augmented, width)
        for method in methods:
            found[method].append(_said(builder, member, answers, method))
        augmented = builder.node("Concat", augmented, _said(builder, member, answers, link), axis=1)
        width += 1
    order = np.argsort(model.order_)
    return {m: [_side_by_side(builder, [found[m][int(i)] for i in order])] for m in methods}


def _said(builder: GraphBuilder, member: Any, answers: Answers, method: str) -> str:
    """[rows, 1] in the graph's precision."""
    if method == "predict_proba":
        if len(member.classes_) != 2:
            raise UnsupportedModelError("a chain of more than two classes gives no probabilities of one column")
        return second(builder, take(answers, method, member))
    told = labels(builder, member, answers) if method == "predict" else take(answers, method, member)
    return builder.node("Cast", column(builder, told), to=builder.elem_type)


def _side_by_side(builder: GraphBuilder, tensors: list[str]) -> str:
    columns = [column(builder, tensor) for tensor in tensors]
    return builder.node("Concat", *columns, axis=1) if len(columns) > 1 else columns[0]
