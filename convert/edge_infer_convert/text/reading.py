"""Which estimators read texts, and which columns they read."""

from __future__ import annotations

from typing import Any

from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline

from edge_infer_convert.composites import find_composite, find_wrapped
from edge_infer_convert.operators.text import VECTORISERS

__all__ = ["hashed_width", "is_vectoriser", "takes_texts"]


def is_vectoriser(estimator: Any) -> bool:
    """Whether it reads one column of texts."""
    return type(estimator) in VECTORISERS


def hashed_width(estimator: Any) -> int | None:
    """The number of features of a HashingVectorizer, which has no names for them."""
    return int(estimator.n_features) if type(estimator) is HashingVectorizer else None


def takes_texts(estimator: Any) -> bool:
    """Whether the original takes a list of texts rather than a table: a vectoriser is the first to see its input."""
    if is_vectoriser(estimator):
        return True
    wrapped = find_wrapped(estimator)
    if wrapped is not None:
        return takes_texts(getattr(estimator, wrapped))
    if isinstance(estimator, Pipeline):
        first = next((step for _, step in estimator.steps if step is not None and step != "passthrough"), None)
        return takes_texts(first)
    if isinstance(estimator, FeatureUnion):
        return any(takes_texts(step) for _, step in estimator.transformer_list)
    composite = find_composite(estimator)
    return composite is not None and any(takes_texts(member.estimator) for member in composite.members(estimator))
