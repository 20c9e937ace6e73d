"""Categories that a booster learned natively, as the code numbers that its trees test.

pandas categories are looked up by their value (text or number) before the trees: the plan puts a `CategoryCodes`
step in front of the booster, which becomes a table like that of any other encoder. Columns that hold codes
already are cut to whole numbers, as the boosters cast them to int: `BRANCH_MEMBER` of onnxruntime 1.32
finds 1.5 in a set of 1 and others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["CategoryCodes", "whole_codes"]


class CategoryCodes(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fitted: turns each category into its position among those that the booster knows, all else into NaN.

    refuses_unknown: the booster raises at a category that training did not see.
    columns: positions, among the booster's features, of the columns that it reads; `categories_` in that order.
    """

    def __init__(self, known: Mapping[int, Sequence[Any]], *, refuses_unknown: bool = False) -> None:
        self.known, self.refuses_unknown = known, refuses_unknown
        self.columns = tuple(sorted(known))
        self.categories_ = [list(known[i]) for i in self.columns]
        self.n_features_in_ = len(self.columns)

    def fit(self, X: Any, y: Any = None) -> CategoryCodes:
        """It is made fitted."""
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Codes of an array [rows, columns]; missing and unknown values give NaN."""
        places = [{value: code for code, value in enumerate(own)} for own in self.categories_]
        return np.array(
            [[_code(place, cell) for place, cell in zip(places, row, strict=True)] for row in X], np.float64
        )

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        """A name for each column."""
        return np.array([f"code{i}" for i in self.columns], dtype=object)


def _code(places: dict[Any, int], cell: Any) -> float:
    try:
        return places.get(cell, np.nan)
    except TypeError:
        return np.nan


def whole_codes(builder: GraphBuilder, x: str, coded: NDArray[np.bool_], *, toward_zero: bool) -> str:
    """The coded columns of x [rows, features] cut to whole numbers, toward zero or down; NaN stays."""
    if not coded.any():
        return x
    whole = builder.node("Floor", x)
    if toward_zero:
        below = builder.node("Less", x, builder.constant(0.0))
        whole = builder.node("Where", below, builder.node("Ceil", x), whole)
    return builder.node("Where", builder.constant(coded, np.bool_), whole, x)
