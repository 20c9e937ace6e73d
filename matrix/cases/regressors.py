"""Regressors that are not made of others."""

from __future__ import annotations

import warnings

from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    PassiveAggressiveRegressor,
    PoissonRegressor,
    QuantileRegressor,
    RANSACRegressor,
    Ridge,
    RidgeCV,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.neighbors import KNeighborsRegressor, RadiusNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVR, LinearSVR, NuSVR
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from matrix.cases.collect import Cases

__all__ = ["CASES"]

CASES = Cases("estimators")
_add = CASES.add
_BOTH = "regression multi_regression"

# --- linear ---
for _one in (
    ARDRegression(),
    BayesianRidge(),
    ElasticNetCV(cv=3, alphas=10),
    HuberRegressor(),
    LarsCV(cv=3),
    LassoCV(cv=3, alphas=10),
    LassoLarsCV(cv=3),
    LassoLarsIC(),
    OrthogonalMatchingPursuitCV(cv=3),
    QuantileRegressor(alpha=0.1),
    SGDRegressor(random_state=0),
    TheilSenRegressor(max_subpopulation=300, random_state=0),
    LinearSVR(random_state=0),
):
    _add(_one, "regression")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # deprecated, and still there
    _add(PassiveAggressiveRegressor(random_state=0), "regression")
for _many in (
    ElasticNet(),
    Lars(),
    Lasso(),
    LassoLars(alpha=0.1),
    LinearRegression(),
    OrthogonalMatchingPursuit(),
    RANSACRegressor(random_state=0),
    Ridge(),
    RidgeCV(),
):
    _add(_many, _BOTH)
_add(LinearRegression(positive=True), "regression whole_numbers frame_regression", "positive")
for _tasks in (
    MultiTaskElasticNet(),
    MultiTaskElasticNetCV(cv=3, alphas=10),
    MultiTaskLasso(),
    MultiTaskLassoCV(cv=3, alphas=10),
):
    _add(_tasks, "multi_regression")
_add(GammaRegressor(), "positive_regression")
_add(PoissonRegressor(), "count_regression")
_add(TweedieRegressor(power=0), "regression", "power 0")
_add(TweedieRegressor(power=1.5), "count_regression", "power 1.5")
_add(TweedieRegressor(power=0, link="log"), "positive_regression", "log link")
_add(IsotonicRegression(out_of_bounds="clip"), "one_column")
_add(IsotonicRegression(), "one_column", "out of bounds NaN")

# --- cross decomposition ---
_add(CCA(2), "two_blocks")
_add(PLSCanonical(2), "two_blocks")
_add(PLSRegression(2), "two_blocks regression")
_add(PLSSVD(2), "two_blocks")

# --- rules ---
for _strategy in ("mean", "median"):
    _add(DummyRegressor(strategy=_strategy), _BOTH, _strategy)
_add(DummyRegressor(strategy="quantile", quantile=0.7), "regression", "quantile")
_add(DummyRegressor(strategy="constant", constant=3.5), "regression", "constant")

# --- neighbours and kernels ---
_add(KNeighborsRegressor(), _BOTH)
_add(KNeighborsRegressor(4, weights="distance"), _BOTH, "distance")
_add(KNeighborsRegressor(3, metric="manhattan"), "regression", "manhattan")
_add(KNeighborsRegressor(3, metric="nan_euclidean"), "regression_gaps", "nan_euclidean")
_add(RadiusNeighborsRegressor(6.0), _BOTH)
_add(RadiusNeighborsRegressor(6.0, weights="distance"), "regression", "distance")
_add(KernelRidge(kernel="rbf", gamma=0.1), _BOTH, "rbf")
_add(KernelRidge(), "regression", "linear")
for _kernel in ("polynomial", "sigmoid", "laplacian"):
    _add(KernelRidge(kernel=_kernel, gamma=0.01), "regression", _kernel)
_add(GaussianProcessRegressor(1.0 * RBF(2.0) + WhiteKernel(0.1), optimizer=None), _BOTH, "RBF, noise")
_add(GaussianProcessRegressor(alpha=0.1), "regression", "default kernel")
_add(GaussianProcessRegressor(Matern(2.0, nu=2.5), alpha=0.1, normalize_y=True, optimizer=None), "regression", "Matern")
_add(GaussianProcessRegressor(RationalQuadratic(2.0), alpha=0.1, optimizer=None), "regression", "RationalQuadratic")
_add(
    GaussianProcessRegressor(DotProduct() + ConstantKernel(2.0), alpha=0.5, optimizer=None), "regression", "DotProduct"
)
_add(GaussianProcessRegressor(ExpSineSquared(2.0, 5.0), alpha=0.5, optimizer=None), "one_column", "ExpSineSquared")
for _kernel in ("rbf", "linear", "poly", "sigmoid"):
    _add(SVR(kernel=_kernel, max_iter=20_000), "regression", _kernel)
_add(NuSVR(), "regression")
_add(MLPRegressor(hidden_layer_sizes=(8,), max_iter=30, random_state=0), _BOTH)
_add(MLPRegressor(hidden_layer_sizes=(8, 4), activation="tanh", max_iter=30, random_state=0), "regression", "tanh")

# --- trees ---
_add(DecisionTreeRegressor(random_state=0), f"{_BOTH} regression_gaps")
_add(DecisionTreeRegressor(criterion="poisson", max_depth=4, random_state=0), "count_regression", "poisson")
_add(ExtraTreeRegressor(random_state=0), f"{_BOTH} regression_gaps")
_add(RandomForestRegressor(10, random_state=0), f"{_BOTH} regression_gaps multi_regression_gaps")
_add(ExtraTreesRegressor(10, random_state=0), f"{_BOTH} regression_gaps")
_add(BaggingRegressor(n_estimators=5, random_state=0), f"{_BOTH} regression_gaps")
_add(BaggingRegressor(Ridge(), 5, max_features=0.6, random_state=0), "regression", "linear, features")
_add(AdaBoostRegressor(n_estimators=8, random_state=0), "regression")
_add(GradientBoostingRegressor(n_estimators=10, random_state=0), "regression")
_add(GradientBoostingRegressor(n_estimators=10, loss="huber", random_state=0), "regression", "huber")
_add(GradientBoostingRegressor(n_estimators=10, loss="quantile", random_state=0), "regression", "quantile")
_add(GradientBoostingRegressor(n_estimators=10, init=Ridge(), random_state=0), "regression", "init")
_BINS = {"max_iter": 8, "early_stopping": False, "min_samples_leaf": 5}
_add(HistGradientBoostingRegressor(**_BINS), "regression regression_gaps")
_add(HistGradientBoostingRegressor(categorical_features=[0, 2], **_BINS), "codes", "categories")
for _loss in ("poisson", "gamma"):
    _add(HistGradientBoostingRegressor(loss=_loss, **_BINS), "positive_regression", _loss)
_add(HistGradientBoostingRegressor(loss="quantile", quantile=0.8, **_BINS), "regression", "quantile")
