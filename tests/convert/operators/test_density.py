"""Mixtures, kernel densities and elliptic envelopes against the original."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import EllipticEnvelope
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert import convert
from edge_infer_convert.doubt import TIE, recorded_doubt
from tests.convert.operators.drawn import assert_converted, blobs, few, seeds

_KERNELS = ["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"]
_COVARIANCES = st.sampled_from(["full", "tied", "diag", "spherical"])


@few
@given(seeds, st.integers(1, 4), _COVARIANCES)
def test_mixture_answers_as_the_original(seed: int, components: int, covariance: str) -> None:
    X, _ = blobs(seed)
    model = GaussianMixture(components, covariance_type=covariance, random_state=0, reg_covar=0.05)
    assert_converted(model.fit(X), X, precision="float64")


@few
@given(seeds, _COVARIANCES, st.sampled_from(["dirichlet_process", "dirichlet_distribution"]))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bayesian_mixture_answers_as_the_original(seed: int, covariance: str, prior: str) -> None:
    X, _ = blobs(seed)
    model = BayesianGaussianMixture(
        n_components=3, covariance_type=covariance, weight_concentration_prior_type=prior, random_state=0
    )
    assert_converted(model.fit(X), X, precision="float64")


@pytest.mark.parametrize("kernel", _KERNELS)
@pytest.mark.parametrize(("metric", "algorithm"), [("euclidean", "kd_tree"), ("manhattan", "ball_tree")])
def test_density_is_the_originals(kernel: str, metric: str, algorithm: str) -> None:
    X, _ = blobs(6)
    assert_converted(KernelDensity(bandwidth=1.5, kernel=kernel, metric=metric, algorithm=algorithm).fit(X), X)


@few
@given(seeds, st.sampled_from(_KERNELS), st.sampled_from(["scott", "silverman", 1.0]))
def test_weighted_density_is_the_originals(seed: int, kernel: str, bandwidth: float | str) -> None:
    X, y = blobs(seed, width=2)
    assert_converted(KernelDensity(kernel=kernel, bandwidth=bandwidth).fit(X, sample_weight=y + 0.5), X)


@pytest.mark.parametrize(("leaf_size", "doubtful"), [(40, [0, TIE]), (90, [0, 0])])
def test_density_lost_in_the_bounds_of_a_divided_tree_is_a_doubt(leaf_size: int, doubtful: list[int]) -> None:
    X, _ = blobs(3)
    model = KernelDensity(bandwidth=0.9, leaf_size=leaf_size).fit(X)
    with recorded_doubt(model, 2) as doubt:
        model.score_samples(np.vstack([X[:1], [[8.156, 17.43, -13.024]]]))
    assert doubt.rows.tolist() == doubtful


def test_density_that_may_stop_early_is_refused() -> None:
    X, _ = blobs(3)
    with pytest.raises(UnsupportedModelError, match="stop before the sum is exact"):
        convert(KernelDensity(rtol=1e-3).fit(X), data=X, name="refused")


@few
@given(seeds, st.sampled_from([0.05, 0.2]), st.booleans())
def test_envelope_answers_as_the_original(seed: int, contamination: float, centred: bool) -> None:
    X, _ = blobs(seed)
    model = EllipticEnvelope(contamination=contamination, assume_centered=centred, random_state=0)
    assert_converted(model.fit(X), X)
