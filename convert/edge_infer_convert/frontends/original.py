"""What every source of a deep model gives the converter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray
from onnx import ModelProto

from edge_infer.errors import SchemaError
from edge_infer_convert.deep.inputs import Call, TensorInput

T = TypeVar("T")

__all__ = ["Original", "asked"]

Answer = Callable[[Mapping[str, NDArray[Any]]], T]


class Original(Protocol):
    """A deep model in its own framework.

    framework, described, versions: of the manifest's `source`. names: of its inputs, in order.
    """

    framework: str
    described: str
    versions: dict[str, str]
    names: list[str]

    def inputs(self, given: Any) -> list[TensorInput]:
        """Its inputs, from what the caller gives (None: nothing). Raises UsageError, SchemaError."""

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto:
        """A graph with these inputs, by name. Raises UnsupportedModelError."""

    def answer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Its outputs by the names that the exported graph has, in the graph's order. After `export`."""


def asked(answer: Answer[T], call: Call) -> T:
    """The original's answer. Raises SchemaError where it fails: then calls are not what it takes."""
    try:
        return answer(call.feeds)
    except Exception as error:
        shapes = ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in call.feeds.items())
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise SchemaError(
            f"the original fails on a call with {shapes}: {reason}\n"
            "Say what it takes, sizes and range: 'int64[batch, length=16] 0..29999', or give an example of each input."
        ) from error
