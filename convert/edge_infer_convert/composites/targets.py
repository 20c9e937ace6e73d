"""TransformedTargetRegressor: a regressor, then the inverse of the transformation of its target."""

from __future__ import annotations

from typing import Any

from sklearn.compose import TransformedTargetRegressor

from edge_infer_convert.composites.answers import take
from edge_infer_convert.composites.registry import Answers, Member, composite
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.inverse import invert
from edge_infer_convert.operators.numeric import column, flat


def _member(model: TransformedTargetRegressor) -> list[Member]:
    return [Member("regressor_", model.regressor_)]


@composite(TransformedTargetRegressor, members=_member)
def transformed_target(builder: GraphBuilder, model: Any, members: list[Answers], reads: str) -> Answers:
    predicted = take(members[0], "predict", model.regressor_)
    if _is_single(model):
        return {"predict": [flat(builder, invert(builder, model.transformer_, column(builder, predicted)))]}
    return {"predict": [invert(builder, model.transformer_, predicted)]}


def _is_single(model: Any) -> bool:
    """Whether the target was one column, given flat."""
    return bool(model._training_dim == 1)
