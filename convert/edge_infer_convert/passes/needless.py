"""Nodes that change nothing: of several Reshapes in a row the last counts; a Reshape or Cast to the same goes."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto

from edge_infer_convert.passes.view import Known, View

__all__ = ["drop_needless_casts", "drop_needless_reshapes"]


def drop_needless_casts(view: View, known: Known) -> bool:
    """Whether anything changed."""
    changed = False
    for node in view.nodes:
        if node.op_type == "Cast" and not node.domain:
            to = next(attribute.i for attribute in node.attribute if attribute.name == "to")
            if known.types.get(node.input[0]) == to:
                view.make_identity(node)
                changed = True
    return changed


def drop_needless_reshapes(view: View, known: Known) -> bool:
    """Whether anything changed."""
    changed = False
    for node in view.nodes:
        target = _target(view, node)
        if target is None:
            continue
        before = view.maker(node.input[0], "Reshape")
        while before is not None and _target(view, before) is not None:
            node.input[0], changed = before.input[0], True
            before = view.maker(node.input[0], "Reshape")
        if known.shapes.get(node.input[0]) == [None, *target[1:]]:
            view.make_identity(node)
            changed = True
    return changed


def _target(view: View, node: NodeProto) -> list[int] | None:
    """[-1, sizes …] of a Reshape to a constant shape of which only the first size varies."""
    if node.op_type != "Reshape" or node.domain:
        return None
    values: Any = view.constant(node.input[1])
    sizes = [] if values is None else values.tolist()
    return sizes if sizes and sizes[0] == -1 and all(size > 0 for size in sizes[1:]) else None
