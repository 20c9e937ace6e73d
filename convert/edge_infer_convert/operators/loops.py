"""Steps that are repeated inside the graph: ONNX Loop, and linear equations solved by elimination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.tree_ensemble import casted, computing_in

__all__ = ["Step", "any_true", "filled", "in_float64", "repeat", "solved"]

#: (number of the pass: int64 scalar, states) → (whether to go on: bool scalar, "" for always; the next states)
Step = Callable[[str, list[str]], tuple[str, list[str]]]


def repeat(builder: GraphBuilder, step: Step, states: Sequence[str], most: int, types: Sequence[int] = ()) -> list[str]:
    """The states after at most `most` passes of `step`. `types`: their ONNX element types, else the graph's."""
    kinds = list(types) or [builder.elem_type] * len(states)
    number, go_on, names = builder.name(), builder.name(), [builder.name() for _ in states]
    start = len(builder.nodes)
    further, after = step(number, names)
    ends = [builder.node("Identity", name) for name in after]  # an output must be made inside
    further = builder.node("Identity", further or go_on)
    body = builder.nodes[start:]
    del builder.nodes[start:]
    graph = helper.make_graph(
        body,
        "step",
        [_value(number, TensorProto.INT64, []), _value(go_on, TensorProto.BOOL, [])]
        + [_value(name, kind) for name, kind in zip(names, kinds, strict=True)],
        [_value(further, TensorProto.BOOL, [])] + [_value(name, kind) for name, kind in zip(ends, kinds, strict=True)],
    )
    trips, begin = builder.constant(most, np.int64), builder.constant(True, np.bool_)
    return builder.nodes_of("Loop", trips, begin, *states, outputs=len(states), body=graph)


def in_float64(builder: GraphBuilder, reads: str, make: Callable[[str], str]) -> str:
    """What `make` gives for `reads`, computed in float64 in either precision: float32 would stop at other passes."""
    if builder.dtype == np.float64:
        return make(reads)
    with computing_in(builder, "float64"):
        answer = make(casted(builder, reads))
    return casted(builder, answer)


def filled(builder: GraphBuilder, like: str, value: Any, dtype: Any = None, *, width: int = 0) -> str:
    """`value` in the shape of `like` [rows, n], or in [rows, width]."""
    shape = builder.node("Shape", like)
    if width:
        rows = builder.node("Shape", like, start=0, end=1)
        shape = builder.node("Concat", rows, builder.constant([width], np.int64), axis=0)
    return builder.node("Expand", builder.constant(value, dtype), shape)


def any_true(builder: GraphBuilder, flags: str) -> str:
    """Whether any of the flags holds: a bool scalar."""
    most = builder.node("ReduceMax", builder.node("Cast", flags, to=TensorProto.INT64), keepdims=0)
    return builder.node("Cast", most, to=TensorProto.BOOL)


def _value(name: str, kind: int, shape: Any = None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def solved(builder: GraphBuilder, matrices: str, sides: str, size: int) -> str:
    """x of A x = b for each row's symmetric positive definite A: [rows, n, n], [rows, n, m] → [rows, n, m].

    Gauss–Jordan elimination without pivots, which such matrices do not need (Higham, Accuracy and Stability of
    Numerical Algorithms, section 10.1).
    """
    whole = builder.node("Concat", matrices, sides, axis=2)
    unit = builder.constant(np.eye(size, dtype=np.bool_), np.bool_)
    second, third = builder.constant([1], np.int64), builder.constant([2], np.int64)

    def eliminate(number: str, states: list[str]) -> tuple[str, list[str]]:
        row = builder.node("Gather", states[0], number, axis=1)
        pivot = builder.node("Unsqueeze", builder.node("Gather", row, number, axis=1), second)
        row = builder.node("Unsqueeze", builder.node("Div", row, pivot), second)
        column = builder.node("Unsqueeze", builder.node("Gather", states[0], number, axis=2), third)
        others = builder.node("Sub", states[0], builder.node("Mul", column, row))
        here = builder.node("Unsqueeze", builder.node("Gather", unit, number, axis=0), second)
        return "", [builder.node("Where", here, row, others)]

    (whole,) = repeat(builder, eliminate, [whole], size)
    starts, ends = builder.constant([size], np.int64), builder.constant([2**31 - 1], np.int64)
    return builder.node("Slice", whole, starts, ends, builder.constant([2], np.int64))
