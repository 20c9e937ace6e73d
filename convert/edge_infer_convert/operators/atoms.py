"""Least squares on the atoms that each row has taken: the inverse of their Gram matrix, kept up to date.

The inverse [rows, atoms, atoms] is 0 outside of the atoms taken. An atom that joins or leaves changes it by one outer
product (the block inverse; Golub and Van Loan, Matrix Computations, section 2.1.4).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["joined", "left", "no_atoms", "product"]


def no_atoms(builder: GraphBuilder, reads: str, count: int) -> str:
    """The inverse before any atom joined: zeros."""
    rows = builder.node("Shape", reads, start=0, end=1)
    shape = builder.node("Concat", rows, builder.constant([count, count], np.int64), axis=0)
    return builder.node("Expand", builder.constant(0.0), shape)


def product(builder: GraphBuilder, inverse: str, x: str) -> str:
    """inverse · x for each row's x: [rows, atoms]."""
    column = builder.node("Unsqueeze", x, builder.constant([2], np.int64))
    return builder.node("Squeeze", builder.node("MatMul", inverse, column), builder.constant([2], np.int64))


def joined(builder: GraphBuilder, gram: Any, inverse: str, mask: str, chosen: str) -> tuple[str, str]:
    """The inverse with the `chosen` atom a (bool, one a row), and a's pivot g_aa − g_aJ G_JJ⁻¹ g_Ja [rows, 1].

    `mask` [rows, atoms] is 1 for the atoms J taken so far, else 0. Where the pivot is 0 the inverse is meaningless.
    """
    pick = builder.node("Cast", chosen, to=builder.elem_type)
    own = builder.node("MatMul", pick, builder.constant(np.diag(gram)[:, None]))
    beside = builder.node("Mul", builder.node("MatMul", pick, builder.constant(gram)), mask)
    weights = product(builder, inverse, beside)
    explained = builder.node("ReduceSum", builder.node("Mul", beside, weights), builder.constant([1], np.int64))
    pivot = builder.node("Sub", own, explained)
    none = builder.node("Equal", pivot, builder.constant(0.0))
    safe = builder.node("Where", none, builder.constant(1.0), pivot)
    return builder.node("Add", inverse, _outer(builder, builder.node("Sub", weights, pick), safe)), pivot


def left(builder: GraphBuilder, inverse: str, leaving: str) -> str:
    """The inverse without the `leaving` atom (bool, one a row); the same where none leaves."""
    pick = builder.node("Cast", leaving, to=builder.elem_type)
    column = product(builder, inverse, pick)
    own = builder.node("ReduceSum", builder.node("Mul", column, pick), builder.constant([1], np.int64))
    none = builder.node("Equal", own, builder.constant(0.0))
    safe = builder.node("Where", none, builder.constant(1.0), own)
    reduced = builder.node("Sub", inverse, _outer(builder, column, safe))
    stays = builder.node("Sub", builder.constant(1.0), pick)
    across, down = (builder.node("Unsqueeze", stays, builder.constant([axis], np.int64)) for axis in (1, 2))
    return builder.node("Mul", builder.node("Mul", reduced, across), down)


def _outer(builder: GraphBuilder, x: str, divisor: str) -> str:
    """x xᵀ / divisor: [rows, atoms, atoms]."""
    share = builder.node("Div", x, divisor)
    across, down = (
        builder.node("Unsqueeze", part, builder.constant([axis], np.int64)) for part, axis in ((x, 1), (share, 2))
    )
    return builder.node("Mul", down, across)
