"""Schema + precision → the finished graph and the manifest's part that describes it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from edge_infer.errors import UnsupportedModelError
from edge_infer.manifest import Inputs, Needs, Output
from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.graph.canonical import canonicalise
from edge_infer_convert.graph.emit import Emitted, emit, lay_out
from edge_infer_convert.graph.light import light_copy
from edge_infer_convert.graph.used import mark_unused
from edge_infer_convert.original import Original
from edge_infer_convert.passes import Codes, run_passes
from edge_infer_convert.schema import Schema
from edge_infer_convert.targets import oldest_release, operators_of
from edge_infer_convert.text.strings import FOREIGN_TYPES, MICROSOFT

__all__ = ["OPSETS", "Assembled", "assemble", "needs", "with_foreign_types"]

#: Lowest versions that serve; numeric encoders raise ai.onnx.ml to 4, float64 trees to 5.
OPSETS: Final = {"": 18, ML: 3}
_IR_VERSION: Final = 8
_TENSORS: Final = {
    "predict": "label",
    "predict_proba": "probabilities",
    "decision_function": "scores",
    "score_samples": "normality",
    "transform": "transformed",
}
_INDEX: Final = "label_index"
_ELEM_TYPES: Final = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "string": TensorProto.STRING,
}


class Assembled(NamedTuple):
    """A graph, how it is fed and read, and where its inner tensors are (`builder`, `emitted`) for tracing."""

    model: ModelProto
    inputs: Inputs
    outputs: tuple[Output, ...]
    missing_methods: dict[str, str]
    builder: GraphBuilder
    emitted: Emitted
    passes: tuple[str, ...]  # those that changed the graph
    ensembles: tuple[NodeProto, ...]  # its TreeEnsemble nodes as they were before the passes, in order


def assemble(schema: Schema, precision: str, without: Collection[str] = ()) -> Assembled:
    """Build the graph of a schema's plan in `precision`, and run all passes but those in `without`.

    Raises:
        UnsupportedModelError: a step cannot be expressed.
    """
    inputs = lay_out(list(schema.columns), precision)._replace(style=schema.style)
    builder = GraphBuilder(precision, OPSETS)
    emitted = emit(builder, schema.plan, inputs, schema.missing)
    outputs, lacking = _outputs(builder, schema, emitted)
    values = [
        helper.make_tensor_value_info(tensor.name, _ELEM_TYPES[tensor.dtype], ["rows", tensor.width])
        for tensor in inputs.tensors
    ]
    model = builder.model(values, _value_infos(outputs), _IR_VERSION, kept=[inputs.cut.tensor] if inputs.cut else [])
    public = {output.index for output in outputs if output.index} | ({inputs.cut.tensor} if inputs.cut else set())
    canonicalise(model, public)
    passed = run_passes(model, _inferred, public, without, _codes(inputs))
    if passed.names:
        canonicalise(model, public)
    model = _typed(model)
    inputs = mark_unused(model, _inferred(model), inputs)
    return Assembled(model, inputs, tuple(outputs), lacking, builder, emitted, *passed)


def _codes(inputs: Inputs) -> Codes | None:
    """Each text column has a code for each category, one for a missing and one for an unknown value."""
    if inputs.cut is None:
        return None
    total = sum(len(column.categories or ()) + 2 for column in inputs.columns if column.coded)
    return Codes(inputs.cut.tensor, inputs.cut.first, total)


def _outputs(builder: GraphBuilder, schema: Schema, emitted: Emitted) -> tuple[list[Output], dict[str, str]]:
    outputs, lacking = [], {}
    for method in schema.original.methods():
        tensors = emitted.answers.get(method)
        if tensors is None:
            lacking[method] = _why_lacking(schema.original, method)
            continue
        outputs.append(_output(builder, schema, method, tensors, schema.original.typical_answer(method)))
    if not outputs:
        raise UnsupportedModelError("none of the original's methods could be converted")
    return outputs, lacking


def _why_lacking(original: Original, method: str) -> str:
    """Some originals have a method that always raises: transform of a discriminant analysis by least squares."""
    return original.refusal(method) or "the original has it, its conversion does not give it"


def _output(builder: GraphBuilder, schema: Schema, method: str, tensors: list[str], expected: Any) -> Output:
    listed = isinstance(expected, list)
    parts: list[NDArray[Any]] = expected if listed else [expected]
    if len(parts) != len(tensors):
        raise UnsupportedModelError(
            f"{method}: the original gives {len(parts)} arrays, its conversion gives {len(tensors)}"
        )
    classes = schema.original.classes() if method == "predict" else None
    name = _name(method, classes is not None, schema.original.task)
    dtype, shape = _dtype(parts[0].dtype), parts[0].shape[1:]
    if classes is not None:
        builder.rename(_shaped(builder, tensors[0], ()), _INDEX)
        labels = builder.constant(classes.tolist(), _label_dtype(classes))
        builder.rename(builder.node("Gather", labels, _INDEX, axis=0), name)
        if classes.dtype.kind == parts[0].dtype.kind == "U":  # a constant answer may be shorter than other labels
            dtype = _dtype(np.promote_types(classes.dtype, parts[0].dtype))
        return Output(method, (name,), dtype, (), False, (tuple(classes.tolist()),), _INDEX)
    names = tuple(f"{name}_{i}" for i in range(len(parts))) if listed else (name,)
    for tensor, public, part in zip(tensors, names, parts, strict=True):
        builder.rename(_shaped(builder, tensor, part.shape[1:]), public)
    return Output(method, names, dtype, shape, listed)


def _name(method: str, labelled: bool, task: str) -> str:
    if method == "predict" and not labelled:
        return {"clustering": "cluster", "outlier_detection": "inlier"}.get(task, "prediction")
    return _TENSORS[method]


def _shaped(builder: GraphBuilder, tensor: str, shape: tuple[int, ...]) -> str:
    """The tensor in the original's shape. A Reshape that changes nothing costs onnxruntime nothing."""
    return builder.node("Reshape", tensor, builder.constant([-1, *shape], np.int64))


def _label_dtype(classes: NDArray[Any]) -> Any:
    if classes.dtype.kind in "OU":
        if not all(isinstance(label, str) for label in classes.tolist()):
            raise UnsupportedModelError(
                f"class labels of mixed types cannot be written to ONNX: {classes.tolist()[:6]}"
            )
        return object
    return {"b": np.bool_, "f": np.float64}.get(classes.dtype.kind, np.int64)


def _dtype(dtype: np.dtype[Any]) -> str:
    return dtype.str if dtype.kind == "U" else dtype.name


def _value_infos(outputs: list[Output]) -> list[onnx.ValueInfoProto]:
    """Names only; the types come from shape inference."""
    return [onnx.ValueInfoProto(name=name) for output in outputs for name in output.tensors]


def _typed(model: ModelProto) -> ModelProto:
    inferred = _inferred(model)
    for output in inferred.graph.output:
        dims = output.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value"):
            dims[0].dim_param = "rows"
    del model.graph.output[:]
    model.graph.output.extend(inferred.graph.output)
    return model


def _inferred(model: ModelProto) -> ModelProto:
    """A light copy with the shapes of all tensors."""
    return onnx.shape_inference.infer_shapes(with_foreign_types(model))


def with_foreign_types(model: ModelProto) -> ModelProto:
    """A copy that says what operators give that onnx does not know (its inference crashes on a LabelEncoder behind)."""
    copy = light_copy(model)
    for node in model.graph.node:
        kind = FOREIGN_TYPES.get(node.op_type) if node.domain == MICROSOFT else None
        if kind is not None:
            copy.graph.value_info.append(helper.make_tensor_value_info(node.output[0], kind, None))
    return copy


def needs(model: ModelProto) -> Needs:
    """What a runtime must have for this graph."""
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    return Needs(model.ir_version, opsets, tuple(operators_of(model)), oldest_release(model))
