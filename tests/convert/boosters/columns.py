"""Data that the boosters' tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.convert.operators.drawn import matrix

__all__ = ["codes", "frame", "labels", "numbers", "targets"]


def numbers(seed: int, gaps: float = 0.05) -> Any:
    """Float64 [120, 4], some cells NaN."""
    return matrix(seed, 120, 4, gaps=gaps)


def labels(seed: int, classes: int, rows: int = 120) -> Any:
    """int64 [rows]; each class is there."""
    return np.random.default_rng(seed).permutation(np.arange(rows) % classes)


def targets(seed: int, rows: int = 120) -> Any:
    """Positive float64 [rows]."""
    return np.exp(np.random.default_rng(seed).normal(size=rows))


def codes(seed: int, known: int = 9) -> Any:
    """Like `numbers`, its columns 0 and 2 codes of categories."""
    X = numbers(seed)
    X[:, [0, 2]] = np.random.default_rng(seed).integers(0, known, (len(X), 2))
    return X


def frame(seed: int, words: tuple[str, ...] = ("w", "x", "yy", "zzz", "ü")) -> pd.DataFrame:
    """Numbers between a text category and a whole-number category, both with gaps."""
    X = numbers(seed)
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(X, columns=["a", "b c", "d", "e"])
    data.insert(0, "text", pd.Categorical(np.array(words, dtype=object)[rng.integers(0, len(words), len(X))]))
    data.insert(3, "code", pd.Categorical(rng.integers(3, 9, len(X))))
    data.loc[::11, "text"] = np.nan
    data.loc[::7, "code"] = np.nan
    return data
