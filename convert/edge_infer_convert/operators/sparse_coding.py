"""Sparse codes of new rows in a dictionary, by scikit-learn's own algorithms; each row's code is its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.decomposition import DictionaryLearning, MiniBatchDictionaryLearning, SparseCoder

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.atoms import joined, no_atoms, product
from edge_infer_convert.operators.least_angle import Path, lasso_by_descent, least_angles
from edge_infer_convert.operators.loops import any_true, filled, in_float64, repeat
from edge_infer_convert.operators.registry import operator


@operator(SparseCoder, DictionaryLearning, MiniBatchDictionaryLearning)
def sparse_coder(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The code by `transform_algorithm`; with `split_sign`, its positive and negative sides next to each other."""
    dictionary = np.asarray(model.dictionary if isinstance(model, SparseCoder) else model.components_, np.float64)
    code = _code(builder, model, reads, dictionary)
    if model.split_sign:
        zero = builder.constant(0.0)
        negative = builder.node("Neg", builder.node("Min", code, zero))
        code = builder.node("Concat", builder.node("Max", code, zero), negative, axis=1)
    return {"transform": [code]}


def _code(builder: GraphBuilder, model: Any, reads: str, dictionary: NDArray[np.float64]) -> str:
    algorithm = model.transform_algorithm
    if algorithm == "threshold":
        return _threshold(builder, reads, dictionary, _penalty(model), model.positive_code)
    if algorithm == "lasso_cd":
        return in_float64(builder, reads, lambda x: lasso_by_descent(builder, x, dictionary, _path(model, dictionary)))
    _refuse_parallel(dictionary)
    if algorithm == "omp":
        return in_float64(
            builder, reads, lambda x: _matching_pursuit(builder, x, dictionary, _atoms(model, dictionary))
        )
    return in_float64(builder, reads, lambda x: least_angles(builder, x, dictionary, _path(model, dictionary)))


def _path(model: Any, dictionary: NDArray[np.float64]) -> Path:
    lasso = model.transform_algorithm != "lars"
    most = model.transform_max_iter if lasso else _atoms(model, dictionary)
    penalty = _penalty(model) / dictionary.shape[1] * dictionary.shape[1] if lasso else 0.0  # as scikit-learn scales
    return Path(lasso, penalty, int(most), bool(model.positive_code))


def _refuse_parallel(dictionary: NDArray[np.float64]) -> None:
    """The last bit of a product says which of two parallel atoms is taken; scikit-learn's path of least angles even
    swaps the Gram matrix there and leaves the covariances (`_lars_path_solver`, "drop for good").
    """
    lengths = np.sqrt(np.square(dictionary).sum(axis=1))
    unit = dictionary[lengths > 0] / lengths[lengths > 0][:, None]
    if np.any(np.abs(np.triu(unit @ unit.T, 1)) > 1 - 1e-12):
        raise UnsupportedModelError(
            "the dictionary has parallel atoms, and rounding decides which of them scikit-learn takes; "
            "leave one of them out, or use transform_algorithm='lasso_cd'"
        )


def _penalty(model: Any) -> float:
    """transform_alpha, else the alpha of training, else 1."""
    given = model.transform_alpha if model.transform_alpha is not None else getattr(model, "alpha", None)
    return 1.0 if given is None else float(given)


def _atoms(model: Any, dictionary: NDArray[np.float64]) -> int:
    count, features = dictionary.shape
    given = model.transform_n_nonzero_coefs
    return int(min(max(features / 10, 1), count) if given is None else given)


def _threshold(builder: GraphBuilder, reads: str, dictionary: Any, penalty: float, positive: bool) -> str:
    """sign(c) · max(|c| − penalty, 0) of c = x · dictionaryᵀ."""
    products = builder.node("MatMul", reads, builder.constant(dictionary.T))
    rest = builder.node("Sub", builder.node("Abs", products), builder.constant(penalty))
    code = builder.node("Mul", builder.node("Sign", products), builder.node("Max", rest, builder.constant(0.0)))
    return builder.node("Max", code, builder.constant(0.0)) if positive else code


def _matching_pursuit(builder: GraphBuilder, reads: str, dictionary: Any, most: int) -> str:
    """Orthogonal matching pursuit: the atom most like the residual joins, then least squares on all that joined.

    A row stops early where scikit-learn's `_gram_omp` does: the best atom joined before, its product squared is below
    ε, or it depends on those that joined (its Cholesky pivot is not above ε). Equal products: `order` follows the
    original's swaps, since the first in that order is taken. Rubinstein, Zibulevsky and Elad, 2008.
    """
    count = len(dictionary)
    gram = dictionary @ dictionary.T
    products = builder.node("MatMul", reads, builder.constant(dictionary.T))
    order = filled(builder, products, np.arange(count)[None], np.int64)
    nothing = filled(builder, products, 0.0)
    running = filled(builder, products, True, np.bool_, width=1)

    def step(number: str, states: list[str]) -> tuple[str, list[str]]:
        return _pursue(builder, gram, products, number, states)

    numbers = builder.elem_type
    kinds = [numbers, numbers, TensorProto.INT64, TensorProto.BOOL, numbers, numbers]
    start = [nothing, products, order, running, no_atoms(builder, reads, count), nothing]
    return repeat(builder, step, start, most, kinds)[-1]


def _pursue(builder: GraphBuilder, gram: Any, products: str, number: str, states: list[str]) -> tuple[str, list[str]]:
    """One pass. States: which atoms joined, the residual's products, order, running, the inverse and the code."""
    taken, residual, order, running, inverse, code = states
    tiny = builder.constant(np.finfo(np.float64).eps)
    sizes = builder.node("GatherElements", builder.node("Abs", residual), order, axis=1)
    place = builder.node("ArgMax", sizes, axis=1, keepdims=1)
    largest = builder.node("GatherElements", sizes, place, axis=1)
    fresh = builder.node("GreaterOrEqual", place, number)
    strong = builder.node("GreaterOrEqual", builder.node("Mul", largest, largest), tiny)
    atom = builder.node("GatherElements", order, place, axis=1)
    chosen = builder.node("Equal", builder.constant(np.arange(len(gram))[None], np.int64), atom)
    wider, pivot = joined(builder, gram, inverse, taken, chosen)
    first = builder.node("Equal", number, builder.constant(0, np.int64))
    independent = builder.node("Or", first, builder.node("Greater", pivot, tiny))
    going = builder.node("And", builder.node("And", running, fresh), builder.node("And", strong, independent))
    with_it = builder.node("Max", taken, builder.node("Cast", chosen, to=builder.elem_type))
    fitted = product(builder, wider, builder.node("Mul", products, with_it))
    all_going = builder.node("Unsqueeze", going, builder.constant([2], np.int64))
    taken = builder.node("Where", going, with_it, taken)
    order = builder.node("Where", going, _swapped(builder, order, place, number), order)
    inverse = builder.node("Where", all_going, wider, inverse)
    code = builder.node("Where", going, fitted, code)
    residual = builder.node("Sub", products, builder.node("MatMul", code, builder.constant(gram)))
    return any_true(builder, going), [taken, residual, order, going, inverse, code]


def _swapped(builder: GraphBuilder, order: str, place: str, number: str) -> str:
    """The order with its entries at `place` [rows, 1] and at `number` exchanged."""
    here = builder.node("Gather", order, builder.node("Reshape", number, builder.constant([1], np.int64)), axis=1)
    there = builder.node("GatherElements", order, place, axis=1)
    moved = builder.node("ScatterElements", order, place, here, axis=1)
    shape = builder.node("Shape", place)
    column = builder.node("Expand", number, shape)
    return builder.node("ScatterElements", moved, column, there, axis=1)
