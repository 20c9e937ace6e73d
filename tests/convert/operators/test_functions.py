"""Traced functions against scikit-learn's own call of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, matrix


def _ratio(X: Any, offset: float = 1.0) -> Any:
    return np.column_stack([X[:, 0] / (np.abs(X[:, 1]) + offset), X[:, [1, 2]]])


def _positive_part(X: Any) -> Any:
    return np.where(X > 0, X, -0.5 * X)


def _row_shares(X: Any) -> Any:
    return X / np.abs(X).sum(axis=1).reshape(-1, 1)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "log1p": lambda X: np.log1p(np.abs(X)),
    "expm1": lambda X: np.expm1(X / 100),
    "sqrt": lambda X: np.sqrt(np.maximum(X, 0)),
    "cosine": np.cos,
    "arithmetic": lambda X: (X[:, 1:] * 2 - X[:, :2] ** 2) / 3,
    "ratio": _ratio,
    "branch by where": _positive_part,
    "clip": lambda X: np.clip(X, -5, 8),
    "shares": _row_shares,
    "flags": lambda X: (X > 0) & (X < 10),
    "mean": lambda X: np.mean(X, axis=1, keepdims=True),
    "whole quotients": lambda X: X // 3.0,
    "remainders": lambda X: X % -3.0,
    "cut to whole numbers": lambda X: X.astype(int) / 2 + X.astype("int64") % 7,
    "round": lambda X: np.round(X, 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_of_numpy_answers_as_the_original(name: str) -> None:
    X = matrix(3)
    assert_converted(FunctionTransformer(FUNCTIONS[name]).fit(X), X)


def test_options_of_the_function_are_kept() -> None:
    X = matrix(4)
    assert_converted(FunctionTransformer(_ratio, kw_args={"offset": 3.0}).fit(X), X)


def test_inverse_function_of_a_target_is_traced() -> None:
    X = matrix(5, scale=1.0)
    model = TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1)
    assert_converted(model.fit(X, np.exp(X[:, 0] / 10)), X)


def _branching(X: Any) -> Any:
    return X if X.sum() > 0 else -X


UNTRACEABLE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "branch": (_branching, "'_branching' cannot be traced"),
    "value": (lambda X: X * float(X[0, 0]), "indexes rows"),
    "constant": (lambda X: np.zeros((X.shape[0], 1)), "number of rows"),
    "array": (np.asarray, "makes a plain array"),
    "np.c_": (lambda X: np.c_[X[:, 0], X[:, 1]], "np.column_stack"),
    "sort": (lambda X: np.sort(X, axis=1), "numpy.sort has no recording"),
    "mean over the batch": (lambda X: X - X.mean(axis=0), "not over the columns"),
    "accumulate": (lambda X: np.add.accumulate(X, axis=1), "add.accumulate"),
}


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_function_that_cannot_be_traced_is_refused_by_name(name: str) -> None:
    function, reason = UNTRACEABLE[name]
    X = matrix(6)
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        convert(FunctionTransformer(function).fit(X), data=X, name="f")
    assert "register_converter" in str(caught.value)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(
    ("function", "options"),
    [(np.float32, None), (np.float64, None), (np.asarray, {"dtype": "float32"}), (np.array, {"dtype": np.float64})],
    ids=["float32", "float64", "asarray", "array"],
)
def test_functions_that_give_floats_are_no_arithmetic(function: Any, options: Any, precision: str) -> None:
    """They can be pickled, and stand before networks, which take float32 alone."""
    X = matrix(7)
    step = make_pipeline(FunctionTransformer(function, kw_args=options), FunctionTransformer(np.float64)).fit(X)
    assert_converted(step, X, precision=precision)
