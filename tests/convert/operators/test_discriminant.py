"""Discriminant analysis against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

from edge_infer_convert import convert
from tests.convert.judging import assert_same, fresh_rows
from tests.convert.operators.drawn import assert_converted, blobs, few, seeds


@few
@given(
    seeds,
    st.integers(2, 4),
    st.sampled_from([{}, {"solver": "eigen"}, {"solver": "eigen", "shrinkage": "auto"}, {"n_components": 1}]),
)
def test_linear(seed: int, classes: int, options: dict[str, Any]) -> None:
    X, y = blobs(seed, classes)
    assert_converted(LinearDiscriminantAnalysis(**options).fit(X, np.array(list("abcd"))[y]), X)


@few
@given(seeds, st.integers(2, 3))
def test_linear_by_least_squares_has_no_transform(seed: int, classes: int) -> None:
    X, y = blobs(seed, classes)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2).fit(X, y)
    conversion = convert(model, data=X, name="drawn")
    assert "transform not implemented" in conversion.manifest.missing_methods["transform"]
    assert_same(conversion, model, fresh_rows(X))


@few
@given(
    seeds,
    st.integers(2, 4),
    st.sampled_from([{}, {"reg_param": 0.1}, {"solver": "eigen", "shrinkage": 0.3}, {"solver": "eigen"}]),
)
def test_quadratic(seed: int, classes: int, options: dict[str, Any]) -> None:
    X, y = blobs(seed, classes)
    assert_converted(QuadraticDiscriminantAnalysis(**options).fit(X, y), X)
