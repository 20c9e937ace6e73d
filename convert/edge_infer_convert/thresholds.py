"""The thresholds that a fitted estimator splits its features at, and the raw values that stand there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from edge_infer_convert.fitted_trees import fitted_trees
from edge_infer_convert.graph import columnwise
from edge_infer_convert.graph.plan import Feature, Step, StepOutput

__all__ = ["neighbours", "raw_thresholds", "unscaled"]

Numbers = NDArray[np.float64]


def raw_thresholds(step: Step) -> Iterator[tuple[int, Numbers]]:
    """By input column: the values of it at which the step's trees split, where they can be traced back."""
    for position, thresholds in _by_feature(step.estimator).items():
        if position < len(step.inputs):
            found = unscaled(step.inputs[position], np.unique(thresholds))
            if found is not None:
                yield found


def _by_feature(estimator: Any) -> dict[int, Numbers]:
    pairs = [(tree.feature, tree.threshold) for tree in fitted_trees(estimator)]
    if not pairs:
        return {}
    features = np.concatenate([np.asarray(feature, np.int64) for feature, _ in pairs])
    thresholds = np.concatenate([np.asarray(values, np.float64) for _, values in pairs])
    used = (features >= 0) & np.isfinite(thresholds)
    features, thresholds = features[used], thresholds[used]
    return {int(i): thresholds[features == i] for i in np.unique(features)}


def unscaled(feature: Feature, values: Numbers) -> tuple[int, Numbers] | None:
    """The input column behind a feature and its values there, back through scalers, imputers and selectors."""
    while isinstance(feature, StepOutput):
        estimator, inputs = feature.step.estimator, feature.step.inputs
        if isinstance(estimator, SimpleImputer):
            sources = columnwise.output_sources(estimator)
            if feature.index >= len(sources):  # an indicator
                return None
            feature = inputs[sources[feature.index]]
        elif isinstance(estimator, StandardScaler | MinMaxScaler | RobustScaler | MaxAbsScaler):
            rows = np.zeros((len(values), len(inputs)))
            rows[:, feature.index] = values
            values = np.asarray(estimator.inverse_transform(rows))[:, feature.index]
            feature = inputs[feature.index]
        elif hasattr(estimator, "get_support"):
            feature = inputs[int(estimator.get_support(indices=True)[feature.index])]
        else:
            return None
    return None if feature.text else (feature.column, values)


def neighbours(values: Numbers) -> Numbers:
    """Each value, the float64 above it, and the float32 values around it; finite ones only."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
        around = [np.nextafter(near, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf)]
    near64 = near.astype(np.float64)
    every = np.concatenate([values, np.nextafter(values, np.inf), near64, np.where(near64 > values, *around)])
    return np.unique(every[np.isfinite(every)])
