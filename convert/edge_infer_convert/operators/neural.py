"""Multi-layer perceptrons."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.neural_network import MLPClassifier, MLPRegressor

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import column, first_largest, flat, sigmoid, two_columns
from edge_infer_convert.operators.registry import operator


@operator(MLPRegressor)
def perceptron_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The last layer; one output has the shape (rows,)."""
    outputs = _forward(builder, model, reads)
    return {"predict": [flat(builder, outputs) if model.n_outputs_ == 1 else outputs]}


@operator(MLPClassifier)
def perceptron_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The last layer's probabilities: the largest of many classes, above ½ of two or of each label."""
    shares = _forward(builder, model, reads)
    kind = model._label_binarizer.y_type_
    if kind == "multiclass":
        return {"predict": [first_largest(builder, shares)], "predict_proba": [shares]}
    above = builder.node("Cast", builder.node("Greater", shares, builder.constant(0.5)), to=TensorProto.INT64)
    if kind.startswith("multilabel"):
        return {"predict": [above], "predict_proba": [shares]}
    if len(model.classes_) == 1:
        above = builder.node("Mul", above, builder.constant(0, np.int64))
    return {"predict": [flat(builder, above)], "predict_proba": [two_columns(builder, column(builder, shares))]}


def _forward(builder: GraphBuilder, model: Any, reads: str) -> str:
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    for i, (weights, intercepts) in enumerate(layers):
        reads = builder.node(
            "Add", builder.node("MatMul", reads, builder.constant(weights)), builder.constant(intercepts)
        )
        last = i == len(layers) - 1
        reads = _activated(builder, reads, model.out_activation_ if last else model.activation)
    return reads


def _activated(builder: GraphBuilder, x: str, activation: str) -> str:
    if activation == "identity":
        return x
    if activation == "logistic":
        return sigmoid(builder, x)
    if activation == "softmax":
        return builder.node("Softmax", x, axis=1)
    return builder.node({"tanh": "Tanh", "relu": "Relu", "exp": "Exp"}[activation], x)
