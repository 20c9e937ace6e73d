"""Small deep models as ONNX, and what they compute, by onnx's own reference implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model_of(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: Mapping[str, Any], opset: int = 18, ir: int = 8
) -> Any:
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    onnx.checker.check_model(model, full_check=True)
    return model


def value(name: str, kind: int, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def convnet(seed: int = 0, batch: str | int | None = "N") -> ModelProto:
    """Images [N, 1, 8, 8] → 10 scores."""
    rng = np.random.default_rng(seed)
    weights = {
        "w": rng.normal(0, 0.3, (4, 1, 3, 3)).astype(np.float32),
        "f": rng.normal(0, 0.3, (4 * 36, 10)).astype(np.float32),
        "b": rng.normal(0, 0.3, 10).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["flat"]),
        helper.make_node("Gemm", ["flat", "f", "b"], ["scores"]),
    ]
    image, scores = value("image", FLOAT, [batch, 1, 8, 8]), value("scores", FLOAT, [batch, 10])
    return model_of(nodes, [image], [scores], weights)


def clusters(rows: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Points [rows, 32] about ten centres, sorted by these, and which one each is of."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(0, 10, rows))
    centres = np.random.default_rng(99).normal(0, 1, (10, 32))
    return (centres[labels] + rng.normal(0, 0.4, (rows, 32))).astype(np.float32), labels


def classifier(batch: int | str = "N") -> ModelProto:
    """Points [N, 32] → ten scores: 256 random features, and the weights that tell `clusters` apart by least squares."""
    rng = np.random.default_rng(7)
    into = rng.normal(0, 0.3, (32, 256)).astype(np.float32)
    points, labels = clusters(2000, seed=1)
    out, *_ = np.linalg.lstsq(np.maximum(points @ into, 0), np.eye(10)[labels] - 0.1, rcond=None)
    weights = {"into": into, "out": out.astype(np.float32), "bias": np.full(10, 0.1, np.float32)}
    nodes = [
        helper.make_node("MatMul", ["point", "into"], ["features"]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("Gemm", ["positive", "out", "bias"], ["scores"]),
    ]
    point, scores = value("point", FLOAT, [batch, 32]), value("scores", FLOAT, [batch, 10])
    return model_of(nodes, [point], [scores], weights)


def recurrent(seed: int = 0) -> ModelProto:
    """Steps [N, 3] and a hidden state [N, 4] → a sum [N, 1] and the next hidden state."""
    rng = np.random.default_rng(seed)
    weights = {
        "wx": rng.normal(0, 1, (3, 4)).astype(np.float32),
        "wh": rng.normal(0, 1, (4, 4)).astype(np.float32),
        "axis": np.array([1]),
    }
    nodes = [
        helper.make_node("MatMul", ["step", "wx"], ["a"]),
        helper.make_node("MatMul", ["hidden", "wh"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["s"]),
        helper.make_node("Tanh", ["s"], ["next"]),
        helper.make_node("ReduceSum", ["next", "axis"], ["total"]),
    ]
    inputs = [value("step", FLOAT, ["N", 3]), value("hidden", FLOAT, ["N", 4])]
    return model_of(nodes, inputs, [value("total", FLOAT, ["N", 1]), value("next", FLOAT, ["N", 4])], weights)


def embedding(words: int = 50) -> ModelProto:
    """Token ids [N, T] below `words` → the mean of their rows [N, 6], and the ids doubled."""
    rng = np.random.default_rng(1)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("ReduceMean", ["rows", "axis"], ["mean"], keepdims=0),
        helper.make_node("Add", ["ids", "ids"], ["twice"]),
    ]
    weights = {"table": rng.normal(0, 1, (words, 6)).astype(np.float32), "axis": np.array([1])}
    outputs = [value("mean", FLOAT, ["N", 6]), value("twice", INT64, ["N", "T"])]
    return model_of(nodes, [value("ids", INT64, ["N", "T"])], outputs, weights)


def branches() -> ModelProto:
    """Points [N, 4] through a matrix, in one of two branches by the sum of them all."""
    weights = {"w": np.random.default_rng(2).normal(0, 1, (4, 4)).astype(np.float32), "zero": np.float32(0)}
    relu, tanh = (
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], [f"{op} of"]), helper.make_node(op, [f"{op} of"], [op])],
            op, [], [value(op, FLOAT, ["N", 4])],
        )
        for op in ("Relu", "Tanh")
    )  # fmt: skip
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["y"], then_branch=relu, else_branch=tanh),
    ]
    return model_of(nodes, [value("x", FLOAT, ["N", 4])], [value("y", FLOAT, ["N", 4])], weights)


def reference(model: ModelProto, feeds: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """What the model's nodes compute, without onnxruntime."""
    names = [output.name for output in model.graph.output]
    return dict(zip(names, ReferenceEvaluator(model).run(None, dict(feeds)), strict=True))
