"""Output tensors → answers of the original's types and shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_infer.errors import GraphMismatchError
from edge_infer.manifest import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["Decoder", "Give"]

#: An answer out of a bound output.
Give = Callable[[], Any]


class Decoder:
    """Prepared once for one output of a manifest; thread-safe.

    `tensors` are the names to ask the session for; `decode` turns what came into the answer.
    """

    def __init__(self, output: Output) -> None:
        self.tensors = [output.index] if output.index is not None else list(output.tensors)
        self._output = output
        self._dtype = np.dtype(output.dtype)
        self._classes = tuple(_labels(labels, self._dtype) for labels in output.classes or ())
        #: The shape of a row that each tensor must have; sizes differ between the arrays of a list.
        self._shape = output.shape if not output.listed else None
        if len(self._classes) > 1:
            self._shape = (len(self._classes),)

    @property
    def classes(self) -> list[NDArray[Any]]:
        """The labels of each label column, in the original's dtype; read-only arrays."""
        return list(self._classes)

    @property
    def tensor_of_one(self) -> str:
        """The one tensor that tells the answer. Raises ValueError where there are more."""
        if len(self.tensors) != 1 or self._output.listed or len(self._classes) > 1:
            raise ValueError("several tensors or label columns")
        return self.tensors[0]

    @property
    def shape_of_one(self) -> tuple[int, ...]:
        """The shape of a row of it."""
        return () if self._classes else self._output.shape

    def givers(self, buffer: NDArray[Any]) -> tuple[Give, Give]:
        """What gives one record's answer and the answers of rows out of a buffer [1, …]; neither shares its memory.

        Raises:
            ValueError: the answers' dtype does not hold the buffer's.
        """
        if self._classes:
            return self._givers_of_labels(buffer)
        own = self._dtype
        if not np.can_cast(buffer.dtype, own, "safe"):
            raise ValueError(f"{buffer.dtype} answers that are {own}")
        if not self._output.shape:
            return buffer.item, partial(buffer.astype, own)
        if buffer.dtype == own:
            return buffer[0].copy, buffer.copy
        return partial(buffer[0].astype, own), partial(buffer.astype, own)

    def _givers_of_labels(self, buffer: NDArray[Any]) -> tuple[Give, Give]:
        if buffer.dtype.kind != "i":
            raise ValueError(f"positions of the dtype {buffer.dtype}")
        (labels,) = self._classes
        plain, read = labels.tolist(), buffer.item

        def label() -> Any:
            position = read()
            if position < 0:  # which Python would count from the end
                raise IndexError(position)
            return plain[position]

        def row_of_labels() -> NDArray[Any]:
            label()  # or it raises
            return np.asarray(labels[[read()]])

        return label, row_of_labels

    def decode(self, arrays: list[NDArray[Any]], *, rows: int, single: bool) -> Any:
        """One record's answer is a Python scalar or an array of one dimension less.

        Raises:
            GraphMismatchError: the graph gave what the manifest does not say.
        """
        for array in arrays:
            if array.shape[:1] != (rows,) or (self._shape is not None and array.shape[1:] != self._shape):
                raise self._mismatch(f"an array of the shape {array.shape} for {rows} rows")
        if self._classes:
            return self._first(self._labelled(arrays[0]), single)
        typed = [self._typed(array) for array in arrays]
        return [self._first(array, single) for array in typed] if self._output.listed else self._first(typed[0], single)

    def _typed(self, array: NDArray[Any]) -> NDArray[Any]:
        if (array.dtype.kind in "OU") != (self._dtype.kind in "OU"):
            raise self._mismatch(f"an array of {array.dtype}")
        return array.astype(self._dtype, copy=False)

    def _labelled(self, index: NDArray[Any]) -> NDArray[Any]:
        if index.dtype.kind != "i":
            raise self._mismatch(f"positions of the dtype {index.dtype}")
        if len(self._classes) == 1:
            return self._picked(self._classes[0], index)
        columns = [self._picked(classes, index[:, i]) for i, classes in enumerate(self._classes)]
        return np.stack(columns, axis=1)

    def _picked(self, labels: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
        if len(index):
            lowest, highest = (index[0], index[0]) if len(index) == 1 else (index.min(), index.max())
            if lowest < 0 or highest >= len(labels):
                raise self._mismatch(f"positions from {lowest} to {highest} among {len(labels)} classes")
        return np.asarray(labels[index])

    def _mismatch(self, got: str) -> GraphMismatchError:
        output = self._output
        return GraphMismatchError(
            f"{output.method}: expected {output.dtype} answers of the shape {output.shape} a row as the manifest "
            f"says, the graph gave {got}"
        )

    def _first(self, array: NDArray[Any], single: bool) -> Any:
        if not single:
            return array
        answer = array[0]
        return answer.item() if isinstance(answer, np.generic) else answer


def _labels(labels: tuple[Any, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    array = np.empty(len(labels), dtype)
    array[:] = labels
    array.flags.writeable = False
    return array
