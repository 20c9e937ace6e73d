"""An exported graph as nodes of the graph in the making.

A network computes in float32 (PyTorch's and Keras' own default), also in a graph of float64: there the columns are
float64 up to the network's door, where they are rounded as `X.astype(np.float32)` rounds them in the original.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, inliner

from edge_infer.errors import SchemaError, UnsupportedModelError
from edge_infer.interface import TensorSpec
from edge_infer_convert.deep.cleaning import cleaned
from edge_infer_convert.deep.inputs import BATCH
from edge_infer_convert.frontends.original import Original
from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["export_of", "join_graph", "spec_of_rows"]

_OPSETS: Final = range(18, 22)  # a graph that has no form at the builder's opset takes the next that it has


def spec_of_rows(width: int, dtype: np.dtype[Any]) -> str:
    """The text that tells a frontend of an input [batch, width]. Numbers from 0 to 1: codes of an embedding are 0."""
    return f"{dtype.name}[{BATCH}, {width}] 0..1"


def export_of(original: Original, told: Any, what: str) -> ModelProto:
    """The graph of a network that takes one matrix of numbers.

    told: what `original.inputs` is given. what: the estimator's class, for the message.

    Raises:
        UnsupportedModelError: it takes something else, or cannot be exported.
    """
    try:
        inputs = original.inputs(told)
        return original.export(inputs)
    except SchemaError as error:
        raise UnsupportedModelError(
            f"the network of {what} does not take one matrix of numbers: {str(error).partition(chr(10))[0]}"
        ) from error


def join_graph(builder: GraphBuilder, graph: ModelProto, reads: str) -> list[str]:
    """Add the nodes of `graph`, whose one input is fed with `reads`; its outputs, in the builder's precision."""
    adapted = _at_opset(inliner.inline_local_functions(graph), builder.opsets[""])
    if len(adapted.graph.input) != 1:
        names = ", ".join(value.name for value in adapted.graph.input)
        raise UnsupportedModelError(f"the network takes several inputs ({names}), and a step of a pipeline has one")
    (value,) = adapted.graph.input
    kind = value.type.tensor_type.elem_type
    fed = reads if kind == builder.elem_type else builder.node("Cast", reads, to=kind)
    outputs = builder.inline(adapted, {value.name: fed})
    return [
        name if output.type.tensor_type.elem_type == builder.elem_type else _in_precision(builder, name)
        for name, output in zip(outputs, adapted.graph.output, strict=True)
    ]


def _in_precision(builder: GraphBuilder, tensor: str) -> str:
    return builder.node("Cast", tensor, to=builder.elem_type)


def _at_opset(graph: ModelProto, lowest: int) -> ModelProto:
    """At the lowest opset from the builder's on at which the graph has a form, so that old devices load the file."""
    own = next(entry.version for entry in graph.opset_import if not entry.domain)
    specs: list[TensorSpec] = []
    for opset in _OPSETS:
        if lowest <= opset < own:
            try:
                return cleaned(graph, specs, opset)
            except UnsupportedModelError:
                continue
    return cleaned(graph, specs, max(own, lowest))


def as_rows(found: NDArray[Any]) -> NDArray[Any]:
    """[rows] → [rows, 1]; more dimensions become one."""
    return np.asarray(found).reshape(len(found), -1)
