"""Rewriting a finished graph to run faster: one file a pass, run in the order that stands here.

A pass takes a `View` and what is `Known` of tensors, changes the graph, and tells whether it did. Those that are not in
EXACT round differently: the gate judges them, and where a graph does not hold with them they are switched off by name.

To add one: write it in a file of its own, add it to PASSES, and a differential test to tests/convert/passes/.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from onnx import ModelProto

from edge_infer_convert.passes.fewer_nodes import make_average, make_gemm, make_softmax
from edge_infer_convert.passes.linear import fold_scalers, gather_weights
from edge_infer_convert.passes.needless import drop_needless_casts, drop_needless_reshapes
from edge_infer_convert.passes.view import Known, View

__all__ = ["EXACT", "PASSES", "run_passes"]

PASSES: Final[dict[str, Callable[[View, Known], bool]]] = {
    "casts": drop_needless_casts,
    "reshapes": drop_needless_reshapes,
    "scalers": fold_scalers,
    "weights": gather_weights,
    "average": make_average,
    "gemm": make_gemm,
    "softmax": make_softmax,
}
#: Passes after which every number is the same, bit by bit.
EXACT: Final = frozenset({"casts", "reshapes"})


def run_passes(
    model: ModelProto,
    infer: Callable[[ModelProto], ModelProto],
    kept: Collection[str],
    without: Collection[str] = (),
) -> tuple[str, ...]:
    """Change the model in place; the names of the passes that did.

    infer: a light copy with the shapes of all tensors. kept: tensors that stay, beside the outputs.
    """
    view, done = View(model), []
    for name, change in PASSES.items():
        if name not in without and change(view, Known.of(infer(model))):
            view.sweep(kept)
            done.append(name)
    return tuple(done)
