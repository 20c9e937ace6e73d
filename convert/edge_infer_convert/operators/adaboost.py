"""AdaBoost: weighted votes of classifiers, and the weighted median of regressors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column, first_largest, flat, where_positive
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.tree_ensemble import casted, computing_in
from edge_infer_convert.operators.trees import (
    leaf_numbers,
    leaf_sums,
    leaf_values,
    ordered_sum,
    scalar_sums,
)

__all__ = ["vote_values"]

_TREES = (DecisionTreeClassifier, ExtraTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor)


@operator(AdaBoostClassifier)
def adaboost_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Each member adds its weight w to the class it votes for, and −w / (classes − 1) to the others; then softmax.

    With two classes, the score is the second sum less the first, which is the second doubled.
    """
    if model.n_classes_ == 1:
        return _one_class(builder, reads)
    total = builder.node("Div", _votes(builder, model, reads), _weight(builder, model))
    if model.n_classes_ == 2:
        scores = flat(builder, builder.node("Add", total, total))
        with computing_in(builder, "float64"):
            positions = where_positive(builder, scores)
        halves = builder.node("Mul", casted(builder, scores), builder.constant(0.5))
        logits = _signed(builder, halves)
    else:
        scores, positions = total, first_largest(builder, total)
        logits = builder.node("Div", casted(builder, scores), builder.constant(float(model.n_classes_ - 1)))
    return {
        "predict": [positions],
        "predict_proba": [builder.node("Softmax", logits, axis=1)],
        "decision_function": [casted(builder, scores)],
    }


def _signed(builder: GraphBuilder, x: str) -> str:
    """[rows] → [−x, x]."""
    second = column(builder, x)
    return builder.node("Concat", builder.node("Neg", second), second, axis=1)


def _one_class(builder: GraphBuilder, reads: str) -> dict[str, list[str]]:
    first = builder.node("Gather", reads, builder.constant([0], np.int64), axis=1)
    known = builder.node("IsNaN", first)
    zeros = builder.node("Cast", builder.node("And", known, builder.node("Not", known)), to=builder.elem_type)
    return {
        "predict": [builder.node("Cast", flat(builder, zeros), to=TensorProto.INT64)],
        "predict_proba": [builder.node("Add", zeros, builder.constant(1.0))],
        "decision_function": [zeros],
    }


def _weight(builder: GraphBuilder, model: Any) -> str:
    return builder.constant(model.estimator_weights_.sum(), np.float64)


def vote_values(model: Any, index: int) -> NDArray[np.float64]:
    """What member `index` adds when it votes for each class: [classes voted for, classes]; of two, the second only."""
    weight, classes = model.estimator_weights_[index], model.n_classes_
    values = np.where(np.eye(classes, dtype=bool), weight, -1 / (classes - 1) * weight)
    return np.asarray(values[:, 1:] if classes == 2 else values, np.float64)


def _votes(builder: GraphBuilder, model: Any, reads: str) -> str:
    """The sums, float64 [rows, classes]; of two classes, the second only."""
    votes = [vote_values(model, i) for i in range(len(model.estimators_))]
    if _of_trees(model):
        trees = [member.tree_ for member in model.estimators_]
        tables = [vote[leaf_values(tree).argmax(axis=1)] for vote, tree in zip(votes, trees, strict=True)]
        if model.n_classes_ == 2:
            return scalar_sums(builder, trees, tables, reads)
        return leaf_sums(builder, trees, tables, reads)
    numbers = []
    for i, answers in enumerate(_members(builder, model, reads)):
        first = builder.constant(i * model.n_classes_, np.int64)
        numbers.append(builder.node("Add", column(builder, answers), first))
    return ordered_sum(builder, _side_by_side(builder, numbers), np.concatenate(votes))


@operator(AdaBoostRegressor)
def adaboost_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The first prediction, in their order, at which the members' weights reach half of their sum."""
    if _of_trees(model):
        trees = [member.tree_ for member in model.estimators_]
        values = builder.constant(np.concatenate([leaf_values(tree)[:, 0] for tree in trees]), np.float64)
        said = builder.node("Gather", values, leaf_numbers(builder, trees, reads), axis=0)
    else:
        members = [column(builder, member) for member in _members(builder, model, reads)]
        said = builder.node("Cast", _side_by_side(builder, members), to=TensorProto.DOUBLE)
    count = len(model.estimators_)
    ordered, places = builder.nodes_of(
        "TopK", said, builder.constant([count], np.int64), outputs=2, axis=1, largest=0, sorted=1
    )
    with computing_in(builder, "float64"):
        weights = builder.node("Gather", builder.constant(model.estimator_weights_[:count]), places, axis=0)
        reached = builder.node("CumSum", weights, builder.constant(1, np.int64))
        half = builder.node("Mul", builder.constant(0.5), _last(builder, reached))
        enough = builder.node("Cast", builder.node("GreaterOrEqual", reached, half), to=TensorProto.INT32)
        median = builder.node("ArgMax", enough, axis=1, keepdims=1)
    return {"predict": [casted(builder, flat(builder, builder.node("GatherElements", ordered, median, axis=1)))]}


def _last(builder: GraphBuilder, x: str) -> str:
    """The last column, [rows, 1]."""
    return builder.node("Gather", x, builder.constant([-1], np.int64), axis=1)


def _of_trees(model: Any) -> bool:
    return all(type(member) in _TREES for member in model.estimators_)


def _members(builder: GraphBuilder, model: Any, reads: str) -> list[str]:
    """What each member predicts: positions in its classes, or numbers."""
    from edge_infer_convert.graph.leaf import convert_leaf  # leaf looks operators up: a ring otherwise

    found = []
    for i, member in enumerate(model.estimators_):
        answers = convert_leaf(builder, f"estimators_[{i}]", member, reads, model.n_features_in_)
        if "predict" not in answers:
            raise UnsupportedModelError(f"predict of its member {type(member).__name__} cannot be converted")
        known = getattr(member, "classes_", None)
        if known is not None and not np.array_equal(known, model.classes_):
            raise UnsupportedModelError(f"its member {i} knows other classes than the whole; fit it with all classes")
        found.append(answers["predict"][0])
    return found


def _side_by_side(builder: GraphBuilder, columns: list[str]) -> str:
    return builder.node("Concat", *columns, axis=1) if len(columns) > 1 else columns[0]
