"""Isomap and locally linear embedding of new rows, through their nearest training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.manifold import Isomap, LocallyLinearEmbedding

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.decomposition import kernel_components
from edge_infer_convert.operators.distances import dense, distances, metric_of
from edge_infer_convert.operators.loops import in_float64, repeat, solved
from edge_infer_convert.operators.neighbours import nearest
from edge_infer_convert.operators.registry import operator


@operator(Isomap)
def isomap(builder: GraphBuilder, model: Isomap, reads: str) -> dict[str, list[str]]:
    """The shortest way to each training row through a neighbour, −½ its square, centred and projected.

    A row that has no neighbour within the radius gives NaN; the original raises an error there.
    """
    if model.metric == "precomputed":
        raise UnsupportedModelError("Isomap of precomputed distances needs the training rows; fit with a metric")
    ways = _through_nearest(builder, model, reads) if model.n_neighbors is not None else _within(builder, model, reads)
    kernel = builder.node("Mul", builder.node("Mul", ways, ways), builder.constant(-0.5))
    return {"transform": [kernel_components(builder, model.kernel_pca_, kernel)]}


def _through_nearest(builder: GraphBuilder, model: Isomap, reads: str) -> str:
    """min over the k neighbours j of d(x, j) + geodesic distance from j: [rows, training rows]."""
    found = nearest(builder, model.nbrs_, reads, model.nbrs_.n_neighbors)
    geodesics = builder.constant(model.dist_matrix_)

    def shorter(number: str, states: list[str]) -> tuple[str, list[str]]:
        position = builder.node("Gather", found.positions, number, axis=1)
        column = builder.node("Reshape", number, builder.constant([1], np.int64))
        way = builder.node(
            "Add",
            builder.node("Gather", geodesics, position, axis=0),
            builder.node("Gather", found.distances, column, axis=1),
        )
        return "", [builder.node("Min", states[0], way)]

    return repeat(builder, shorter, [_infinite(builder, model, reads)], model.nbrs_.n_neighbors)[0]


def _within(builder: GraphBuilder, model: Isomap, reads: str) -> str:
    """The same over all training rows within the radius; infinite where there is none."""
    metric = metric_of(model.nbrs_)
    apart = distances(builder, reads, dense(model.nbrs_._fit_X), metric)
    near = builder.node("LessOrEqual", apart, builder.constant(float(model.nbrs_.radius)))
    first = builder.node("Where", near, apart, builder.constant(np.inf))
    geodesics = builder.constant(model.dist_matrix_)

    def shorter(number: str, states: list[str]) -> tuple[str, list[str]]:
        line = builder.node("Reshape", number, builder.constant([1], np.int64))
        way = builder.node(
            "Add", builder.node("Gather", geodesics, line, axis=0), builder.node("Gather", first, line, axis=1)
        )
        return "", [builder.node("Min", states[0], way)]

    return repeat(builder, shorter, [_infinite(builder, model, reads)], len(model.dist_matrix_))[0]


def _infinite(builder: GraphBuilder, model: Isomap, reads: str) -> str:
    """∞ in [rows, training rows]."""
    rows = builder.node("Shape", reads, start=0, end=1)
    shape = builder.node("Concat", rows, builder.constant([len(model.dist_matrix_)], np.int64), axis=0)
    return builder.node("Expand", builder.constant(np.inf), shape)


@operator(LocallyLinearEmbedding)
def locally_linear_embedding(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The weights, of sum 1, that make x from its neighbours, applied to where these were embedded.

    G w = 1, G the Gram matrix of the neighbours − x with reg · trace on its diagonal (Roweis and Saul, 2000). Far
    from the training rows G is nearly singular, so float64 is used in either precision.
    """
    return {"transform": [in_float64(builder, reads, lambda x: _embedded(builder, model, x))]}


def _embedded(builder: GraphBuilder, model: Any, reads: str) -> str:
    count = model.n_neighbors
    found = nearest(builder, model.nbrs_, reads, count)
    kept = builder.node("Gather", builder.constant(dense(model.nbrs_._fit_X)), found.positions, axis=0)
    apart = builder.node("Sub", kept, builder.node("Unsqueeze", reads, builder.constant([1], np.int64)))
    gram = builder.node("MatMul", apart, builder.node("Transpose", apart, perm=[0, 2, 1]))
    unit = builder.constant(np.eye(count)[None])
    trace = builder.node("ReduceSum", builder.node("Mul", gram, unit), builder.constant([1, 2], np.int64), keepdims=1)
    reg = builder.constant(float(model.reg))
    positive = builder.node("Greater", trace, builder.constant(0.0))
    ridge = builder.node("Where", positive, builder.node("Mul", reg, trace), reg)
    gram = builder.node("Add", gram, builder.node("Mul", ridge, unit))
    ones = builder.node(
        "Add", builder.node("Mul", trace, builder.constant(0.0)), builder.constant(np.ones((1, count, 1)))
    )
    weights = solved(builder, gram, ones, count)
    weights = builder.node("Div", weights, builder.node("ReduceSum", weights, builder.constant([1], np.int64)))
    embedded = builder.node("Gather", builder.constant(model.embedding_), found.positions, axis=0)
    placed = builder.node("MatMul", builder.node("Transpose", weights, perm=[0, 2, 1]), embedded)
    return builder.node("Squeeze", placed, builder.constant([1], np.int64))
