"""What the adapters of raw boosters share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FittedBooster"]


class FittedBooster:
    """Looks like a fitted estimator to the converter; cannot be fitted."""

    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def name_features(self, names: Sequence[str] | None) -> None:
        """Keep the names of the features where there are any."""
        if names:
            self.feature_names_in_ = np.asarray(names, dtype=object)

    def fit(self, X: Any, y: Any = None) -> FittedBooster:
        """Not possible: a raw booster is trained already."""
        raise NotImplementedError("a raw booster is trained by its own library")

    def __sklearn_is_fitted__(self) -> bool:
        return True
