"""TensorFlow's SavedModel: a folder with a program, asked by its signature and exported by tf2onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from numpy.typing import NDArray
from onnx import ModelProto

from edge_infer.errors import SchemaError, UnsupportedModelError, UntrustedSourceError, UsageError
from edge_infer.interface import TENSOR_TYPES, TensorSpec
from edge_infer_convert.deep.inputs import BATCH, TensorInput, clean_name, usual_range
from edge_infer_convert.frontends.own_inputs import held
from edge_infer_convert.frontends.saved_model_operators import check_operators
from edge_infer_convert.frontends.tensorflow_graph import TensorflowGraph

__all__ = ["SavedModel", "read_saved_model", "tensorflow_original"]

_USUAL: Final = "serving_default"


def read_saved_model(folder: Path, *, trust_pickle: bool) -> Any:
    """What tf.saved_model.load gives.

    trust_pickle: whether it may hold operators that reach beyond the model: files, Python, a network.

    Raises UntrustedSourceError for such operators without it, or for a folder that cannot be read.
    """
    check_operators(folder, trusted=trust_pickle)
    try:
        return tf.saved_model.load(str(folder))
    except Exception as error:
        raise UntrustedSourceError(
            f"{folder} cannot be read as a SavedModel: {type(error).__name__}: {' '.join(str(error).split())[:300]}\n"
            f"It may be torn (variables/ belongs to it), or of a newer TensorFlow than {tf.__version__}, which is here."
        ) from error


def tensorflow_original(source: Any) -> SavedModel:
    """Of what tf.saved_model.load gave, or of one of its `signatures`. Raises UsageError for anything else."""
    if hasattr(source, "structured_input_signature"):
        return SavedModel(source)
    signatures = getattr(source, "signatures", None)
    if signatures is None:
        raise UsageError(
            f"expected what tf.saved_model.load gives, or one of its signatures, got {type(source).__name__}; save it: "
            "tf.saved_model.save(module, folder, signatures=…), or model.export(folder) of Keras"
        )
    chosen = signatures[_USUAL] if _USUAL in signatures else next(iter(signatures.values()), None)
    if chosen is None or (_USUAL not in signatures and len(signatures) > 1):
        raise UsageError(
            f"the SavedModel has no signature {_USUAL!r} (it has {', '.join(signatures) or 'none'}); choose one in "
            "Python: convert(tf.saved_model.load(folder).signatures['name'], name=…)"
        )
    return SavedModel(chosen)


class SavedModel:
    """`Original` of a signature. Names of tensors are cleaned: "x:0" is called "x"."""

    framework = "TensorFlow"

    def __init__(self, signature: Any) -> None:
        self.described = "a SavedModel"
        positional, named = signature.structured_input_signature
        specs = {name: spec for name, spec in named.items() if isinstance(spec, tf.TensorSpec)}
        if positional or len(specs) != len(named) or not isinstance(signature.structured_outputs, Mapping):
            raise UsageError("expected a signature: a function of tensors by name that gives tensors by name")
        self._signature = signature
        self._given = _cleaned(specs)
        self._gives = _cleaned(signature.structured_outputs)
        self.names = list(self._given)
        self._specs = {name: specs[own] for name, own in self._given.items()}
        self._graph = TensorflowGraph(self._call, self.names, self.described)
        self.versions = self._graph.versions

    def _call(self, *tensors: Any) -> dict[str, Any]:
        found = self._signature(**dict(zip(self._given.values(), tensors, strict=True)))
        return {name: found[own] for name, own in self._gives.items()}

    def inputs(self, given: Any) -> list[TensorInput]:
        return held(given, [_of_spec(name, spec) for name, spec in self._specs.items()], "the signature")

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto:
        return self._graph.export(inputs)

    def answer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return self._graph.answer(feeds)


def _cleaned(names: Mapping[str, Any]) -> dict[str, str]:
    """Clean name → own name, each once."""
    found: dict[str, str] = {}
    for own in names:
        name = clean = clean_name(own)
        while name in found:
            name = f"{clean}_{len(found)}"
        found[name] = own
    return found


def _of_spec(name: str, spec: tf.TensorSpec) -> TensorInput:
    dtype = spec.dtype.name
    if dtype not in TENSOR_TYPES:
        raise UnsupportedModelError(f"input {name!r}: expected {', '.join(TENSOR_TYPES)}, the signature takes {dtype}")
    if spec.shape.rank is None:
        raise SchemaError(
            f"input {name!r}: the signature does not say how many dimensions it has; save the model with "
            f"tf.TensorSpec([None, 10], tf.{dtype}, name={name!r})"
        )
    shape = tuple(
        size if size is not None else BATCH if axis == 0 else f"{name}_{axis}"
        for axis, size in enumerate(spec.shape.as_list())
    )
    return TensorInput(TensorSpec(name, dtype, shape), *usual_range(dtype))
