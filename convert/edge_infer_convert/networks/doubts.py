"""Rows on which a network's own answer hangs on the last digits of float32.

A network adds up terms of float32, in an order that differs with the library, the processor and the number of rows.
Where large terms cancel (rows far out of range), what is left has few digits or none, in the original too. The original
tells so itself: it is asked again with its inputs moved by a unit or two in their last place, and what its answer moves
by is what it cannot tell. Sources of the idea: Parker, Monte Carlo Arithmetic (UCLA CSD-970002, 1997); Higham, Accuracy
and Stability of Numerical Algorithms, 1.6 (backward error).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_infer_convert.doubt import SINGLE, TIE
from edge_infer_convert.networks.registry import find_network

__all__ = ["doubt_of_network"]

_TIMES: Final = 8
_LOST: Final = 1e-6  # a share of the answer, a tenth of float32's tolerance
_ALL_LOST: Final = 1e-4


def doubt_of_network(estimator: Any, rows: NDArray[Any]) -> NDArray[np.int8]:
    """SINGLE where an answer moves by more than 1e-6, TIE by more than 1e-4 of the larger of itself and that output's
    median size. rows: float64 [rows, features]."""
    network = find_network(estimator)
    assert network is not None
    with np.errstate(all="ignore"):
        asked = rows.astype(network.taken(estimator))
        answer = network.answered(estimator, asked).astype(np.float64)
        lost = np.zeros_like(answer)
        for moved in _moved(asked):
            lost = np.fmax(lost, np.abs(network.answered(estimator, moved) - answer))
        size = np.abs(answer)
        share = lost / np.fmax(size, np.nanmedian(np.where(np.isfinite(size), size, np.nan), axis=0))
    worst = np.nan_to_num(share, nan=0.0).max(axis=1, initial=0.0)
    return np.where(worst > _ALL_LOST, TIE, np.where(worst > _LOST, SINGLE, 0)).astype(np.int8)


def _moved(rows: NDArray[Any]) -> list[NDArray[Any]]:
    """Away from 0, so that a code (2.0, of an embedding) is truncated to what it was."""
    rng = np.random.default_rng(0)
    outward = np.copysign(np.inf, rows).astype(rows.dtype)
    found = []
    for _ in range(_TIMES):
        moved = np.where(rng.random(rows.shape) < 0.5, np.nextafter(rows, outward), rows)
        moved = np.where(rng.random(rows.shape) < 0.5, np.nextafter(moved, outward), moved)
        found.append(np.where(rows == 0, rows, moved))
    return found
