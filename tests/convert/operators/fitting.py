"""Fitting without the warnings of small data and deprecated options."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["fitted"]


def fitted(estimator: Any, X: Any, y: Any = None) -> Any:
    """The estimator, fitted with its warnings off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y)
