"""Rows beside jumps: both sides are found wherever trees split, and float32 is not taken where it confuses them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, PolynomialFeatures, PowerTransformer, SplineTransformer
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from edge_infer_convert import convert
from edge_infer_convert.jumps import jump_rows
from edge_infer_convert.schema import make_schema
from tests.convert.operators.drawn import assert_converted, few, matrix, seeds

MADE = {
    "products": make_pipeline(PolynomialFeatures(2), DecisionTreeRegressor(max_leaf_nodes=8, random_state=0)),
    "powers": make_pipeline(PowerTransformer(), ExtraTreesClassifier(3, random_state=0)),
    "bins": make_pipeline(KBinsDiscretizer(4, encode="ordinal"), DecisionTreeClassifier(random_state=0)),
    "boosting": HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=5),
    "votes of labels": make_pipeline(
        PolynomialFeatures(2), VotingClassifier([("tree", DecisionTreeClassifier(random_state=0))], voting="hard")
    ),
}


def _fitted(name: str, seed: int) -> tuple[Any, Any]:
    X = matrix(seed, rows=120)
    return MADE[name].fit(
        X, np.array(["no", "yes"])[(X[:, 0] > np.median(X[:, 0])).astype(int)] if _labels(name) else X[:, 0]
    ), X


def _labels(name: str) -> bool:
    return name in ("powers", "bins", "votes of labels")


def _beside(model: Any, X: Any) -> Any:
    original = make_schema(model, X).original
    return jump_rows(original, [tuple(row) for row in X.tolist()], np.random.default_rng(0))


@pytest.mark.parametrize("name", MADE)
@few
@given(seeds)
def test_each_pair_stands_close_on_both_sides_of_a_jump(name: str, seed: int) -> None:
    model, X = _fitted(name, seed)
    rows = np.array(_beside(model, X))
    assert len(rows)
    low, high = rows[::2], rows[1::2]
    assert (np.abs(high - low).max(axis=1) <= np.abs(rows).max() * 2.0**-30).all()
    assert ((low != high).sum(axis=1) == 1).all(), "one number is moved"
    method = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    assert (method(low) != method(high)).reshape(len(low), -1).any(axis=1).all()


def test_a_slope_has_no_jump() -> None:
    X = matrix(1)
    assert _beside(make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(X, X[:, 0] ** 2), X) == []


def test_numbers_of_float32_are_not_moved() -> None:
    X = matrix(2).astype(np.float32)
    assert _beside(DecisionTreeRegressor(random_state=0).fit(X, X[:, 0]), X) == []


@pytest.mark.parametrize("name", MADE)
def test_float32_is_not_taken_where_it_confuses_the_sides(name: str) -> None:
    """The rows of the test are others than those of the gate: they stand as close to a jump as float64 allows."""
    model, X = _fitted(name, 7)
    rows = np.array(_beside(model, X[::-1].copy()))
    conversion = assert_converted(model, X, rows=rows)
    assert conversion.manifest.precision == "float64"


def test_jumps_that_float64_itself_rounds_do_not_stop_the_conversion() -> None:
    """Splines near their ends hardly change with the column: trees on them split by last bits."""
    X = matrix(0, rows=150, width=4)
    model = make_pipeline(SplineTransformer(3), HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5))
    assert convert(model.fit(X, X[:, 0]), data=X, name="spline").manifest.precision == "float64"


def test_float32_is_taken_where_the_original_rounds_to_it_itself() -> None:
    X = matrix(8, rows=120)
    model = RandomForestClassifier(5, random_state=0).fit(X, X[:, 0] > X[:, 1])
    conversion = assert_converted(model, X, rows=np.array(_beside(model, X)))
    assert conversion.manifest.precision == "float32"


def test_whole_numbers_have_no_jumps_between_them() -> None:
    """Columns of whole numbers are not moved, so that float32 stays."""
    X = pd.DataFrame(np.random.default_rng(0).integers(0, 50, (150, 3)), columns=list("abc"))
    model = make_pipeline(PolynomialFeatures(2), DecisionTreeRegressor(random_state=0)).fit(X, X["a"] * X["b"])
    conversion = convert(model, data=X, name="whole")
    assert conversion.manifest.precision == "float32"
    assert "jump" not in conversion.certificate["kinds"]
