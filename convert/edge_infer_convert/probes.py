"""Rows made to find differences: from the schema and from the fitted model; the same for the same model."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from edge_infer.manifest import Column
from edge_infer_convert.fitted_trees import fitted_trees
from edge_infer_convert.graph import columnwise
from edge_infer_convert.graph.plan import Feature, Step, StepOutput
from edge_infer_convert.graph.tables import UNKNOWN_TEXT
from edge_infer_convert.original import Original, Row
from edge_infer_convert.schema import Schema

__all__ = ["Probes", "make_probes"]

_IN_RANGE, _FAR, _VERY_FAR, _SAMPLE, _THRESHOLDS = 400, 100, 50, 1000, 2000
_SEED: Final = 20_26


class Probes(NamedTuple):
    """Rows and, for each, what it is for: "in range", "far", "edge", "threshold" or "sample"."""

    rows: list[Row]
    kinds: list[str]


def make_probes(schema: Schema) -> Probes:
    """In-range and far rows, every category, missing and unknown values, tree thresholds, and sample rows."""
    rng = np.random.default_rng(_SEED)
    made = {
        "in range": _random_rows(schema.columns, rng, _IN_RANGE, 1.0),
        "far": _random_rows(schema.columns, rng, _FAR, 5.0) + _random_rows(schema.columns, rng, _VERY_FAR, 1000.0),
        "edge": _edge_rows(schema),
        "threshold": _threshold_rows(schema, rng),
        "sample": _sample_rows(schema, rng),
    }
    rows = [row for group in made.values() for row in group]
    kinds = [kind for kind, group in made.items() for _ in group]
    return _accepted(schema.original, Probes(rows, kinds))


def _accepted(original: Original, probes: Probes) -> Probes:
    """Rows that the original itself refuses cannot be compared. Usually it takes all at once."""
    keep = _taken(original, probes.rows, list(range(len(probes.rows))))
    return Probes([probes.rows[i] for i in keep], [probes.kinds[i] for i in keep])


def _taken(original: Original, rows: list[Row], chosen: list[int]) -> list[int]:
    """Those of the `chosen` rows that the original takes, by halving."""
    if not chosen or original.takes([rows[i] for i in chosen]):
        return chosen
    half = len(chosen) // 2
    return [*_taken(original, rows, chosen[:half]), *_taken(original, rows, chosen[half:])] if half else []


def _random_rows(columns: tuple[Column, ...], rng: np.random.Generator, count: int, stretch: float) -> list[Row]:
    cells = [_random_cells(column, rng, count, stretch) for column in columns]
    return list(zip(*cells, strict=True))


def _random_cells(column: Column, rng: np.random.Generator, count: int, stretch: float) -> list[Any]:
    cells = _values(column, rng, count, stretch)
    if column.categories is not None and column.unknown:
        odd = UNKNOWN_TEXT if column.kind == "string" else _beyond(column)
        cells = [odd if draw < 0.04 else cell for cell, draw in zip(cells, rng.random(count), strict=True)]
    if column.missing:
        cells = [None if draw < 0.08 else cell for cell, draw in zip(cells, rng.random(count), strict=True)]
    return cells


def _values(column: Column, rng: np.random.Generator, count: int, stretch: float) -> list[Any]:
    if column.categories:
        order = np.concatenate([np.arange(len(column.categories)), rng.integers(len(column.categories), size=count)])
        return [column.categories[i] for i in rng.permutation(order[:count])]
    if column.kind == "boolean":
        return [bool(value) for value in rng.integers(2, size=count)]
    low, high = column.range or (0.0, 1.0)
    middle, half = (low + high) / 2, max((high - low) / 2, abs(high) * 1e-3, 1e-6) * stretch
    numbers = rng.uniform(middle - half, middle + half, size=count)
    if column.kind == "integer":
        return [round(number) for number in numbers]
    return [float(f"{number:.6g}") for number in numbers]


def _beyond(column: Column) -> Any:
    if column.kind == "boolean" and column.categories:
        return not column.categories[0]
    return int(max((float(value) for value in column.categories or ()), default=0)) + 7


def _edge_rows(schema: Schema) -> list[Row]:
    """One change at a time to a typical row: zero, ends of the range, missing, unknown, every category."""
    base = schema.original.typical_row()
    rows = [base]
    for i, column in enumerate(schema.columns):
        odd: list[Any] = list(column.categories or ())[:200]
        if column.missing:
            odd.append(None)
        if column.categories is not None and column.unknown:
            odd.append(UNKNOWN_TEXT if column.kind == "string" else _beyond(column))
        elif column.kind in ("number", "integer") and not column.categories:
            whole = column.kind == "integer"
            odd += [0 if whole else 0.0, *((round(end) if whole else end) for end in column.range or ())]
            odd += [] if whole or not column.infinite else [float("inf"), float("-inf")]
        rows += [(*base[:i], value, *base[i + 1 :]) for value in odd[:210]]
        if len(rows) > 5000:
            break
    return rows


def _threshold_rows(schema: Schema, rng: np.random.Generator) -> list[Row]:
    """For trees on raw or scaled numbers: each threshold and its float64 and float32 neighbours."""
    pairs = [pair for step in schema.plan.steps for pair in _thresholds(step)]
    pairs = [pair for pair in pairs if schema.columns[pair[0]].kind == "number" and np.isfinite(pair[1])]
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:_THRESHOLDS]]
    bases = _random_rows(schema.columns, rng, len(chosen), 1.0)
    return [
        (*base[:column], value, *base[column + 1 :])
        for base, (column, threshold) in zip(bases, chosen, strict=True)
        for value in _neighbours(threshold)
    ]


def _neighbours(threshold: float) -> list[float]:
    with np.errstate(over="ignore"):
        near = np.float32(threshold)
    above = np.nextafter(near, np.float32(np.inf))
    values = [threshold, float(np.nextafter(threshold, np.inf)), float(near), float(above)]
    return [value for value in values if np.isfinite(value)]


def _thresholds(step: Step) -> list[tuple[int, float]]:
    """Pairs of an input column and a value of it that stands at a tree's threshold."""
    pairs = []
    for tree in fitted_trees(step.estimator):
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
            if 0 <= feature < len(step.inputs):
                pairs += _unscaled(step.inputs[feature], float(threshold))
    return pairs


def _unscaled(feature: Feature, value: float) -> list[tuple[int, float]]:
    """The raw column behind a feature and its value there, back through scalers and imputers; else nothing."""
    while isinstance(feature, StepOutput):
        estimator, inputs = feature.step.estimator, feature.step.inputs
        if isinstance(estimator, SimpleImputer):
            sources = columnwise.output_sources(estimator)
            if feature.index >= len(sources):  # an indicator
                return []
            feature = inputs[sources[feature.index]]
        elif isinstance(estimator, StandardScaler | MinMaxScaler | RobustScaler | MaxAbsScaler):
            row = np.zeros((1, len(inputs)))
            row[0, feature.index] = value
            value = float(np.asarray(estimator.inverse_transform(row))[0, feature.index])
            feature = inputs[feature.index]
        else:
            return []
    return [] if feature.text else [(feature.column, value)]


def _sample_rows(schema: Schema, rng: np.random.Generator) -> list[Row]:
    """Rows of the sample, for the comparison only: they are not stored in the artifact."""
    if schema.sample is None:
        return [row for step in schema.plan.steps for row in _kept_by_step(schema, step)]
    chosen = np.sort(rng.permutation(len(schema.sample))[:_SAMPLE])
    if isinstance(schema.sample, pd.DataFrame):
        columns = [schema.sample.iloc[chosen, i].tolist() for i in range(schema.sample.shape[1])]
    else:
        columns = [schema.sample[chosen, i].tolist() for i in range(schema.sample.shape[1])]
    return list(zip(*([_cell(value) for value in column] for column in columns), strict=True))


def _kept_by_step(schema: Schema, step: Step) -> list[Row]:
    """Without a sample: training rows that a step keeps (neighbours), where all can be traced to input columns."""
    rows = getattr(step.estimator, "_fit_X", None)
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != len(step.inputs):
        return []
    made = []
    for kept in rows[:_SAMPLE]:
        row = list(schema.original.typical_row())
        for feature, value in zip(step.inputs, kept.tolist(), strict=True):
            for column, raw in _unscaled(feature, value):
                row[column] = raw if schema.columns[column].kind == "number" else round(raw)
        made.append(tuple(row))
    return made


def _cell(value: Any) -> Any:
    return None if value is None or value is pd.NA or (isinstance(value, float) and value != value) else value
