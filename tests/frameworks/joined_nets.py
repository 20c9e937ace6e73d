"""Networks that end pipelines, and passengers of a ship to fit them on. What is pickled must be importable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch import NeuralNetClassifier
from torch import Tensor, nn

ROWS = 1200
NUMBERS, TEXTS = ["age", "fare"], ["sex", "port"]


def passengers() -> tuple[pd.DataFrame, Any]:
    """Mixed columns with missing values, and a class of 0, 1, 2."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 12, ROWS),
            "fare": rng.lognormal(3, 1, ROWS),
            "sex": rng.choice(["female", "male"], ROWS),
            "port": rng.choice(["S", "C", "Q"], ROWS),
        }
    )
    classes = (frame["fare"] > 20).to_numpy().astype(np.int64) + (frame["sex"] == "male").to_numpy()
    frame.loc[rng.random(ROWS) < 0.1, "age"] = np.nan
    frame.loc[rng.random(ROWS) < 0.05, "port"] = None
    return frame, classes


def columns() -> ColumnTransformer:
    """Seven columns of float64."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_column_transformer((numbers, NUMBERS), (texts, TEXTS), sparse_threshold=0)


def layers(inputs: int, outputs: int) -> nn.Sequential:
    """With layers that train and answer differently."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, outputs))


class Embedded(nn.Module):
    """Codes in the first column, numbers in the others, of any type → scores, and what they were computed of."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.scores = nn.Embedding(3, 2), nn.Linear(3, 3)

    def forward(self, X: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        X = X.float()
        hidden = torch.cat([self.table(X[:, 0].long()), X[:, 1:]], dim=1)
        return self.scores(hidden) * scale, hidden


class Weighted(NeuralNetClassifier):  # type: ignore[misc, unused-ignore]
    """A user's own net: its loss takes the first of two outputs."""

    def get_loss(self, y_pred: Any, y_true: Any, *args: Any, **options: Any) -> Any:
        return super().get_loss(y_pred[0], y_true, *args, **options)


class Pair(nn.Module):
    """Takes two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Linear(2, 2)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.scores(torch.cat([a, b], dim=1))  # type: ignore[no-any-return]


class Difference(nn.Module):
    """x₀ − x₁, of which few digits are left where both are large."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([[1.0], [-1.0]]))

    def forward(self, X: Tensor) -> Tensor:
        return X @ self.weights
