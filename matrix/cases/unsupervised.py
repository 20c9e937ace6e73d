"""Clusterers, outlier detectors, densities, covariances, decompositions and embeddings."""

from __future__ import annotations

from sklearn.cluster import (
    DBSCAN,
    HDBSCAN,
    OPTICS,
    AffinityPropagation,
    AgglomerativeClustering,
    Birch,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
    SpectralBiclustering,
    SpectralClustering,
    SpectralCoclustering,
)
from sklearn.covariance import (
    OAS,
    EllipticEnvelope,
    EmpiricalCovariance,
    GraphicalLasso,
    GraphicalLassoCV,
    LedoitWolf,
    MinCovDet,
    ShrunkCovariance,
)
from sklearn.decomposition import (
    NMF,
    PCA,
    DictionaryLearning,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    LatentDirichletAllocation,
    MiniBatchDictionaryLearning,
    MiniBatchNMF,
    MiniBatchSparsePCA,
    SparseCoder,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.ensemble import IsolationForest, RandomTreesEmbedding
from sklearn.linear_model import SGDOneClassSVM
from sklearn.manifold import (
    MDS,
    TSNE,
    ClassicalMDS,
    Isomap,
    LocallyLinearEmbedding,
    SpectralEmbedding,
)
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NearestNeighbors,
    NeighborhoodComponentsAnalysis,
    RadiusNeighborsTransformer,
)
from sklearn.neural_network import BernoulliRBM
from sklearn.svm import OneClassSVM

from matrix.case import Fitted
from matrix.cases.collect import Cases
from matrix.data import load

__all__ = ["CASES"]

CASES = Cases("estimators")
_add = CASES.add

# --- clusterers ---
for _clusterer in (
    AffinityPropagation(random_state=0),
    BisectingKMeans(4, random_state=0),
    KMeans(4, random_state=0, n_init=2),
    MiniBatchKMeans(4, random_state=0, n_init=2),
    AgglomerativeClustering(3),
    DBSCAN(),
    HDBSCAN(copy=True),
    OPTICS(),
    SpectralClustering(3, random_state=0),
):
    _add(_clusterer, "clusters")
_add(Birch(threshold=1.0, n_clusters=4), "clusters")
_add(Birch(threshold=1.0, n_clusters=None), "clusters", "subclusters")
_add(MeanShift(bandwidth=2.0), "clusters")
_add(MeanShift(bandwidth=1.0, cluster_all=False), "clusters", "orphans")
_add(KMeans(3, random_state=0, n_init=2), "whole_numbers")
_add(SpectralBiclustering(3, random_state=0), "positive")
_add(SpectralCoclustering(3, random_state=0), "positive")
_add(FeatureAgglomeration(2), "clusters")

# --- outlier detectors ---
_add(IsolationForest(n_estimators=20, random_state=0), "clusters")
_add(IsolationForest(n_estimators=20, contamination=0.1, max_features=0.6, random_state=0), "clusters", "contamination")
_add(EllipticEnvelope(random_state=0), "clusters")
_add(LocalOutlierFactor(10, novelty=True), "clusters", "novelty")
_add(LocalOutlierFactor(10), "clusters", "of the training data only")
_add(OneClassSVM(nu=0.2), "clusters")
_add(OneClassSVM(kernel="poly", degree=2), "clusters", "poly")
_add(SGDOneClassSVM(random_state=0), "clusters")

# --- densities ---
for _kind in ("full", "tied", "diag", "spherical"):
    _add(GaussianMixture(3, covariance_type=_kind, random_state=0), "clusters", _kind)
    _add(
        BayesianGaussianMixture(n_components=3, covariance_type=_kind, max_iter=300, random_state=0), "clusters", _kind
    )
for _kernel in ("gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"):
    _add(KernelDensity(kernel=_kernel, bandwidth=2.0), "clusters", _kernel)

# --- covariances ---
for _covariance in (
    EmpiricalCovariance(),
    GraphicalLasso(),
    GraphicalLassoCV(),
    LedoitWolf(),
    MinCovDet(random_state=0),
    OAS(),
    ShrunkCovariance(),
):
    _add(_covariance, "clusters")

# --- decompositions ---
_add(PCA(2), "numbers")
_add(PCA(2, whiten=True), "numbers", "whiten")
_add(IncrementalPCA(2), "numbers")
_add(TruncatedSVD(2, random_state=0), "numbers")
_add(FactorAnalysis(2), "numbers")
_add(FastICA(2, random_state=0, whiten="unit-variance"), "numbers")
for _kernel in ("linear", "rbf", "poly", "sigmoid", "cosine"):
    _add(KernelPCA(2, kernel=_kernel, gamma=0.05, random_state=0), "numbers", _kernel)
_add(NMF(2, random_state=0, max_iter=400), "positive")
_add(NMF(2, solver="mu", beta_loss="kullback-leibler", random_state=0, max_iter=300), "positive", "kullback-leibler")
_add(MiniBatchNMF(2, random_state=0), "positive")
_add(LatentDirichletAllocation(3, random_state=0), "counts")
_add(SparsePCA(2, random_state=0, max_iter=50), "numbers")
_add(MiniBatchSparsePCA(2, random_state=0, max_iter=20), "numbers")
_add(DictionaryLearning(3, random_state=0, max_iter=20), "numbers")
_add(MiniBatchDictionaryLearning(3, random_state=0, max_iter=5), "numbers")
for _way in ("omp", "lasso_lars", "lasso_cd", "lars", "threshold"):
    _add(DictionaryLearning(3, transform_algorithm=_way, random_state=0, max_iter=5), "numbers", _way)
_DICTIONARY = load("numbers")[0][:3] / 10
for _way in ("omp", "lasso_lars", "lasso_cd", "lars", "threshold"):
    _add(SparseCoder(_DICTIONARY, transform_algorithm=_way), "numbers", _way)
_add(BernoulliRBM(3, random_state=0, n_iter=3), "bits")
_add(RandomTreesEmbedding(5, max_depth=3, random_state=0), "numbers")

# --- embeddings and neighbours ---
_add(Isomap(n_components=2), "clusters")
_add(LocallyLinearEmbedding(n_neighbors=8, random_state=0), "clusters")
_add(MDS(2, n_init=1, init="random", random_state=0), "clusters")
_add(ClassicalMDS(2), "clusters")
_add(SpectralEmbedding(2, random_state=0), "clusters")
_add(TSNE(2, random_state=0, max_iter=250), "clusters")
_add(NearestNeighbors(), "clusters")
_add(NeighborhoodComponentsAnalysis(2, max_iter=20, random_state=0), "multiclass")
_add(KNeighborsTransformer(n_neighbors=4), "clusters")
_add(KNeighborsTransformer(n_neighbors=4, mode="connectivity"), "clusters", "connectivity")
_add(RadiusNeighborsTransformer(radius=2.0), "clusters")
_add(RadiusNeighborsTransformer(radius=2.0, mode="connectivity"), "clusters", "connectivity")


def _precomputed() -> Fitted:
    from sklearn.metrics.pairwise import rbf_kernel

    X, y = load("multiclass")
    kernel = rbf_kernel(X, X[:40], gamma=0.1)
    from sklearn.svm import SVC

    return Fitted(SVC(kernel="precomputed").fit(kernel[:40], y[:40]), kernel)


CASES.special("SVC", "precomputed kernel", _precomputed)
