"""A function of TensorFlow as a graph of ONNX, by tf2onnx: what Keras on TensorFlow and SavedModels have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from edge_infer.errors import Blocker, UnsupportedModelError
from edge_infer.extras import needs
from edge_infer_convert.deep.inputs import TensorInput
from edge_infer_convert.deep.quieted import quieted
from edge_infer_convert.frontends.by_place import by_place, graphs_of

__all__ = ["TensorflowGraph"]

_OPSET: Final = 18  # the newest that tf2onnx 1.17 writes
_REMEDY: Final = (
    "tf2onnx has no counterpart of it in ONNX: leave that step out of the model and do it before or after, or write it "
    "with other operators."
)


class TensorflowGraph:
    """call: takes tensors by place, gives a dict of tensors. names: of its inputs, by place."""

    def __init__(self, call: Callable[..., Mapping[str, Any]], names: Sequence[str], described: str) -> None:
        with needs("tensorflow", "tf2onnx", "converting a model of TensorFlow"), quieted():
            import tf2onnx
        self._call, self._names, self._described = call, list(names), described
        self.versions = {"tensorflow": tf.__version__, "tf2onnx": tf2onnx.__version__}

    def answer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        found = self._call(*(tf.constant(feeds[name]) for name in self._names))
        return {name: np.asarray(tensor) for name, tensor in found.items()}

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto:
        """Raises UnsupportedModelError, with the operators that have no counterpart."""
        import tf2onnx

        signature = [_spec(each) for each in inputs]
        call = tf.function(lambda *tensors: _identities(self._call(*tensors)), input_signature=signature)
        try:
            with quieted():
                model, _ = tf2onnx.convert.from_function(
                    call, input_signature=signature, opset=_OPSET, custom_op_handlers={"Erfc": (_erfc, [])}
                )
        except Exception as error:
            raise UnsupportedModelError(
                f"{self._described} cannot be exported: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            ) from error
        blockers = [Blocker(node.name, node.op_type, "no operator of ONNX", _REMEDY) for node in _foreign(model)]
        if blockers:
            raise UnsupportedModelError.of(blockers)
        _order_outputs(model, list(call.get_concrete_function().structured_outputs))
        return by_place(onnx.load_model_from_string(model.SerializeToString()))


def _spec(each: TensorInput) -> tf.TensorSpec:
    shape = [None if isinstance(size, str) else size for size in each.spec.shape]
    return tf.TensorSpec(shape, each.spec.dtype, name=each.name)


def _identities(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tf.identity(tensor) for name, tensor in found.items()}


def _order_outputs(model: ModelProto, names: Sequence[str]) -> None:
    """In the model's own order: TensorFlow sorts what stands in dicts."""
    outputs = {value.name: value for value in model.graph.output}
    ordered = [outputs[name] for name in names]
    del model.graph.output[:]
    model.graph.output.extend(ordered)


def _foreign(model: ModelProto) -> Iterator[NodeProto]:
    """Operators of TensorFlow that tf2onnx left as they are."""
    for graph in graphs_of(model.graph):
        for node in graph.node:
            if not onnx.defs.has(node.op_type, node.domain):
                yield node


def _erfc(context: Any, node: Any, name: str, _: Any) -> None:
    """1 − erf(x), of GELU; tf2onnx 1.17 has erf alone."""
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(context.get_dtype(node.input[0])))
    shapes, dtypes = [context.get_shape(node.output[0])], [context.get_dtype(node.output[0])]
    one = context.make_const(f"{name}_one", np.array(1, dtype))
    erf = context.make_node("Erf", [node.input[0]], name=f"{name}_erf", shapes=shapes, dtypes=dtypes)
    context.remove_node(node.name)
    context.make_node(
        "Sub", [one.output[0], erf.output[0]], name=name, outputs=node.output, shapes=shapes, dtypes=dtypes
    )
