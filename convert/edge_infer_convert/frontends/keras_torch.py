"""Keras on PyTorch: a model is a torch.nn.Module there, and exported as one.

On a CPU, Keras computes recurrent layers step by step in Python, which an exporter unrolls for one length. While a
model is exported, they are PyTorch's own instead, where these compute the same: one operator, and any length.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import torch
from onnx import ModelProto

from edge_infer.extras import needs
from edge_infer_convert.deep.inputs import TensorInput
from edge_infer_convert.frontends.keras_model import FlatModel
from edge_infer_convert.frontends.torch_program import TorchModule

__all__ = ["KerasModule"]


class _Flat(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Tensors by place → a dict of tensors."""

    def __init__(self, flat: FlatModel) -> None:
        super().__init__()
        self.model, self._flat = flat.model, flat

    def forward(self, *tensors: torch.Tensor) -> dict[str, Any]:
        return self._flat(*tensors)


class KerasModule(TorchModule):
    """Raises MissingExtraError without onnxscript, which exports need."""

    def __init__(self, flat: FlatModel, described: str) -> None:
        with needs("keras", "onnxscript", "converting a Keras model on PyTorch"):
            super().__init__(_Flat(flat), list(flat.slots))
        self.described = described

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto:
        with _whole_recurrences():
            return super().export(inputs)


# --- recurrent layers -------------------------------------------------------------------


@contextlib.contextmanager
def _whole_recurrences() -> Iterator[None]:
    """What `keras.layers.LSTM` and `GRU` ask their backend for is PyTorch's; other recurrent layers, and those with a
    mask, are unrolled. Keras may move these functions, which are no part of its documented names: then the comparison
    tells what its own are not enough for."""
    backend = getattr(getattr(keras, "src", None), "backend", None)
    replaced = {"lstm": _lstm, "gru": _gru, "rnn": _unrolled}
    before = {name: getattr(backend, name) for name in replaced if hasattr(backend, name)}
    for name, own in before.items():
        setattr(backend, name, replaced[name](own))
    try:
        yield
    finally:
        for name, own in before.items():
            setattr(backend, name, own)


def _lstm(own: Callable[..., Any]) -> Callable[..., Any]:
    """own: of Keras, for what PyTorch's LSTM does not do."""

    def lstm(inputs: Any, hidden: Any, cell: Any, mask: Any, **options: Any) -> Any:
        if mask is not None or not _usual(options) or not options.get("batch_first", True):
            return own(inputs, hidden, cell, mask, **options)
        kernel, recurrent, bias = _weights(options)
        bias = kernel.new_zeros(kernel.shape[1]) if bias is None else bias
        weights = [kernel.T, recurrent.T, bias, torch.zeros_like(bias)]  # gates in the same order: i, f, c, o
        states = (_state(hidden, kernel), _state(cell, kernel))
        outputs, h, c = torch.lstm(
            _sequence(inputs, kernel, options), states, weights, True, 1, 0.0, False, False, True
        )
        return _found(outputs, [h[0], c[0]], options)

    return lstm


def _gru(own: Callable[..., Any]) -> Callable[..., Any]:
    """own: of Keras, for what PyTorch's GRU does not do."""

    def gru(inputs: Any, hidden: Any, mask: Any, **options: Any) -> Any:
        if mask is not None or not _usual(options) or not options.get("reset_after", True):
            return own(inputs, hidden, mask, **options)
        kernel, recurrent, bias = _weights(options)
        bias = kernel.new_zeros((2, kernel.shape[1])) if bias is None else bias
        weights = [_reset_first(kernel).T, _reset_first(recurrent).T, *_reset_first(bias)]
        outputs, h = torch.gru(
            _sequence(inputs, kernel, options), _state(hidden, kernel), weights, True, 1, 0.0, False, False, True
        )
        return _found(outputs, [h[0]], options)

    return gru


def _unrolled(own: Callable[..., Any]) -> Callable[..., Any]:
    """Keras's loop makes a list of a batch's rows, which fixes how many there are; unrolled, it does not."""

    def rnn(*arguments: Any, **options: Any) -> Any:
        return own(*arguments, **{**options, "unroll": True})

    return rnn


def _usual(options: dict[str, Any]) -> bool:
    return (
        options["activation"] is keras.activations.tanh and options["recurrent_activation"] is keras.activations.sigmoid
    )


def _weights(options: dict[str, Any]) -> list[Any]:
    found = [options["kernel"], options["recurrent_kernel"], options["bias"]]
    return [None if each is None else keras.ops.convert_to_tensor(each) for each in found]


def _reset_first(gates: torch.Tensor) -> torch.Tensor:
    """Keras has the gates z, r, h, PyTorch r, z, h."""
    z, r, h = torch.chunk(gates, 3, dim=-1)
    return torch.cat([r, z, h], dim=-1)


def _state(state: Any, kernel: torch.Tensor) -> torch.Tensor:
    return keras.ops.convert_to_tensor(state).to(kernel.dtype)[None]


def _sequence(inputs: Any, kernel: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
    sequence = keras.ops.convert_to_tensor(inputs).to(kernel.dtype)
    return torch.flip(sequence, dims=[1]) if options.get("go_backwards") else sequence


def _found(outputs: torch.Tensor, states: list[torch.Tensor], options: dict[str, Any]) -> Any:
    """As Keras takes them: the last output, all of them or the last one, and the states."""
    last = outputs[:, -1]
    return last, outputs if options.get("return_sequences") else last[:, None], states
