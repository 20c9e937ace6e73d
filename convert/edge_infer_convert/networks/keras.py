"""Keras 3's own wrappers for scikit-learn: keras.wrappers.SKLearnClassifier, SKLearnRegressor and SKLearnTransformer.

A classifier learns one-hot targets: its label is the largest of the network's outputs, which `decision_function` gives
as they are. A wrapper has no predict_proba, so that the artifact has none either.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from sklearn.base import is_classifier

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.boosters.reading import read_once
from edge_infer_convert.frontends.keras_model import keras_original
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.networks.joining import as_rows, export_of, join_graph
from edge_infer_convert.operators.numeric import first_largest, flat

__all__ = ["answered", "join", "outputs_of", "refusal", "taken", "versions"]

_ROWS_AT_ONCE: Final = 4096


def join(builder: GraphBuilder, wrapper: Any, reads: str, width: int) -> dict[str, list[str]]:
    outputs = outputs_of(builder, wrapper, reads)
    if is_classifier(wrapper):
        return {"predict": [first_largest(builder, outputs)], "decision_function": [outputs]}
    if hasattr(wrapper, "transform"):
        return {"predict": [outputs], "transform": [outputs]}
    return {"predict": [flat(builder, outputs) if wrapper._target_encoder.ndim_ == 1 else outputs]}


def outputs_of(builder: GraphBuilder, wrapper: Any, reads: str) -> str:
    """The network's outputs, [rows, outputs]. Raises UnsupportedModelError where there are several tensors of them."""
    if not hasattr(wrapper, "model_"):
        raise UnsupportedModelError("it is not fitted: call fit before")
    found = join_graph(builder, _exported(wrapper.model_, type(wrapper).__name__), reads)
    if len(found) != 1:
        raise UnsupportedModelError(
            f"its network gives {len(found)} tensors, and a step of a pipeline gives one; convert the network itself: "
            "convert(estimator.model_)"
        )
    return found[0]


@read_once
def _exported(model: Any, what: str) -> ModelProto:
    return export_of(keras_original(model), None, what)


# --- what other stages ask --------------------------------------------------------------


def refusal(wrapper: Any) -> tuple[str, str] | None:
    """A model with several inputs gets a list or a dict of them, which is no table."""
    inputs = getattr(getattr(wrapper, "model_", None), "inputs", None) or ()
    if len(inputs) < 2:
        return None
    names = ", ".join(str(tensor.name) for tensor in inputs)
    return (
        f"its network takes {len(inputs)} tensors ({names}), which is no table",
        "Convert the network itself, which has inputs by name: convert(estimator.model_).",
    )


def taken(wrapper: Any) -> np.dtype[Any]:
    """float64 only where Keras computes so (keras.config.set_floatx)."""
    return np.dtype(np.float64 if wrapper.model_.compute_dtype == "float64" else np.float32)


def answered(wrapper: Any, rows: NDArray[Any]) -> NDArray[Any]:
    found = wrapper.model_.predict(rows, batch_size=_ROWS_AT_ONCE, verbose=0)
    return as_rows(np.asarray(found))


def versions() -> dict[str, str]:
    backend = keras.config.backend()
    return {"keras": keras.__version__, backend: str(import_module(backend).__version__).partition("+")[0]}
