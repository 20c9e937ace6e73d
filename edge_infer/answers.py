"""Output tensors → answers of the original's types and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.manifest import Output

__all__ = ["Decoder"]


class Decoder:
    """Prepared once for one output of a manifest; thread-safe.

    `tensors` are the names to ask the session for; `decode` turns what came into the answer.
    """

    def __init__(self, output: Output) -> None:
        self.tensors = [output.index] if output.index is not None else list(output.tensors)
        self._output = output
        self._dtype = np.dtype(output.dtype)
        self._classes = [_labels(labels, self._dtype) for labels in output.classes or ()]

    @property
    def classes(self) -> list[NDArray[Any]]:
        """The labels of each label column, in the original's dtype."""
        return self._classes

    def decode(self, arrays: list[NDArray[Any]], *, single: bool) -> Any:
        """One record's answer is a Python scalar or an array of one dimension less."""
        if self._classes:
            return self._first(self._labelled(arrays[0]), single)
        typed = [array.astype(self._dtype, copy=False) for array in arrays]
        return [self._first(array, single) for array in typed] if self._output.listed else self._first(typed[0], single)

    def _labelled(self, index: NDArray[Any]) -> NDArray[Any]:
        if len(self._classes) == 1:
            return np.asarray(self._classes[0][index])
        columns = [classes[index[:, i]] for i, classes in enumerate(self._classes)]
        return np.stack(columns, axis=1).astype(self._dtype, copy=False)

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
