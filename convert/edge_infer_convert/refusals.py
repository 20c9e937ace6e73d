"""Estimators whose input is no table of columns, and what serves instead."""

from __future__ import annotations

from typing import Any, Final

from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MultiLabelBinarizer

from edge_infer.errors import Blocker
from edge_infer_convert.networks import find_network

__all__ = ["find_refusal"]

_TARGETS: Final = (
    "encodes a target, not columns of the input",
    "Leave it out: an artifact gives a classifier's own labels back by itself. For a column use OrdinalEncoder or "
    "OneHotEncoder.",
)
_REFUSED: Final[dict[type, tuple[str, str]]] = {
    DictVectorizer: ("its rows are dicts of any keys, which is no table", "Make a column for each key."),
    FeatureHasher: (
        "its rows are dicts or lists of any length, which is no table",
        "Use HashingVectorizer on text, or OneHotEncoder on columns.",
    ),
    LabelBinarizer: _TARGETS,
    LabelEncoder: _TARGETS,
    MultiLabelBinarizer: (
        "its rows are sets of labels of any size, which is no table",
        "Give the model a column of 0 and 1 for each label.",
    ),
    PatchExtractor: (
        "it makes many rows of one image, so that answers do not go with rows",
        "Cut the patches before the model.",
    ),
}


def find_refusal(estimator: Any, path: str) -> Blocker | None:
    """Why an estimator cannot be in an artifact; None for all others."""
    found = _REFUSED.get(type(estimator))
    if found is None and (network := find_network(estimator)) is not None:
        found = network.refusal(estimator)
    return None if found is None else Blocker(path or type(estimator).__name__, type(estimator).__name__, *found)
