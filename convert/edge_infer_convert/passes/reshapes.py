"""Reshape chains: of several in a row the last counts, and one that changes nothing goes. Not a number changes."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import NodeProto

from edge_infer_convert.passes.view import View

__all__ = ["drop_needless_reshapes"]


def drop_needless_reshapes(view: View, shapes: dict[str, list[int | None]]) -> bool:
    """`shapes`: of tensors by name, None for a size that varies. Whether anything changed."""
    changed = False
    for node in view.nodes:
        target = _target(view, node)
        if target is None:
            continue
        before = view.maker(node.input[0], "Reshape")
        while before is not None and _target(view, before) is not None:
            node.input[0], changed = before.input[0], True
            before = view.maker(node.input[0], "Reshape")
        if shapes.get(node.input[0]) == [None, *target[1:]]:
            _make_identity(node)
            changed = True
    return changed


def _target(view: View, node: NodeProto) -> list[int] | None:
    """[-1, sizes …] of a Reshape to a constant shape of which only the first size varies."""
    if node.op_type != "Reshape" or node.domain:
        return None
    values: Any = view.constant(node.input[1])
    sizes = [] if values is None else values.tolist()
    return sizes if sizes and sizes[0] == -1 and all(size > 0 for size in sizes[1:]) else None


def _make_identity(node: NodeProto) -> None:
    """The canonical form drops it."""
    del node.input[1:]
    node.op_type = "Identity"
    del node.attribute[:]


def shapes_of(model: onnx.ModelProto) -> dict[str, list[int | None]]:
    """Inferred shapes of all tensors that have one."""
    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    return {
        value.name: [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]
        for value in values
        if value.type.tensor_type.HasField("shape")
    }
