"""Selectors and agglomeration: the columns, and the answers of the estimator behind a selection."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import FeatureAgglomeration
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.linear_model import LogisticRegression, Ridge

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, blobs, few, matrix, seeds


@few
@given(
    seeds,
    st.sampled_from(
        [
            SelectKBest(k=2),
            SelectPercentile(percentile=60),
            SelectFpr(alpha=0.9),
            SelectFdr(alpha=0.9),
            SelectFwe(alpha=0.9),
            GenericUnivariateSelect(mode="k_best", param=1),
            SelectFromModel(LogisticRegression(), threshold="0.5*mean"),
            SequentialFeatureSelector(LogisticRegression(), n_features_to_select=2, cv=2),
            VarianceThreshold(),
        ]
    ),
)
def test_selector_gives_the_columns_that_it_selected(seed: int, selector: Any) -> None:
    X, y = blobs(seed, width=4)
    X = np.column_stack([X, np.zeros(len(X))]) if isinstance(selector, VarianceThreshold) else X
    assert_converted(selector.fit(X, y), X)


def test_variance_threshold_keeps_gaps() -> None:
    X = matrix(3, gaps=0.3)
    assert_converted(VarianceThreshold().fit(X), X)


@few
@given(seeds, st.integers(2, 3), st.booleans())
def test_recursive_elimination_answers_as_its_estimator(seed: int, classes: int, search: bool) -> None:
    X, y = blobs(seed, classes=classes, width=4)
    inner = LogisticRegression()
    model = RFECV(inner, cv=2, min_features_to_select=2) if search else RFE(inner, n_features_to_select=2)
    assert_converted(model.fit(X, np.array(["a", "b", "c"])[y]), X)


def test_recursive_elimination_around_a_regressor_and_around_trees() -> None:
    X, y = blobs(4, width=4)
    assert_converted(RFE(Ridge(), n_features_to_select=2).fit(X, X @ [1.0, 2, 3, 4]), X)
    assert_converted(RFE(RandomForestClassifier(5, max_depth=3, random_state=0)).fit(X, y), X)


@few
@given(seeds, st.sampled_from([np.mean, np.max, np.min, np.median, np.sum]), st.integers(1, 4))
def test_agglomeration_pools_as_the_original(seed: int, pooling: Any, clusters: int) -> None:
    X = matrix(seed, width=6)
    assert_converted(FeatureAgglomeration(n_clusters=clusters, pooling_func=pooling).fit(X), X)


def test_selection_of_nothing_is_refused() -> None:
    X, y = blobs(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        selector = SelectFpr(alpha=0.0).fit(X, y)
        with pytest.raises(UnsupportedModelError, match="no column"):
            convert(selector, data=X, name="s")
