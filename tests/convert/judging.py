"""The judge of the differential tests: the original and the conversion asked the same fresh rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

import edge_infer
from edge_infer.manifest import METHODS
from edge_infer_convert import Conversion
from edge_infer_convert.doubt import NONE, recorded_doubt

__all__ = ["assert_same", "fresh_rows"]


def fresh_rows(data: Any, count: int = 300, seed: int = 7) -> Any:
    """Rows that training did not see, of the same kinds: two thirds in range, the rest up to 5 × beyond it.

    Columns are drawn apart from each other; floats are moved by a share of the column's spread.
    """
    rng = np.random.default_rng(seed)
    if not isinstance(data, pd.DataFrame):
        frame = pd.DataFrame(data)
        return np.column_stack([_drawn(frame[i], rng, count) for i in frame.columns]).astype(data.dtype)
    drawn = {i: _drawn(data.iloc[:, i], rng, count) for i in range(data.shape[1])}
    frame = pd.DataFrame(drawn)
    frame.columns = data.columns
    return frame


def _drawn(values: pd.Series[Any], rng: np.random.Generator, count: int) -> Any:
    drawn = values.iloc[rng.integers(len(values), size=count)].reset_index(drop=True)
    if values.dtype.kind != "f" or values.isna().all():
        return drawn
    spread, middle = np.nanstd(values), np.nanmean(values)
    moved = drawn + rng.normal(0, 0.05, count) * spread
    far = np.arange(count) >= count * 2 // 3
    return moved.where(~far, middle + (moved - middle) * 5).astype(values.dtype)


def assert_same(conversion: Conversion, estimator: Any, rows: Any) -> None:
    """Every method's answers have the original's values, dtype and shape."""
    model = edge_infer.load(conversion.data)
    outputs = conversion.certificate["outputs"]
    for method in METHODS:
        had = hasattr(estimator, method) and method not in model.manifest.missing_methods
        assert hasattr(model, method) == had, method
        if had:
            _assert_answers(model, estimator, rows, method, outputs[method])


def _assert_answers(model: Any, estimator: Any, rows: Any, method: str, stated: dict[str, float]) -> None:
    with recorded_doubt(estimator, len(rows)) as doubt:
        wanted = _asked(estimator, method, rows)
    sure, got = doubt.rows == NONE, getattr(model, method)(rows)
    assert isinstance(got, list) == isinstance(wanted, list)
    for want, have in zip(
        wanted if isinstance(wanted, list) else [wanted], got if isinstance(got, list) else [got], strict=True
    ):
        assert have.shape == want.shape
        assert have.dtype == want.dtype
        if want.dtype.kind == "f" and stated["relative"]:
            _assert_close(have[sure], want[sure], stated, method)
        else:
            different = np.asarray(have != want).reshape(len(want), -1).any(axis=1)
            assert not (different & sure & ~_borderline(estimator, rows, len(want))).any(), (
                f"{method}: {different.sum()} labels differ"
            )


def _assert_close(have: Any, want: Any, stated: dict[str, float], method: str) -> None:
    with np.errstate(all="ignore"):
        close = np.abs(have - want) <= stated["relative"] * np.maximum(np.abs(want), stated["scale"])
    agree = close | (have == want) | (np.isnan(have) & np.isnan(want))
    assert agree.all(), (
        f"{method}: {(~agree).sum()} of {agree.size} numbers differ: {have[~agree][:3]} {want[~agree][:3]}"
    )


def _borderline(estimator: Any, rows: Any, count: int) -> Any:
    """Where the original's own top two scores lie within 1e-5."""
    for method in ("decision_function", "predict_proba"):
        if not hasattr(estimator, method):
            continue
        try:
            scores = _asked(estimator, method, rows)
        except (NotImplementedError, ValueError):  # it has the method, and it always raises
            continue
        if isinstance(scores, list) or scores.shape[1:] == (1,):
            break
        top = np.sort(scores if scores.ndim == 2 else np.column_stack([scores, 0 * scores]), axis=1)[:, -2:]
        return top[:, 1] - top[:, 0] <= 1e-5 * np.maximum(1, np.abs(top).max(axis=1))
    return np.zeros(count, bool)


def _asked(estimator: Any, method: str, rows: Any) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # far rows overflow here and there, unknown categories are warned of
        answer = getattr(estimator, method)(rows)
    if isinstance(answer, list):
        return [np.asarray(part) for part in answer]
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)
