"""Rows for the model of these tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

NUMBERS = ["age", "fare"]
TEXTS = ["sex", "port"]


def passengers(rows: int, seed: int = 0) -> pd.DataFrame:
    """Numbers with gaps, whole numbers, truth values, and text with commas, quotes and newlines."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": [f"p{number}" for number in range(rows)],
            "age": random.uniform(0, 90, rows).round(3),
            "fare": random.exponential(30, rows),
            "siblings": random.integers(0, 6, rows),
            "alone": random.integers(0, 2, rows).astype(bool),
            "sex": random.choice(["female", "male"], rows),
            "port": random.choice(["Cherbourg, FR", 'the "Queen"', "two\nlines", "Ærø"], rows),
        }
    )
    frame.loc[random.random(rows) < 0.1, "age"] = np.nan
    frame.loc[random.random(rows) < 0.1, "port"] = None
    return frame
