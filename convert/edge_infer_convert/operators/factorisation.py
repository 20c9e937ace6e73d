"""Factorisations that are iterated for new rows: NMF and latent Dirichlet allocation, step by step as scikit-learn.

NMF's stopping rule, and the first guess of its multiplicative solver, are taken over all rows of a call. So a row's
answer depends, within the solver's tolerance, on the rows that it is asked with: here as in the original.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from onnx import TensorProto
from sklearn.decomposition import NMF, LatentDirichletAllocation, MiniBatchNMF

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.approximation import nan_below
from edge_infer_convert.operators.loops import any_true, in_float64, repeat
from edge_infer_convert.operators.numeric import normalised
from edge_infer_convert.operators.registry import operator

_EPSILON: Final = float(np.finfo(np.float32).eps)  # sklearn.decomposition._nmf.EPSILON
_TINY: Final = float(np.finfo(np.float64).eps)


@operator(NMF)
def factorisation(builder: GraphBuilder, model: NMF, reads: str) -> dict[str, list[str]]:
    """The weights W of x ≈ W H by the solver that trained the model; NaN for rows with negative numbers."""
    solver = _by_descent if model.solver == "cd" else _by_products
    weights = in_float64(builder, reads, lambda x: solver(builder, model, x))
    return {"transform": [nan_below(builder, reads, 0.0, weights)]}


@operator(MiniBatchNMF)
def minibatch_factorisation(builder: GraphBuilder, model: MiniBatchNMF, reads: str) -> dict[str, list[str]]:
    """Multiplicative updates until ‖W − W before‖ / ‖W‖ is within the tolerance; NaN for rows with negative numbers."""
    weights = in_float64(builder, reads, lambda x: _until_still(builder, model, x))
    return {"transform": [nan_below(builder, reads, 0.0, weights)]}


def _until_still(builder: GraphBuilder, model: MiniBatchNMF, reads: str) -> str:
    update = _Update.of(builder, model, reads, model._gamma)

    def step(number: str, states: list[str]) -> tuple[str, list[str]]:
        after = update.step(states[0])
        if model.tol <= 0:
            return "", [after]
        change = builder.node("Div", _length(builder, builder.node("Sub", after, states[0])), _length(builder, after))
        within = builder.node("LessOrEqual", change, builder.constant(float(model.tol)))
        return builder.node("Not", within), [after]

    return repeat(builder, step, [_even_start(builder, model, reads)], model._transform_max_iter)[0]


def _length(builder: GraphBuilder, x: str) -> str:
    return builder.node("Sqrt", builder.node("ReduceSumSquare", x, keepdims=0))


def _even_start(builder: GraphBuilder, model: Any, reads: str) -> str:
    """√(mean of all numbers / components) in each place: [rows, components]."""
    count = builder.constant(float(model._n_components))
    mean = builder.node("Sqrt", builder.node("Div", builder.node("ReduceMean", reads, keepdims=0), count))
    return builder.node("Expand", mean, _shape(builder, model, reads))


def _shape(builder: GraphBuilder, model: Any, reads: str) -> str:
    """[rows, components]."""
    first, second = builder.constant([0], np.int64), builder.constant([1], np.int64)
    rows = builder.node("Slice", builder.node("Shape", reads), first, second)
    return builder.node("Concat", rows, builder.constant([len(model.components_)], np.int64), axis=0)


def _by_descent(builder: GraphBuilder, model: NMF, reads: str) -> str:
    """Coordinate descent from W = 0 until the projected gradients' sum is within `tol` of the first pass's.

    Cichocki and Phan, 2009.
    """
    l1, _, l2, _ = model._compute_regularization(np.empty((1, model.n_features_in_)))
    gram = model.components_ @ model.components_.T + l2 * np.eye(len(model.components_))
    products = builder.node("MatMul", reads, builder.constant(model.components_.T))
    products = builder.node("Sub", products, builder.constant(float(l1)))
    orders = builder.constant(_orders(model), np.int64)
    zero = builder.constant(0.0)

    def step(number: str, states: list[str]) -> tuple[str, list[str]]:
        weights, first = states
        order = builder.node("Gather", orders, number, axis=0) if model.shuffle else orders
        weights, total = repeat(builder, _descend(builder, gram, products, order), [weights, zero], len(gram))
        beginning = builder.node("Equal", number, builder.constant(0, np.int64))
        first = builder.node("Where", beginning, total, first)
        none = builder.node("Equal", first, zero)
        share = builder.node("Div", total, builder.node("Where", none, builder.constant(1.0), first))
        further = builder.node("Greater", share, builder.constant(float(model.tol)))
        return builder.node("And", further, builder.node("Not", none)), [weights, first]

    start = builder.node("Expand", zero, _shape(builder, model, reads))
    return repeat(builder, step, [start, zero], model.max_iter)[0]


def _orders(model: NMF) -> Any:
    """The order of the components in a pass; with `shuffle` one for each pass, from the model's seed."""
    count = len(model.components_)
    if not model.shuffle:
        return np.arange(count)
    if not isinstance(model.random_state, int | np.integer):
        raise UnsupportedModelError(
            "NMF with shuffle=True and no fixed seed answers the same row differently at each call; "
            "set random_state to a whole number, or shuffle=False"
        )
    random = np.random.RandomState(model.random_state)
    return np.array([random.permutation(count) for _ in range(model.max_iter)])


def _descend(builder: GraphBuilder, gram: Any, products: str, order: str) -> Any:
    """One component of all rows: w ← max(w − gradient / curvature, 0), and the sum of projected gradients."""
    hessians, one_hot = builder.constant(np.diag(gram)), np.eye(len(gram), dtype=np.bool_)
    zero = builder.constant(0.0)

    def step(number: str, states: list[str]) -> tuple[str, list[str]]:
        weights, total = states
        place = builder.node("Gather", order, number, axis=0)
        line = builder.node("Unsqueeze", place, builder.constant([0], np.int64))
        column = builder.node("Gather", builder.constant(gram), line, axis=1)
        gradient = builder.node("MatMul", weights, column)
        gradient = builder.node("Sub", gradient, builder.node("Gather", products, line, axis=1))
        own = builder.node("Gather", weights, line, axis=1)
        at_zero = builder.node("Equal", own, zero)
        projected = builder.node("Where", at_zero, builder.node("Min", gradient, zero), gradient)
        violation = builder.node("ReduceSum", builder.node("Abs", projected), keepdims=0)
        curvature = builder.node("Gather", hessians, place, axis=0)
        flat = builder.node("Equal", curvature, zero)
        move = builder.node("Div", gradient, builder.node("Where", flat, builder.constant(1.0), curvature))
        moved = builder.node("Max", builder.node("Sub", own, move), zero)
        moved = builder.node("Where", flat, own, moved)
        here = builder.node("Gather", builder.constant(one_hot, np.bool_), place, axis=0)
        return "", [builder.node("Where", here, moved, weights), builder.node("Add", total, violation)]

    return step


def _by_products(builder: GraphBuilder, model: NMF, reads: str) -> str:
    """Multiplicative updates; each tenth pass stops where the divergence fell by less than `tol` of the first.

    Févotte and Idier, 2011.
    """
    beta = model._beta_loss
    gamma = 1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1.0
    update = _Update.of(builder, model, reads, gamma)
    start = _even_start(builder, model, reads)
    error = update.divergence(start)

    def step(number: str, states: list[str]) -> tuple[str, list[str]]:
        after = update.step(states[0])
        if beta < 1:
            small = builder.node("Less", after, builder.constant(_TINY))
            after = builder.node("Where", small, builder.constant(0.0), after)
        if model.tol <= 0:
            return "", [after, states[1]]
        remainder = builder.node("Mod", number, builder.constant(10, np.int64))
        due = builder.node("Equal", remainder, builder.constant(9, np.int64))
        now = update.divergence(after)
        gain = builder.node("Div", builder.node("Sub", states[1], now), error)
        done = builder.node("And", due, builder.node("Less", gain, builder.constant(float(model.tol))))
        return builder.node("Not", done), [after, builder.node("Where", due, now, states[1])]

    return repeat(builder, step, [start, error], model.max_iter)[0]


class _Update(NamedTuple):
    """The multiplicative update of W for a beta-divergence, H fixed."""

    builder: GraphBuilder
    reads: str
    loadings: str  # H [components, features]
    transposed: str
    square: str  # H Hᵀ
    sums: str  # of each component's row in H
    products: str  # x Hᵀ
    beta: float
    gamma: float
    l1: float
    l2: float

    @classmethod
    def of(cls, builder: GraphBuilder, model: Any, reads: str, gamma: float) -> _Update:
        l1, _, l2, _ = model._compute_regularization(np.empty((1, model.n_features_in_)))
        loadings = model.components_
        transposed = builder.constant(loadings.T)
        return cls(
            builder,
            reads,
            builder.constant(loadings),
            transposed,
            builder.constant(loadings @ loadings.T),
            builder.constant(loadings.sum(axis=1)[None]),
            builder.node("MatMul", reads, transposed),
            float(model._beta_loss),
            float(gamma),
            float(l1),
            float(l2),
        )

    def step(self, weights: str) -> str:
        """W ∘ (numerator / denominator)^γ."""
        builder = self.builder
        above, below = self._terms(weights)
        if self.l1 > 0:
            below = builder.node("Add", below, builder.constant(self.l1))
        if self.l2 > 0:
            below = builder.node("Add", below, builder.node("Mul", weights, builder.constant(self.l2)))
        none = builder.node("Equal", below, builder.constant(0.0))
        below = builder.node("Where", none, builder.constant(_EPSILON), below)
        return builder.node("Mul", weights, self._power(builder.node("Div", above, below), self.gamma))

    def _terms(self, weights: str) -> tuple[str, str]:
        """(X ∘ (WH)^(β − 2)) Hᵀ and (WH)^(β − 1) Hᵀ; small WH are lifted where a power is negative."""
        builder, beta = self.builder, self.beta
        if beta == 2:
            return self.products, builder.node("MatMul", weights, self.square)
        model = builder.node("MatMul", weights, self.loadings)
        safe = self._lifted(model) if beta < 2 else model
        if beta == 1:
            ratio = builder.node("Div", self.reads, safe)
            return builder.node("MatMul", ratio, self.transposed), self.sums
        ratio = builder.node("Mul", self._power(safe, beta - 2), self.reads)
        below = self._power(self._lifted(model) if beta < 1 else model, beta - 1)
        return builder.node("MatMul", ratio, self.transposed), builder.node("MatMul", below, self.transposed)

    def _lifted(self, x: str) -> str:
        builder = self.builder
        epsilon = builder.constant(_EPSILON)
        return builder.node("Where", builder.node("Less", x, epsilon), epsilon, x)

    def _power(self, x: str, exponent: float) -> str:
        if exponent == 1:
            return x
        return self.builder.node("Pow", x, self.builder.constant(exponent))

    def divergence(self, weights: str) -> str:
        """√(2 D_β(x, WH)) over all rows, as `_beta_divergence` sums it: a scalar."""
        builder, beta = self.builder, self.beta
        model = builder.node("MatMul", weights, self.loadings)
        if beta == 2:
            return _length(builder, builder.node("Sub", self.reads, model))
        used = builder.node("Greater", self.reads, builder.constant(_EPSILON))
        x = builder.node("Where", used, self.reads, builder.constant(1.0))
        fit = builder.node("Where", used, self._lifted(model), builder.constant(1.0))
        total = self._divergence(model, used, x, fit)
        double = builder.node("Mul", builder.node("Max", total, builder.constant(0.0)), builder.constant(2.0))
        return builder.node("Sqrt", double)

    def _divergence(self, model: str, used: str, x: str, fit: str) -> str:
        builder, beta = self.builder, self.beta

        def over_used(terms: str) -> str:
            return builder.node("ReduceSum", builder.node("Where", used, terms, builder.constant(0.0)), keepdims=0)

        ratio = builder.node("Div", x, fit)
        logarithm = builder.node("Log", ratio)
        if beta == 1:
            total = over_used(builder.node("Mul", x, logarithm))
            total = builder.node("Add", total, builder.node("ReduceSum", model, keepdims=0))
            return builder.node("Sub", total, over_used(x))
        if beta == 0:
            size = builder.node("Cast", builder.node("Size", self.reads), to=builder.elem_type)
            return builder.node("Sub", builder.node("Sub", over_used(ratio), size), over_used(logarithm))
        cross = over_used(builder.node("Mul", x, self._power(fit, beta - 1)))
        own = over_used(self._power(x, beta))
        fitted = builder.node("ReduceSum", self._power(model, beta), keepdims=0)
        total = builder.node("Sub", own, builder.node("Mul", cross, builder.constant(beta)))
        total = builder.node("Add", total, builder.node("Mul", fitted, builder.constant(beta - 1)))
        return builder.node("Div", total, builder.constant(beta * (beta - 1)))


@operator(LatentDirichletAllocation)
def latent_dirichlet(builder: GraphBuilder, model: LatentDirichletAllocation, reads: str) -> dict[str, list[str]]:
    """The E-step of online variational Bayes (Hoffman, Blei and Bach, 2010), each row until its own mean change is
    below the tolerance; NaN for rows with negative counts.
    """
    shares = in_float64(builder, reads, lambda x: _topics(builder, model, x))
    return {"transform": [nan_below(builder, reads, 0.0, shares)]}


def _topics(builder: GraphBuilder, model: LatentDirichletAllocation, reads: str) -> str:
    topics = model.exp_dirichlet_component_
    words, back = builder.constant(topics), builder.constant(topics.T)
    prior = builder.constant(float(model.doc_topic_prior_))
    epsilon = builder.constant(float(np.finfo(topics.dtype).eps))
    axis = builder.constant([1], np.int64)
    limit = builder.constant(float(model.mean_change_tol))

    def step(number: str, states: list[str]) -> tuple[str, list[str]]:
        last, expected, running = states
        share = builder.node("Add", builder.node("MatMul", expected, words), epsilon)
        counted = builder.node("MatMul", builder.node("Div", reads, share), back)
        topic = builder.node("Add", builder.node("Mul", expected, counted), prior)
        change = builder.node("ReduceMean", builder.node("Abs", builder.node("Sub", last, topic)), axis, keepdims=1)
        further = builder.node("And", running, builder.node("Not", builder.node("Less", change, limit)))
        after = [
            builder.node("Where", running, topic, last),
            builder.node("Where", running, _expectation(builder, topic), expected),
        ]
        return any_true(builder, further), [*after, further]

    shape = _shape(builder, model, reads)
    start = builder.node("Expand", builder.constant(1.0), shape)
    running = builder.node("Greater", builder.node("Slice", start, *_first_column(builder)), builder.constant(0.0))
    kinds = [builder.elem_type, builder.elem_type, TensorProto.BOOL]
    states = [start, _expectation(builder, start), running]
    topic = repeat(builder, step, states, model.max_doc_update_iter, kinds)[0]
    return normalised(builder, topic)


def _first_column(builder: GraphBuilder) -> list[str]:
    return [builder.constant([n], np.int64) for n in (0, 1, 1)]


def _expectation(builder: GraphBuilder, topic: str) -> str:
    """exp(ψ(θ) − ψ(Σθ)) of each row."""
    total = builder.node("ReduceSum", topic, builder.constant([1], np.int64), keepdims=1)
    return builder.node("Exp", builder.node("Sub", _digamma(builder, topic), _digamma(builder, total)))


def _digamma(builder: GraphBuilder, x: str) -> str:
    """ψ(x) for x > 0 as scikit-learn has it (Bernardo, 1976, Algorithm AS 103): moved up to 6, then a series."""
    one, six = builder.constant(1.0), builder.constant(6.0)
    result = builder.node("Mul", x, builder.constant(0.0))
    near = builder.node("Sub", builder.constant(-0.577215664901532860606512090082402431), builder.node("Div", one, x))
    tiny = builder.node("LessOrEqual", x, builder.constant(1e-6))
    for _ in range(6):
        below = builder.node("Less", x, six)
        taken = builder.node("Where", below, builder.node("Div", one, x), builder.constant(0.0))
        result = builder.node("Sub", result, taken)
        x = builder.node("Where", below, builder.node("Add", x, one), x)
    r = builder.node("Div", one, x)
    result = builder.node("Add", result, builder.node("Log", x))
    result = builder.node("Sub", result, builder.node("Mul", r, builder.constant(0.5)))
    r = builder.node("Mul", r, r)
    series = builder.node("Mul", r, builder.constant(1 / 252))
    series = builder.node("Mul", r, builder.node("Sub", builder.constant(1 / 120), series))
    series = builder.node("Mul", r, builder.node("Sub", builder.constant(1 / 12), series))
    return builder.node("Where", tiny, near, builder.node("Sub", result, series))
