"""Rows made to find differences: from the schema and from the fitted model; the same for the same model."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from edge_infer.manifest import Column
from edge_infer_convert.graph.plan import Raw, Step
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
    method = original.methods()[0]
    try:
        original.answer(method, probes.rows)
    except ValueError:
        keep = [i for i, row in enumerate(probes.rows) if original.accepts(row)]
        return Probes([probes.rows[i] for i in keep], [probes.kinds[i] for i in keep])
    return probes


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
    """For trees on raw numbers: each threshold and its float64 and float32 neighbours."""
    pairs = [pair for step in schema.plan.steps for pair in _thresholds(step)]
    if not pairs:
        return []
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:_THRESHOLDS]]
    bases = _random_rows(schema.columns, rng, len(chosen), 1.0)
    rows = []
    for base, (column, threshold) in zip(bases, chosen, strict=True):
        if schema.columns[column].kind != "number":
            continue
        near = np.float32(threshold)
        values = [
            threshold,
            np.nextafter(threshold, np.inf),
            float(near),
            float(np.nextafter(near, np.float32(np.inf))),
        ]
        rows += [(*base[:column], float(value), *base[column + 1 :]) for value in values]
    return rows


def _thresholds(step: Step) -> list[tuple[int, float]]:
    estimators = np.ravel(getattr(step.estimator, "estimators_", [step.estimator]))
    pairs = []
    for tree in (t.tree_ for t in estimators if hasattr(t, "tree_")):
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
            if feature >= 0 and feature < len(step.inputs):
                origin = step.inputs[feature]
                if isinstance(origin, Raw) and not origin.text:
                    pairs.append((origin.column, float(threshold)))
    return pairs


def _sample_rows(schema: Schema, rng: np.random.Generator) -> list[Row]:
    """Rows of the sample, for the comparison only: they are not stored in the artifact."""
    if schema.sample is None:
        return []
    chosen = np.sort(rng.permutation(len(schema.sample))[:_SAMPLE])
    if isinstance(schema.sample, pd.DataFrame):
        columns = [schema.sample.iloc[chosen, i].tolist() for i in range(schema.sample.shape[1])]
    else:
        columns = [schema.sample[chosen, i].tolist() for i in range(schema.sample.shape[1])]
    return list(zip(*([_cell(value) for value in column] for column in columns), strict=True))


def _cell(value: Any) -> Any:
    return None if value is None or value is pd.NA or (isinstance(value, float) and value != value) else value
