"""A comparison as the page needs it: one matrix for each side, and each difference as a share of its tolerance."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer_convert.parity import Comparison, Parity

__all__ = ["Answers", "answers", "thinned"]

_WORST, _SPREAD = 300, 500
_USUAL: Final = ("in range", "sample", "threshold")  # kinds of rows that span the window of a picture


class Answers(NamedTuple):
    """One comparison. The matrices have a row for each probe and a place for each number or label of its answer."""

    method: str
    original: NDArray[Any]
    converted: NDArray[Any]
    share: NDArray[np.float64] | None  # |converted − original| / tolerance, ≥ 0; None for labels
    differs: NDArray[np.bool_]  # by row
    borderline: NDArray[np.bool_]  # by row
    kinds: NDArray[np.str_]  # by row

    @property
    def usual(self) -> NDArray[np.bool_]:
        """Rows within the ranges of the training data."""
        return np.isin(self.kinds, _USUAL)


def answers(parity: Parity, comparison: Comparison) -> Answers | None:
    """None where the arrays have no axis of rows: then there is nothing to draw."""
    rows = len(parity.probes.rows)
    original, converted = _matrix(comparison.original, rows), _matrix(comparison.converted, rows)
    if original is None or converted is None or original.shape != converted.shape:
        return None
    share = _share(original, converted, comparison)
    return Answers(
        comparison.method,
        original,
        converted,
        share,
        _by_row(comparison.differs, original, converted, share),
        comparison.borderline if len(comparison.borderline) == rows else np.zeros(rows, dtype=bool),
        np.array(parity.probes.kinds, dtype=np.str_),
    )


def _matrix(array: Any, rows: int) -> NDArray[Any] | None:
    """[rows, places]; several label columns may stand before the rows."""
    try:
        whole = np.asarray(array)
    except ValueError:  # parts of different widths
        return None
    if whole.ndim == 3 and len(whole) != rows and whole.shape[1] == rows:
        whole = np.moveaxis(whole, 0, 1)
    if whole.ndim == 0 or len(whole) != rows or whole.size == 0:
        return None
    return whole.reshape(rows, -1)


def _share(original: NDArray[Any], converted: NDArray[Any], comparison: Comparison) -> NDArray[np.float64] | None:
    if comparison.tolerance.relative == 0.0:
        return None
    try:
        wanted, got = original.astype(np.float64), converted.astype(np.float64)
    except (TypeError, ValueError):
        return None
    with np.errstate(all="ignore"):
        limit = comparison.tolerance.relative * np.maximum(np.abs(wanted), comparison.tolerance.scale)
        share = np.abs(got - wanted) / limit
    share[np.isnan(share)] = np.inf
    share[(wanted == got) | (np.isnan(wanted) & np.isnan(got))] = 0.0
    return share


def _by_row(
    differs: NDArray[np.bool_],
    original: NDArray[Any],
    converted: NDArray[Any],
    share: NDArray[np.float64] | None,
) -> NDArray[np.bool_]:
    if len(differs) == len(original):
        return differs
    unequal = original.astype(object) != converted.astype(object) if share is None else share > 1.0
    by_row: NDArray[np.bool_] = np.asarray(unequal, dtype=np.bool_).any(axis=1)  # type: ignore[assignment]
    return by_row


def thinned(share: NDArray[np.float64], among: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions of at most 800 values: the 300 worst, the others evenly spread. Ascending."""
    places = np.flatnonzero(among)
    if len(places) <= _WORST + _SPREAD:
        return places
    order = places[np.argsort(-share[places], kind="stable")]
    rest = np.sort(order[_WORST:])
    spread = rest[np.linspace(0, len(rest) - 1, _SPREAD).astype(np.intp)]
    return np.sort(np.concatenate([order[:_WORST], spread]))
