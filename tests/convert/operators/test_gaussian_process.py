"""Gaussian processes against scikit-learn: every stock kernel, and the kernels made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from scipy.special import erf as original_erf
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.erf import erf
from tests.convert.judging import assert_same, fresh_rows
from tests.convert.operators.drawn import assert_converted, blobs, matrix, seeds
from tests.convert.operators.fitting import fitted

_KERNELS: dict[str, Any] = {
    "default": None,
    "rbf": RBF(2.0),
    "anisotropic": RBF([1.0, 3.0]),
    "matern 0.5": Matern(2.0, nu=0.5),
    "matern 1.5": Matern([2.0, 1.0], nu=1.5),
    "matern 2.5": Matern(2.0, nu=2.5),
    "matern smooth": Matern(2.0, nu=np.inf),
    "quadratic": RationalQuadratic(1.5, alpha=0.7),
    "periodic": ExpSineSquared(1.0, 30.0) + WhiteKernel(0.5),
    "product": DotProduct(2.0) + WhiteKernel(0.5),
    "sum": ConstantKernel(2.0) * RBF(3.0) + WhiteKernel(0.1),
    "power": (RBF(2.0) + ConstantKernel(0.3)) ** 2,
    "constant": ConstantKernel(1.5),
    "laplacian": PairwiseKernel(metric="laplacian", gamma=0.2),
    "cosine": PairwiseKernel(metric="cosine") + WhiteKernel(0.3),
    "polynomial": PairwiseKernel(metric="poly", gamma=0.01, pairwise_kernels_kwargs={"degree": 2}) + WhiteKernel(0.5),
}


@pytest.mark.parametrize("name", _KERNELS)
def test_kernels_of_a_regressor(name: str) -> None:
    X = matrix(len(name), 40, 2, scale=2.0)
    model = GaussianProcessRegressor(_KERNELS[name], optimizer=None, alpha=1e-2, normalize_y=True)
    assert_converted(fitted(model, X, np.sin(X[:, 0]) + X[:, 1]), X)


@pytest.mark.parametrize("name", _KERNELS)
def test_kernels_of_a_classifier(name: str) -> None:
    X, y = blobs(len(name), 2, 24, 2)
    assert_converted(fitted(GaussianProcessClassifier(_KERNELS[name], optimizer=None), X, y), X)


@settings(max_examples=6)
@given(seeds, st.booleans())
def test_several_targets(seed: int, normalised: bool) -> None:
    X = matrix(seed, 30, 2, scale=2.0)
    model = GaussianProcessRegressor(RBF(2.0), alpha=0.1, optimizer=None, normalize_y=normalised)
    assert_converted(fitted(model, X, np.column_stack([X[:, 0], X[:, 1] ** 2])), X)


@pytest.mark.parametrize("classes", [3, 4])
def test_one_against_the_rest(classes: int) -> None:
    X, y = blobs(classes, classes, 32)
    assert_converted(fitted(GaussianProcessClassifier(RBF(2.0), optimizer=None), X, np.array(list("abcd"))[y]), X)


def test_one_against_one_has_labels_only() -> None:
    X, y = blobs(0, 3, 30)
    model = fitted(GaussianProcessClassifier(RBF(2.0), optimizer=None, multi_class="one_vs_one"), X, y)
    conversion = convert(model, data=X, name="drawn")
    assert "does not support predicting probability" in conversion.manifest.missing_methods["predict_proba"]
    assert_same(conversion, model, fresh_rows(X))


def test_fitted_hyperparameters() -> None:
    X = matrix(3, 40, 2, scale=2.0)
    assert_converted(fitted(GaussianProcessRegressor(RBF() + WhiteKernel()), X, np.sin(X[:, 0])), X)


def test_a_bessel_function_is_refused() -> None:
    X = matrix(0, 30, 2)
    model = fitted(GaussianProcessRegressor(Matern(nu=0.7), optimizer=None), X, X[:, 0])
    with pytest.raises(UnsupportedModelError, match="Bessel"):
        convert(model, data=X, name="drawn")


def test_erf_is_within_three_units_in_the_last_place() -> None:
    builder = GraphBuilder("float64", {"": 18})
    builder.rename(erf(builder, "x"), "y")
    value = helper.make_tensor_value_info
    model = builder.model([value("x", 11, ["n"])], [value("y", 11, ["n"])], 8)
    x = np.concatenate([np.linspace(-7, 7, 20_001), [0.84375, 1.25, 1 / 0.35, 6.0, 1e300, -np.inf, 1e-300]])
    got = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_allclose(got, original_erf(x), rtol=7e-16, atol=0)
