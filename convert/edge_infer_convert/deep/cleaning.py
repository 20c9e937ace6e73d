"""An exported graph as it is packaged: valid, in one piece, and without what exporters note down of their machine.

What the model itself holds in its `metadata_props` stays: readers of text keep their alphabet there, detectors the
names of their classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx
from onnx import GraphProto, ModelProto, NodeProto, version_converter

from edge_infer.errors import UnsupportedModelError, UsageError
from edge_infer.interface import TensorSpec
from edge_infer_convert.targets import Target

__all__ = ["cleaned"]


def cleaned(
    model: ModelProto, specs: Sequence[TensorSpec], opset: int | None = None, target: Target | None = None
) -> ModelProto:
    """A copy without notes (source lines and paths of the exporter), with the shapes of all tensors, at `opset`.

    specs: of the inputs; sizes that vary get their names. target: that the graph is brought down to where it is newer.

    Raises:
        UnsupportedModelError: the graph is not valid, has no form at that opset or for that target, or a fixed size
            where one should vary.
        UsageError: there is no such opset.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    if target is not None:
        opset = min(opset or _opset(copy), target.opsets[""])
        copy.ir_version = min(copy.ir_version, target.ir)
    newest = onnx.defs.onnx_opset_version()
    if opset is not None and opset > newest:
        raise UsageError(f"opset: expected at most {newest}, the newest of onnx {onnx.__version__}, got {opset}")
    if opset is not None and _opset(copy) != opset:
        try:
            copy = version_converter.convert_version(copy, opset)
        except Exception as error:  # of C++, of no one class
            raise UnsupportedModelError(
                f"the graph (opset {_opset(copy)}) has no form at opset {opset}: {' '.join(str(error).split())[:300]}"
            ) from error
    own = [entry for entry in copy.metadata_props if not entry.key.startswith("edge_infer.")]
    del copy.metadata_props[:]
    copy.metadata_props.extend(own)
    copy.doc_string = ""
    copy.producer_name, copy.producer_version = "edge-infer", ""
    _forget(copy.graph)
    _rename_sizes(copy.graph, {spec.name: spec for spec in specs})
    for function in copy.functions:
        function.doc_string = ""
        _forget_nodes(function.node)
    try:
        copy = onnx.shape_inference.infer_shapes(copy)
        onnx.checker.check_model(copy)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise UnsupportedModelError(f"the exported graph is not valid: {' '.join(str(error).split())[:300]}") from error
    if target is not None:
        target.check(copy)
    return copy


def _rename_sizes(graph: GraphProto, specs: Mapping[str, TensorSpec]) -> None:
    """An input's sizes that vary are called as its spec calls them, and so wherever else they stand.

    Around an LSTM, torch.export takes the length for that of the example and calls it "16", though no operator depends
    on it: where else that number stands it says nothing, and shapes are inferred anew.
    """
    names: dict[str, str] = {}
    numbers: set[str] = set()
    for value in graph.input:
        spec = specs.get(value.name)
        for dim, size in zip(value.type.tensor_type.shape.dim, () if spec is None else spec.shape, strict=False):
            if isinstance(size, str) and dim.HasField("dim_value") and dim.dim_value >= 0:
                raise UnsupportedModelError(
                    f"input {value.name!r}: {size} should vary, and the export has fixed it to {dim.dim_value}: what "
                    "the model does there depends on that size. Give it as a number, or change the model."
                )
            if isinstance(size, str):
                if dim.dim_param.isidentifier():
                    names[dim.dim_param] = size
                elif dim.dim_param.isdecimal():
                    numbers.add(dim.dim_param)
                dim.dim_param = size
    for value in [*graph.output, *graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]
            elif dim.dim_param in numbers or str(dim.dim_value) in numbers:
                dim.Clear()


def _opset(model: ModelProto) -> int:
    return next((entry.version for entry in model.opset_import if not entry.domain), 0)


def _forget(graph: GraphProto) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    for value in [*graph.input, *graph.output, *graph.value_info]:
        value.doc_string = ""
        del value.metadata_props[:]
    for tensor in graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    _forget_nodes(graph.node)


def _forget_nodes(nodes: Iterable[NodeProto]) -> None:
    for node in nodes:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                if inner.node:
                    _forget(inner)
