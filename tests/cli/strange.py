"""Estimators that no one has a converter for; in a module of their own, so that a pickle of them can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Doubler(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    def fit(self, X: Any, y: Any = None) -> Doubler:
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 2


class Tripler(Doubler):
    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 3
