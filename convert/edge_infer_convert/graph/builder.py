"""Nodes and constants of one ONNX graph, collected step by step; names are made canonical at the end."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edge_infer_convert.graph.claims import NodeClaim, TreeClaim

__all__ = ["ML", "GraphBuilder"]

ML: Final = "ai.onnx.ml"
_ELEM_TYPES: Final = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64}


class GraphBuilder:
    """A graph in the making. `dtype` is the precision that numbers are computed in."""

    def __init__(self, precision: str, opsets: dict[str, int]) -> None:
        self.dtype = np.dtype(precision)
        self.opsets = dict(opsets)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        #: By the output of a TreeEnsemble node: the fitted trees that it is, or the nodes that were read from them.
        self.claims: dict[str, TreeClaim | NodeClaim] = {}
        #: The outputs of all TreeEnsemble nodes in the finished model, in order, by the names that they had here.
        self.ensembles: list[str] = []
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._count = 0

    @property
    def elem_type(self) -> int:
        """The TensorProto.DataType of `dtype`."""
        return int(_ELEM_TYPES[self.dtype.name])

    def name(self) -> str:
        """A tensor name that nothing else has."""
        self._count += 1
        return f"_{self._count}"

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; its name."""
        output = self.name()
        self.nodes.append(helper.make_node(op, list(inputs), [output], domain=domain, **attributes))
        return output

    def nodes_of(self, op: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node with several outputs; their names."""
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names

    def constant(self, value: Any, dtype: Any = None) -> str:
        """A constant tensor, in the graph's precision unless `dtype` is given; equal ones are shared."""
        array = np.ascontiguousarray(value, dtype=self.dtype if dtype is None else dtype)
        if array.shape != np.shape(value):  # ascontiguousarray makes a scalar one-dimensional
            array = array.reshape(np.shape(value))
        tensor = numpy_helper.from_array(array)
        key = (array.dtype.str, array.shape, sha256(tensor.SerializeToString(deterministic=True)).digest())
        if key not in self._shared:
            tensor.name = self._shared[key] = self.name()
            self.constants[tensor.name] = tensor
        return self._shared[key]

    def rename(self, tensor: str, name: str) -> str:
        """Give a tensor a public name (of an input, output or cut)."""
        self.nodes.append(helper.make_node("Identity", [tensor], [name]))
        return name

    def inline(self, model: ModelProto, feeds: dict[str, str]) -> list[str]:
        """Copy the nodes of `model` in; `feeds` maps its inputs to tensors here. Its outputs' names here."""
        names = dict(feeds)
        for tensor in model.graph.initializer:
            names[tensor.name] = self._adopt(tensor)
        for node in model.graph.node:
            self.nodes.append(self._copied(node, names))
        for opset in model.opset_import:
            self.opsets[opset.domain] = max(self.opsets.get(opset.domain, 0), opset.version)
        return [names[output.name] for output in model.graph.output]

    def _adopt(self, tensor: TensorProto) -> str:
        copy = TensorProto()
        copy.CopyFrom(tensor)
        copy.name = self.name()
        self.constants[copy.name] = copy
        return copy.name

    def _copied(self, node: NodeProto, names: dict[str, str]) -> NodeProto:
        for output in node.output:
            if output:
                names[output] = self.name()
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [names.get(name, name) for name in node.input]
        copy.output[:] = [names.get(name, name) for name in node.output]
        _rename_in_subgraphs(copy, names)
        return copy

    def model(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        ir_version: int,
        kept: Sequence[str] = (),
    ) -> ModelProto:
        """The finished model, without the nodes and constants that no output needs."""
        keep = _needed(self.nodes, [*(output.name for output in outputs), *kept])
        used = {name for node in keep for name in _reads(node)}
        used_domains = {node.domain for node in keep} | {""}
        self.ensembles = [node.output[0] for node in keep if node.op_type == "TreeEnsemble"]
        opsets = [helper.make_opsetid(d, v) for d, v in sorted(self.opsets.items()) if d in used_domains]
        empty = helper.make_graph([], "edge_infer", list(inputs), list(outputs))
        model = helper.make_model(empty, opset_imports=opsets, ir_version=ir_version, producer_name="edge-infer")
        model.graph.node.extend(keep)  # last, since each of these messages copies its parts
        model.graph.initializer.extend(tensor for name, tensor in self.constants.items() if name in used)
        return model


def _rename_in_subgraphs(node: NodeProto, names: dict[str, str]) -> None:
    """Subgraphs see the names of the graph around them."""
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            outer = {old: new for old, new in names.items() if old not in own}
            for inner in graph.node:
                inner.input[:] = [outer.get(name, name) for name in inner.input]
                _rename_in_subgraphs(inner, outer)


def _reads(node: NodeProto) -> set[str]:
    """The tensors that a node needs, those that its subgraphs see included."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                names |= _reads(inner)
            names |= {output.name for output in graph.output}
    return names


def _needed(nodes: list[NodeProto], outputs: list[str]) -> list[NodeProto]:
    """The nodes that `outputs` depend on, in order."""
    wanted, keep = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            keep.append(node)
            wanted |= _reads(node)
    return keep[::-1]
