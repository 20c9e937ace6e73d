"""Where each column of a tensor comes from: a column of another by steps that keep the order of numbers, or a code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge_infer_convert.passes.view import Known, View

__all__ = ["FILL", "Looked", "Origin", "Origins", "Scaled", "applied"]

FILL: Final = "Where"  # a step that takes the place of NaN
_ARITHMETIC: Final = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


class Scaled(NamedTuple):
    """Column `column` of the tensor `root`, and what is done to it, in order: (operator, number) pairs.

    Each step keeps the order of numbers: a larger number never becomes smaller than what a smaller one becomes.
    """

    root: str
    column: int
    steps: tuple[tuple[str, Any], ...] = ()


class Looked(NamedTuple):
    """A number for each code of a text column: `values` by the column's own codes, from 0."""

    column: int
    values: NDArray[Any]


Origin = Scaled | Looked


def applied(op: str, x: NDArray[Any], by: Any) -> NDArray[Any]:
    """One step, rounded as onnxruntime rounds it: in the type of the numbers."""
    with np.errstate(all="ignore"):
        if op == FILL:
            return np.where(np.isnan(x), by, x)
        if op == "Cast":
            return x.astype(by)
        result: NDArray[Any] = _ARITHMETIC[op](x, by)
        return result


class Origins:
    """Follows tensors [rows, columns] of a graph back to where their columns begin."""

    def __init__(self, view: View, known: Known) -> None:
        self._view, self._known = view, known

    def of(self, tensor: str) -> list[Origin] | None:
        """Of each column; None where the tensor is no matrix of a known width."""
        shape = self._known.shapes.get(tensor, [])
        if len(shape) != 2 or shape[1] is None:
            return None
        node = self._view.maker(tensor, *_FOLLOWED)
        found = None if node is None else _FOLLOWED[node.op_type](self, node)
        begins: list[Origin] = [Scaled(tensor, i) for i in range(shape[1])]
        if found is None or len(found) != len(begins):
            return begins
        return [own or begin for own, begin in zip(found, begins, strict=True)]

    # --- by operator: the columns, None for one that begins here ---

    def _concat(self, node: NodeProto) -> list[Origin | None] | None:
        if _option(node, "axis", 0) not in (1, -1):
            return None
        parts = [self.of(name) for name in node.input]
        return [origin for part in parts for origin in part or ()] if all(part is not None for part in parts) else None

    def _copied(self, node: NodeProto) -> list[Origin | None] | None:
        columns = self.of(node.input[0])
        return None if columns is None else [*columns]

    def _scaled(self, node: NodeProto) -> list[Origin | None] | None:
        """Sums, differences, products and quotients with constants."""
        by, columns = self._view.constant(node.input[1]), self.of(node.input[0])
        if by is None or columns is None or by.dtype.kind != "f" or by.size not in (1, len(columns)):
            return None
        if by.ndim > 2 or (by.ndim == 2 and by.shape[0] != 1):
            return None
        numbers = np.broadcast_to(by.reshape(-1), len(columns))
        return [_step(origin, node.op_type, number) for origin, number in zip(columns, numbers, strict=True)]

    def _filled(self, node: NodeProto) -> list[Origin | None] | None:
        """Where(IsNaN(x), number, x)."""
        gap, by = self._view.maker(node.input[0], "IsNaN"), self._view.constant(node.input[1])
        columns = self.of(node.input[2])
        if gap is None or gap.input[0] != node.input[2] or by is None or columns is None:
            return None
        if by.dtype.kind != "f" or by.size not in (1, len(columns)):
            return None
        numbers = np.broadcast_to(by.reshape(-1), len(columns))
        return [_step(origin, FILL, number) for origin, number in zip(columns, numbers, strict=True)]

    def _cast(self, node: NodeProto) -> list[Origin | None] | None:
        """Of float32 to float64."""
        dtype, columns = self._known.dtype(node.input[0]), self.of(node.input[0])
        to = helper.tensor_dtype_to_np_dtype(_option(node, "to", 0))
        if columns is None or dtype is None or dtype != np.float32 or to != np.float64:
            return None
        return [_step(origin, "Cast", to) for origin in columns]

    def _gathered(self, node: NodeProto) -> list[Origin | None] | None:
        """Chosen columns, or the rows of a table that the codes of one column choose."""
        places = self._view.constant(node.input[1])
        if places is not None and places.ndim == 1 and _option(node, "axis", 0) == 1:
            columns = self.of(node.input[0])
            return None if columns is None else [columns[place] for place in places.tolist()]
        table, codes = self._view.constant(node.input[0]), self._known.codes
        if table is None or codes is None or table.ndim != 2 or table.dtype.kind != "f" or _option(node, "axis", 0):
            return None
        own = self._own_codes(node.input[1])
        if own is None or len(table) != codes.count(own):
            return None
        return [Looked(own, table[:, i]) for i in range(table.shape[1])]

    def _own_codes(self, tensor: str) -> int | None:
        """The text column of which a tensor [rows] is the codes, counted from 0."""
        moved, codes = self._view.maker(tensor, "Sub"), self._known.codes
        chosen = None if moved is None else self._view.maker(moved.input[0], "Gather")
        if moved is None or chosen is None or codes is None or chosen.input[0] != codes.name:
            return None
        place, first = self._view.constant(chosen.input[1]), self._view.constant(moved.input[1])
        if place is None or place.ndim or first is None or first.size != 1 or _option(chosen, "axis", 0) != 1:
            return None
        return int(place) if codes.first[int(place)] == int(first.reshape(())) else None

    def _summed(self, node: NodeProto) -> list[Origin | None] | None:
        """ReduceSum(Gather(table, codes)): a row of the table for each text column."""
        picked = self._view.maker(node.input[0], "Gather")
        axes = self._view.constant(node.input[1]) if len(node.input) > 1 else None
        if picked is None or axes is None or axes.tolist() != [1] or _option(node, "keepdims", 1):
            return None
        table, columns = self._view.constant(picked.input[0]), self._code_columns(picked.input[1])
        codes = self._known.codes
        if table is None or columns is None or codes is None or table.ndim != 2 or table.dtype.kind != "f":
            return None
        if _option(picked, "axis", 0) or len(table) != codes.total:
            return None
        return _by_column(table, [(column, codes.rows(column)) for column in columns])

    def _code_columns(self, tensor: str) -> list[int] | None:
        """The text columns of which a tensor [rows, columns] is the codes."""
        codes, chosen = self._known.codes, self._view.maker(tensor, "Gather")
        if codes is not None and tensor == codes.name:
            return list(range(len(codes.first)))
        places = None if chosen is None else self._view.constant(chosen.input[1])
        if codes is None or chosen is None or places is None or chosen.input[0] != codes.name or places.ndim != 1:
            return None
        return [int(place) for place in places] if _option(chosen, "axis", 0) == 1 else None


_FOLLOWED: Final = {
    "Identity": Origins._copied,
    "Concat": Origins._concat,
    "Add": Origins._scaled,
    "Sub": Origins._scaled,
    "Mul": Origins._scaled,
    "Div": Origins._scaled,
    "Where": Origins._filled,
    "Cast": Origins._cast,
    "Gather": Origins._gathered,
    "ReduceSum": Origins._summed,
}


def _option(node: NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


def _step(origin: Origin, op: str, by: Any) -> Origin | None:
    """The column behind one more step; None where that would turn the order round, or lose it."""
    if isinstance(origin, Looked):
        return origin._replace(values=applied(op, origin.values, by))
    if op in ("Mul", "Div") and not (by > 0 and np.isfinite(by)):
        return None
    if op in ("Add", "Sub") and not np.isfinite(by):
        return None
    return origin._replace(steps=(*origin.steps, (op, by)))


def _by_column(table: NDArray[Any], blocks: Sequence[tuple[int, slice]]) -> list[Origin | None]:
    """Each column of sums of rows that depends on one text column alone, to which the others add 0."""
    varying = np.array([(table[rows] != table[rows][:1]).any(axis=0) for _, rows in blocks])
    adding = np.array([(table[rows] != 0).any(axis=0) for _, rows in blocks])
    found: list[Origin | None] = []
    for i in range(table.shape[1]):
        own = np.flatnonzero(adding[:, i] | varying[:, i])
        column, rows = blocks[int(own[0]) if len(own) else 0]
        found.append(Looked(column, table[rows, i]) if len(own) <= 1 else None)
    return found
