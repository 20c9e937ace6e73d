"""The scikit-learn trees inside a fitted estimator."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["fitted_trees"]


def fitted_trees(estimator: Any) -> list[Any]:
    """The `tree_` of a tree, or of each tree of an ensemble that gives all its features to each; else none."""
    members = getattr(estimator, "estimators_", [estimator])
    if isinstance(members, np.ndarray):
        members = members.ravel().tolist()
    if not isinstance(members, list):
        return []
    subsets = getattr(estimator, "estimators_features_", [])
    if any(len(features) != estimator.n_features_in_ for features in subsets):
        return []
    return [member.tree_ for member in members if hasattr(member, "tree_")]
