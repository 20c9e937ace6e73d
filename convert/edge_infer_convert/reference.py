"""The profile of the training data, or of held-out rows, for drift: bins and counts by column and of the answers.

No row is kept. Scores are profiled of held-out rows alone: a model is surer of rows that it was fitted on than of any
that will come, so that a device would take every day for drift.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_infer.manifest import Column
from edge_infer_convert.cells import numbers_of
from edge_infer_convert.schema import Schema

__all__ = ["make_reference"]

_BINS: Final = 10
_MOST_CLASSES: Final = 20  # that scores are profiled of
_RAREST: Final = 5  # rows; rarer categories are counted together, so that nobody stands alone


def make_reference(schema: Schema) -> bytes | None:
    """`edge_infer.reference`; None without a data sample."""
    sample = schema.sample if schema.held_out is None else schema.held_out
    if sample is None:
        return None
    columns = {column.name: _profile(column, _values(sample, i)) for i, column in enumerate(schema.columns)}
    method = schema.original.methods()[0]
    answers = schema.original.answer_table(method, sample)
    document = {
        "rows": len(sample),
        "columns": columns,
        "answers": ({method: _answers(answers)} if isinstance(answers, np.ndarray) else {}) | _scores(schema),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _values(sample: Any, position: int) -> pd.Series[Any]:
    return sample.iloc[:, position] if isinstance(sample, pd.DataFrame) else pd.Series(sample[:, position])


def _profile(column: Column, values: pd.Series[Any]) -> dict[str, Any]:
    missing = int(values.isna().sum())
    present = values.dropna()
    if column.free_text:  # texts themselves may be anybody's: their lengths only
        return {"missing": missing, **_bins(np.asarray(present.astype(str).str.len(), np.float64))}
    if column.kind == "string":
        return {"missing": missing, **_counts(present.astype(str))}
    return {"missing": missing, **_bins(numbers_of(present))}


def _counts(values: pd.Series[Any]) -> dict[str, Any]:
    counts = values.value_counts()
    common = counts[counts >= _RAREST]
    return {
        "categories": {str(key): int(count) for key, count in sorted(common.items(), key=lambda item: str(item[0]))},
        "rare": int(counts.sum() - common.sum()),
    }


def _bins(values: NDArray[np.float64]) -> dict[str, Any]:
    """Edges at deciles; outermost bins are open."""
    values = values[np.isfinite(values)]
    if not values.size:
        return {"edges": [], "counts": [0]}
    quantiles = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
    edges = np.unique(quantiles)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _scores(schema: Schema) -> dict[str, list[dict[str, Any]]]:
    """Of a classifier's probabilities, or of its decision function: bins for each class, where there are not many."""
    methods = [each for each in ("predict_proba", "decision_function") if each in schema.original.methods()[1:]]
    if schema.held_out is None or not methods:
        return {}
    scores = schema.original.answer_table(methods[0], schema.held_out)
    if not isinstance(scores, np.ndarray) or scores.dtype.kind != "f" or scores.ndim > 2:
        return {}
    table = scores.reshape(len(scores), -1).astype(np.float64)
    return {methods[0]: [_bins(column) for column in table.T]} if table.shape[1] <= _MOST_CLASSES else {}


def _answers(answers: NDArray[Any]) -> dict[str, Any]:
    if answers.ndim != 1:
        return {}
    if answers.dtype.kind == "f":
        return _bins(answers.astype(np.float64))
    labels, counts = np.unique(answers.astype(str), return_counts=True)
    return {"categories": {str(label): int(count) for label, count in zip(labels, counts, strict=True)}}
