"""What stands before trees goes into their branches: scalers, imputers and encoders of text are not run at all.

A scaler keeps the order of numbers, so g(x) ≤ t holds exactly for all x up to some number, the largest for which it
does: bisection over the floats finds it, in the very arithmetic that the graph would do. An imputer tells where NaN
goes. A text that is encoded as one number is looked up, and its branches stay. One that is encoded as several columns
has a number for each code in each, so that a branch is one on codes: all but one for a one-hot column (x ≠ code). No
answer changes in a bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge_infer_convert.graph.builder import ML
from edge_infer_convert.graph.ensemble_node import LEQ, LT, MEMBER, NEQ, EnsembleNode, set_branches
from edge_infer_convert.passes.origins import FILL, Looked, Origin, Origins, Scaled, applied
from edge_infer_convert.passes.view import Codes, Known, View

__all__ = ["largest_that_holds", "move_into_trees"]

_CODES: Final = ""  # no tensor has this name


def move_into_trees(view: View, known: Known) -> bool:
    """Whether anything changed."""
    changed = False
    for node in view.nodes:
        if node.op_type == "TreeEnsemble" and node.domain == ML:
            changed |= _move(view, known, node)
    return changed


def _move(view: View, known: Known, node: NodeProto) -> bool:
    origins = Origins(view, known).of(node.input[0])
    trees = EnsembleNode(node)
    used = np.unique(trees.feature).tolist()
    layout = None if origins is None else _laid_out(known, origins, used, trees.split.dtype)
    if origins is None or layout is None:
        return False
    branches = _Branches(trees, known, layout)
    for column in used:
        at = np.flatnonzero(trees.feature == column)
        if not branches.move(at, origins[column], layout.place(origins[column])):
            return False
    view.keep(node)
    trees.feature = branches.feature
    set_branches(node, trees)
    node.input[0] = layout.joined(view, known, node)
    return True


class _Layout(NamedTuple):
    """The tensor that the trees read from now on: root tensors side by side, then a column for each text column.

    That holds its codes or, for the text columns in `lone`, the one number that each code stands for.
    """

    roots: list[str]
    offsets: dict[str, int]
    dtype: np.dtype[Any]
    codes: Codes | None
    lone: dict[int, NDArray[Any]]

    def place(self, origin: Origin) -> int:
        if isinstance(origin, Scaled):
            return self.offsets[origin.root] + origin.column
        return self.offsets[_CODES] + origin.column

    def joined(self, view: View, known: Known, node: NodeProto) -> str:
        """Its name; casts and joins what has to be, before the node."""
        elem_type = helper.np_dtype_to_tensor_dtype(self.dtype)
        parts = [
            name if known.types.get(name) == elem_type else view.before(node, "Cast", name, to=elem_type)
            for name in self.roots
        ]
        if self.codes and self.lone:
            parts.append(
                view.before(node, "Gather", view.add_constant(self._table(self.codes)), self.codes.name, axis=0)
            )
        elif self.codes:
            parts.append(view.before(node, "Cast", self.codes.name, to=elem_type))
        return parts[0] if len(parts) == 1 else view.before(node, "Concat", *parts, axis=1)

    def _table(self, codes: Codes) -> NDArray[Any]:
        table = np.arange(codes.total).astype(self.dtype)
        for column, values in self.lone.items():
            table[codes.rows(column)] = values
        return table


def _laid_out(known: Known, origins: Sequence[Origin], used: Sequence[int], dtype: np.dtype[Any]) -> _Layout | None:
    """None where no node less would run before the trees, or the codes are too many to be exact."""
    scaled = [origins[column] for column in used if isinstance(origins[column], Scaled)]
    roots = list(dict.fromkeys(origin.root for origin in scaled if isinstance(origin, Scaled)))
    codes = known.codes if len(scaled) < len(used) else None
    if codes is not None and codes.total > 2 ** np.finfo(dtype).nmant:
        return None
    if codes is None and not _saves_nodes(origins, used, roots):
        return None
    offsets, start = {}, 0
    for name in roots:
        offsets[name] = start
        start += int(known.shapes[name][1] or 0)
    offsets[_CODES] = start
    return _Layout(roots, offsets, dtype, codes, _lone(origins, used))


def _lone(origins: Sequence[Origin], used: Sequence[int]) -> dict[int, NDArray[Any]]:
    """The numbers by code of each text column that is encoded as one column, of those that the trees read."""
    found: dict[int, dict[bytes, NDArray[Any]]] = {}
    for origin in (origins[column] for column in used):
        if isinstance(origin, Looked):
            found.setdefault(origin.column, {})[origin.values.tobytes()] = origin.values
    return {column: next(iter(each.values())) for column, each in found.items() if len(each) == 1}


def _saves_nodes(origins: Sequence[Origin], used: Sequence[int], roots: Sequence[str]) -> bool:
    """Whether more than casts and whole tensors side by side stands before the trees."""
    scaled = {column: origin for column in used if isinstance(origin := origins[column], Scaled)}
    steps = {op for origin in scaled.values() for op, _ in origin.steps} - {"Cast"}
    moved = any(origin.column != column for column, origin in scaled.items())
    return bool(steps) or (len(roots) == 1 and moved)


class _Branches:
    """The branches of an ensemble, rewritten column by column."""

    def __init__(self, trees: EnsembleNode, known: Known, layout: _Layout) -> None:
        self.trees, self.known, self.lone = trees, known, layout.lone
        trees.split, trees.mode = trees.split.copy(), trees.mode.copy()
        self.feature = trees.feature.copy()  # `trees.feature` tells the old ones until all are moved

    def move(self, at: NDArray[np.int64], origin: Origin, feature: int) -> bool:
        """The branches `at`, which compare one column, compare what it comes from; False where they cannot."""
        self.feature[at] = feature
        return self._of_codes(at, origin) if isinstance(origin, Looked) else self._of_numbers(at, origin)

    def _of_numbers(self, at: NDArray[np.int64], origin: Scaled) -> bool:
        if not origin.steps:
            return True
        trees = self.trees
        if not np.isin(trees.mode[at], (LEQ, LT)).all():
            return False
        below, split = trees.mode[at] == LT, trees.split[at]

        def holds(x: NDArray[Any]) -> NDArray[np.bool_]:
            for op, by in origin.steps:
                x = applied(op, x, by)
            return np.asarray(np.where(below, x < split, x <= split))

        dtype = self.known.dtype(origin.root) or trees.split.dtype
        if any(op == FILL for op, _ in origin.steps):
            filled = holds(np.full(len(at), np.nan, dtype))
            trees.missing[at] = np.where(self._stays_nan(origin), trees.missing[at], filled)
        trees.split[at] = largest_that_holds(holds, dtype, len(at)).astype(split.dtype)
        trees.mode[at] = LEQ
        return True

    @staticmethod
    def _stays_nan(origin: Scaled) -> bool:
        x: NDArray[Any] = np.array([np.nan])
        for op, by in origin.steps:
            x = applied(op, x, by)
        return bool(np.isnan(x[0]))

    def _of_codes(self, at: NDArray[np.int64], origin: Looked) -> bool:
        """Branches with the same codes are few kinds: each is looked at once."""
        if origin.column in self.lone:
            return True
        trees, codes = self.trees, self.known.codes
        assert codes is not None
        values, first = origin.values.astype(trees.split.dtype), codes.first[origin.column]
        kinds = zip(trees.mode[at].tolist(), trees.split[at].tolist(), trees.missing[at].tolist(), strict=True)
        told: dict[tuple[int, float, bool], _Test | None] = {}
        for place, kind in zip(at.tolist(), kinds, strict=True):
            if kind not in told:
                told[kind] = _test(_chosen(values, *kind), first) if kind[0] != MEMBER else None
            test = told[kind]
            if test is None:
                return False
            self._set(place, test)
        return True

    def _set(self, place: int, test: _Test) -> None:
        trees = self.trees
        trees.mode[place], trees.split[place], trees.missing[place] = test.mode, test.split, False
        if test.turned:
            for one, other in ((trees.yes, trees.no), (trees.yes_leaf, trees.no_leaf)):
                one[place], other[place] = other[place], one[place]


class _Test(NamedTuple):
    """A branch on codes. `turned`: it holds for the other codes than it should, so its sides are exchanged."""

    mode: int
    split: float
    turned: bool = False


def _chosen(values: NDArray[Any], mode: int, split: float, missing: bool) -> NDArray[np.bool_]:
    """For which codes a branch on their values holds."""
    holds = {LEQ: values <= split, LT: values < split, NEQ: values != split}[mode]
    return np.asarray(np.where(np.isnan(values), missing, holds))


def _test(chosen: NDArray[np.bool_], first: int) -> _Test | None:
    """The branch that holds for these codes, which are counted from `first`; None where it would have to be a set.

    Never x = code, and no sets: onnxruntime 1.32 makes one set of such branches in a row and loses rows, 1.21 does so
    with sets.
    """
    total = len(chosen)
    if chosen.all():
        return _Test(LEQ, float(first + total))
    for holds, turned in ((chosen, False), (~chosen, True)):
        count = int(holds.sum())
        if holds[:count].all():  # those up to one
            return _Test(LEQ, float(first + count - 1), turned)
    for holds, turned in ((chosen, False), (~chosen, True)):
        if int(holds.sum()) == total - 1:  # all but one
            return _Test(NEQ, float(first + int(np.flatnonzero(~holds)[0])), turned)
    return None


def largest_that_holds(holds: Any, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """For each of `count` conditions that hold up to some number, the largest float for which it does; NaN for none.

    holds: x [count] → bool [count]. Floats of one sign are in the order of their bits read as whole numbers.
    """
    whole = np.dtype(f"i{dtype.itemsize}")
    most = np.array(np.inf, dtype).view(whole)

    def number(bits: NDArray[Any]) -> NDArray[Any]:
        size = np.abs(bits).view(dtype)
        return np.asarray(np.where(bits < 0, -size, size))

    low, high = np.full(count, -most, whole), np.full(count, most, whole)
    none = ~holds(number(low))
    while (low < high).any():
        middle = (low >> 1) + (high >> 1) + ((low | high) & 1)  # the upper one of two in the middle
        yes = holds(number(middle))
        low, high = np.where(yes, middle, low), np.where(yes, high, middle - 1)
        high = np.maximum(low, high)
    return np.asarray(np.where(none, np.array(np.nan, dtype), number(low)))
