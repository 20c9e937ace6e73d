"""What an ONNX model holds, from its bytes: a bounded scan.

The bytes are walked once. Names and metadata are sliced out. Every count is checked against
`edge_infer.limits` as it grows, and depth is an explicit stack, so that hostile bytes cost
bounded time, memory and stack. A message that occurs twice where the schema has one is refused
(protobuf would merge the two).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from edge_infer import wire
from edge_infer.errors import ForbiddenContentError, FormatError, LimitError, NotAModelError
from edge_infer.limits import LIMITS, Limits
from edge_infer.wire import fields

__all__ = ["ModelFacts", "TensorInfo", "check_contents", "read_metadata", "scan"]

# --- what is told about a model ---------------------------------------------------------------


class TensorInfo(NamedTuple):
    """One input or output of the graph.

    `elem_type` is a number of TensorProto.DataType, 0 if the value is not a dense tensor.
    `shape` has an int, a symbol or None (unknown) for each dimension; it is None when the rank
    is unknown. A negative size and an empty symbol are read as unknown, as onnxruntime does.
    """

    name: str
    elem_type: int
    shape: tuple[int | str | None, ...] | None


class ModelFacts(NamedTuple):
    """What a model holds. The domain `ai.onnx` is written as the empty string throughout.

    `operators` and `functions` are pairs of domain and name. `operators` covers what inference
    can run: the graph, its subgraphs and the functions. `nodes`, `initializers` and
    `external_data` cover the training graphs too.
    """

    ir_version: int
    producer: str
    opsets: dict[str, int]
    metadata: dict[str, bytes]
    inputs: tuple[TensorInfo, ...]  # of the main graph, without those that are initializers
    outputs: tuple[TensorInfo, ...]
    operators: frozenset[tuple[str, str]]
    nodes: int
    initializers: int
    external_data: bool
    functions: frozenset[tuple[str, str]]


def scan(data: bytes, limits: Limits = LIMITS) -> ModelFacts:
    """Read every fact of an ONNX model; one pass over `data`, without its tensor payloads.

    Raises NotAModelError (not ONNX, torn, or ambiguous), LimitError, and FormatError for a
    metadata key that occurs twice.
    """
    top = _top_level(data, limits)
    inputs, outputs = _interface(data, top.graph, limits)
    walk = _Walk(data, limits)
    walk.run(walk.graph(*top.graph))
    for number, _, value, stop in fields(data, 0, len(data), wire.MODEL_WIRES):
        if number == wire.MODEL_FUNCTION:
            walk.run(walk.function(value, stop))
    operators = frozenset(walk.operators)  # before training: inference never runs those graphs
    for number, _, value, stop in fields(data, 0, len(data), wire.MODEL_WIRES):
        if number == wire.MODEL_TRAINING:
            walk.run_training(value, stop)
    return ModelFacts(
        ir_version=top.ir_version,
        producer=top.producer,
        opsets=top.opsets,
        metadata=top.metadata,
        inputs=inputs,
        outputs=outputs,
        operators=operators,
        nodes=walk.nodes,
        initializers=walk.initializers,
        external_data=walk.external_data,
        functions=frozenset(walk.functions),
    )


def read_metadata(data: bytes, limits: Limits = LIMITS) -> dict[str, bytes]:
    """The model's metadata_props; steps over the graph, so it takes microseconds.

    Raises NotAModelError, LimitError and FormatError as `scan` does for the model's top level.
    """
    return _top_level(data, limits).metadata


_DOMAINS: Final = frozenset(
    {
        "",
        "ai.onnx.ml",
        "ai.onnx.training",
        "ai.onnx.preview.training",
        "com.microsoft",
        "com.microsoft.nchwc",
    }
)


def check_contents(facts: ModelFacts) -> None:
    """Refuse what a single, self-contained file must not hold.

    Raises ForbiddenContentError for tensors in other files and for operators of a domain that is
    neither built into onnxruntime nor defined by the model's own functions.
    """
    if facts.external_data:
        raise ForbiddenContentError(
            "the model keeps tensors in other files (external data), which are not read; "
            "save it as one file with onnx.save(model, path, save_as_external_data=False)"
        )
    allowed = _DOMAINS | {domain for domain, _ in facts.functions}
    foreign = sorted(f"{domain}:{name}" for domain, name in facts.operators if domain not in allowed)
    if foreign:
        shown = ", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else "")
        raise ForbiddenContentError(
            f"the model uses operators that onnxruntime does not have: {shown}; "
            "export it with standard ONNX operators only"
        )


def _signed(value: int, bits: int) -> int:
    """The `bits` low bits as two's complement, which is how protobuf reads int32 and int64."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _over(limit: str, bound: int, what: str) -> LimitError:
    return LimitError(f"the model has more than {bound:,} {what} (limit `{limit}` of edge_infer.limits)")


def _name(data: bytes, start: int, stop: int, limits: Limits) -> str:
    if stop - start > limits.name_bytes:
        raise LimitError(
            f"the name at byte {start:,} has {stop - start:,} bytes; at most {limits.name_bytes:,} are "
            "read (limit `name_bytes` of edge_infer.limits)"
        )
    try:
        return data[start:stop].decode()
    except UnicodeDecodeError:
        raise wire.not_a_model(f"the name at byte {start:,} is not UTF-8") from None


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


# --- the top level of the model ---------------------------------------------------------------


class _Top(NamedTuple):
    ir_version: int
    producer: str
    opsets: dict[str, int]
    metadata: dict[str, bytes]
    graph: wire.Span


def _top_level(data: bytes, limits: Limits) -> _Top:
    if len(data) > limits.model_bytes:
        raise LimitError(
            f"the model has {len(data):,} bytes; at most {limits.model_bytes:,} are read "
            "(limit `model_bytes` of edge_infer.limits)"
        )
    try:
        return _read_top(data, limits)
    except NotAModelError:
        # Guessed only after the bytes have failed: a valid model may begin with any field.
        from edge_infer.other_formats import guess_format  # only for messages

        guess = guess_format(data)
        if guess is None:
            raise
        raise wire.not_a_model(guess) from None


def _read_top(data: bytes, limits: Limits) -> _Top:
    ir_version: int | None = None
    producer = ""
    opsets: dict[str, int] = {}
    entries = _Metadata(data, limits)
    graph: wire.Span | None = None
    for number, at, value, stop in fields(data, 0, len(data), wire.MODEL_WIRES):
        if number == wire.MODEL_IR_VERSION:
            ir_version = _signed(value, 64)
        elif number == wire.MODEL_PRODUCER:
            producer = _name(data, value, stop, limits)
        elif number == wire.MODEL_OPSET:
            _add_opset(opsets, data, (value, stop), limits)
        elif number == wire.MODEL_METADATA:
            entries.add(value, stop)
        elif number == wire.MODEL_GRAPH:
            if graph is not None:
                raise wire.not_a_model(f"a second graph begins at byte {at:,}; one file holds one model")
            graph = value, stop
    if ir_version is None or ir_version < 1:
        raise wire.not_a_model("it states no ir_version")
    if graph is None:
        raise wire.not_a_model("it has no graph; the file is truncated or is another format")
    return _Top(ir_version, producer, opsets, entries.found, graph)


def _add_opset(opsets: dict[str, int], data: bytes, span: wire.Span, limits: Limits) -> None:
    domain, version = "", 0
    for number, _, value, stop in fields(data, *span, wire.OPSET_WIRES):
        if number == wire.OPSET_DOMAIN:
            domain = _domain(_name(data, value, stop, limits))
        elif number == wire.OPSET_VERSION:
            version = _signed(value, 64)
    opsets[domain] = version
    if len(opsets) > limits.metadata_entries:
        raise _over("metadata_entries", limits.metadata_entries, "opset imports")


class _Metadata:
    """The metadata_props found so far, with their count and size held to the limits."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.found: dict[str, bytes] = {}
        self._data = data
        self._limits = limits
        self._bytes = 0

    def add(self, start: int, end: int) -> None:
        data, limits = self._data, self._limits
        key_span = value_span = (start, start)
        for number, _, value, stop in fields(data, start, end, wire.ENTRY_WIRES):
            if number == wire.ENTRY_KEY:
                key_span = value, stop
            elif number == wire.ENTRY_VALUE:
                value_span = value, stop
        self._bytes += key_span[1] - key_span[0] + value_span[1] - value_span[0]
        if self._bytes > limits.metadata_bytes:  # before anything is copied
            raise _over("metadata_bytes", limits.metadata_bytes, "bytes of metadata")
        key = self._key(key_span)
        if key in self.found:
            raise FormatError(f"the metadata key {key!r} occurs twice, so its value is ambiguous")
        self.found[key] = data[slice(*value_span)]
        if len(self.found) > limits.metadata_entries:
            raise _over("metadata_entries", limits.metadata_entries, "metadata entries")

    def _key(self, span: wire.Span) -> str:
        try:
            return self._data[slice(*span)].decode()
        except UnicodeDecodeError:
            raise wire.not_a_model(f"the metadata key at byte {span[0]:,} is not UTF-8") from None


# --- the inputs and outputs of the main graph -------------------------------------------------


def _interface(data: bytes, graph: wire.Span, limits: Limits) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    constants: set[str] = set()
    for number, _, value, stop in fields(data, *graph, wire.GRAPH_WIRES):
        if number == wire.GRAPH_INPUT:
            inputs.append(_tensor_info(data, (value, stop), limits))
        elif number == wire.GRAPH_OUTPUT:
            outputs.append(_tensor_info(data, (value, stop), limits))
        elif number in (wire.GRAPH_INITIALIZER, wire.GRAPH_SPARSE):
            start, end = wire.constant_name(data, number, value, stop)
            constants.add(_name(data, start, end, limits))
            if len(constants) > limits.initializers:
                raise _over("initializers", limits.initializers, "initializers")
        if len(inputs) + len(outputs) > limits.graph_values:
            raise _over("graph_values", limits.graph_values, "inputs and outputs")
    return tuple(info for info in inputs if info.name not in constants), tuple(outputs)


def _tensor_info(data: bytes, span: wire.Span, limits: Limits) -> TensorInfo:
    name = ""
    for number, _, value, stop in fields(data, *span, wire.VALUE_WIRES):
        if number == wire.VALUE_NAME:
            name = _name(data, value, stop, limits)
    held = wire.single(data, span, wire.VALUE_WIRES, (wire.VALUE_TYPE,))
    kind = wire.single(data, held[1:], wire.TYPE_WIRES, wire.TYPE_KINDS) if held else None
    if kind is None or kind[0] != wire.TYPE_TENSOR:
        return TensorInfo(name, 0, None)
    elem_type = 0
    for number, _, value, _ in fields(data, *kind[1:], wire.TENSOR_TYPE_WIRES):
        if number == wire.TENSOR_TYPE_ELEMENT:
            elem_type = _signed(value, 32)
    shape = wire.single(data, kind[1:], wire.TENSOR_TYPE_WIRES, (wire.TENSOR_TYPE_SHAPE,))
    return TensorInfo(name, elem_type, _dims(data, shape[1:], limits) if shape else None)


def _dims(data: bytes, span: wire.Span, limits: Limits) -> tuple[int | str | None, ...]:
    dims: list[int | str | None] = []
    for number, _, value, stop in fields(data, *span, wire.SHAPE_WIRES):
        if number == wire.SHAPE_DIM:
            dims.append(_dim(data, (value, stop), limits))
    return tuple(dims)


def _dim(data: bytes, span: wire.Span, limits: Limits) -> int | str | None:
    dim: int | str | None = None
    for number, _, value, stop in fields(data, *span, wire.DIM_WIRES):
        if number == wire.DIM_VALUE:
            size = _signed(value, 64)
            dim = size if size >= 0 else None
        elif number == wire.DIM_PARAM:
            dim = _name(data, value, stop, limits) or None
    return dim


# --- every graph ------------------------------------------------------------------------------


class _Walk:
    """Counts over all graphs of one model.

    `graph` and `function` are generators that yield the spans of the subgraphs they meet, and
    `run` keeps them on its own stack: memory grows with depth only, and Python never recurses.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.operators: set[tuple[str, str]] = set()
        self.functions: set[tuple[str, str]] = set()
        self.nodes = 0
        self.initializers = 0
        self.external_data = False
        self._data = data
        self._limits = limits

    def run(self, root: Iterator[wire.Span]) -> None:
        stack = [root]
        while stack:
            span = next(stack[-1], None)
            if span is None:
                stack.pop()
                continue
            if len(stack) >= self._limits.nesting_depth:
                raise LimitError(
                    f"the graph at byte {span[0]:,} is nested more than {self._limits.nesting_depth:,} "
                    "deep (limit `nesting_depth` of edge_infer.limits)"
                )
            stack.append(self.graph(*span))

    def run_training(self, start: int, end: int) -> None:
        for number, _, value, stop in fields(self._data, start, end, wire.TRAINING_WIRES):
            if number in wire.TRAINING_GRAPHS:
                self.run(self.graph(value, stop))

    def graph(self, start: int, end: int) -> Iterator[wire.Span]:
        for number, _, value, stop in fields(self._data, start, end, wire.GRAPH_WIRES):
            if number == wire.GRAPH_NODE:
                yield from self._node(value, stop)
            elif number == wire.GRAPH_INITIALIZER:
                self._count_initializer()
                self._tensor(value, stop)
            elif number == wire.GRAPH_SPARSE:
                self._count_initializer()
                self._sparse(value, stop)

    def function(self, start: int, end: int) -> Iterator[wire.Span]:
        domain = name = ""
        for number, _, value, stop in fields(self._data, start, end, wire.FUNCTION_WIRES):
            if number == wire.FUNCTION_NODE:
                yield from self._node(value, stop)
            elif number == wire.FUNCTION_ATTRIBUTE:
                yield from self._attribute(value, stop)
            elif number == wire.FUNCTION_NAME:
                name = _name(self._data, value, stop, self._limits)
            elif number == wire.FUNCTION_DOMAIN:
                domain = _domain(_name(self._data, value, stop, self._limits))
        self.functions.add((domain, name))
        if len(self.functions) > self._limits.nodes:
            raise _over("nodes", self._limits.nodes, "functions")

    def _node(self, start: int, end: int) -> Iterator[wire.Span]:
        self.nodes += 1
        if self.nodes > self._limits.nodes:
            raise _over("nodes", self._limits.nodes, "nodes")
        data, limits = self._data, self._limits
        domain = op_type = ""
        for number, _, value, stop in fields(data, start, end, wire.NODE_WIRES):
            if number <= wire.NODE_NAME:  # inputs, outputs, name: only checked
                _name(data, value, stop, limits)
            elif number == wire.NODE_ATTRIBUTE:
                yield from self._attribute(value, stop)
            elif number == wire.NODE_OP_TYPE:
                op_type = _name(data, value, stop, limits)
            elif number == wire.NODE_DOMAIN:
                domain = _domain(_name(data, value, stop, limits))
        self.operators.add((domain, op_type))

    def _attribute(self, start: int, end: int) -> Iterator[wire.Span]:
        for number, _, value, stop in fields(self._data, start, end, wire.ATTRIBUTE_WIRES, wire.ATTRIBUTE_RUN):
            if number in wire.ATTRIBUTE_GRAPH:
                yield value, stop
            elif number in wire.ATTRIBUTE_TENSOR:
                self._tensor(value, stop)
            elif number in wire.ATTRIBUTE_SPARSE:
                self._sparse(value, stop)

    def _count_initializer(self) -> None:
        self.initializers += 1
        if self.initializers > self._limits.initializers:
            raise _over("initializers", self._limits.initializers, "initializers")

    def _sparse(self, start: int, end: int) -> None:
        for number, _, value, stop in fields(self._data, start, end, wire.SPARSE_WIRES):
            if number in (wire.SPARSE_VALUES, wire.SPARSE_INDICES):
                self._tensor(value, stop)

    def _tensor(self, start: int, end: int) -> None:
        for number, _, value, stop in fields(self._data, start, end, wire.TENSOR_WIRES):
            if number == wire.TENSOR_NAME:
                _name(self._data, value, stop, self._limits)
            elif number == wire.TENSOR_EXTERNAL_DATA or (
                number == wire.TENSOR_DATA_LOCATION and _signed(value, 32) == wire.EXTERNAL
            ):
                self.external_data = True
