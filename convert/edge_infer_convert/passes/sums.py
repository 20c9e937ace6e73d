"""Sums of looked-up numbers as products with ones: a small ReduceSum takes onnxruntime some 250 ns a row, they take 10.

Only where a table's columns are one column times powers of two (a number for each code, as a linear model of one or two
classes has): [codes, n] → Gather → [rows, columns] → MatMul. Tables that differ by such factors alone, as those of a
score and of its probabilities, are looked up once. The sum is taken in another order: the gate judges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer_convert.passes.linear import summed_table
from edge_infer_convert.passes.view import Known, View

__all__ = ["multiply_sums"]


def multiply_sums(view: View, known: Known) -> bool:
    """Whether anything changed."""
    made: dict[tuple[str, bytes], str] = {}
    for node in view.nodes:
        found = summed_table(view, node.output[0]) if node.op_type == "ReduceSum" else None
        shape = [] if found is None else known.shapes.get(found[1].input[1], [])
        parts = None if found is None else _one_column(found[0])
        if found is None or parts is None or len(shape) != 2 or shape[1] is None:
            continue
        column, factors = parts
        codes = found[1].input[1]
        key = codes, column.tobytes()
        if key not in made:
            made[key] = view.before(node, "Gather", view.add_constant(column), codes, axis=0)
        weights = np.tile(factors, (shape[1], 1))
        node.op_type = "MatMul"
        node.input[:] = [made[key], view.add_constant(weights)]
        del node.attribute[:]
    return bool(made)


def _one_column(table: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """A column and factors of which the table is the outer product, without rounding; None where it is none.

    Of all such columns the one whose largest number is between 1/2 and 1, and whose first one is positive.
    """
    if not np.isfinite(table).all() or not table.any():
        return None
    first = table[:, table.any(axis=0).argmax()]
    lead = first[first.nonzero()[0][0]]
    column = np.copysign(1, lead) * np.ldexp(first, -np.frexp(np.abs(first).max())[1]) + 0.0  # −0 and 0 are the same
    factors = table[np.abs(column).argmax()] / column[np.abs(column).argmax()]
    exact = np.array_equal(column[:, None] * factors, table) and set(np.frexp(np.abs(factors))[0]) <= {0.0, 0.5}
    return (column.astype(table.dtype), factors.astype(table.dtype)) if exact else None
