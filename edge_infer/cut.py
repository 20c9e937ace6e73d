"""Cut the head or the tail off a model by copying spans of its bytes; no onnx, no protobuf.

An artifact's graph begins with string encoders and ends with label decoding. Where the caller
does both, the graph may begin at the codes and end at the label's index. Kept nodes and
initializers are copied as they are, so that the rest computes what it computed before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from edge_infer import wire
from edge_infer.errors import GraphMismatchError, NotAModelError, UsageError
from edge_infer.wire_out import header, message
from edge_infer.wire_out import number as number_field

__all__ = ["NewInput", "cut"]


class NewInput(NamedTuple):
    """A dense tensor at the new border of the graph.

    `elem_type` is a number of TensorProto.DataType; a None in `shape` is a size that varies.
    """

    name: str
    elem_type: int
    shape: tuple[int | None, ...]


class _Node(NamedTuple):
    uses: tuple[bytes, ...]  # its inputs, and every name that its subgraphs read
    outputs: tuple[bytes, ...]
    start: int
    stop: int


class _Graph(NamedTuple):
    nodes: dict[int, _Node]  # by the offset of their field
    inputs: frozenset[bytes]
    outputs: tuple[bytes, ...]


class _Plan(NamedTuple):
    nodes: frozenset[int]  # offsets of the fields to keep
    live: frozenset[bytes]  # names that a kept node or an output reads
    dropped_outputs: frozenset[bytes]
    renamed: dict[bytes, bytes]  # outputs of kept nodes that new inputs take the place of
    fed: frozenset[bytes]  # names of the new inputs


def cut(
    data: bytes,
    *,
    inputs: Sequence[NewInput] = (),
    outputs: Sequence[NewInput] = (),
    drop_outputs: Collection[str] = (),
    keep_metadata: bool = False,
) -> bytes:
    """The model with new borders, and without all that its outputs no longer need.

    Each tensor of `inputs` becomes a graph input in place of what computed it, after the graph
    inputs that are still used. Each tensor of `outputs` becomes a graph output, after the old
    outputs that are not in `drop_outputs`. Nodes, initializers and old graph inputs without a
    use go; so does all value_info, whose shapes may not hold for the new inputs. Opsets and
    functions stay; the metadata goes unless `keep_metadata`. `data` is one ONNX model that
    `scan` accepts.

    Raises GraphMismatchError if a tensor is neither computed by a node nor a graph input, if a
    dropped output is no output, or if no output is left; UsageError if a tensor is named twice;
    NotAModelError.
    """
    _check_distinct(inputs)
    _check_distinct(outputs)
    graph_field = _graph_field(data)
    graph = _read_graph(data, *graph_field[2:])
    plan = _plan(graph, inputs, outputs, drop_outputs)
    body = b"".join(_cut_graph(data, graph_field[2:], graph, plan, inputs, outputs))
    pieces: list[bytes | memoryview] = []
    view = memoryview(data)
    for number, at, _, stop in wire.fields(data, 0, len(data), wire.MODEL_WIRES):
        if number == wire.MODEL_GRAPH:
            pieces += (header(number, len(body)), body)
        elif keep_metadata or number != wire.MODEL_METADATA:
            pieces.append(view[at:stop])
    return b"".join(pieces)


def _check_distinct(tensors: Sequence[NewInput]) -> None:
    names = [tensor.name for tensor in tensors]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"the tensor {twice!r} is named twice")


# --- reading ----------------------------------------------------------------------------------


def _graph_field(data: bytes) -> tuple[int, int, int, int]:
    for field in wire.fields(data, 0, len(data), wire.MODEL_WIRES):
        if field[0] == wire.MODEL_GRAPH:
            return field
    raise NotAModelError("not an ONNX model: it has no graph")


def _read_graph(data: bytes, start: int, end: int) -> _Graph:
    nodes: dict[int, _Node] = {}
    inputs: set[bytes] = set()
    outputs: list[bytes] = []
    for number, at, value, stop in wire.fields(data, start, end, wire.GRAPH_WIRES):
        if number == wire.GRAPH_NODE:
            nodes[at] = _read_node(data, value, stop)
        elif number == wire.GRAPH_INPUT:
            inputs.add(_first_name(data, value, stop))
        elif number == wire.GRAPH_OUTPUT:
            outputs.append(_first_name(data, value, stop))
    return _Graph(nodes, frozenset(inputs), tuple(outputs))


def _read_node(data: bytes, start: int, end: int) -> _Node:
    uses: list[bytes] = []
    outputs: list[bytes] = []
    for number, _, value, stop in wire.fields(data, start, end, wire.NODE_WIRES):
        if number == wire.NODE_INPUT:
            uses.append(data[value:stop])
        elif number == wire.NODE_OUTPUT:
            outputs.append(data[value:stop])
        elif number == wire.NODE_ATTRIBUTE:
            uses += _names_in_subgraphs(data, _subgraphs(data, value, stop))
    return _Node(tuple(uses), tuple(outputs), start, end)


def _names_in_subgraphs(data: bytes, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Every name that the graphs at `spans` may take from outside, however deep."""
    pending = list(spans)
    while pending:
        for number, _, value, stop in wire.fields(data, *pending.pop(), wire.GRAPH_WIRES):
            if number == wire.GRAPH_OUTPUT:  # a subgraph may hand on an outer value as its output
                yield _first_name(data, value, stop)
            elif number == wire.GRAPH_NODE:
                for kind, _, start, end in wire.fields(data, value, stop, wire.NODE_WIRES):
                    if kind == wire.NODE_INPUT:
                        yield data[start:end]
                    elif kind == wire.NODE_ATTRIBUTE:
                        pending += _subgraphs(data, start, end)


def _subgraphs(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    for number, _, value, stop in wire.fields(data, start, end, wire.ATTRIBUTE_WIRES, wire.ATTRIBUTE_RUN):
        if number in wire.ATTRIBUTE_GRAPH:
            yield value, stop


def _first_name(data: bytes, start: int, end: int) -> bytes:
    """Field 1 of a ValueInfoProto or TensorAnnotation: the name of the tensor."""
    name = b""
    for number, _, value, stop in wire.fields(data, start, end, wire.VALUE_WIRES):
        if number == wire.VALUE_NAME:
            name = data[value:stop]
    return name


# --- deciding ---------------------------------------------------------------------------------


def _plan(
    graph: _Graph,
    inputs: Sequence[NewInput],
    outputs: Sequence[NewInput],
    drop_outputs: Collection[str],
) -> _Plan:
    producers = {name: at for at, node in graph.nodes.items() for name in node.outputs if name}
    _check_known(producers.keys() | graph.inputs, (*inputs, *outputs))
    dropped = {name.encode() for name in drop_outputs}
    if missing := dropped - set(graph.outputs):
        raise GraphMismatchError(f"the graph has no output {min(missing).decode()!r} to drop")
    ends = {tensor.name.encode() for tensor in outputs}
    roots = (set(graph.outputs) - dropped) | ends
    if not roots:
        raise GraphMismatchError("the cut leaves the graph without an output")
    fed = frozenset(tensor.name.encode() for tensor in inputs)
    nodes, live = _reach(graph, producers, roots, fed)
    taken = set(producers) | live | graph.inputs
    renamed = {name: _fresh(name, taken) for at in nodes for name in graph.nodes[at].outputs if name in fed}
    return _Plan(nodes, live, frozenset(dropped | ends), renamed, fed)


def _check_known(names: Collection[bytes], tensors: Iterable[NewInput]) -> None:
    for tensor in tensors:
        if tensor.name.encode() not in names:
            raise GraphMismatchError(
                f"the graph has no tensor {tensor.name!r}: no node computes it and it is no graph input"
            )


def _reach(
    graph: _Graph, producers: dict[bytes, int], roots: Iterable[bytes], fed: frozenset[bytes]
) -> tuple[frozenset[int], frozenset[bytes]]:
    """The nodes and names that `roots` need, without looking behind the tensors in `fed`."""
    nodes: set[int] = set()
    live: set[bytes] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name in live:
            continue
        live.add(name)
        at = None if name in fed else producers.get(name)
        if at is not None and at not in nodes:
            nodes.add(at)
            pending += graph.nodes[at].uses
    return frozenset(nodes), frozenset(live - {b""})


def _fresh(name: bytes, taken: set[bytes]) -> bytes:
    """A name for the output of a kept node whose own name a new input has taken."""
    fresh = name + b"/cut"
    while fresh in taken:
        fresh += b"_"
    taken.add(fresh)
    return fresh


# --- writing ----------------------------------------------------------------------------------


def _cut_graph(
    data: bytes,
    span: tuple[int, int],
    graph: _Graph,
    plan: _Plan,
    inputs: Sequence[NewInput],
    outputs: Sequence[NewInput],
) -> Iterator[bytes | memoryview]:
    view = memoryview(data)
    for number, at, value, stop in wire.fields(data, *span, wire.GRAPH_WIRES):
        if number == wire.GRAPH_NODE:
            if at in plan.nodes:
                names = plan.renamed.keys() & graph.nodes[at].outputs
                yield _rename(data, graph.nodes[at], plan.renamed) if names else view[at:stop]
        elif _keeps(data, plan, number, value, stop):
            yield view[at:stop]
    yield from (_value_info(wire.GRAPH_INPUT, tensor) for tensor in inputs)
    yield from (_value_info(wire.GRAPH_OUTPUT, tensor) for tensor in outputs)


def _keeps(data: bytes, plan: _Plan, number: int, start: int, stop: int) -> bool:
    if number == wire.GRAPH_VALUE_INFO:
        return False
    if number == wire.GRAPH_OUTPUT:
        return _first_name(data, start, stop) not in plan.dropped_outputs
    if number == wire.GRAPH_QUANTIZATION:
        return _first_name(data, start, stop) in plan.live
    if number == wire.GRAPH_INPUT:
        name = _first_name(data, start, stop)
    elif number in (wire.GRAPH_INITIALIZER, wire.GRAPH_SPARSE):
        # One that gave a new input its default goes too: the caller must feed that input.
        name = data[slice(*wire.constant_name(data, number, start, stop))]
    else:
        return True
    return name in plan.live and name not in plan.fed


def _rename(data: bytes, node: _Node, renamed: dict[bytes, bytes]) -> bytes:
    body = bytearray()
    for number, at, value, stop in wire.fields(data, node.start, node.stop, wire.NODE_WIRES):
        new = renamed.get(data[value:stop]) if number == wire.NODE_OUTPUT else None
        body += data[at:stop] if new is None else message(number, new)
    return message(wire.GRAPH_NODE, bytes(body))


def _value_info(field: int, tensor: NewInput) -> bytes:
    dims = b"".join(
        message(wire.SHAPE_DIM, b"" if size is None else number_field(wire.DIM_VALUE, size)) for size in tensor.shape
    )
    dense = number_field(wire.TENSOR_TYPE_ELEMENT, tensor.elem_type) + message(wire.TENSOR_TYPE_SHAPE, dims)
    kind = message(wire.VALUE_TYPE, message(wire.TYPE_TENSOR, dense))
    return message(field, message(wire.VALUE_NAME, tensor.name.encode()) + kind)
