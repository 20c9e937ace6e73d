"""A transformer of your own, and the function that teaches edge-infer to convert it.

Both stand in one module: whoever unpickles a Winsoriser imports this file, and has the converter registered too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from edge_infer_convert import GraphBuilder, register_converter


class Winsoriser(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Cuts each column off at two quantiles of the training data, so that outliers do less harm."""

    def __init__(self, low: float = 0.05, high: float = 0.95) -> None:
        self.low, self.high = low, high

    def fit(self, X: Any, y: Any = None) -> Winsoriser:
        self.bounds_ = np.quantile(validate_data(self, X, dtype=float), [self.low, self.high], axis=0)
        return self

    def transform(self, X: Any) -> Any:
        check_is_fitted(self)
        return np.clip(validate_data(self, X, dtype=float, reset=False), *self.bounds_)


def convert_winsoriser(builder: GraphBuilder, estimator: Winsoriser, reads: str) -> dict[str, list[str]]:
    """`transform` as two nodes. `reads` is the tensor [rows, features]; the bounds are rows of it, [features]."""
    low, high = (builder.constant(bound) for bound in estimator.bounds_)
    return {"transform": [builder.node("Min", builder.node("Max", reads, low), high)]}


register_converter(Winsoriser, convert_winsoriser)
