"""A graph of a network joined into another, without a framework: names, functions, opsets and precisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.networks import find_network
from edge_infer_convert.networks.joining import join_graph


def network(opset: int = 20, inputs: int = 1) -> onnx.ModelProto:
    """x [rows, 2] → where its sum is positive 2 x, else −x; by a function, a branch that sees outer tensors, and
    names that a GraphBuilder gives too."""
    double = helper.make_function("own", "Double", ["a"], ["_1"], [helper.make_node("Add", ["a", "a"], ["_1"])], [
        helper.make_opsetid("", opset)
    ])  # fmt: skip
    branch = {
        name: helper.make_graph([helper.make_node(op, ["_2"], [f"_{name}"])], name, [], [
            helper.make_tensor_value_info(f"_{name}", TensorProto.FLOAT, None)
        ])
        for name, op in (("then", "Identity"), ("else", "Neg"))
    }  # fmt: skip
    nodes = [
        helper.make_node("Double", ["x"], ["_1"], domain="own"),
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["above"]),
        helper.make_node("Where", ["above", "_1", "x"], ["_2"]),
        helper.make_node("If", ["above"], ["y"], then_branch=branch["then"], else_branch=branch["else"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "z")[:inputs]]
    graph = helper.make_graph(nodes, "network", values, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    graph.initializer.append(numpy_helper.from_array(np.zeros((), np.float32), "zero"))
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, functions=[double], opset_imports=opsets, ir_version=10)


def joined(precision: str, model: onnx.ModelProto) -> Any:
    """A session of a graph around the network: 1 is added before it and after it."""
    builder = GraphBuilder(precision, {"": 18})
    before = builder.node("Add", "rows", builder.constant(1.0))
    (answer,) = join_graph(builder, model, before)
    builder.rename(builder.node("Add", answer, builder.constant(1.0)), "answer")
    kind = builder.elem_type
    value = helper.make_tensor_value_info("rows", kind, ["rows", 2])
    made = builder.model([value], [helper.make_tensor_value_info("answer", kind, None)], 8)
    return made, onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("opset", [18, 20])
def test_a_network_answers_inside_a_graph_as_alone(precision: str, opset: int) -> None:
    made, session = joined(precision, network(opset))
    assert not made.functions
    assert {entry.version for entry in made.opset_import if not entry.domain} == {18}
    for x in np.random.default_rng(0).normal(size=(1000, 3, 2)).astype(precision):
        inside = (x + 1).astype(np.float32)  # the network's own door
        wanted = 2 * inside if inside.sum(dtype=np.float32) > 0 else -inside
        got = session.run(None, {"rows": x})[0]
        assert got.dtype == precision
        np.testing.assert_array_equal(got, wanted.astype(precision) + 1)


def test_a_network_of_two_inputs_is_no_step_of_a_pipeline() -> None:
    with pytest.raises(UnsupportedModelError, match=r"several inputs \(x, z\)"):
        joined("float32", network(inputs=2))


def test_an_estimator_is_a_network_by_the_class_that_it_is_made_from_and_others_are_not() -> None:
    base = type("NeuralNet", (), {"__module__": "mylib.net", "fit": lambda self: self})
    assert find_network(type("Own", (base,), {})()) is None
    assert find_network(np.zeros(3)) is None
