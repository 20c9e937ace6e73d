"""Keras on PyTorch: a model is a torch.nn.Module there, and exported as one."""

from __future__ import annotations

from typing import Any

import torch

from edge_infer_convert.frontends.keras_model import FlatModel
from edge_infer_convert.frontends.torch_program import TorchModule

__all__ = ["torch_graph"]


class _Flat(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Tensors by place → a dict of tensors."""

    def __init__(self, flat: FlatModel) -> None:
        super().__init__()
        self.model, self._flat = flat.model, flat

    def forward(self, *tensors: torch.Tensor) -> dict[str, Any]:
        return self._flat(*tensors)


def torch_graph(flat: FlatModel, described: str) -> TorchModule:
    """Raises MissingExtraError without onnxscript."""
    made = TorchModule(_Flat(flat), list(flat.slots))
    made.described = described
    return made
