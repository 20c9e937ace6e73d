"""What a model of tensors is measured with: those of its golden calls, or zeros where a file tells nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.artifact import Artifact
from edge_infer.bench.rows import Case
from edge_infer.errors import InferenceError, UsageError
from edge_infer.model import Model
from edge_infer.scan import TensorInfo
from edge_infer.tensor_goldens import Recipe

__all__ = ["Made", "Zeros", "feeds_of", "made_feeds", "tensors_for", "zero_feeds"]

#: numpy's names of TensorProto.DataType.
_DTYPES: Final = dict(
    enumerate(
        (
            *("float32", "uint8", "int8", "uint16", "int16", "int32", "int64"),
            *("object", "bool", "float16", "float64", "uint32", "uint64"),
        ),
        start=1,
    )
)


def tensors_for(model: Model) -> Made | Zeros:
    """Raises InferenceError where there are no golden calls, and the graph takes no zeros."""
    return Made.of(model) or Zeros.tried(model)


def feeds_of(artifact: Artifact) -> dict[str, NDArray[Any]]:
    """One call, of one example."""
    recipes = _recipes(artifact)
    return zero_feeds(artifact, 1) if recipes is None else made_feeds(artifact, recipes, 1)


class Made(NamedTuple):
    """Tensors like those of the first golden call, with other sizes of the batch."""

    artifact: Artifact
    recipes: dict[str, Recipe]
    widest: int | None
    origin: str = "made up as in the golden calls"
    method: str = "run"

    @classmethod
    def of(cls, model: Model) -> Made | None:
        """None where the file has no golden calls."""
        recipes = _recipes(model.artifact)
        if recipes is None:
            return None
        return cls(model.artifact, recipes, None if _batch(model.artifact) else 1)

    def single(self) -> list[Case]:
        return [self.batch(1)]

    def batch(self, rows: int) -> Case:
        name = f"tensors, {rows:,} example{'s'[: rows != 1]}" if self.widest is None else "tensors"
        return Case(name, rows, [made_feeds(self.artifact, self.recipes, rows)])

    def ask(self, model: Model) -> Callable[[Any], Any]:
        return model.run


def made_feeds(artifact: Artifact, recipes: dict[str, Recipe], rows: int) -> dict[str, NDArray[Any]]:
    """The tensors of these recipes, with `rows` in place of the size that the batch has."""
    interface, batch = artifact.manifest.interface, _batch(artifact)
    assert interface is not None  # or there were no golden calls of tensors
    shapes = {
        spec.name: tuple(
            rows if size == batch else was for size, was in zip(spec.shape, recipes[spec.name].shape, strict=True)
        )
        for spec in interface.inputs
    }
    return {name: recipe._replace(shape=shapes[name]).made() for name, recipe in recipes.items()}


def _recipes(artifact: Artifact) -> dict[str, Recipe] | None:
    goldens = artifact.tensor_goldens()
    return goldens.cases[0].inputs if goldens is not None and goldens.cases else None


def _batch(artifact: Artifact) -> str | None:
    """The name of the first size of the first input, if it varies."""
    interface = artifact.manifest.interface
    shape = interface.inputs[0].shape if interface is not None and interface.inputs else ()
    return shape[0] if shape and isinstance(shape[0], str) else None


class Zeros(NamedTuple):
    """Tensors of zeros for a graph of which nothing more is known; see `zero_feeds`."""

    artifact: Artifact
    widest: int | None
    origin: str = "zeros in the shapes of the graph's inputs"
    method: str = "run"

    @classmethod
    def tried(cls, model: Model) -> Zeros:
        """Of several rows at once where the graph takes them so. Raises InferenceError where it takes no zeros."""
        model.run(zero_feeds(model.artifact, 1))
        shape = model.artifact.facts.inputs[0].shape if model.artifact.facts.inputs else None
        if not shape or isinstance(shape[0], int):  # a fixed size need be no number of rows
            return cls(model.artifact, 1)
        try:
            model.run(zero_feeds(model.artifact, 2))
        except InferenceError:
            return cls(model.artifact, 1)
        return cls(model.artifact, None)

    def single(self) -> list[Case]:
        return [self.batch(1)]

    def batch(self, rows: int) -> Case:
        """Raises UsageError where an input is no tensor."""
        name = "tensors" if self.widest else f"tensors, {rows:,} row{'s'[: rows != 1]}"
        return Case(name, rows, [zero_feeds(self.artifact, rows)])

    def ask(self, model: Model) -> Callable[[Any], Any]:
        return model.run


def zero_feeds(artifact: Artifact, rows: int) -> dict[str, NDArray[Any]]:
    """Zeros, False and empty texts by input.

    A free first size is `rows`, of an input after the first only if it is unnamed or has the first one's name; all
    other free sizes are 1.

    Raises:
        UsageError: an input is no tensor, or none of plain numbers or texts.
    """
    inputs = artifact.facts.inputs
    counted = inputs[0].shape[0] if inputs and inputs[0].shape else None
    return {info.name: _zeros(info, {None, counted}, rows) for info in inputs}


def _zeros(info: TensorInfo, counted: set[int | str | None], rows: int) -> NDArray[Any]:
    dtype = _DTYPES.get(info.elem_type)
    if dtype is None or info.shape is None:
        raise UsageError(f"input {info.name!r}: expected a tensor of known rank and type, for which zeros can be made")
    sizes = [
        size if isinstance(size, int) else rows if axis == 0 and size in counted else 1
        for axis, size in enumerate(info.shape)
    ]
    return np.full(sizes, "" if dtype == "object" else 0, dtype=dtype)
