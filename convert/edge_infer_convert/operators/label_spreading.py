"""Label propagation and spreading: the inductive answer to new rows."""

from __future__ import annotations

from typing import Any

from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.distances import dense, expanded_squares
from edge_infer_convert.operators.neighbours import nearest
from edge_infer_convert.operators.numeric import first_largest, normalised
from edge_infer_convert.operators.registry import operator


@operator(LabelPropagation, LabelSpreading)
def label_spreading(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The training rows' label distributions, weighted by the kernel and divided by their sum."""
    if callable(model.kernel):
        raise UnsupportedModelError("kernel is a Python function, which ONNX cannot hold; use kernel='rbf' or 'knn'")
    summed = _nearest_sum(builder, model, reads) if model.kernel == "knn" else _kernel_sum(builder, model, reads)
    shares = normalised(builder, summed)
    return {"predict": [first_largest(builder, shares)], "predict_proba": [shares]}


def _kernel_sum(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Σ exp(−γ |x − xᵢ|²) · distributionᵢ."""
    squares = expanded_squares(builder, reads, dense(model.X_))
    kernel = builder.node("Exp", builder.node("Mul", squares, builder.constant(-float(model.gamma))))
    return builder.node("MatMul", kernel, builder.constant(model.label_distributions_))


def _nearest_sum(builder: GraphBuilder, model: Any, reads: str) -> str:
    found = nearest(builder, model.nn_fit, reads, model.nn_fit.n_neighbors)
    near = builder.node("Gather", builder.constant(model.label_distributions_), found.positions, axis=0)
    return builder.node("ReduceSum", near, builder.constant([1], "int64"), keepdims=0)
