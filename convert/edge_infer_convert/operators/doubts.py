"""Which rows are doubtful for neighbours, imputers and nearest centres: ties, and distances lost in rounding."""

from __future__ import annotations

from copy import copy
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AffinityPropagation, Birch, BisectingKMeans, KMeans, MeanShift, MiniBatchKMeans
from sklearn.impute import KNNImputer
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from sklearn.metrics.pairwise import nan_euclidean_distances
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NearestCentroid,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from edge_infer_convert.doubt import ROUNDING, TIE, doubtful
from edge_infer_convert.operators.distances import dense

_EPS: Final = float(np.finfo(np.float64).eps)
_HEAVY: Final = 1e-6  # a share of the second distance that the first may be wrong by
_LOST: Final = 1e-10  # a share of a distance that may be lost before its row counts as rounded


class _Band:
    """The numbers between which distances lie, given how the original computed them; arrays [rows, n]."""

    def __init__(self, model: Any, X: NDArray[Any]) -> None:
        brute = model._fit_method == "brute"
        points = np.nan_to_num(dense(model._fit_X))
        self.metric = model.effective_metric_
        self.share = 4 * (X.shape[1] + 4) * _EPS
        self.squares = brute and self.metric in ("euclidean", "l2", "nan_euclidean")
        self.plain = brute and self.metric in ("sqeuclidean", "cosine")
        sizes = np.square(np.nan_to_num(X)).sum(axis=1) + np.square(points).sum(axis=1).max()
        self.error = self.share * (np.ones(len(X)) if self.metric == "cosine" else sizes * X.shape[1] ** 0.5)

    def ends(self, d: NDArray[Any], rows: Any = slice(None)) -> tuple[NDArray[Any], NDArray[Any]]:
        """The lowest and the highest that `d` may be."""
        error = self.error[rows].reshape(-1, *(1,) * (d.ndim - 1))
        if self.squares:
            return np.sqrt(np.maximum(d * d - error, 0)), np.sqrt(d * d + error)
        if self.plain:
            return np.maximum(d - error, 0), d + error
        return d * (1 - self.share), d * (1 + self.share)

    def lost(self, d: NDArray[Any]) -> NDArray[np.bool_]:
        """Rows with a distance that keeps too few digits."""
        low, high = self.ends(d)
        return np.asarray((high - low > _LOST * d).any(axis=1)) & (self.squares or self.plain)


def _contents(model: Any) -> NDArray[Any] | None:
    """What a neighbour brings in, [training rows, …]; None where that is its own place."""
    if isinstance(model, KNeighborsClassifier | KNeighborsRegressor):
        return np.asarray(dense(model._y)).reshape(len(dense(model._y)), -1)
    return None


def _count(model: Any) -> int:
    if isinstance(model, LocalOutlierFactor):
        return int(model.n_neighbors_)
    return int(model.n_neighbors) + int(getattr(model, "mode", "") == "distance")


@doubtful(KNeighborsClassifier, KNeighborsRegressor, KNeighborsTransformer, LocalOutlierFactor)
def nearest_doubt(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """The k-th and the next neighbour are equally far and differ; or the distances themselves are rounding."""
    weighs = getattr(model, "weights", "distance") == "distance"
    return _nearest(model, X, _count(model), _contents(model), weighs)


@doubtful(LabelPropagation, LabelSpreading)
def spreading_doubt(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """As of the neighbours that the kernel takes; their distances do not weigh."""
    if model.kernel != "knn":
        return np.zeros(len(X), np.int8)
    graph = model.nn_fit
    return _nearest(graph, X, int(graph.n_neighbors), model.label_distributions_, weighs=False)


def _nearest(model: Any, X: NDArray[Any], k: int, contents: Any, weighs: bool) -> NDArray[np.int8]:
    doubt = np.zeros(len(X), np.int8)
    band = _Band(model, X)
    d, _ = model.kneighbors(X, n_neighbors=min(k + 1, model.n_samples_fit_))
    low, high = band.ends(d)
    if weighs:
        doubt[band.lost(d[:, :k])] = ROUNDING
        doubt[((low[:, :k] == 0) & (high[:, :k] > 0)).sum(axis=1) > 1] = TIE  # which of them is at 0?
        if (
            k > 1
        ):  # the nearest may be at 0 or not, and what the others weigh beside it is more than float32's tolerance
            doubt[(low[:, 0] == 0) & (high[:, 0] > _HEAVY * low[:, 1])] = TIE
    if d.shape[1] > k:
        tied = np.flatnonzero(low[:, k] <= high[:, k - 1])
        doubt[tied[_differ(model, X[tied], k, contents, band, tied)]] = TIE
    return doubt


def _differ(model: Any, X: NDArray[Any], k: int, contents: Any, band: _Band, rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the training rows that are as far as the k-th bring different contents."""
    if contents is None or not len(X):
        return np.ones(len(X), bool)
    d, places = model.kneighbors(X, n_neighbors=model.n_samples_fit_)
    low, high = band.ends(d, rows)
    tied = (low <= high[:, k - 1 : k]) & (high >= low[:, k - 1 : k])
    return np.array([np.any(np.ptp(contents[own[flags]], axis=0)) for own, flags in zip(places, tied, strict=True)])


@doubtful(RadiusNeighborsClassifier, RadiusNeighborsRegressor, RadiusNeighborsTransformer)
def radius_doubt(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """A training row stands at the radius; or a distance that weighs is rounding."""
    doubt = np.zeros(len(X), np.int8)
    band = _Band(model, X)
    radius = float(model.radius)
    weighs = getattr(model, "weights", "distance") == "distance"
    for row, d in enumerate(model.radius_neighbors(X, radius=radius * 1.001)[0]):
        low, high = band.ends(d[None], slice(row, row + 1))
        if weighs and (band.squares or band.plain):
            doubt[row] = ROUNDING * bool((high - low > _LOST * d).any())
            zeros = ((low == 0) & (high > 0)).sum()
            doubt[row] = TIE if zeros > 1 else doubt[row]
        if ((low <= radius) & (high >= radius)).any():
            doubt[row] = TIE
    return doubt


@doubtful(Isomap, LocallyLinearEmbedding)
def embedding_doubt(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """As of the neighbours through which a row is embedded; Isomap adds their distances up."""
    if getattr(model.nbrs_, "effective_metric_", "precomputed") == "precomputed":
        return np.zeros(len(X), np.int8)
    if model.n_neighbors is None:
        return radius_doubt(model.nbrs_, X)
    return _nearest(model.nbrs_, X, int(model.n_neighbors), None, weighs=isinstance(model, Isomap))


@doubtful(KNNImputer)
def donor_doubt(imputer: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """For some missing cell the k-th and the next donor are equally far and hold different values."""
    doubt = np.zeros(len(X), np.int8)
    value = imputer.missing_values
    absent = np.isnan(X) if value is None or value != value else value == X
    some = np.flatnonzero(absent[:, imputer._valid_mask].any(axis=1))
    if not len(some) or callable(imputer.metric):
        return doubt
    marked = np.where(absent[some], np.nan, X[some])
    kept = np.where(imputer._mask_fit_X, np.nan, imputer._fit_X)
    squares = nan_euclidean_distances(marked, kept, squared=True)
    sizes = np.square(np.nan_to_num(marked)).sum(axis=1) + np.square(np.nan_to_num(kept)).sum(axis=1).max()
    error = 4 * (X.shape[1] + 4) * _EPS * sizes * X.shape[1]
    for column in np.flatnonzero(imputer._valid_mask):
        rows = np.flatnonzero(absent[some, column])
        donors = np.flatnonzero(~imputer._mask_fit_X[:, column])
        codes = _donors(imputer, squares[np.ix_(rows, donors)], kept[donors, column], error[rows])
        doubt[some[rows]] = np.maximum(doubt[some[rows]], codes)
    return doubt


def _donors(imputer: Any, squares: NDArray[Any], values: NDArray[Any], error: NDArray[Any]) -> NDArray[np.int8]:
    """Of one column: squared distances [rows, donors]."""
    codes = np.zeros(len(squares), np.int8)
    k = min(imputer.n_neighbors, len(values))
    for row, d in enumerate(np.where(np.isnan(squares), np.inf, squares)):
        order = np.argsort(d, kind="stable")
        last = d[order[k - 1]]
        if imputer.weights == "distance" and d[order[0]] * _LOST < error[row]:
            codes[row] = TIE if (d <= error[row]).sum() > 1 else ROUNDING
        if np.isfinite(last) and k < len(values) and d[order[k]] - last <= 2 * error[row]:
            tied = values[np.abs(d - last) <= 2 * error[row]]
            codes[row] = TIE if np.ptp(tied) else codes[row]
    return codes


@doubtful(KernelDensity)
def density_doubt(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """Where the same tree, undivided, answers otherwise.

    scikit-learn adds and subtracts the bounds of its tree's nodes: of a density that is small beside them only their
    rounding is left (bandwidth 0.9, 90 rows: −368.6 where the sum is −443.3; −37 where a bounded kernel gives −∞).
    """
    tree, doubt = model.tree_, np.zeros(len(X), np.int8)
    if len(tree.get_arrays()[2]) == 1:
        return doubt
    whole = copy(model)
    whole.rtol = whole.atol = 0
    options = dict(model.metric_params or {}, metric=model.metric, leaf_size=len(tree.data))
    whole.tree_ = type(tree)(np.asarray(tree.data), sample_weight=tree.sample_weight, **options)
    with np.errstate(invalid="ignore"):
        given, exact = (KernelDensity.score_samples(density, X) for density in (model, whole))
        close = np.isfinite(exact) & (np.abs(given - exact) <= _LOST * np.maximum(1, np.abs(exact)))
    doubt[~close & (given != exact)] = TIE
    return doubt


@doubtful(AffinityPropagation, Birch, BisectingKMeans, KMeans, MeanShift, MiniBatchKMeans, NearestCentroid)
def centre_doubt(model: Any, X: NDArray[Any]) -> NDArray[np.int8]:
    """Two centres equally far within the rounding of x² − 2xy + y², or a distance to a centre lost in it."""
    doubt = np.zeros(len(X), np.int8)
    names = ("subcluster_centers_", "cluster_centers_", "centroids_")
    kept = next(getattr(model, name) for name in names if hasattr(model, name))
    centres = dense(kept)
    if not len(centres) or np.isnan(X).any():
        return doubt
    squares = np.stack([np.square(X - centre).sum(axis=1) for centre in centres], axis=1)
    sizes = np.square(X).sum(axis=1) + np.square(centres).sum(axis=1).max()
    # fitted on float32 rows, it gets its rows in float32 too
    digits = float(np.finfo(kept.dtype).eps) if kept.dtype.kind == "f" else _EPS
    error = 4 * (X.shape[1] + 4) * digits * sizes
    ordered = np.sort(squares, axis=1)
    doubt[ordered[:, 0] * _LOST < error] = ROUNDING
    if len(centres) > 1:
        doubt[ordered[:, 1] - ordered[:, 0] <= 2 * error] = ROUNDING
    return doubt
