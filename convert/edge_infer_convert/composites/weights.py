"""`transformer_weights` of ColumnTransformer and FeatureUnion, as a step of its own."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from edge_infer_convert.composites.registry import Answers
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.registry import operator

__all__ = ["Weight"]


class Weight(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Multiplies every one of `width` columns by `weight`."""

    def __init__(self, weight: float, width: int) -> None:
        self.weight, self.width = weight, width

    def transform(self, X):  # type: ignore[no-untyped-def]
        return X * self.weight


@operator(Weight)
def weigh(builder: GraphBuilder, model: Weight, reads: str) -> Answers:
    return {"transform": [builder.node("Mul", reads, builder.constant(float(model.weight)))]}
