"""ONNX models that somebody else exported: the file as it came is the original, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto

from edge_infer.errors import LimitError, SchemaError, UnsupportedModelError, UntrustedSourceError
from edge_infer.interface import TENSOR_TYPES, TensorSpec
from edge_infer.limits import LIMITS
from edge_infer.session import Session
from edge_infer_convert.deep.inputs import BATCH, TensorInput, usual_range
from edge_infer_convert.frontends.own_inputs import held

__all__ = ["OnnxOriginal", "read_onnx"]

_NAMES = {number: name for name, number in TENSOR_TYPES.items()}


def read_onnx(path: Path) -> ModelProto:
    """A file with its external data, which must lie in the file's own folder.

    Raises:
        UntrustedSourceError: it is no ONNX model, or its external data is not there.
        LimitError: over 2 GB in all, which one file cannot hold.
    """
    try:
        model = onnx.load_model(path, load_external_data=False)
        onnx.load_external_data_for_model(model, str(path.parent))
    except onnx.checker.ValidationError as error:  # of a place outside the folder
        raise UntrustedSourceError(f"{path}: its external data cannot be read: {_line(error)}") from error
    except FileNotFoundError as error:
        raise UntrustedSourceError(f"{path}: its external data is not there: {error}") from error
    except Exception as error:
        if type(error).__name__ != "DecodeError":
            raise
        raise UntrustedSourceError(f"{path} cannot be read as an ONNX model: {_line(error)}") from error
    size = model.ByteSize()
    if size > LIMITS.model_bytes:
        raise LimitError(
            f"the model has {size:,} bytes with its weights, one file holds {LIMITS.model_bytes:,}; quantize it, or "
            "export it with half the precision",
            str(path),
        )
    if not model.graph.node:
        raise UntrustedSourceError(f"{path} cannot be read as an ONNX model: its graph is empty")
    return model


class OnnxOriginal:
    """`Original`. The graph stays as it is; what is checked and cleaned comes behind."""

    def __init__(self, model: ModelProto) -> None:
        """Raises UnsupportedModelError for a graph that is not valid."""
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise UnsupportedModelError(f"the ONNX model is not valid: {_line(error)}") from error
        self._model = model
        self._session: Session | None = None
        initial = {tensor.name for tensor in model.graph.initializer}
        self._values = [value for value in model.graph.input if value.name not in initial]
        self.names = [value.name for value in self._values]
        self.framework = "ONNX"
        producer = " ".join(filter(None, (model.producer_name, model.producer_version)))
        self.described = f"a graph of {len(model.graph.node):,} nodes" + (f", by {producer}" if producer else "")
        self.versions = {"onnx": onnx.__version__}

    def inputs(self, given: Any) -> list[TensorInput]:
        """A size without a name gets one of its own. The first size is the batch where all inputs in which it varies
        call it the same."""
        own = _with_batch([_of_graph(value) for value in self._values])
        return held(given, own, "the graph")

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto:
        model = ModelProto()
        model.CopyFrom(self._model)
        return model

    def answer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        if self._session is None:
            self._session = Session(self._model.SerializeToString())
        names = list(self._session.outputs)
        return dict(zip(names, self._session.run(names, dict(feeds)), strict=True))


def _with_batch(inputs: list[TensorInput]) -> list[TensorInput]:
    firsts = {each.spec.shape[0] for each in inputs if each.spec.shape and isinstance(each.spec.shape[0], str)}
    if len(firsts) != 1 or any(BATCH in each.spec.shape for each in inputs):
        return inputs
    return [
        each._replace(
            spec=each.spec._replace(shape=tuple(BATCH if size in firsts else size for size in each.spec.shape))
        )
        for each in inputs
    ]


def _of_graph(value: ValueInfoProto) -> TensorInput:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type not in _NAMES:
        raise UnsupportedModelError(
            f"input {value.name!r}: expected a dense tensor of {', '.join(TENSOR_TYPES)}, got "
            f"{value.type.WhichOneof('value') or 'nothing'} of the element type {kind.elem_type}"
        )
    if not kind.HasField("shape"):
        raise SchemaError(
            f"input {value.name!r}: the graph does not say how many dimensions it has; say so: "
            f"--inputs '{value.name}=float32[batch, 10]'"
        )
    shape = tuple(_size(dim, f"{value.name}_{axis}") for axis, dim in enumerate(kind.shape.dim))
    dtype = _NAMES[kind.elem_type]
    return TensorInput(TensorSpec(value.name, dtype, shape), *usual_range(dtype))


def _size(dim: Any, own: str) -> int | str:
    """A number, or the graph's name of a size that varies; `own` where it has none, or one such as "?" that stands for
    sizes which have nothing to do with each other."""
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    return str(dim.dim_param) if dim.dim_param.isidentifier() else own


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
