"""Rows that neither training nor the gate saw: of the data's own kind, some far out of its range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd

from matrix.data import sentences

__all__ = ["SHARES", "fresh_rows", "taken"]

#: kind → (share of the rows, stretch of the range)
SHARES: Final = {"in range": (0.7, 1.0), "far": (0.2, 5.0), "very far": (0.1, 1000.0)}
_SEED: Final = 777
_ODD: Final = 0.05  # share of missing and of unknown cells, where the original takes them

Takes = Callable[[Any], bool]


def fresh_rows(data: Any, takes: Takes, count: int, *, known: bool = False) -> tuple[Any, Any]:
    """About `count` rows like `data`, and a mask of those in range; only rows that the original takes.

    Args:
        data: 2-D array, DataFrame, list of texts, list of dicts, or an array of any shape.
        takes: whether the original answers these rows.
        known: draw only values that the data has.
    """
    rng = np.random.default_rng(_SEED)
    parts = [_rows(data, takes, rng, round(count * share), 1.0 if known else far) for share, far in SHARES.values()]
    near = np.repeat([True, False, False], [_length(part) for part in parts])
    rows = _stacked(parts)
    keep = taken(rows, takes)
    return _picked(rows, keep), near[keep]


def taken(rows: Any, takes: Takes) -> Any:
    """Positions of the rows that the original takes, by halving."""
    kept: list[int] = []
    waiting = [np.arange(_length(rows))]
    while waiting:
        some = waiting.pop()
        if takes(_picked(rows, some)):
            kept += some.tolist()
        elif len(some) > 1:
            waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
    return np.array(sorted(kept), dtype=np.int64)


def _length(rows: Any) -> int:
    return len(rows)


def _picked(rows: Any, positions: Any) -> Any:
    if isinstance(rows, pd.DataFrame | pd.Series):
        return rows.iloc[positions].reset_index(drop=True)
    return [rows[i] for i in positions] if isinstance(rows, list) else rows[positions]


def _stacked(parts: list[Any]) -> Any:
    if isinstance(parts[0], pd.DataFrame | pd.Series):
        return pd.concat(parts, ignore_index=True)
    return [row for part in parts for row in part] if isinstance(parts[0], list) else np.concatenate(parts)


def _rows(data: Any, takes: Takes, rng: np.random.Generator, count: int, far: float) -> Any:
    if isinstance(data, pd.DataFrame):
        return _frame(data, takes, rng, count, far)
    if isinstance(data, list):
        return _listed(data, rng, count)
    array = np.asarray(data)
    if array.dtype.kind in "OUS":
        return _objects(array, takes, rng, count)
    flat = array.reshape(len(array), -1)
    columns = [
        _numbers(flat[:, i], rng, count, far, whole=_whole(array), floor=_floor(array)) for i in range(flat.shape[1])
    ]
    made = np.column_stack(columns).reshape(count, *array.shape[1:])
    made = _with_missing(made, takes, rng) if array.dtype.kind == "f" and made.ndim == 2 else made
    return made.astype(array.dtype)


def _whole(array: Any) -> bool:
    finite = array[np.isfinite(array)]
    return bool((finite == np.round(finite)).all())


def _floor(array: Any) -> bool:
    """Counts and other quantities that are never negative stay so: many originals refuse the rest."""
    return bool(np.nanmin(array) >= 0)


def _numbers(values: Any, rng: np.random.Generator, count: int, far: float, *, whole: bool, floor: bool) -> Any:
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    middle, half = (low + high) / 2, (high - low) / 2 * far
    drawn = rng.uniform(middle - half, middle + half, count)
    drawn = np.abs(drawn) if floor else drawn
    return np.round(drawn) if whole else drawn


def _with_missing(rows: Any, takes: Takes, rng: np.random.Generator) -> Any:
    odd = rows[:1].copy()
    odd[:] = np.nan
    if takes(odd):
        rows[rng.random(rows.shape) < _ODD] = np.nan
    return rows


def _objects(array: Any, takes: Takes, rng: np.random.Generator, count: int) -> Any:
    """Texts of each column, drawn from what was seen; unseen and missing ones where the original takes them."""
    flat = array.reshape(len(array), -1)
    made = np.column_stack([_drawn(flat[:, i], rng, count) for i in range(flat.shape[1])]).reshape(
        count, *array.shape[1:]
    )
    for value in ("never seen", np.nan):  # None means the same to a model: a missing cell
        for i in range(flat.shape[1]):
            odd = made[:1].copy()
            odd.reshape(1, -1)[0, i] = value
            if takes(odd):
                made.reshape(count, -1)[rng.random(count) < _ODD, i] = value
    return made


def _drawn(values: Any, rng: np.random.Generator, count: int) -> Any:
    drawn = np.empty(count, dtype=object)
    drawn[:] = [values[i] for i in rng.integers(len(values), size=count)]
    return drawn


def _listed(data: list[Any], rng: np.random.Generator, count: int) -> list[Any]:
    if isinstance(data[0], str):
        return [
            *sentences(count - count // 4, int(rng.integers(2**31))),
            *(data[i] for i in rng.integers(len(data), size=count // 4)),
        ]
    return [data[i] for i in rng.integers(len(data), size=count)]


def _frame(data: pd.DataFrame, takes: Takes, rng: np.random.Generator, count: int, far: float) -> pd.DataFrame:
    made = {name: _series(data[name], rng, count, far) for name in data.columns}
    rows = pd.DataFrame(made)
    for name in data.columns:
        for value in _odd_values(data[name]):
            odd = rows.iloc[:1].copy()
            odd[name] = pd.Series([value], dtype=data[name].dtype if data[name].dtype.kind != "O" else object)
            if takes(odd):
                rows.loc[rng.random(count) < _ODD, name] = value
    return rows


def _series(values: Any, rng: np.random.Generator, count: int, far: float) -> Any:
    if values.dtype.kind == "f" and len(values):
        array = values.to_numpy(np.float64)
        return pd.Series(_numbers(array, rng, count, far, whole=_whole(array), floor=_floor(array))).astype(
            values.dtype
        )
    if values.dtype.kind in "iu":
        array = values.to_numpy()
        return pd.Series(_numbers(array, rng, count, far, whole=True, floor=_floor(array))).astype(values.dtype)
    if isinstance(values.iloc[0], str) and " " in "".join(map(str, values.iloc[:20])):
        return pd.Series(sentences(count, int(rng.integers(2**31))), dtype=values.dtype)
    return values.iloc[rng.integers(len(values), size=count)].reset_index(drop=True)


def _odd_values(values: Any) -> list[Any]:
    if values.dtype.kind == "f":
        return [np.nan]
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        return ["never seen", np.nan] if any(isinstance(value, str) for value in values) else [np.nan]
    return [np.nan] if isinstance(values.dtype, pd.CategoricalDtype) else []
