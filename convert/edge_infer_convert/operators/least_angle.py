"""The lasso of each row on a dictionary: coordinate descent, and the path of least angles; pass by pass."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.atoms import joined, left, no_atoms, product
from edge_infer_convert.operators.loops import any_true, filled, repeat

__all__ = ["Path", "lasso_by_descent", "least_angles"]

_CD_TOLERANCE: Final = 1e-8  # scikit-learn's own for codes
_EQUAL: Final = float(np.finfo(np.float32).eps)  # `equality_tolerance` of lars_path
_TINY: Final = float(np.finfo(np.float32).tiny)
_DEGENERATE: Final = 1e-7
_MOST: Final = float(np.finfo(np.float64).max)


class Path(NamedTuple):
    """What is solved: lasso or plain least angles; the penalty times features; the most passes; w ≥ 0 or not."""

    lasso: bool
    penalty: float
    most: int
    positive: bool


def _column(builder: GraphBuilder, x: str, op: str = "ReduceSum") -> str:
    """Each row's sum (or largest, or smallest): [rows, 1]."""
    return builder.node(op, x, builder.constant([1], np.int64), keepdims=1)


# --- coordinate descent -----------------------------------------------------------------


class _Lasso(NamedTuple):
    """½ wᵀQw − qᵀw + penalty ‖w‖₁ of each row, as `enet_coordinate_descent_gram` has it."""

    builder: GraphBuilder
    gram: NDArray[np.float64]
    products: str  # q [rows, atoms]
    squares: str  # ‖x‖² [rows, 1]
    path: Path

    def descend(self, active: str, weights: str, fitted: str) -> list[str]:
        """One pass over the atoms: weights, Q w, the largest change and the largest weight of each row."""
        builder, zero = self.builder, self.builder.constant(0.0)
        ones, diagonal = np.eye(len(self.gram), dtype=np.bool_), builder.constant(np.diag(self.gram))

        def step(number: str, states: list[str]) -> tuple[str, list[str]]:
            weights, fitted, change, largest = states
            line = builder.node("Reshape", number, builder.constant([1], np.int64))
            own, flag, q, qw = (
                builder.node("Gather", x, line, axis=1) for x in (weights, active, self.products, fitted)
            )
            curvature = builder.node("Gather", diagonal, number, axis=0)
            pull = builder.node("Add", builder.node("Sub", q, qw), builder.node("Mul", own, curvature))
            after = builder.node("Div", self._shrunk(pull), builder.node("Max", curvature, builder.constant(_TINY)))
            moved = builder.node("Where", flag, builder.node("Sub", after, own), zero)
            size = builder.node("Where", flag, builder.node("Abs", after), zero)
            row = builder.node("Gather", builder.constant(self.gram), line, axis=0)
            here = builder.node("Gather", builder.constant(ones, np.bool_), line, axis=0)
            return "", [
                builder.node("Where", builder.node("And", here, flag), after, weights),
                builder.node("Add", fitted, builder.node("Mul", moved, row)),
                builder.node("Max", change, builder.node("Abs", moved)),
                builder.node("Max", largest, size),
            ]

        none = builder.node("Mul", self.squares, zero)
        return repeat(builder, step, [weights, fitted, none, none], len(self.gram))

    def _shrunk(self, pull: str) -> str:
        """sign(p) · max(|p| − penalty, 0)."""
        builder, zero = self.builder, self.builder.constant(0.0)
        rest = builder.node("Sub", builder.node("Abs", pull), builder.constant(self.path.penalty))
        shrunk = builder.node("Mul", builder.node("Sign", pull), builder.node("Max", rest, zero))
        return builder.node("Max", shrunk, zero) if self.path.positive else shrunk

    def gap(self, weights: str, fitted: str) -> tuple[str, str, str]:
        """The duality gap [rows, 1], the gradient qᵀ − Qw and its largest entry: `gap_enet_gram`, formulation A."""
        builder, penalty = self.builder, self.path.penalty
        along = _column(builder, builder.node("Mul", weights, self.products))
        energy = _column(builder, builder.node("Mul", weights, fitted))
        doubled = builder.node("Mul", along, builder.constant(2.0))
        residual = builder.node("Sub", builder.node("Add", self.squares, energy), doubled)
        gradient = builder.node("Sub", self.products, fitted)
        if penalty == 0:
            norm = _column(builder, builder.node("Mul", gradient, gradient))
            return norm, gradient, norm
        norm = _column(builder, gradient if self.path.positive else builder.node("Abs", gradient), "ReduceMax")
        limit = builder.constant(penalty)
        over = builder.node("Greater", norm, limit)
        safe = builder.node("Where", over, norm, limit)
        scale = builder.node("Where", over, builder.node("Div", limit, safe), builder.constant(1.0))
        squared = builder.node("Add", builder.node("Mul", scale, scale), builder.constant(1.0))
        first = builder.node("Mul", builder.node("Mul", residual, squared), builder.constant(0.5))
        total = _column(builder, builder.node("Abs", weights))
        gap = builder.node("Add", first, builder.node("Mul", total, limit))
        return (
            builder.node("Sub", gap, builder.node("Mul", scale, builder.node("Sub", self.squares, along))),
            gradient,
            norm,
        )

    def kept(self, gap: str, gradient: str, norm: str) -> str:
        """Atoms that the gap safe rule cannot leave out (Ndiaye et al., 2017, equation 11)."""
        builder, limit = self.builder, self.builder.constant(self.path.penalty)
        doubled = builder.node("Mul", builder.node("Abs", gap), builder.constant(2.0))
        radius = builder.node("Div", builder.node("Sqrt", doubled), limit)
        share = builder.node("Abs", builder.node("Div", gradient, builder.node("Max", norm, limit)))
        lengths = np.sqrt(np.maximum(np.diag(self.gram), _TINY))
        distance = builder.node(
            "Div", builder.node("Sub", builder.constant(1.0), share), builder.constant(lengths[None])
        )
        return builder.node("LessOrEqual", distance, radius)


def lasso_by_descent(builder: GraphBuilder, reads: str, dictionary: NDArray[np.float64], path: Path) -> str:
    """The lasso by cyclic coordinate descent with screening, each row until its own duality gap is small enough."""
    gram = dictionary @ dictionary.T
    products = builder.node("MatMul", reads, builder.constant(dictionary.T))
    task = _Lasso(builder, gram, products, _column(builder, builder.node("Mul", reads, reads)), path)
    limit = builder.node("Mul", task.squares, builder.constant(_CD_TOLERANCE))
    weights = filled(builder, products, 0.0)
    gap, gradient, norm = task.gap(weights, weights)
    zero = builder.constant(0.0)
    solved = builder.node("And", builder.node("GreaterOrEqual", gap, zero), builder.node("LessOrEqual", gap, limit))
    active = filled(builder, products, np.diag(gram) != 0, np.bool_)
    if path.penalty > 0:
        active = builder.node("And", active, task.kept(gap, gradient, norm))

    def step(number: str, states: list[str]) -> tuple[str, list[str]]:
        return _descent_pass(task, limit, number, states)

    kinds = [builder.elem_type, builder.elem_type, TensorProto.BOOL, TensorProto.BOOL]
    return repeat(builder, step, [weights, weights, active, builder.node("Not", solved)], path.most, kinds)[0]


def _descent_pass(task: _Lasso, limit: str, number: str, states: list[str]) -> tuple[str, list[str]]:
    """States: weights, Q w, active atoms, running rows. The gap is looked at when the weights hardly change."""
    builder, zero = task.builder, task.builder.constant(0.0)
    weights, fitted, active, running = states
    weights, fitted, change, largest = task.descend(builder.node("And", active, running), weights, fitted)
    still = builder.node("LessOrEqual", change, builder.node("Mul", largest, builder.constant(_CD_TOLERANCE)))
    still = builder.node("Or", still, builder.node("Equal", largest, zero))
    last = builder.node("Equal", number, builder.constant(task.path.most - 1, np.int64))
    looked = builder.node("And", running, builder.node("Or", still, last))
    gap, gradient, norm = task.gap(weights, fitted)
    done = builder.node("And", looked, builder.node("LessOrEqual", gap, limit))
    running = builder.node("And", running, builder.node("Not", done))
    if task.path.penalty > 0:
        screened = builder.node("And", looked, running)
        dropped = builder.node("And", active, builder.node("Not", task.kept(gap, gradient, norm)))
        dropped = builder.node("And", screened, dropped)
        gone = builder.node("Where", dropped, weights, zero)
        fitted = builder.node("Sub", fitted, builder.node("MatMul", gone, builder.constant(task.gram)))
        weights = builder.node("Where", dropped, zero, weights)
        active = builder.node("And", active, builder.node("Not", dropped))
    return any_true(builder, running), [weights, fitted, active, running]


# --- least angles -----------------------------------------------------------------------


class _States(NamedTuple):
    """Of each row; those without a width are [rows, 1]."""

    code: str  # [rows, atoms]
    code_before: str  # [rows, atoms]
    alpha_before: str
    covariance: str  # of the residual with the atoms that are not active, [rows, atoms]
    active: str  # bool [rows, atoms]
    sign: str  # [rows, atoms]
    dropped: str  # bool: an atom changed its sign in the last move
    moves: str
    running: str  # bool
    inverse: str  # of the active atoms' Gram matrix, [rows, atoms, atoms]


def least_angles(builder: GraphBuilder, reads: str, dictionary: NDArray[np.float64], path: Path) -> str:
    """Least angle regression (Efron, Hastie, Johnstone and Tibshirani, 2004), as `_lars_path_solver` moves.

    Each pass lets the atom with the largest covariance join, then moves the code along the direction of equal angles
    until another atom is as good or, for the lasso, one becomes 0 and leaves.
    """
    count = len(dictionary)
    products = builder.node("MatMul", reads, builder.constant(dictionary.T))
    task = _Angles(builder, dictionary @ dictionary.T, products, path, dictionary.shape[1])
    nothing, none = filled(builder, products, 0.0), filled(builder, products, 0.0, width=1)
    no, yes = (filled(builder, products, flag, np.bool_, width=1) for flag in (False, True))
    inactive = filled(builder, products, False, np.bool_)
    empty = no_atoms(builder, reads, count)
    start = _States(nothing, nothing, none, products, inactive, nothing, no, none, yes, empty)
    kinds = [TensorProto.BOOL if name in _FLAGS else builder.elem_type for name in start._fields]

    def step(number: str, states: list[str]) -> tuple[str, list[str]]:
        after = task.move(_States(*states))
        return any_true(builder, after.running), list(after)

    return repeat(builder, step, start, path.most + 2 * count + 2, kinds)[0]


_FLAGS: Final = ("active", "dropped", "running")


def _where(builder: GraphBuilder, flags: str, x: str, y: str) -> str:
    return builder.node("Where", flags, x, y)


def _deep(builder: GraphBuilder, flags: str) -> str:
    """[rows, 1] → [rows, 1, 1]."""
    return builder.node("Unsqueeze", flags, builder.constant([2], np.int64))


def _either(builder: GraphBuilder, flags: str, x: str, y: str) -> str:
    """Where for flags, for which onnxruntime has no kernel."""
    return builder.node("Or", builder.node("And", flags, x), builder.node("And", builder.node("Not", flags), y))


class _Angles(NamedTuple):
    """One pass of the path, for all rows."""

    builder: GraphBuilder
    gram: NDArray[np.float64]
    products: str
    path: Path
    features: int

    def move(self, s: _States) -> _States:
        """The states after a pass. A row that stops or waits keeps its own."""
        builder = self.builder
        largest, chosen, sign = self._best(s)
        alpha = builder.node("Div", largest, builder.constant(float(self.features)))
        s, going = self._stopped(s, alpha)
        s, going = self._joined(s, going, chosen, sign)
        if self.path.lasso:
            moved = builder.node("Greater", s.moves, builder.constant(0.0))
            growing = builder.node("And", moved, builder.node("Less", s.alpha_before, alpha))
            lost = builder.node("And", going, growing)
            s = s._replace(running=builder.node("And", s.running, builder.node("Not", lost)))
            going = builder.node("And", going, builder.node("Not", lost))
        return self._moved(s, going, largest, alpha)

    def _best(self, s: _States) -> tuple[str, str, str]:
        """The largest covariance of the atoms that are not active (0 if all are), which atom, and its sign."""
        builder, zero = self.builder, self.builder.constant(0.0)
        sizes = s.covariance if self.path.positive else builder.node("Abs", s.covariance)
        sizes = builder.node("Where", s.active, builder.constant(-_MOST), sizes)
        place = builder.node("ArgMax", sizes, axis=1, keepdims=1)
        largest = builder.node("GatherElements", sizes, place, axis=1)
        full = builder.node("Equal", largest, builder.constant(-_MOST))
        chosen = builder.node("Equal", builder.constant(np.arange(len(self.gram))[None], np.int64), place)
        sign = builder.node("Sign", builder.node("GatherElements", s.covariance, place, axis=1))
        if self.path.positive:
            sign = builder.node("Add", builder.node("Mul", sign, zero), builder.constant(1.0))
        return builder.node("Where", full, zero, largest), chosen, sign

    def _stopped(self, s: _States, alpha: str) -> tuple[_States, str]:
        """Rows whose covariance fell to the penalty stop, on the line between the last two codes; others go on."""
        builder = self.builder
        goal = self.path.penalty / self.features
        low = builder.node("LessOrEqual", alpha, builder.constant(goal + _EQUAL))
        ended = builder.node("And", s.running, low)
        away = builder.node("Abs", builder.node("Sub", alpha, builder.constant(goal)))
        between = builder.node("Greater", away, builder.constant(_EQUAL))
        moved = builder.node("Greater", s.moves, builder.constant(0.0))
        between = builder.node("And", builder.node("And", ended, between), moved)
        span = builder.node("Sub", s.alpha_before, alpha)
        share = builder.node("Div", builder.node("Sub", s.alpha_before, builder.constant(goal)), span)
        way = builder.node("Mul", share, builder.node("Sub", s.code, s.code_before))
        code = builder.node("Where", between, builder.node("Add", s.code_before, way), s.code)
        enough = builder.node("GreaterOrEqual", s.moves, builder.constant(float(self.path.most)))
        count = _column(builder, builder.node("Cast", s.active, to=builder.elem_type))
        full = builder.node("GreaterOrEqual", count, builder.constant(float(len(self.gram))))
        over = builder.node("Or", low, builder.node("Or", enough, full))
        going = builder.node("And", s.running, builder.node("Not", over))
        return s._replace(code=code, running=going), going

    def _joined(self, s: _States, going: str, chosen: str, sign: str) -> tuple[_States, str]:
        """The chosen atom joins, unless one has just left; one that depends on the others is passed over."""
        builder = self.builder
        mask = builder.node("Cast", s.active, to=builder.elem_type)
        wider, pivot = joined(builder, self.gram, s.inverse, mask, chosen)
        rest = builder.node("Sqrt", builder.node("Abs", pivot))
        degenerate = builder.node("Less", rest, builder.constant(_DEGENERATE))
        joining = builder.node("And", going, builder.node("Not", s.dropped))
        passed = builder.node("And", joining, degenerate)
        joining = builder.node("And", joining, builder.node("Not", degenerate))
        covariance = builder.node("Where", builder.node("And", passed, chosen), builder.constant(0.0), s.covariance)
        new = builder.node("And", joining, chosen)
        return s._replace(
            covariance=covariance,
            active=builder.node("Or", s.active, new),
            sign=builder.node("Where", new, sign, s.sign),
            inverse=_where(builder, _deep(builder, joining), wider, s.inverse),
        ), builder.node("And", going, builder.node("Not", passed))

    def _moved(self, s: _States, going: str, largest: str, alpha: str) -> _States:
        builder, zero = self.builder, self.builder.constant(0.0)
        direction, angle = self._direction(s)
        along = builder.node("MatMul", direction, builder.constant(self.gram))
        scale = builder.constant(1e15)  # scikit-learn rounds to as many decimals, against ties made by rounding
        along = builder.node("Div", builder.node("Round", builder.node("Mul", along, scale)), scale)
        length = self._length(s, largest, angle, along)
        ratio = builder.node("Add", direction, builder.constant(_TINY))
        zeros = builder.node("Where", s.active, builder.node("Neg", builder.node("Div", s.code, ratio)), zero)
        first = self._least_positive(zeros)
        crossed = builder.node("Less", first, length)
        crossing = builder.node("And", builder.node("And", crossed, s.active), builder.node("Equal", zeros, first))
        if self.path.lasso:
            length = builder.node("Where", crossed, first, length)
        step = builder.node("Mul", length, direction)
        code = builder.node("Where", s.active, builder.node("Add", s.code, step), zero)
        covariance = builder.node("Sub", s.covariance, builder.node("Mul", length, along))
        active, sign, inverse = s.active, s.sign, s.inverse
        if self.path.lasso:
            again = builder.node("Sub", self.products, builder.node("MatMul", code, builder.constant(self.gram)))
            covariance = builder.node("Where", crossing, again, covariance)
            active = builder.node("And", active, builder.node("Not", crossing))
            inverse = left(builder, inverse, crossing)
        else:
            sign = builder.node("Where", crossing, builder.node("Neg", sign), sign)
        moves = builder.node("Add", s.moves, builder.constant(1.0))
        after = _States(code, s.code, alpha, covariance, active, sign, crossed, moves, s.running, inverse)
        return _States(*(self._picked(name, going, after, s) for name in s._fields))

    def _picked(self, name: str, going: str, after: _States, before: _States) -> str:
        """A state after the move in rows that are going, else before it."""
        pair = getattr(after, name), getattr(before, name)
        if name in _FLAGS:
            return _either(self.builder, going, *pair)
        return _where(self.builder, _deep(self.builder, going) if name == "inverse" else going, *pair)

    def _direction(self, s: _States) -> tuple[str, str]:
        """G w = sign on the active atoms, scaled so that all have the same angle A: w A and A."""
        builder = self.builder
        mask = builder.node("Cast", s.active, to=builder.elem_type)
        weights = product(builder, s.inverse, builder.node("Mul", s.sign, mask))
        total = _column(builder, builder.node("Mul", weights, s.sign))
        angle = builder.node("Div", builder.constant(1.0), builder.node("Sqrt", total))
        return builder.node("Mul", weights, angle), angle

    def _length(self, s: _States, largest: str, angle: str, along: str) -> str:
        """How far until an atom that is not active is as good as the active ones, at most to the least squares."""
        builder = self.builder
        length = builder.node("Div", largest, angle)
        pairs = [("Sub", "Sub")] if self.path.positive else [("Sub", "Sub"), ("Add", "Add")]
        for over, under in pairs:
            above = builder.node(over, largest, s.covariance)
            below = builder.node("Add", builder.node(under, angle, along), builder.constant(_TINY))
            steps = builder.node("Where", s.active, builder.constant(0.0), builder.node("Div", above, below))
            length = builder.node("Min", length, self._least_positive(steps))
        return length

    def _least_positive(self, x: str) -> str:
        """Each row's least number above 0, or the largest of all."""
        builder = self.builder
        above = builder.node("Greater", x, builder.constant(0.0))
        return _column(builder, builder.node("Where", above, x, builder.constant(_MOST)), "ReduceMin")
