"""FunctionTransformer: its function is traced, see `tracing.py`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from onnx import TensorProto
from sklearn.preprocessing import FunctionTransformer

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.tracing import trace_function

#: Functions that give the same numbers as another type, before a network that takes float32 alone: these, and those of
#: the second list with a dtype. They can be pickled, where a lambda cannot.
_TYPES: Final = (np.float32, np.float64)
_WITH_TYPE: Final = (np.asarray, np.array)


@operator(FunctionTransformer)
def function_transformer(builder: GraphBuilder, model: FunctionTransformer, reads: str) -> dict[str, list[str]]:
    if model.func is None:
        return {"transform": [builder.node("Identity", reads)]}
    kind = _given_type(model)
    if kind is not None:
        return {"transform": [_as_floats(builder, kind, reads)]}
    names = getattr(model, "feature_names_in_", None)  # set where it was fitted with a frame, and is given one
    known = None if names is None else list(names)
    return {"transform": [trace_function(builder, model.func, reads, model.n_features_in_, model.kw_args, known)]}


def _given_type(model: Any) -> np.dtype[Any] | None:
    """The floating-point type that its function gives; None for all other functions."""
    options = model.kw_args or {}
    if any(model.func is each for each in _TYPES) and not options:
        given: np.dtype[Any] = np.dtype(model.func)
        return given
    if any(model.func is each for each in _WITH_TYPE) and list(options) == ["dtype"]:
        kind = np.dtype(options["dtype"])
        return kind if kind in _TYPES else None
    return None


def _as_floats(builder: GraphBuilder, kind: np.dtype[Any], reads: str) -> str:
    """Rounded to float32 where the function does that; in the graph's precision."""
    if kind != np.float32 or builder.dtype == np.float32:
        return builder.node("Identity", reads)
    return builder.node("Cast", builder.node("Cast", reads, to=TensorProto.FLOAT), to=builder.elem_type)
