"""Raw boosters and their files → estimators that the converter follows, without importing a library in vain."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import MissingExtraError, UntrustedSourceError

__all__ = ["adapt", "is_booster_file", "learned_names", "load_booster", "native_codes", "tree_splits"]

#: (package, class) of a raw booster → the adapter in our module of the package's name.
_RAW: Final = {
    ("xgboost", "Booster"): "XGBoostBooster",
    ("lightgbm", "Booster"): "LightGBMBooster",
}
#: Suffix of a file → the package that reads it; of .json both XGBoost and CatBoost write.
_SUFFIXES: Final = {".ubj": "xgboost", ".json": "xgboost", ".txt": "lightgbm", ".cbm": "catboost"}


def _package(estimator: Any) -> str:
    return type(estimator).__module__.partition(".")[0]


def _ours(estimator: Any) -> Any:
    """Our module for an estimator of a booster library, or for our own adapter of one; else None."""
    name = type(estimator).__module__
    if name.startswith("edge_infer_convert.boosters."):
        return import_module(name)
    if name.startswith("sklearn.ensemble._hist_gradient_boosting."):
        return import_module("edge_infer_convert.operators.hist_boosting")
    package = _package(estimator)
    return import_module(f"edge_infer_convert.boosters.{package}") if package in _SUFFIXES.values() else None


def adapt(estimator: Any) -> Any:
    """A raw booster in its adapter; everything else as it is."""
    adapter = _RAW.get((_package(estimator), type(estimator).__name__))
    return estimator if adapter is None else getattr(_ours(estimator), adapter)(estimator)


def native_codes(estimator: Any) -> Any:
    """The `CategoryCodes` (or another columnwise encoder with `columns`) that must go before a booster; else None."""
    module = _ours(estimator)
    codes = getattr(module, "category_codes", None)
    return None if codes is None or not hasattr(estimator, "n_features_in_") else codes(estimator)


def learned_names(estimator: Any) -> list[str] | None:
    """The columns' names of a model that keeps them elsewhere than in `feature_names_in_`; else None."""
    names = getattr(_ours(estimator), "feature_names", None)
    return None if names is None else names(estimator)


def tree_splits(estimator: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Feature and threshold of every numeric split of a booster; None for other estimators."""
    points = getattr(_ours(estimator), "split_points", None)
    return None if points is None else points(estimator)


def is_booster_file(path: str | os.PathLike[str]) -> bool:
    """Whether the file's suffix is one that a booster library writes."""
    return Path(path).suffix.lower() in _SUFFIXES


def load_booster(path: str | os.PathLike[str]) -> Any:
    """The raw booster in a file, in its adapter. These formats hold data only: nothing in them is run.

    Raises:
        MissingExtraError: the library is not installed.
        UntrustedSourceError: the file cannot be read as what its suffix says.
    """
    file = Path(path)
    package = _SUFFIXES[file.suffix.lower()]
    if package == "xgboost" and _is_catboost_json(file):
        package = "catboost"
    try:
        module = import_module(f"edge_infer_convert.boosters.{package}")
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtraError(package, "boosters", f"reading {file}") from error
    try:
        return module.from_file(file)
    except Exception as error:  # each library raises its own kinds
        raise UntrustedSourceError(f"{file} cannot be read as a model of {package}: {_told(error)}") from error


def _told(error: Exception) -> str:
    """What a library says, without the place in its source and its stack trace."""
    text = " ".join(str(error).partition("Stack trace")[0].split())
    return re.sub(r"^(\[[0-9:]+\] )?\S+\.(h|cc|cpp|cu):[0-9]+: ", "", text)[:300]


def _is_catboost_json(file: Path) -> bool:
    if file.suffix.lower() != ".json":
        return False
    with file.open("rb") as stream:
        head = stream.read(1 << 16)
    return b'"features_info"' in head or (b'"learner"' not in head and b"oblivious_trees" in head)
