"""A model's output tensors → columns of Arrow, named as `edge-infer predict` names them: prediction, P(label), …"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from edge_infer.errors import GraphMismatchError, MethodError
from edge_infer.manifest import Label, Manifest, Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ArrowAnswer"]


class ArrowAnswer:
    """Of one method; prepared once, thread-safe."""

    def __init__(self, output: Output, manifest: Manifest, shapes: Mapping[str, Sequence[Any]]) -> None:
        """shapes: of the graph's outputs, by name. Raises MethodError for answers of no fixed width."""
        self.method = output.method
        self.tensors = [output.index] if output.index is not None else list(output.tensors)
        self._output = output
        self._labels = [_typed(labels, output.dtype) for labels in output.classes or ()] if output.index else []
        self.fields = self._fields(manifest, shapes)

    def _fields(self, manifest: Manifest, shapes: Mapping[str, Sequence[Any]]) -> list[pa.Field]:
        name = "prediction" if self.method == "predict" else self.method
        if self._labels:
            names = [name] if len(self._labels) == 1 else [f"{name}_{place}" for place in range(len(self._labels))]
            return [pa.field(each, labels.type) for each, labels in zip(names, self._labels, strict=True)]
        kind = _arrow_type(self._output.dtype)
        if self._output.listed:
            widths = [shapes[tensor][-1] for tensor in self.tensors]
            return [pa.field(each, kind) for each in _listed_names(name, widths)]
        if not self._output.shape:
            return [pa.field(name, kind)]
        width = int(np.prod(self._output.shape))
        return [pa.field(each, kind) for each in _names(name, width, manifest, self.method)]

    def columns(self, tensors: list[NDArray[Any]], rows: int) -> list[pa.Array]:
        """Raises GraphMismatchError where the tensors are not what the manifest says."""
        if any(len(tensor) != rows for tensor in tensors):
            raise self._mismatch(f"{[len(tensor) for tensor in tensors]} rows for {rows}")
        if self._labels:
            index = tensors[0].reshape(rows, -1) if rows else tensors[0].reshape(0, len(self._labels))
            self._check_width(index.shape[1], len(self._labels))
            return [self._picked(labels, index[:, place]) for place, labels in enumerate(self._labels)]
        parts = [tensor.reshape(rows, int(np.prod(tensor.shape[1:]))) for tensor in tensors]
        flat = [part[:, place] for part in parts for place in range(part.shape[1])]
        self._check_width(len(flat), len(self.fields))
        return [self._array(values, field.type) for values, field in zip(flat, self.fields, strict=True)]

    def _picked(self, labels: pa.Array, index: NDArray[Any]) -> pa.Array:
        if index.dtype.kind != "i" or (len(index) and not (index.min() >= 0 and index.max() < len(labels))):
            raise self._mismatch(f"positions that are not among {len(labels)} classes")
        return labels.take(pa.array(np.ascontiguousarray(index)))

    def _array(self, values: NDArray[Any], kind: pa.DataType) -> pa.Array:
        if (values.dtype.kind in "OU") != pa.types.is_string(kind):
            raise self._mismatch(f"an array of {values.dtype}")
        if values.dtype.kind in "OU":
            return pa.array(values.tolist(), kind)
        return pa.array(np.ascontiguousarray(values, self._output.dtype), kind)

    def _check_width(self, got: int, expected: int) -> None:
        if got != expected:
            raise self._mismatch(f"{got} numbers a row")

    def _mismatch(self, got: str) -> GraphMismatchError:
        return GraphMismatchError(
            f"{self.method}: expected {len(self.fields)} answers a row of {self._output.dtype} as the manifest says, "
            f"the graph gave {got}"
        )


def _typed(labels: tuple[Label, ...], dtype: str) -> pa.Array:
    return pa.array(list(labels), _arrow_type(dtype))


def _arrow_type(dtype: str) -> pa.DataType:
    kind = np.dtype(dtype)
    return pa.string() if kind.kind in "OU" else pa.from_numpy_dtype(kind)


def _names(name: str, width: int, manifest: Manifest, method: str) -> list[str]:
    predict = manifest.output("predict")
    classes = predict.classes if predict else None
    if method == "predict_proba" and classes is not None and len(classes) == 1:
        keys = [_key(label) for label in classes[0]]
        if len(keys) == width and len(set(keys)) == width:
            return [f"P({key})" for key in keys]
    return [f"{name}_{place}" for place in range(width)]


def _listed_names(name: str, widths: Sequence[Any]) -> list[str]:
    """An array for each label column: its place stands first, then that of the class."""
    if not all(isinstance(width, int) for width in widths):
        raise MethodError(f"{name}: its answers have no fixed width, so that they are no columns", name=name)
    return [f"{name}_{place}_{item}" for place, width in enumerate(widths) for item in range(width)]


def _key(label: Label) -> str:
    return label if isinstance(label, str) else json.dumps(label)
