"""Whether two sides answer the same: labels equal, numbers within a tolerance."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.artifact import Artifact
from edge_infer.goldens import Tolerance
from edge_infer.verification import within

__all__ = ["Difference", "differing_rows", "first_difference", "shapes_of", "tolerance_of"]


class Difference(NamedTuple):
    """Two values of a row's answers. part: of a list or dict of arrays (0 of one array); place: in the row, flat."""

    part: int
    place: int
    got: Any
    wanted: Any


def differing_rows(got: Any, wanted: Any, tolerance: Tolerance) -> NDArray[np.intp]:
    """Positions of the rows whose answers differ; all rows where the shapes do.

    got, wanted: arrays of shape (rows, …), scalars, or lists or dicts of arrays, as methods and `run` give them.
    """
    pairs = list(zip(_parts(got), _parts(wanted), strict=False))
    if shapes_of(got) != shapes_of(wanted):
        return np.arange(max((len(part) for part in _parts(wanted)), default=1))
    differ = [~_agree(ours, theirs, tolerance) for ours, theirs in pairs]
    rows = [np.flatnonzero(part.any(axis=tuple(range(1, part.ndim)))) for part in differ]
    return np.unique(np.concatenate(rows))


def first_difference(got: Any, wanted: Any, row: int, tolerance: Tolerance) -> Difference:
    """Of a row that differs, of answers of equal shapes. Raises ValueError where it does not differ."""
    for part, (ours, theirs) in enumerate(zip(_parts(got), _parts(wanted), strict=True)):
        ours, theirs = np.ravel(ours[row]), np.ravel(theirs[row])
        for place in np.flatnonzero(~_agree(ours, theirs, tolerance)):
            return Difference(part, int(place), ours[place].item(), theirs[place].item())
    raise ValueError(f"row {row} does not differ")


def shapes_of(answer: Any) -> list[tuple[int, ...]]:
    """Of each array."""
    return [part.shape for part in _parts(answer)]


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
