"""Ranges of the input columns without data, from what the fitted steps learned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer_convert.fitted_trees import fitted_trees
from edge_infer_convert.graph import columnwise
from edge_infer_convert.graph.plan import Plan, Step, StepOutput

__all__ = ["ranges_of_steps"]

_Range = tuple[float, float]


def ranges_of_steps(plan: Plan) -> dict[int, tuple[float, float]]:
    """By input column; columns that no step tells of are left out."""
    ranges: dict[int, tuple[float, float]] = {}
    for step in plan.steps:
        for position, (low, high) in _fitted_ranges(step.estimator):
            column = _number_root(step, position)
            if column is not None and np.isfinite([low, high]).all():
                ranges.setdefault(column, (float(low), float(high)))
    return ranges


def _number_root(step: Step, position: int) -> int | None:
    """The raw number column behind an input, through imputers and selectors; None behind anything else."""
    if position >= len(step.inputs):
        return None
    feature = step.inputs[position]
    while isinstance(feature, StepOutput):
        sources = _sources(feature.step.estimator)
        if feature.index >= len(sources):
            return None
        feature = feature.step.inputs[sources[feature.index]]
    return feature.column if not feature.text else None


def _sources(estimator: Any) -> list[int]:
    """For each output that is an input as it was, the position of that input."""
    if type(estimator).__name__ == "SimpleImputer":
        return columnwise.output_sources(estimator)
    if hasattr(estimator, "get_support"):
        return [int(i) for i in estimator.get_support(indices=True)]
    return []


def _fitted_ranges(estimator: Any) -> Iterator[tuple[int, _Range]]:
    """Ranges that a fitted estimator tells of its inputs, by position."""
    if getattr(estimator, "data_min_", None) is not None:
        yield from _between(estimator.data_min_, estimator.data_max_)
    elif getattr(estimator, "max_abs_", None) is not None:
        yield from _between(-estimator.max_abs_, estimator.max_abs_)
    elif getattr(estimator, "theta_", None) is not None and getattr(estimator, "var_", None) is not None:
        spread = 3 * np.sqrt(estimator.var_)
        yield from _between((estimator.theta_ - spread).min(axis=0), (estimator.theta_ + spread).max(axis=0))
    elif _is_row(estimator, "mean_") and _is_row(estimator, "scale_"):
        yield from _around(estimator.mean_, 3 * estimator.scale_)
    elif _is_row(estimator, "center_") and _is_row(estimator, "scale_"):
        yield from _around(estimator.center_, 2 * estimator.scale_)
    elif hasattr(estimator, "means_") and hasattr(estimator, "xbar_"):
        yield from _around(estimator.xbar_, 3 * np.abs(estimator.means_ - estimator.xbar_).max(axis=0))
    for rows in _kept_rows(estimator):
        yield from _between(rows.min(axis=0), rows.max(axis=0))
    yield from _threshold_ranges(estimator)


def _is_row(estimator: Any, attribute: str) -> bool:
    return np.ndim(getattr(estimator, attribute, 0.0)) == 1


def _between(low: NDArray[Any], high: NDArray[Any]) -> Iterator[tuple[int, _Range]]:
    yield from enumerate(zip(np.asarray(low).tolist(), np.asarray(high).tolist(), strict=True))


def _around(middle: NDArray[Any], spread: NDArray[Any]) -> Iterator[tuple[int, _Range]]:
    yield from _between(middle - spread, middle + spread)


def _kept_rows(estimator: Any) -> Iterator[NDArray[Any]]:
    """Rows of the input space, shape (rows, features)."""
    for attribute in ("cluster_centers_", "_fit_X", "X_train_", "support_vectors_"):
        rows = getattr(estimator, attribute, None)
        if isinstance(rows, np.ndarray) and rows.ndim == 2 and len(rows):
            yield rows


def _threshold_ranges(estimator: Any) -> Iterator[tuple[int, _Range]]:
    """A little beyond the outermost thresholds of trees; (0, 1) for features that no tree splits on."""
    own = _thresholds(estimator)
    for position in range(int(estimator.n_features_in_) if own else 0):
        values = own.get(position)
        yield position, (0.0, 1.0) if values is None else (float(values.min() - 1), float(values.max() + 1))


def _thresholds(estimator: Any) -> dict[int, NDArray[Any]]:
    mapper = getattr(estimator, "_bin_mapper", None)
    if mapper is not None:  # HistGradientBoosting; its bins are its candidates for thresholds
        return _finite(dict(enumerate(mapper.bin_thresholds_)))
    trees = fitted_trees(estimator)
    if not trees:
        return {}
    features = np.concatenate([tree.feature for tree in trees])
    thresholds = np.concatenate([tree.threshold for tree in trees])
    return _finite({int(i): thresholds[features == i] for i in np.unique(features[features >= 0])})


def _finite(values: dict[int, Any]) -> dict[int, NDArray[Any]]:
    """An infinite threshold parts missing values from all others."""
    chosen = {i: np.asarray(own)[np.isfinite(own)] for i, own in values.items()}
    return {i: own for i, own in chosen.items() if own.size}
