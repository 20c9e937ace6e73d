"""A model whose outputs go back into its inputs: recurrent networks, and detectors that hear a stream in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_infer.errors import InputError, Mismatch, UsageError
from edge_infer.interface import Interface, State, TensorSpec, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_infer.model import Model

__all__ = ["Stateful"]


class Stateful:
    """One stream through a model, made by `Model.stateful()`. Not thread-safe: each stream has one of its own.

    stream = model.stateful()
    for piece in pieces:
        answer = stream.run({"input": piece})
    stream.reset()

    The states of the first call are zeros, of the sizes that the given inputs tell; a size that nothing tells is 1.
    """

    def __init__(self, model: Model) -> None:
        """Raises UsageError for a model that has no states."""
        interface = model.manifest.interface
        if interface is None or not interface.states:
            raise UsageError(
                "stateful(): this model's manifest names no states, so every call stands for itself; use run(), or "
                "convert it with states={'input': 'output'}"
            )
        self._model, self._interface = model, interface
        self._kept = frozenset(state.input for state in interface.states)
        self._states: dict[str, NDArray[Any]] = {}

    def run(self, feeds: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """The outputs that are no states. feeds: the inputs that are none.

        Raises:
            InputError: the feeds do not fit; the states stay as they were.
            InferenceError: onnxruntime fails; likewise.
        """
        if not self._kept.isdisjoint(feeds):
            both = sorted(self._kept & feeds.keys())
            raise InputError([Mismatch(None, name, "no such tensor: it is a state", "one", "input") for name in both])
        answers = self._model.run({**feeds, **(self._states or _zeros(self._interface, feeds))})
        self._states = {state.input: answers.pop(state.output) for state in self._interface.states}
        return answers

    def reset(self) -> None:
        """Begin anew, as with another stream."""
        self._states = {}

    @property
    def states(self) -> dict[str, NDArray[Any]]:
        """A copy of the states, by the inputs that they will be fed to; empty before the first call."""
        return {name: array.copy() for name, array in self._states.items()}

    @states.setter
    def states(self, states: Mapping[str, Any]) -> None:
        """Go on from these. Raises InputError unless they are all of the states, with their types and dimensions."""
        arrays = {name: np.array(value) for name, value in states.items()}
        wrong = [
            Mismatch(None, state.input, shown(spec), _described(arrays.get(state.input)), "input")
            for state, spec in ((state, self._spec(state)) for state in self._interface.states)
            if not _fits(arrays.get(state.input), spec)
        ]
        if wrong:
            raise InputError(wrong)
        self._states = {state.input: arrays[state.input] for state in self._interface.states}

    def _spec(self, state: State) -> TensorSpec:
        return next(spec for spec in self._interface.inputs if spec.name == state.input)


def _zeros(interface: Interface, feeds: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    sizes: dict[str, int] = {}
    for spec in interface.given:
        shape = np.shape(feeds[spec.name]) if spec.name in feeds else ()
        sizes |= {wanted: size for wanted, size in zip(spec.shape, shape, strict=False) if isinstance(wanted, str)}
    found = {}
    for state in interface.states:
        into = next(spec for spec in interface.inputs if spec.name == state.input)
        found[state.input] = np.zeros(
            [sizes.get(size, 1) if isinstance(size, str) else size for size in into.shape], into.dtype
        )
    return found


def _fits(array: NDArray[Any] | None, spec: TensorSpec) -> bool:
    if array is None or array.dtype.name != spec.dtype or array.ndim != len(spec.shape):
        return False
    return all(not isinstance(want, int) or want == size for want, size in zip(spec.shape, array.shape, strict=True))


def _described(array: NDArray[Any] | None) -> str:
    return "no such tensor" if array is None else f"{array.dtype} {list(array.shape)}"
