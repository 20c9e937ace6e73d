"""The arrays of a TreeEnsemble node, read and written: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, helper, numpy_helper

from edge_infer_convert.graph.attributes import add_ints

__all__ = ["LEQ", "LT", "MEMBER", "NEQ", "NO_CODE", "EnsembleNode", "memberships", "set_branches"]

#: nodes_modes: how a branch compares a feature x with its threshold; where that holds, the row goes to `yes`.
LEQ: Final = 0  # x ≤ threshold
LT: Final = 1
NEQ: Final = 5
MEMBER: Final = 6
NO_CODE: Final = -2.0  # in an empty set: no code is this number

_Ints = NDArray[np.int64]


class EnsembleNode:
    """Branches and leaves are numbered apart: `yes_leaf` and `no_leaf` tell which of them `yes` and `no` are."""

    def __init__(self, node: NodeProto) -> None:
        self._attributes = {attribute.name: attribute for attribute in node.attribute}
        self.roots = self._ints("tree_roots")
        self.feature = self._ints("nodes_featureids")
        self.split = self._tensor("nodes_splits")
        self.mode = self._tensor("nodes_modes")
        self.yes, self.no = self._ints("nodes_truenodeids"), self._ints("nodes_falsenodeids")
        self.yes_leaf = self._ints("nodes_trueleafs").astype(bool)
        self.no_leaf = self._ints("nodes_falseleafs").astype(bool)
        routes = self._ints("nodes_missing_value_tracks_true")
        self.missing = routes.astype(bool) if len(routes) else np.zeros(len(self.feature), bool)
        self.target = self._ints("leaf_targetids")
        self.weight = self._tensor("leaf_weights")

    def members(self, at: _Ints) -> list[NDArray[Any]]:
        """The sets of MEMBER nodes, which stand one after the other in the order of their nodes, each ended by NaN."""
        values = self._tensor("membership_values")
        sets = np.split(values, np.flatnonzero(np.isnan(values)) + 1)
        order = np.cumsum(self.mode == MEMBER) - 1
        return [sets[order[place]][:-1] for place in at.tolist()]

    def _ints(self, name: str) -> _Ints:
        found = self._attributes.get(name)
        return np.fromiter(found.ints, np.int64, len(found.ints)) if found is not None else np.empty(0, np.int64)

    def _tensor(self, name: str) -> Any:
        return numpy_helper.to_array(self._attributes[name].t)


def set_branches(node: NodeProto, new: EnsembleNode) -> None:
    """Write the branches of `new` in place of those that the node has; its leaves stay, and its sets."""
    ints = {
        "nodes_featureids": new.feature,
        "nodes_truenodeids": new.yes,
        "nodes_falsenodeids": new.no,
        "nodes_trueleafs": new.yes_leaf,
        "nodes_falseleafs": new.no_leaf,
        "nodes_missing_value_tracks_true": new.missing,
    }
    tensors = {"nodes_splits": new.split, "nodes_modes": new.mode}
    kept: list[AttributeProto] = [a for a in node.attribute if a.name not in ints and a.name not in tensors]
    changed = NodeProto()
    changed.attribute.extend(kept)
    for name, values in ints.items():
        add_ints(changed, name, values)
    changed.attribute.extend(
        helper.make_attribute(key, numpy_helper.from_array(value)) for key, value in tensors.items()
    )
    del node.attribute[:]
    node.attribute.extend(sorted(changed.attribute, key=lambda attribute: attribute.name))


def memberships(members: Sequence[NDArray[np.float64]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Set after set, each ended by NaN; an empty one holds NO_CODE."""
    ended = [np.append(own if len(own) else [NO_CODE], np.nan) for own in members]
    return np.concatenate(ended).astype(dtype)
