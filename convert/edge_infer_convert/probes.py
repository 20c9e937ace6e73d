"""Rows made to find differences: from the schema and from the fitted model; the same for the same model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_infer.manifest import Column
from edge_infer_convert.cells import cell_of, is_missing_cell
from edge_infer_convert.fitted_trees import holds_trees
from edge_infer_convert.graph.plan import Step
from edge_infer_convert.graph.tables import UNKNOWN_TEXT
from edge_infer_convert.jumps import jump_rows
from edge_infer_convert.original import REFUSALS, Original, Row
from edge_infer_convert.schema import Schema
from edge_infer_convert.thresholds import neighbours, raw_thresholds, unscaled

__all__ = ["Probes", "make_probes"]

_IN_RANGE, _FAR, _SAMPLE = 400, 100, 1000
_VERY_FAR: Final = 400  # here float32 fails first, and only in the few rows whose large terms nearly cancel
_THRESHOLDS: Final = 20_000  # of all columns together; above it, a sample of them
_THRESHOLD_ROWS: Final = 20_000
_PAIRS: Final = 24  # pairs of rows with different labels, bisected …
#: … down to a float64's last bit, 52 halvings. Far from the boundary several at a time: an original takes little longer
#: for many rows than for few. Near it one by one, for sums of BLAS differ by a last bit with the number of rows.
_HALVINGS: Final = (*(3,) * 14, *(1,) * 10)
_JUMP: Final = 1e-6  # a change of the original's numbers over one bit of the row that is a jump
_SEED: Final = 20_26

#: One float64 for each pair, or some, in [0, 1]: how far from its first row to its second.
Shares = NDArray[np.float64]
Halves = tuple[Shares, Shares]


class Probes(NamedTuple):
    """Rows and, for each, what it is for: "in range", "far", "edge", "threshold", "boundary", "jump" or "sample"."""

    rows: list[Row]
    kinds: list[str]

    def chosen(self, places: Iterable[int]) -> Probes:
        """The rows at these places."""
        picked = list(places)
        return Probes([self.rows[i] for i in picked], [self.kinds[i] for i in picked])


def make_probes(schema: Schema) -> Probes:
    """In-range and far rows, every category, missing and unknown values, thresholds, boundaries, sample rows."""
    rng = np.random.default_rng(_SEED)
    made = {
        "in range": _random_rows(schema, rng, _IN_RANGE, 1.0),
        "far": _random_rows(schema, rng, _FAR, 5.0) + _random_rows(schema, rng, _VERY_FAR, 1000.0),
        "edge": _edge_rows(schema),
        "threshold": _threshold_rows(schema, rng),
        "boundary": _boundary_rows(schema, rng),
        "sample": _sample_rows(schema, rng),
        "jump": _jump_rows(schema, rng),
    }
    rows = [row for group in made.values() for row in group]
    kinds = [kind for kind, group in made.items() for _ in group]
    return Probes(rows, kinds).chosen(_in_domain(schema.original, rows))


def _in_domain(original: Original, rows: list[Row]) -> list[int]:
    """Without negative numbers where scikit-learn's own tag says that the estimator is for positive ones.

    Most such estimators refuse them; MiniBatchNMF takes them and answers with what rounding makes of a diverging sum.
    """
    tags = getattr(original.estimator, "__sklearn_tags__", None)
    if tags is None or not tags().input_tags.positive_only:
        return list(range(len(rows)))
    negative = [any(isinstance(cell, int | float) and cell < 0 for cell in row) for row in rows]
    return [i for i, flag in enumerate(negative) if not flag]


def _random_rows(schema: Schema, rng: np.random.Generator, count: int, stretch: float) -> list[Row]:
    phrases = schema.original.phrases
    cells = [
        phrases[i].some(rng, count, stretch) if i in phrases else _random_cells(column, rng, count, stretch)
        for i, column in enumerate(schema.columns)
    ]
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
    if column.kind == "number":
        return [float(f"{number:.6g}") for number in numbers]
    return [cell_of(column, number) for number in numbers.tolist()]


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
        if i in schema.original.phrases:
            odd = schema.original.phrases[i].edges()
        if column.missing:
            odd.append(None)
        if column.categories is not None and column.unknown:
            odd.append(UNKNOWN_TEXT if column.kind == "string" else _beyond(column))
        elif column.kind in ("number", "integer", "datetime") and not column.categories:
            odd += [cell_of(column, number) for number in (0.0, *(column.range or ()))]
            odd += [float("inf"), float("-inf")] if column.infinite else []
        rows += [(*base[:i], value, *base[i + 1 :]) for value in odd[:210]]
        if len(rows) > 5000:
            break
    return rows


def _threshold_rows(schema: Schema, rng: np.random.Generator) -> list[Row]:
    """For trees on raw or scaled numbers: values at and beside their thresholds, many columns of a row at once."""
    at: dict[int, list[Any]] = {}
    for step in schema.plan.steps:
        for column, values in raw_thresholds(step):
            if schema.columns[column].kind in ("number", "integer", "datetime"):
                at.setdefault(column, []).append(values)
    merged = {column: np.unique(np.concatenate(values)) for column, values in at.items()}
    beside = {i: _beside(schema.columns[i], own) for i, own in _bounded(merged, rng).items()}
    count = min(max(map(len, beside.values()), default=0), _THRESHOLD_ROWS)
    cells = list(zip(*_random_rows(schema, rng, count, 1.0), strict=True)) if count else []
    for column, own in beside.items():
        places = rng.permutation(count)[: len(own)]
        filled = list(cells[column])
        for place, value in zip(places, rng.permutation(own)[: len(places)].tolist(), strict=True):
            filled[place] = cell_of(schema.columns[column], value)
        cells[column] = tuple(filled)
    return list(zip(*cells, strict=True))


def _beside(column: Column, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers that a column can hold around its thresholds."""
    if column.kind == "number":
        return neighbours(thresholds)
    return np.unique(np.concatenate([np.floor(thresholds), np.ceil(thresholds)]))


def _bounded(thresholds: dict[int, Any], rng: np.random.Generator) -> dict[int, Any]:
    """All thresholds up to a number, then a sample of each column's."""
    total = sum(map(len, thresholds.values()))
    if total <= _THRESHOLDS:
        return thresholds
    share = _THRESHOLDS / total
    return {c: rng.choice(own, max(1, int(len(own) * share)), replace=False) for c, own in thresholds.items()}


def _boundary_rows(schema: Schema, rng: np.random.Generator) -> list[Row]:
    """For classifiers on numbers: rows bisected between two that get different labels, both last ones of each pair.

    Columns of other kinds stay as in the first row. `_accepted` and `parity` see to rows that are no ties.
    """
    numeric = [i for i, column in enumerate(schema.columns) if column.kind == "number" and not column.categories]
    original = schema.original
    if not numeric or original.task != "classification" or "predict" not in original.methods():
        return []
    base = [row for row in _random_rows(schema, rng, 4 * _PAIRS, 1.0) if None not in row]
    ends = [(a, _moved(a, b, numeric, 1.0)) for a, b in itertools.pairwise(base)]
    try:
        first, last = (original.answer("predict", [pair[side] for pair in ends]) for side in (0, 1))
    except REFUSALS:
        return []
    parted = np.flatnonzero(np.ravel((first != last).reshape(len(ends), -1).any(axis=1)))[:_PAIRS]
    return _bisected_where_taken(original, [ends[i] for i in parted], numeric)


def _jump_rows(schema: Schema, rng: np.random.Generator) -> list[Row]:
    """For trees: rows on both sides of their branches, whatever the features are made of."""
    if not any(holds_trees(step.estimator) for step in schema.plan.steps):
        return []
    return jump_rows(schema.original, _random_rows(schema, rng, 4 * _PAIRS, 1.0), rng)


def _bisected_where_taken(original: Original, ends: list[tuple[Row, Row]], numeric: list[int]) -> list[Row]:
    """Without the pairs between which the original refuses a row (a ratio that is infinite there), by halving."""
    if not ends:
        return []
    try:
        return _bisected(original, ends, numeric)
    except REFUSALS:
        half = len(ends) // 2
        parts = (ends[:half], ends[half:]) if half else ()
        return [row for part in parts for row in _bisected_where_taken(original, part, numeric)]


def _bisected(original: Original, ends: list[tuple[Row, Row]], numeric: list[int]) -> list[Row]:
    """For each pair, the two neighbouring rows between which the label changes."""
    low, high = np.zeros(len(ends)), np.ones(len(ends))
    wanted = original.answer("predict", [a for a, _ in ends]).reshape(len(ends), 1, -1)

    def alike(shares: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[pairs, shares]: whether the row at each share of the way gets the first row's label."""
        rows = [
            _moved(a, b, numeric, share) for (a, b), own in zip(ends, shares.tolist(), strict=True) for share in own
        ]
        answers = original.answer("predict", rows).reshape(*shares.shape, -1)
        return np.asarray((answers == wanted).all(axis=-1))

    for halvings in _HALVINGS:
        low, high = _halved(low, high, halvings, alike)
    sides = [
        [_moved(a, b, numeric, share) for (a, b), share in zip(ends, shares.tolist(), strict=True)]
        for shares in (low, high)
    ]
    steady = _steady(original, *sides)
    return [row for rows in sides for row, kept in zip(rows, steady, strict=True) if kept]


def _halved(low: Shares, high: Shares, halvings: int, alike: Callable[[Shares], NDArray[np.bool_]]) -> Halves:
    """The ends after some halvings, as if each had been asked alone: shares of 52 bits are exact.

    alike: see `_bisected`. What it refuses of many shares is asked one by one: not all of them may be on the way.
    """
    places = np.arange(1, 2**halvings)
    shares = low[:, None] + (high - low)[:, None] * (places / 2**halvings)
    try:
        same = alike(shares)
    except REFUSALS:
        if halvings == 1:
            raise
        for _ in range(halvings):
            low, high = _halved(low, high, 1, alike)
        return low, high
    pairs, first, size = np.arange(len(low)), np.zeros(len(low), np.int64), 2**halvings
    while size > 1:
        size //= 2
        first = np.where(same[pairs, first + size - 1], first + size, first)
    step = (high - low) / 2**halvings
    return low + first * step, low + (first + 1) * step


def _steady(original: Original, low: list[Row], high: list[Row]) -> NDArray[np.bool_]:
    """Where the original's numbers do not jump between two neighbouring rows, as they do behind a vote or a tree."""
    steady = np.ones(len(low), bool)
    for method in original.answering_methods():
        answer = original.answer(method, [*low, *high])
        for part in answer if isinstance(answer, list) else [answer]:
            if part.dtype.kind == "f":
                close = np.isclose(part[: len(low)], part[len(low) :], rtol=_JUMP, atol=_JUMP, equal_nan=True)
                steady &= close.reshape(len(low), -1).all(axis=1)
    return steady


def _moved(a: Row, b: Row, numeric: list[int], share: float) -> Row:
    """Row `a`, its numbers moved toward those of `b`."""
    row = list(a)
    for i in numeric:
        row[i] = a[i] + (b[i] - a[i]) * share
    return tuple(row)


def _sample_rows(schema: Schema, rng: np.random.Generator) -> list[Row]:
    """Rows of the sample, for the comparison only: they are not stored in the artifact."""
    if schema.sample is None:
        return [row for step in schema.plan.steps for row in _kept_by_step(schema, step)]
    chosen = np.sort(rng.permutation(len(schema.sample))[:_SAMPLE])
    if isinstance(schema.sample, pd.DataFrame):
        columns = [schema.sample.iloc[chosen, i].tolist() for i in range(schema.sample.shape[1])]
    else:
        array = schema.sample[chosen]
        columns = [list(own) if own.dtype.kind == "M" else own.tolist() for own in array.T]  # tolist counts nanoseconds
    cells = ([None if is_missing_cell(value) else value for value in column] for column in columns)
    rows = list(zip(*cells, strict=True))
    times = [i for i, column in enumerate(schema.columns) if column.kind == "datetime"]
    return [row for row in rows if all(row[i] is not None for i in times)]


def _kept_by_step(schema: Schema, step: Step) -> list[Row]:
    """Without a sample: training rows that a step keeps (neighbours), where all can be traced to input columns."""
    rows = getattr(step.estimator, "_fit_X", None)
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != len(step.inputs):
        return []
    made = []
    for kept in rows[:_SAMPLE]:
        row = list(schema.original.typical_row())
        for feature, value in zip(step.inputs, kept.tolist(), strict=True):
            found = unscaled(feature, np.array([value]))
            if found is not None:
                column, raw = found[0], float(found[1][0])
                row[column] = cell_of(schema.columns[column], raw)
        made.append(tuple(row))
    return made
