"""Converters that were registered with skl2onnx, as its documentation says, are used as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from skl2onnx import update_registered_converter
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.algebra.onnx_ops import OnnxSub
from skl2onnx.common.data_types import guess_numpy_type, guess_tensor_type
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from edge_infer.errors import ParityError, UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, blobs


class Centred(TransformerMixin, BaseEstimator):
    """Somebody's own transformer."""

    def fit(self, X: Any, y: Any = None) -> Centred:
        self.mean_, self.n_features_in_ = X.mean(axis=0), X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        return X - self.mean_


def _shape(operator: Any) -> None:
    operator.outputs[0].type = guess_tensor_type(operator.inputs[0].type)
    operator.outputs[0].type.shape = [None, operator.raw_operator.n_features_in_]


def _converter(factor: float) -> Any:
    def convert_centred(scope: Any, operator: Any, container: Any) -> None:
        mean = (operator.raw_operator.mean_ * factor).astype(guess_numpy_type(operator.inputs[0].type))
        made = OnnxSub(operator.inputs[0], mean, op_version=container.target_opset, output_names=operator.outputs[:1])
        made.add_to(scope, container)

    return convert_centred


@pytest.fixture
def registered() -> Iterator[Any]:
    yield lambda factor: update_registered_converter(Centred, "Centred", _shape, _converter(factor), overwrite=True)
    sklearn_operator_name_map.pop(Centred, None)


@pytest.mark.parametrize("precision", ["auto", "float64"])
def test_a_converter_registered_with_skl2onnx_is_used(registered: Any, precision: str) -> None:
    X, y = blobs(3)
    registered(1.0)
    assert_converted(make_pipeline(Centred(), LogisticRegression()).fit(X, y), X, precision=precision)


def test_a_wrong_one_is_found_by_the_gate(registered: Any) -> None:
    X, y = blobs(3)
    registered(1.01)
    with pytest.raises(ParityError, match=r"most likely to blame: .*Centred"):
        convert(make_pipeline(Centred(), LogisticRegression()).fit(X, y), data=X, name="wrong")


def test_without_one_the_class_is_refused_by_name() -> None:
    X, y = blobs(3)
    with pytest.raises(UnsupportedModelError, match=r"Centred[\s\S]*register_converter"):
        convert(make_pipeline(Centred(), LogisticRegression()).fit(X, y), data=X, name="unknown")
