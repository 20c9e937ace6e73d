"""Every conversion gives its original's answers on rows that neither training nor the gate has seen."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from packaging.version import Version

from edge_infer.errors import SchemaError
from edge_infer_convert import convert
from tests.convert.judging import assert_same, fresh_rows
from tests.convert.pipelines import PIPELINES, fitted

#: Neither steps nor names tell the range of these columns: they ask for data.
NEED_DATA = frozenset({"penguins_bools_and_integers", "selection"})


@pytest.mark.parametrize("name", PIPELINES)
def test_usual_pipeline_converted_with_data_answers_as_the_original(name: str) -> None:
    if name == "float32_matrix" and Version(sklearn.__version__) < Version("1.9"):
        pytest.skip("needs scikit-learn >= 1.9: older ones round float32 rows so far out that the gate refuses them")
    estimator, data = fitted(name)
    assert_same(convert(estimator, data=data, name=name), estimator, fresh_rows(data))


@pytest.mark.parametrize("name", PIPELINES)
def test_usual_pipeline_converted_without_data_answers_as_the_original(name: str) -> None:
    estimator, data = fitted(name)
    if name in NEED_DATA:
        with pytest.raises(SchemaError, match="Pass data="):
            convert(estimator, name=name)
        return
    rows = fresh_rows(data)
    if isinstance(rows, np.ndarray):
        rows = rows.astype(np.float64)  # nothing tells that training had another type
    assert_same(convert(estimator, name=name), estimator, rows)
