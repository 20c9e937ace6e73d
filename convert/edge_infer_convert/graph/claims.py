"""What an operator says that its TreeEnsemble nodes are, so that `structural_proof` can hold them against the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge_infer_convert.operators.tree_ensemble import Trees  # which imports this module

__all__ = ["NodeClaim", "TreeClaim"]


class TreeClaim(NamedTuple):
    """One TreeEnsemble node is these fitted trees of scikit-learn, in this order.

    subsets: each tree's features, where these are not all.
    values: for each tree [leaves, outputs], in node order: what a leaf gives.
    targets: for each tree [leaves], the sum that the leaf adds its one value to. None: the node tells numbers of
    leaves, counted from `first`, and a table behind it has the values.
    start: what the sums begin with.
    """

    trees: Sequence[Any]
    values: Sequence[NDArray[np.float64]]
    targets: Sequence[NDArray[np.int64]] | None = None
    subsets: Sequence[Any] | None = None
    start: tuple[float, ...] = ()
    first: int = 0


class NodeClaim(NamedTuple):
    """One TreeEnsemble node is these nodes, read from a model that has other trees than scikit-learn's `tree_`."""

    nodes: Trees
    start: tuple[float, ...] = ()
