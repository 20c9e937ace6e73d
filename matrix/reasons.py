"""Why some estimators cannot be converted at all, and what to use instead. Their converters refuse them too."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["REASONS", "Reason"]


class Reason(NamedTuple):
    """Short sentences, as the table shows them."""

    why: str
    instead: str


def _unseen(what: str, instead: str) -> Reason:
    return Reason(f"it only {what} the rows that it was fitted on: scikit-learn has no answer for new rows", instead)


_NEAREST = "KMeans, Birch or BisectingKMeans; or a KNeighborsClassifier fitted on its labels"
_EMBED = "PCA, KernelPCA, Isomap or LocallyLinearEmbedding"
_COVARIANCE = Reason(
    "it estimates a covariance: it has no predict, score_samples or transform for rows",
    "EllipticEnvelope or GaussianMixture, which score rows",
)

REASONS: Final = {
    **{
        name: _unseen("labels", _NEAREST)
        for name in ("AgglomerativeClustering", "DBSCAN", "HDBSCAN", "OPTICS", "SpectralClustering")
    },
    **{name: _unseen("places", _EMBED) for name in ("ClassicalMDS", "MDS", "SpectralEmbedding", "TSNE")},
    **{name: _unseen("labels", "KMeans on the rows") for name in ("SpectralBiclustering", "SpectralCoclustering")},
    **dict.fromkeys(
        (
            "EmpiricalCovariance",
            "GraphicalLasso",
            "GraphicalLassoCV",
            "LedoitWolf",
            "MinCovDet",
            "OAS",
            "ShrunkCovariance",
        ),
        _COVARIANCE,
    ),
    "NearestNeighbors": Reason(
        "it finds neighbours (kneighbors), it does not answer rows",
        "KNeighborsTransformer, KNeighborsClassifier or KNeighborsRegressor",
    ),
    "FeatureHasher": Reason(
        "its rows are dicts or lists of any length, which is not a table", "HashingVectorizer on text, or OneHotEncoder"
    ),
    "MultiLabelBinarizer": Reason(
        "its rows are sets of labels of any size, which is not a table", "a column of 0 and 1 for each label"
    ),
    "PatchExtractor": Reason(
        "it turns an image into many rows, so that answers do not go with rows",
        "cutting the patches before the model",
    ),
}
