"""A finished graph as passes see it: who makes a tensor, who reads it, which are constant. Changes go through it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

__all__ = ["Codes", "Known", "View"]


class Codes(NamedTuple):
    """The tensor of text columns' codes [rows, columns]: `first` code of each column, and how many there are in all."""

    name: str
    first: tuple[int, ...]
    total: int

    def rows(self, column: int) -> slice:
        """Of a table with a row for each code, those of one column."""
        return slice(self.first[column], [*self.first, self.total][column + 1])

    def count(self, column: int) -> int:
        """Codes of one column."""
        rows = self.rows(column)
        return int(rows.stop - rows.start)


class Known(NamedTuple):
    """What is known of tensors, by name: shapes, with None for a size that varies, and types (TensorProto.DataType)."""

    shapes: dict[str, list[int | None]]
    types: dict[str, int]
    codes: Codes | None = None

    def dtype(self, tensor: str) -> np.dtype[Any] | None:
        kind = self.types.get(tensor)
        return None if kind is None else np.dtype(helper.tensor_dtype_to_np_dtype(kind))

    @classmethod
    def of(cls, inferred: ModelProto, codes: Codes | None = None) -> Known:
        """Of a model with the results of shape inference."""
        graph = inferred.graph
        dense = [(v.name, v.type.tensor_type) for v in [*graph.input, *graph.value_info, *graph.output]]
        shapes = {
            name: [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
            for name, kind in dense
            if kind.HasField("shape")
        }
        for node in graph.node:
            if node.op_type == "TreeEnsemble":  # whose shape onnx does not infer
                targets = next(attribute.i for attribute in node.attribute if attribute.name == "n_targets")
                shapes.setdefault(node.output[0], [None, targets])
        return cls(shapes, {name: kind.elem_type for name, kind in dense if kind.elem_type}, codes)


class View:
    """Nodes stay in an order in which each stands behind those that it reads."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self._taken = {name for node in model.graph.node for name in [*node.input, *node.output]} | set(self._tensors)
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._count = 0
        self._before: dict[str, NodeProto] = {}

    @property
    def nodes(self) -> list[NodeProto]:
        return list(self.model.graph.node)

    def maker(self, tensor: str, *ops: str, domain: str = "") -> NodeProto | None:
        """The node that makes a tensor, if it is one of these operators of ONNX itself, or of another domain."""
        found = self._makers.get(tensor)
        return found if found is not None and found.op_type in ops and found.domain == domain else None

    def readers(self, tensor: str) -> list[NodeProto]:
        """The nodes that read it, themselves or in a graph of theirs."""
        return [node for node in self.model.graph.node if tensor in self.reads(node)]

    def only_reader(self, tensor: str, op: str) -> NodeProto | None:
        """The one node that reads a tensor, if it is this operator; None where an output of the graph is it too."""
        readers = self.readers(tensor)
        if self.is_output(tensor) or len(readers) != 1:
            return None
        return readers[0] if readers[0].op_type == op and not readers[0].domain else None

    def is_output(self, tensor: str) -> bool:
        """Whether it is an output of the graph."""
        return any(output.name == tensor for output in self.model.graph.output)

    def is_last(self, tensor: str) -> bool:
        """Whether it is an output of the graph, or copied to one, and nothing reads it else."""
        readers = self.readers(tensor)
        if self.is_output(tensor):
            return not readers
        return len(readers) == 1 and readers[0].op_type == "Identity" and self.is_last(readers[0].output[0])

    def make_identity(self, node: NodeProto) -> None:
        """Its first input is its output from now on; the canonical form drops the node."""
        node.op_type = "Identity"
        del node.input[1:], node.attribute[:]

    def keep(self, node: NodeProto) -> None:
        """Remember a node as it is now, before a pass writes another into it; the first time counts."""
        copy = NodeProto()
        copy.CopyFrom(node)
        self._before.setdefault(node.output[0], copy)

    def as_emitted(self, node: NodeProto) -> NodeProto:
        """The node as it was before any pass wrote into it, where it was kept."""
        return self._before.get(node.output[0], node)

    def set_attributes(self, node: NodeProto, **attributes: Any) -> None:
        """In place of those that it has."""
        del node.attribute[:]
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """Its values, if it is constant."""
        found = self._tensors.get(tensor)
        return None if found is None else numpy_helper.to_array(found)

    def add_constant(self, value: NDArray[Any]) -> str:
        """The name of a new constant."""
        tensor = numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), self._fresh())
        self.model.graph.initializer.append(tensor)
        self._tensors[tensor.name] = self.model.graph.initializer[-1]
        return tensor.name

    def before(self, node: NodeProto, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node before another; its output's name."""
        made = helper.make_node(op, list(inputs), [self._fresh()], **attributes)
        place = next(i for i, other in enumerate(self.model.graph.node) if other.output == node.output)
        self.model.graph.node.insert(place, made)
        self._makers[made.output[0]] = self.model.graph.node[place]
        return str(made.output[0])

    @staticmethod
    def reads(node: NodeProto) -> set[str]:
        """The tensors that a node reads, itself or in a graph of its own."""
        names = set(node.input)
        for attribute in node.attribute:
            for graph in [attribute.g, *attribute.graphs]:
                names |= {output.name for output in graph.output}
                for inner in graph.node:
                    names |= View.reads(inner)
        return names

    def sweep(self, kept: Iterable[str]) -> None:
        """Drop nodes and constants that no output of the graph and none of `kept` needs."""
        graph = self.model.graph
        wanted = {output.name for output in graph.output} | set(kept)
        for place in reversed(range(len(graph.node))):
            node = graph.node[place]
            if wanted & set(node.output):
                wanted |= self.reads(node)
            else:
                del graph.node[place]
        for place in reversed(range(len(graph.initializer))):
            if graph.initializer[place].name not in wanted:
                del graph.initializer[place]

    def _fresh(self) -> str:
        self._count += 1
        while f"pass_{self._count}" in self._taken:
            self._count += 1
        return f"pass_{self._count}"
