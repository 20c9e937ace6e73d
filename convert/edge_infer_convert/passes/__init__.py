"""Rewriting a finished graph to run faster: one file a pass, run in the order that stands here.

A pass takes a `View` and what is `Known` of tensors, changes the graph, and tells whether it did. Those that are not in
EXACT round differently: the gate judges them, and where a graph does not hold with them they are switched off by name.

To add one: write it in a file of its own, add it to PASSES, and a differential test to tests/convert/passes/.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from onnx import ModelProto, NodeProto

from edge_infer_convert.graph.builder import ML
from edge_infer_convert.passes.fewer_nodes import make_average, make_gemm, make_softmax
from edge_infer_convert.passes.linear import fold_scalers, gather_weights
from edge_infer_convert.passes.needless import drop_needless_casts, drop_needless_reshapes
from edge_infer_convert.passes.sums import multiply_sums
from edge_infer_convert.passes.trees import move_into_trees
from edge_infer_convert.passes.view import Codes, Known, View

__all__ = ["EXACT", "PASSES", "Codes", "Passed", "run_passes"]

PASSES: Final[dict[str, Callable[[View, Known], bool]]] = {
    "casts": drop_needless_casts,
    "reshapes": drop_needless_reshapes,
    "scalers": fold_scalers,
    "weights": gather_weights,
    "trees": move_into_trees,
    "average": make_average,
    "sums": multiply_sums,
    "gemm": make_gemm,
    "softmax": make_softmax,
}
#: Passes after which every number is the same, bit by bit.
EXACT: Final = frozenset({"casts", "reshapes", "trees"})


class Passed(NamedTuple):
    """The passes that changed a graph, and its TreeEnsemble nodes, in their order, as they were before."""

    names: tuple[str, ...]
    ensembles: tuple[NodeProto, ...]


def run_passes(
    model: ModelProto,
    infer: Callable[[ModelProto], ModelProto],
    kept: Collection[str],
    without: Collection[str] = (),
    codes: Codes | None = None,
) -> Passed:
    """Change the model in place.

    infer: a light copy with the shapes of all tensors. kept: tensors that stay, beside the outputs.
    """
    view, done = View(model), []
    for name, change in PASSES.items():
        if name not in without and change(view, Known.of(infer(model), codes)):
            view.sweep(kept)
            done.append(name)
    ensembles = [node for node in model.graph.node if node.op_type == "TreeEnsemble" and node.domain == ML]
    return Passed(tuple(done), tuple(map(view.as_emitted, ensembles)))
