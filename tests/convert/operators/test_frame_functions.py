"""Traced functions of DataFrames against scikit-learn's own call of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import edge_infer
from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted

_RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {"length": _RNG.normal(5, 3, 60), "width": _RNG.normal(0, 2, 60), "count of eggs": _RNG.integers(0, 9, 60)}
)
GAPS = X.astype(float).mask(_RNG.random(X.shape) < 0.2)


def _in_place(frame: Any) -> Any:
    frame = frame.copy()
    frame["ratio"] = frame["length"] / frame.width
    frame["length"] = frame["length"] * 2 + frame["ratio"]
    frame["one"] = 1
    return frame


def _apart(frame: Any) -> Any:
    other = frame.copy()
    other["length"] = 0.0
    return frame[["length", "width"]]


def _of_arrays(frame: Any) -> Any:
    values = frame.to_numpy()
    return np.column_stack([values[:, 0] - values[:, 1], np.where(values[:, 1] > 0, 1.0, -1.0)])


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "assign": lambda X: X.assign(area=X["length"] * X["width"], twice=lambda d: d["area"] * 2),
    "columns set one after the other": _in_place,
    "a changed copy leaves the frame": _apart,
    "chosen columns": lambda X: X[["width", "length"]],
    "dropped and renamed": lambda X: X.drop(columns="width").rename(columns={"length": "l"}),
    "numpy of all": lambda X: np.log1p(X.abs()),
    "arithmetic of all": lambda X: (X * 2 + 1) / 3 - X,
    "clipped": lambda X: X.clip(lower=-1, upper=4),
    "clipped column": lambda X: X.assign(width=X.width.clip(lower=0)),
    "flags": lambda X: X.assign(wide=(X.width > 1) & ~(X.length < 2), between=X.length.between(2, 6)).astype(float),
    "where and mask": lambda X: X.assign(a=X.width.where(X.width > 0, 0.0), b=X.length.mask(X.width > 0, -1)),
    "arrays": _of_arrays,
    "floats": lambda X: X.astype(float),
    "array functions of a frame": lambda X: np.clip(X, -1, 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_of_a_frame_answers_as_the_original(name: str) -> None:
    assert_converted(FunctionTransformer(FUNCTIONS[name]).fit(X), X)


GAP_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "filled": lambda X: X.fillna(0.5),
    "filled by name": lambda X: X.fillna({"width": 2, "length": -1}),
    "filled column": lambda X: X.assign(ratio=(X.length / X.width).fillna(0)),
    "flags of gaps": lambda X: X.assign(gap=X.width.isna(), there=X.length.notna()).astype(float),
    "a constant column": lambda X: X.assign(one=1.0),
    "means leave gaps out": lambda X: X.mean(axis=1).to_numpy().reshape(-1, 1),
    "sums and extremes": lambda X: X.assign(s=X.sum(axis=1), a=X[["length", "width"]].max(axis=1), b=X.min(axis=1)),
}


@pytest.mark.parametrize("name", GAP_FUNCTIONS)
def test_gaps_in_a_frame_stay_or_are_filled_as_in_the_original(name: str) -> None:
    assert_converted(FunctionTransformer(GAP_FUNCTIONS[name]).fit(GAPS), GAPS)


def _writing_to_its_input(frame: Any) -> Any:
    frame["length"] = frame["length"] * 2
    return frame


def test_a_function_that_writes_to_its_input_answers_each_method_from_the_same_rows() -> None:
    model = make_pipeline(FunctionTransformer(_writing_to_its_input), StandardScaler(), LogisticRegression())
    model.fit(X.copy(), X.width > 0)
    converted = edge_infer.load(convert(model, data=X, name="f").data)
    np.testing.assert_allclose(converted.predict_proba(X), model.predict_proba(X.copy()), rtol=1e-4)
    assert converted.predict(X).tolist() == model.predict(X.copy()).tolist()


def test_a_ratio_that_is_infinite_between_two_labels_is_no_obstacle() -> None:
    """Rows are bisected between labels; there the width goes through 0, and the classifier refuses infinity."""
    ratio = FunctionTransformer(lambda X: X.assign(ratio=X.length / X.width))
    model = make_pipeline(ratio, StandardScaler(), LogisticRegression()).fit(X, X.width > 0)
    converted = edge_infer.load(convert(model, data=X, name="f").data)
    assert converted.predict(X).tolist() == model.predict(X).tolist()


def test_a_function_of_many_columns_at_once_is_one_node_each() -> None:
    wide = pd.DataFrame(_RNG.normal(size=(40, 300)), columns=[f"c{i}" for i in range(300)])
    done = convert(FunctionTransformer(lambda X: np.sqrt(X.abs() + 1).clip(upper=3)).fit(wide), data=wide, name="w")
    assert len(onnx.load_model_from_string(done.data).graph.node) < 10


def test_a_frame_function_inside_a_column_transformer_gets_its_own_columns() -> None:
    ratio = FunctionTransformer(lambda X: X.assign(r=X.length / (X.width.abs() + 1))[["r"]])
    columns = make_column_transformer((ratio, ["width", "length"]), (StandardScaler(), ["count of eggs"]))
    model = make_pipeline(columns, LinearRegression()).fit(X, X.length * 2)
    assert_converted(model, X)


UNTRACEABLE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "value": (lambda X: X if X.length.sum() > 0 else -X, "cannot be traced"),
    "rows": (lambda X: X[X.length > 0], "indexes a frame by Traced"),
    "rank": (lambda X: X.rank(), r"DataFrame\.rank has no recording"),
    "aligned": (lambda X: X - X.length, "aligns by name"),
    "rolling": (lambda X: X.assign(d=X.length.diff()), "diff"),
    "centred": (lambda X: X - X.mean(), "depends on other rows; use axis=1"),
    "other rows": (lambda X: X.assign(d=np.arange(len(X))), "asks for values"),
}


@pytest.mark.parametrize("name", UNTRACEABLE)
@pytest.mark.filterwarnings("ignore")
def test_frame_function_that_cannot_be_traced_is_refused_by_name(name: str) -> None:
    function, reason = UNTRACEABLE[name]
    model = FunctionTransformer(function)
    model.n_features_in_, model.feature_names_in_ = 3, np.array(X.columns, dtype=object)  # as fitted
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        convert(model, data=X, name="f")
    assert "register_converter" in str(caught.value)
