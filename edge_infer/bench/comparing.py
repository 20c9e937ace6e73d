"""Whether two sides answer the same: labels equal, numbers within a tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.artifact import Artifact
from edge_infer.goldens import Tolerance
from edge_infer.verification import within

__all__ = ["differing_rows", "tolerance_of"]


def differing_rows(got: Any, wanted: Any, tolerance: Tolerance) -> NDArray[np.intp]:
    """Positions of the rows whose answers differ; all rows where the shapes do.

    got, wanted: arrays of shape (rows, …), scalars, or lists or dicts of arrays, as methods and `run` give them.
    """
    pairs = list(zip(_parts(got), _parts(wanted), strict=False))
    if len(_parts(got)) != len(_parts(wanted)) or any(ours.shape != theirs.shape for ours, theirs in pairs):
        return np.arange(max((len(part) for part in _parts(wanted)), default=1))
    differ = [~_agree(ours, theirs, tolerance) for ours, theirs in pairs]
    rows = [np.flatnonzero(part.any(axis=tuple(range(1, part.ndim)))) for part in differ]
    return np.unique(np.concatenate(rows))


def _parts(answer: Any) -> list[NDArray[Any]]:
    parts = list(answer.values()) if isinstance(answer, dict) else answer if isinstance(answer, list) else [answer]
    return [np.atleast_1d(np.asarray(part)) for part in parts]


def _agree(got: NDArray[Any], wanted: NDArray[Any], tolerance: Tolerance) -> NDArray[np.bool_]:
    if got.dtype.kind == "f" or wanted.dtype.kind == "f":
        return within(got.astype(np.float64), wanted.astype(np.float64), tolerance)
    return np.asarray(got.astype(object) == wanted.astype(object), dtype=bool)


def tolerance_of(artifact: Artifact, method: str, relative: float, *, scale: float) -> Tolerance:
    """`relative`, of numbers near zero to the scale that the golden rows tell; to `scale` where they tell of none."""
    goldens = artifact.goldens()
    known = goldens.tolerances.get(method) if goldens else None
    return Tolerance(relative, known.scale if known else scale)
