"""What stands before a matrix product with constant weights goes into the weights, as far as it is linear itself.

Scalers by (x − a) / b · W = x · (W / b) − (a / b) · W; one-hot texts (rows of a table, summed) by the product of that
table with the weights: 48 columns of 0 and 1 become one number. Sums are rounded in another order: the gate judges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge_infer_convert.passes.view import Known, View

__all__ = ["fold_scalers", "gather_weights", "summed_table"]

_LINEAR = ("Add", "Sub", "Mul", "Div")


def gather_weights(view: View, known: Known) -> bool:
    """Sums of a table's rows before a product: the table is multiplied at conversion. Whether anything changed."""
    changed = False
    for product in view.nodes:
        weights = _weights(view, product)
        parts = None if weights is None else _parts(view, product.input[0], known)
        if weights is None or parts is None:
            continue
        looked_up = {i: summed_table(view, name) for i, (name, _) in enumerate(parts)}
        if not any(found is not None and found[0].shape[1] > weights.shape[1] for found in looked_up.values()):
            continue
        _apart(view, product, weights, parts, looked_up)
        changed = True
    return changed


def fold_scalers(view: View, known: Known) -> bool:
    """Sums, differences, products and quotients with constants before a product. Whether anything changed."""
    changed = False
    for product in view.nodes:
        weights = _weights(view, product)
        added = None if weights is None else view.only_reader(product.output[0], "Add")
        bias = None if added is None else view.constant(added.input[1])
        if weights is None or added is None or bias is None or bias.ndim > 1:
            continue
        parts = _parts(view, product.input[0], known)
        if parts is None:
            continue
        kept, new, shift, start = [], weights.astype(np.float64), np.zeros(weights.shape[1]), 0
        for name, width in parts:
            own = slice(start, start + width)
            name, new[own], moved = _folded(view, name, new[own], known)
            kept.append(name)
            shift, start = shift + moved, start + width
        if kept == [name for name, _ in parts] or not np.isfinite(new).all():
            continue
        product.input[0] = kept[0] if len(kept) == 1 else view.before(product, "Concat", *kept, axis=1)
        product.input[1] = view.add_constant(new.astype(weights.dtype))
        added.input[1] = view.add_constant((bias.astype(np.float64) + shift).astype(bias.dtype))
        changed = True
    return changed


def _weights(view: View, node: NodeProto) -> NDArray[Any] | None:
    """Of a product of floats by a constant matrix [columns, outputs]."""
    if node.op_type != "MatMul" or node.domain:
        return None
    found = view.constant(node.input[1])
    return found if found is not None and found.ndim == 2 and found.dtype.kind == "f" else None


def _parts(view: View, tensor: str, known: Known) -> list[tuple[str, int]] | None:
    """The parts that a tensor [rows, columns] is put together of: names and widths; None where one is not known."""
    joined = view.maker(tensor, "Concat")
    names = (
        [tensor] if joined is None or helper.get_attribute_value(joined.attribute[0]) not in (1, -1) else joined.input
    )
    widths = [known.shapes.get(name, [])[1:] for name in names]
    if any(len(width) != 1 or width[0] is None for width in widths):
        return None
    return [(name, int(width[0] or 0)) for name, width in zip(names, widths, strict=True)]


def summed_table(view: View, tensor: str) -> tuple[NDArray[Any], NodeProto, NodeProto] | None:
    """The table of which a tensor is sums of rows, and the two nodes that look up and add."""
    total = view.maker(tensor, "ReduceSum")
    picked = None if total is None else view.maker(total.input[0], "Gather")
    table = None if picked is None else view.constant(picked.input[0])
    if total is None or picked is None or table is None or table.ndim != 2 or table.dtype.kind != "f":
        return None
    options = {a.name: helper.get_attribute_value(a) for a in [*total.attribute, *picked.attribute]}
    axes = view.constant(total.input[1]) if len(total.input) > 1 else None
    usual = (
        options.get("axis", 0) == 0 and options.get("keepdims", 1) == 0 and axes is not None and axes.tolist() == [1]
    )
    return (table, picked, total) if usual else None


def _apart(
    view: View,
    product: NodeProto,
    weights: NDArray[Any],
    parts: list[tuple[str, int]],
    looked_up: dict[int, tuple[NDArray[Any], NodeProto, NodeProto] | None],
) -> None:
    """The product of the other parts, plus sums of rows of multiplied tables."""
    terms, others, rows, start = [], [], [], 0
    for i, (name, width) in enumerate(parts):
        own, found = weights[start : start + width], looked_up[i]
        start += width
        if found is None or found[0].shape[1] <= weights.shape[1]:
            others.append(name)
            rows.append(own)
            continue
        table, picked, total = found
        multiplied = (table.astype(np.float64) @ own.astype(np.float64)).astype(weights.dtype)
        chosen = view.before(product, "Gather", view.add_constant(multiplied), picked.input[1], axis=0)
        terms.append(view.before(product, "ReduceSum", chosen, total.input[1], keepdims=0))
    if others:
        joined = others[0] if len(others) == 1 else view.before(product, "Concat", *others, axis=1)
        kept = view.add_constant(np.concatenate(rows))
        terms.insert(0, view.before(product, "MatMul", joined, kept))
    while len(terms) > 2:
        terms[:2] = [view.before(product, "Add", *terms[:2])]
    if len(terms) == 1:
        terms.append(view.add_constant(np.zeros(1, weights.dtype)))
    product.op_type = "Add"
    product.input[:] = terms


def _folded(
    view: View, tensor: str, weights: NDArray[np.float64], known: Known
) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
    """The tensor behind a chain of scalings, the weights for it, and what its shifts add to the product."""
    shift = np.zeros(weights.shape[1])
    while True:
        node = view.maker(tensor, *_LINEAR)
        if node is None:
            return tensor, weights, shift
        by = view.constant(node.input[1])
        vector = by is not None and by.ndim <= 1 and by.size in (1, len(weights)) and by.dtype.kind == "f"
        if by is None or not vector or known.shapes.get(node.input[0]) != [None, len(weights)]:
            return tensor, weights, shift
        factor = np.broadcast_to(by.astype(np.float64), len(weights))
        if node.op_type in ("Add", "Sub"):
            shift = shift + (factor if node.op_type == "Add" else -factor) @ weights
        else:
            with np.errstate(all="ignore"):
                weights = weights * factor[:, None] if node.op_type == "Mul" else weights / factor[:, None]
        tensor = node.input[0]
