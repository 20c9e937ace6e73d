"""The trees inside a fitted estimator."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from edge_infer_convert.boosters import tree_splits

__all__ = ["fitted_trees", "holds_trees"]


def fitted_trees(estimator: Any) -> list[Any]:
    """The `tree_` of a tree (of a booster: its splits), or of each tree of an ensemble of whole rows; else none."""
    splits = tree_splits(estimator)
    if splits is not None:
        return [SimpleNamespace(feature=splits[0], threshold=splits[1])]
    members = _members(estimator)
    subsets = getattr(estimator, "estimators_features_", [])
    if any(len(features) != estimator.n_features_in_ for features in subsets):
        return []
    return [member.tree_ for member in members if hasattr(getattr(member, "tree_", None), "threshold")]


def holds_trees(estimator: Any) -> bool:
    """Whether it is a tree or an ensemble of trees: of scikit-learn, histograms included, or of a booster."""
    if hasattr(estimator, "_predictors") or tree_splits(estimator) is not None:
        return True
    return any(hasattr(member, "tree_") for member in _members(estimator))


def _members(estimator: Any) -> list[Any]:
    members = getattr(estimator, "estimators_", [estimator])
    if isinstance(members, np.ndarray):
        members = members.ravel().tolist()
    return members if isinstance(members, list) else []
