"""Imputers and indicators on numbers against scikit-learn; the tables of text are in test_tables.py."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import BayesianRidge, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, few, matrix, seeds


def _fitted(imputer: Any, X: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty columns and unfinished rounds
        return imputer.fit(X)


@few
@given(
    seeds,
    st.sampled_from(["mean", "median", "most_frequent", "constant"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([np.nan, -1]),
)
def test_imputer_fills_as_the_original(
    seed: int, strategy: str, indicator: bool, keep_empty: bool, empty_column: bool, missing: float
) -> None:
    X, rows = (matrix(s, gaps=0.3) for s in (seed, seed + 1))
    if empty_column:
        X[:, 0] = rows[:, 0] = np.nan
    if missing == -1:
        X, rows = np.nan_to_num(X, nan=-1), np.nan_to_num(rows, nan=-1)
    imputer = SimpleImputer(
        strategy=strategy, add_indicator=indicator, keep_empty_features=keep_empty, missing_values=missing
    )
    assert_converted(_fitted(imputer, X), X, rows=rows)


@few
@given(seeds, st.sampled_from(["all", "missing-only"]), st.booleans())
def test_indicator_tells_the_gaps_of_its_columns(seed: int, features: str, sparse: bool) -> None:
    X = matrix(seed, gaps=0.3)
    X[:, 1] = 1.0
    model = MissingIndicator(features=features, error_on_new=False, sparse=sparse).fit(X)
    assert_converted(model, X, rows=matrix(seed + 1, gaps=0.3))
    union = make_union(SimpleImputer(), MissingIndicator(features=features, error_on_new=False))
    assert_converted(make_pipeline(union, StandardScaler()).fit(X), X)


@few
@given(
    seeds,
    st.sampled_from([BayesianRidge(), Ridge(), ExtraTreesRegressor(4, max_depth=4, random_state=0)]),
    st.sampled_from(["mean", "median", "constant"]),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.booleans(),
)
def test_iterative_imputer_fills_as_the_original(
    seed: int, estimator: Any, initial: str, nearest: int | None, limits: bool, indicator: bool
) -> None:
    X = matrix(seed, width=4, gaps=0.25)
    X[:, 3] = X[:, 0] * 2 - X[:, 1]
    imputer = IterativeImputer(
        estimator,
        initial_strategy=initial,
        n_nearest_features=nearest,
        max_iter=3,
        random_state=0,
        add_indicator=indicator,
        min_value=-5.0 if limits else -np.inf,
        max_value=[5.0, 6.0, 7.0, 8.0] if limits else np.inf,
    )
    assert_converted(_fitted(imputer, X), X, rows=matrix(seed + 1, width=4, gaps=0.3))


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("missing", [np.nan, -1])
def test_iterative_imputer_with_a_column_empty_in_training(keep: bool, missing: float) -> None:
    X, rows = matrix(1, width=4, gaps=0.2), matrix(2, width=4, gaps=0.2)
    X[:, 1] = np.nan
    if missing == -1:
        X, rows = np.nan_to_num(X, nan=-1), np.nan_to_num(rows, nan=-1)
    imputer = IterativeImputer(keep_empty_features=keep, missing_values=missing, max_iter=2, random_state=0)
    assert_converted(_fitted(imputer, X), X, rows=rows)


def test_iterative_imputer_gives_a_call_of_gaps_alone_the_first_filling() -> None:
    X = matrix(1, width=2, gaps=0.2)
    assert_converted(_fitted(IterativeImputer(max_iter=2), X), X, rows=np.full((3, 2), np.nan))


def test_draws_from_the_posterior_are_refused() -> None:
    X = matrix(1, gaps=0.2)
    imputer = _fitted(IterativeImputer(sample_posterior=True, max_iter=2), X)
    with pytest.raises(UnsupportedModelError, match="at random"):
        convert(imputer, data=X, name="i")
