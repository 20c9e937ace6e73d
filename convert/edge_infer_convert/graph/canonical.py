"""The same graph → the same bytes: names by position, attributes in order, and no needless node."""

from __future__ import annotations

from collections.abc import Collection

from onnx import ModelProto, NodeProto

__all__ = ["canonicalise"]


def canonicalise(model: ModelProto, public: Collection[str]) -> None:
    """Rename in place all but the graph's inputs, outputs and the `public` tensors, and sort attributes.

    skl2onnx names nodes after steps and counters, and iterates over sets here and there; onnx orders
    attributes as keywords came. None of that may show in the digest.
    """
    graph = model.graph
    _drop_identities(model, public)
    keep = {value.name for value in [*graph.input, *graph.output]} | set(public)
    names = {name: name for name in keep}
    for i, node in enumerate(graph.node):
        for j, output in enumerate(node.output):
            if output:
                names.setdefault(output, f"t{i}" if j == 0 else f"t{i}.{j}")
    order = {name: i for i, name in enumerate(n for node in graph.node for n in _constants_read(node))}
    graph.initializer.sort(key=lambda tensor: order.get(tensor.name, len(order)))
    for i, tensor in enumerate(graph.initializer):
        names.setdefault(tensor.name, f"c{i}")
        tensor.name = names[tensor.name]
    for i, node in enumerate(graph.node):
        _rename(node, names)
        node.name = f"{node.op_type}{i}"
        node.doc_string = ""


def _constants_read(node: NodeProto) -> list[str]:
    return list(dict.fromkeys(node.input))


def _rename(node: NodeProto, names: dict[str, str]) -> None:
    node.input[:] = [names.get(name, name) for name in node.input]
    node.output[:] = [names.get(name, name) for name in node.output]
    node.attribute.sort(key=lambda attribute: attribute.name)  # in place: a large one is not copied
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                _rename(inner, names)


def _drop_identities(model: ModelProto, public: Collection[str]) -> None:
    """`x → Identity → y` with a public y and a private, produced x: x is given the name y."""
    graph = model.graph
    produced = {name for node in graph.node for name in node.output}
    public = set(public) | {value.name for value in graph.output}
    names: dict[str, str] = {}
    dropped = []
    for place, node in enumerate(graph.node):
        source, target = (node.input[0], node.output[0]) if node.op_type == "Identity" else ("", "")
        if source in produced and source not in public and source not in names and target:
            names[source] = target
        elif source and target and target not in public and source not in produced:
            names[target] = source
        else:
            continue
        dropped.append(place)
    for place in reversed(dropped):
        del graph.node[place]
    resolved = {name: _end(name, names) for name in names}
    for node in graph.node:
        _rename(node, resolved)


def _end(name: str, names: dict[str, str]) -> str:
    while name in names:
        name = names[name]
    return name
