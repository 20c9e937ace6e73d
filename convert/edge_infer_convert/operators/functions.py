"""FunctionTransformer: its function is traced, see `tracing.py`."""

from __future__ import annotations

from sklearn.preprocessing import FunctionTransformer

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.tracing import trace_function


@operator(FunctionTransformer)
def function_transformer(builder: GraphBuilder, model: FunctionTransformer, reads: str) -> dict[str, list[str]]:
    if model.func is None:
        return {"transform": [builder.node("Identity", reads)]}
    names = getattr(model, "feature_names_in_", None)  # set where it was fitted with a frame, and is given one
    known = None if names is None else list(names)
    return {"transform": [trace_function(builder, model.func, reads, model.n_features_in_, model.kw_args, known)]}
