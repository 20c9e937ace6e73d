"""Label propagation and spreading against the original."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import laplacian_kernel
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, blobs, few, seeds


@few
@given(
    seeds,
    st.integers(2, 4),
    st.sampled_from([LabelPropagation, LabelSpreading]),
    st.sampled_from([{"kernel": "rbf", "gamma": 0.5}, {"kernel": "rbf"}, {"kernel": "knn", "n_neighbors": 5}]),
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_new_rows_take_the_labels_of_the_original(seed: int, classes: int, kind: Any, options: dict[str, Any]) -> None:
    X, y = blobs(seed, classes)
    y[::3] = -1
    assert_converted(kind(max_iter=200, **options).fit(X, y), X, precision="float64")


def test_python_kernel_is_refused() -> None:
    X, y = blobs(2)
    model = LabelSpreading(kernel=laplacian_kernel).fit(X, y)
    with pytest.raises(UnsupportedModelError, match="kernel is a Python function"):
        convert(model, data=X, name="refused")
