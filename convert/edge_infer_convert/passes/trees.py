"""What stands before trees goes into their branches: scalers, imputers and encoders of text are not run at all.

A scaler keeps the order of numbers, so g(x) ≤ t holds exactly for all x up to some number, the largest for which it
does: bisection over the floats finds it, in the very arithmetic that the graph would do. An imputer tells where NaN
goes. A column that encodes a text has a number for each code, so a branch on it is a set of codes: all but one of a
one-hot column (x ≠ code), those up to one of an ordered encoder (x ≤ code). No answer changes in a bit.
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
from edge_infer_convert.passes.view import Known, View

__all__ = ["largest_that_holds", "move_into_trees"]

_MOST_MEMBERS: Final = 8  # codes in the sets of a column, for each of its branches: they are written out


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
    branches = _Branches(trees, known)
    for column in used:
        at = np.flatnonzero(trees.feature == column)
        if not branches.move(at, origins[column], layout.place(origins[column])):
            return False
    view.keep(node)
    set_branches(node, trees, branches.all_members())
    node.input[0] = layout.joined(view, known, node)
    return True


class _Layout(NamedTuple):
    """The tensor that the trees read from now on: root tensors side by side, then all codes."""

    roots: list[str]
    offsets: dict[str, int]
    dtype: np.dtype[Any]
    codes: str | None

    def place(self, origin: Origin) -> int:
        if isinstance(origin, Scaled):
            return self.offsets[origin.root] + origin.column
        return self.offsets[self.codes or ""] + origin.column

    def joined(self, view: View, known: Known, node: NodeProto) -> str:
        """Its name; casts and joins what has to be, before the node."""
        elem_type = helper.np_dtype_to_tensor_dtype(self.dtype)
        parts = [
            name if known.types.get(name) == elem_type else view.before(node, "Cast", name, to=elem_type)
            for name in [*self.roots, *([self.codes] if self.codes else [])]
        ]
        return parts[0] if len(parts) == 1 else view.before(node, "Concat", *parts, axis=1)


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
    if codes is not None:
        offsets[codes.name] = start
    return _Layout(roots, offsets, dtype, None if codes is None else codes.name)


def _saves_nodes(origins: Sequence[Origin], used: Sequence[int], roots: Sequence[str]) -> bool:
    """Whether more than casts and whole tensors side by side stands before the trees."""
    scaled = {column: origin for column in used if isinstance(origin := origins[column], Scaled)}
    steps = {op for origin in scaled.values() for op, _ in origin.steps} - {"Cast"}
    moved = any(origin.column != column for column, origin in scaled.items())
    return bool(steps) or (len(roots) == 1 and moved)


class _Branches:
    """The branches of an ensemble, rewritten column by column."""

    def __init__(self, trees: EnsembleNode, known: Known) -> None:
        self.trees, self.known = trees, known
        member = np.flatnonzero(trees.mode == MEMBER)
        self.members = dict(zip(member.tolist(), trees.members(member), strict=True)) if len(member) else {}
        trees.split, trees.mode = trees.split.copy(), trees.mode.copy()
        self.feature = trees.feature.copy()  # `trees.feature` tells the old ones until all are moved

    def all_members(self) -> list[NDArray[Any]]:
        """The sets in the order of their branches; the new features stand in the ensemble from now on."""
        self.trees.feature = self.feature
        return [self.members[place] for place in np.flatnonzero(self.trees.mode == MEMBER).tolist()]

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
            trees.missing[at] = np.where(
                self._stays_nan(origin), trees.missing[at], holds(np.full(len(at), np.nan, dtype))
            )
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
        """Branches with the same set of codes are few: one look at each."""
        trees, codes = self.trees, self.known.codes
        assert codes is not None
        kinds = list(zip(trees.mode[at].tolist(), trees.split[at].tolist(), trees.missing[at].tolist(), strict=True))
        first, told, members = codes.first[origin.column], dict[Any, _Test](), 0
        for place, kind in zip(at.tolist(), kinds, strict=True):
            key = (*kind, tuple(self.members[place].tolist())) if kind[0] == MEMBER else kind
            if key not in told:
                told[key] = _test(_chosen(origin.values.astype(trees.split.dtype), key), first)
            self._set(place, told[key])
            members += len(told[key].members)
        return members <= _MOST_MEMBERS * len(at)

    def _set(self, place: int, test: _Test) -> None:
        trees = self.trees
        trees.mode[place], trees.split[place], trees.missing[place] = test.mode, test.split, False
        self.members.pop(place, None)
        if test.mode == MEMBER:
            self.members[place] = np.array(test.members, np.float64)
        if test.turned:
            for one, other in ((trees.yes, trees.no), (trees.yes_leaf, trees.no_leaf)):
                one[place], other[place] = other[place], one[place]


class _Test(NamedTuple):
    """A branch on codes. `turned`: it holds for the other codes than it should, so its sides are exchanged."""

    mode: int
    split: float
    members: tuple[int, ...] = ()
    turned: bool = False


def _chosen(values: NDArray[Any], kind: tuple[Any, ...]) -> NDArray[np.bool_]:
    """For which codes a branch on their values holds."""
    mode, split, missing, *members = kind
    if mode == MEMBER:
        holds = np.isin(values, members[0])
    else:
        holds = {LEQ: values <= split, LT: values < split, NEQ: values != split}[mode]
    return np.asarray(np.where(np.isnan(values), missing, holds))


def _test(chosen: NDArray[np.bool_], first: int) -> _Test:
    """The plainest branch that holds for these codes; codes are counted from `first`.

    Never x = code: onnxruntime 1.32 makes a set of such branches in a row, and loses rows.
    """
    count, total = int(chosen.sum()), len(chosen)
    if count == total:
        return _Test(LEQ, float(first + total))
    for holds, turned in ((chosen, False), (~chosen, True)):
        if holds[: int(holds.sum())].all():  # those up to one
            return _Test(LEQ, float(first + int(holds.sum()) - 1), turned=turned)
    for holds, turned in ((chosen, False), (~chosen, True)):
        if int((~holds).sum()) == 1:  # all but one
            return _Test(NEQ, float(first + int(np.flatnonzero(~holds)[0])), turned=turned)
    fewer = chosen if count <= total - count else ~chosen
    return _Test(MEMBER, 0.0, tuple((first + np.flatnonzero(fewer)).tolist()), turned=fewer is not chosen)


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
