"""The model of `edge-infer demo`: penguins' species from measurements with gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

__all__ = ["CARD", "PENGUINS", "load_penguins", "train"]

#: Palmer penguins, CC0: see README.md beside the file.
PENGUINS = Path(__file__).parent / "data" / "penguins.csv"
_NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
_TEXTS = ["island", "sex"]

#: What people are told of the model: `convert(…, card=CARD)`.
CARD: dict[str, Any] = {
    "description": "Tells the species of a penguin of the Palmer Archipelago, Antarctica, from its sex, the island and "
    "four measurements. For trying edge-infer out, not for research.",
    "license": "CC0-1.0",
    "units": {
        "bill_length_mm": "mm",
        "bill_depth_mm": "mm",
        "flipper_length_mm": "mm",
        "body_mass_g": "g",
    },
    "descriptions": {
        "island": "Where it was seen.",
        "bill_length_mm": "Along the upper ridge of the bill.",
        "bill_depth_mm": "From the upper to the lower edge of the bill.",
    },
}


def load_penguins() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """344 rows: four numbers and two texts, both with missing values; the species."""
    frame = pd.read_csv(PENGUINS)
    return frame[[*_TEXTS, *_NUMBERS]], frame["species"]


def train() -> tuple[Pipeline, pd.DataFrame, pd.Series[Any]]:
    """A usual pipeline, fitted: impute and scale the numbers, impute and encode the texts, classify."""
    X, y = load_penguins()
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), _NUMBERS),
        (
            make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
            _TEXTS,
        ),
    )
    return make_pipeline(prepare, LogisticRegression(max_iter=1000)).fit(X, y), X, y
