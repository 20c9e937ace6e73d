"""PyTorch modules of several kinds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Convolutions(nn.Module):
    """Images [batch, 1, 8, 8] → 10 scores; with layers that train and answer differently."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.dropout, self.scores = nn.Dropout(0.5), nn.Linear(8 * 16, 10)

    def forward(self, image: Tensor) -> Tensor:
        return self.scores(self.dropout(self.features(image).flatten(1)))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """A sequence and the states of an LSTM → a dict of scores and the next states."""

    def __init__(self) -> None:
        super().__init__()
        self.cells, self.scores = nn.LSTM(5, 7, batch_first=True), nn.Linear(7, 2)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> dict[str, Tensor]:
        y, (h, c) = self.cells(x, (hidden, cell))
        return {"scores": self.scores(y[:, -1]), "next_hidden": h, "next_cell": c}


class Attention(nn.Module):
    """Token ids and a mask of them → scores; two sizes vary."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(100, 16)
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, dropout=0.1)
        self.scores = nn.Linear(16, 3)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.table(ids) * mask[..., None]
        return torch.softmax(self.scores(self.layer(x).mean(1)), -1)


class Pair(nn.Module):
    """Two inputs of other types → a tuple of floats and whole numbers."""

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return (a.double() @ a.double().T).sum(-1), torch.where(b > 3, b * 2, b)


class DependsOnValues(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x * 2
        return x


class DependsOnSize(nn.Module):
    """Its code is another one for every size of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        for row in range(x.shape[0]):
            x = x + row
        return x


def seeded(kind: type[nn.Module]) -> Any:
    """With the same weights each time, and statistics of batches that are not those of a new layer."""
    torch.manual_seed(0)
    module = kind()
    if kind is Convolutions:
        for _ in range(3):
            module(torch.rand(32, 1, 8, 8))
    return module
