"""Graphs named and ordered by place, so that the same model gives the same bytes: TensorFlow and tf2onnx count all that
they have seen in this process, and iterate over sets. The order of what a loop carries is tf2onnx's, and may differ."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import GraphProto, ModelProto, NodeProto

__all__ = ["by_place", "graphs_of"]


def by_place(model: ModelProto) -> ModelProto:
    """The model, changed in place: nodes in the order in which outputs need them, tensors called by that order; inputs
    and outputs of the whole keep their names. Nodes that nothing needs are left out, and notes of shapes."""
    for graph in reversed(list(graphs_of(model.graph))):  # inner ones first: nodes are copied
        _order(graph)
    graphs = list(graphs_of(model.graph))
    reads = reversed([name for graph in graphs for node in graph.node for name in node.input])
    read = {name: place for place, name in enumerate(reads)}
    names = {value.name: value.name for value in [*model.graph.input, *model.graph.output]}
    for graph in graphs:
        graph.initializer.sort(key=lambda tensor: -read.get(tensor.name, -1))  # as they are read
        made = [each.name for each in [*graph.input, *graph.initializer]]
        for name in filter(None, made + [output for node in graph.node for output in node.output]):
            names.setdefault(name, f"t{len(names)}")
    for number, graph in enumerate(graphs):
        _rename(graph, number, names)
    return model


def graphs_of(graph: GraphProto) -> Iterator[GraphProto]:
    """It, and those in its nodes."""
    yield graph
    for node in graph.node:
        yield from _inner(node)


def _inner(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        for inner in [attribute.g, *attribute.graphs]:
            if inner.node or inner.output:
                yield from graphs_of(inner)


def _order(graph: GraphProto) -> None:
    """Depth first from the outputs: a node after all that it reads."""
    nodes = [(node, _reads(node)) for node in graph.node]
    makers = {output: place for place, (node, _) in enumerate(nodes) for output in node.output if output}
    ordered: dict[int, None] = {}
    left = [(makers.get(value.name), False) for value in reversed(graph.output)]
    while left:
        place, ready = left.pop()
        if place is None or place in ordered:
            continue
        if ready:
            ordered[place] = None
        else:
            left.append((place, True))
            left += [(makers.get(name), False) for name in reversed(nodes[place][1])]
    kept = [nodes[place][0] for place in ordered]
    copies = [NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(copies)


def _reads(node: NodeProto) -> list[str]:
    """Its inputs, and what graphs in it may read of the graph around them."""
    return [
        *node.input,
        *(name for graph in _inner(node) for inner in graph.node for name in inner.input),
        *(value.name for graph in _inner(node) for value in graph.output),
    ]


def _rename(graph: GraphProto, number: int, names: dict[str, str]) -> None:
    graph.name = f"graph{number}"
    del graph.value_info[:]
    for each in [*graph.input, *graph.output, *graph.initializer]:
        each.name = names.get(each.name, each.name)
    for value in [*graph.input, *graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.Clear()  # its name has a number too; an input's sizes are named later
    for place, node in enumerate(graph.node):
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        node.name = f"{node.op_type}{number}.{place}"
        if not node.domain:
            node.ClearField("domain")
