"""A bounded scanner of ONNX files: what a model holds, read without onnx and without protobuf.

The bytes are walked once by integer offset. Names and metadata are sliced out; tensor payloads
are stepped over, never decoded. Every count is checked against `edge_infer.limits` as it grows,
and depth is an explicit stack, so that hostile bytes cost bounded time, memory and stack.

Unknown fields are skipped, as protobuf does, so that files of a newer ONNX still load. What is
refused beyond protobuf: groups, a known field with the wrong wire type, and a message that
occurs twice where the schema has one (protobuf would merge the two).

Source: onnx.proto of onnx 1.23 (IR version 14) and
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from edge_infer.errors import ForbiddenContentError, FormatError, LimitError, NotAModelError
from edge_infer.limits import LIMITS, Limits

__all__ = ["ModelFacts", "TensorInfo", "check_contents", "read_metadata", "scan"]

# --- the schema: field numbers, and the wire type that each known field must have -------------

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

MODEL_IR_VERSION: Final = 1
MODEL_PRODUCER: Final = 2
MODEL_GRAPH: Final = 7
MODEL_OPSET: Final = 8
MODEL_METADATA: Final = 14
MODEL_TRAINING: Final = 20
MODEL_FUNCTION: Final = 25
GRAPH_NODE: Final = 1
GRAPH_INITIALIZER: Final = 5
GRAPH_INPUT: Final = 11
GRAPH_OUTPUT: Final = 12
GRAPH_VALUE_INFO: Final = 13
GRAPH_QUANTIZATION: Final = 14
GRAPH_SPARSE: Final = 15
NODE_INPUT: Final = 1
NODE_OUTPUT: Final = 2
NODE_NAME: Final = 3
NODE_OP_TYPE: Final = 4
NODE_ATTRIBUTE: Final = 5
NODE_DOMAIN: Final = 7
ATTRIBUTE_TENSOR: Final = (5, 10)  # t, tensors
ATTRIBUTE_GRAPH: Final = (6, 11)  # g, graphs
ATTRIBUTE_SPARSE: Final = (22, 23)  # sparse_tensor, sparse_tensors
TENSOR_NAME: Final = 8
_TENSOR_EXTERNAL_DATA: Final = 13
_TENSOR_DATA_LOCATION: Final = 14
SPARSE_VALUES: Final = 1
_SPARSE_INDICES: Final = 2
VALUE_NAME: Final = 1
VALUE_TYPE: Final = 2
TYPE_TENSOR: Final = 1
_TYPE_KINDS: Final = (1, 4, 5, 7, 8, 9)  # the members of TypeProto's oneof
TENSOR_TYPE_ELEMENT: Final = 1
TENSOR_TYPE_SHAPE: Final = 2
SHAPE_DIM: Final = 1
DIM_VALUE: Final = 1
_DIM_PARAM: Final = 2
_OPSET_DOMAIN: Final = 1
_OPSET_VERSION: Final = 2
_ENTRY_KEY: Final = 1
_ENTRY_VALUE: Final = 2
_FUNCTION_NAME: Final = 1
_FUNCTION_NODE: Final = 7
_FUNCTION_DOMAIN: Final = 10
_FUNCTION_ATTRIBUTE: Final = 11
_TRAINING_GRAPHS: Final = (1, 2)  # initialization, algorithm

_Wires = Mapping[int, int]
_Span = tuple[int, int]

_UNCHECKED: Final[_Wires] = {}
MODEL_WIRES: Final[_Wires] = {1: VARINT, 5: VARINT} | dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25), LENGTH)
GRAPH_WIRES: Final[_Wires] = dict.fromkeys((1, 2, 5, 10, 11, 12, 13, 14, 15, 16), LENGTH)
NODE_WIRES: Final[_Wires] = dict.fromkeys(range(1, 10), LENGTH)
# `floats` and `ints` may be packed or not, so their wire type is left open.
ATTRIBUTE_WIRES: Final[_Wires] = {2: FIXED32, 3: VARINT, 20: VARINT} | dict.fromkeys(
    (1, 4, 5, 6, 9, 10, 11, 13, 14, 15, 21, 22, 23), LENGTH
)
TENSOR_WIRES: Final[_Wires] = {2: VARINT, 14: VARINT} | dict.fromkeys((3, 6, 8, 9, 12, 13, 16), LENGTH)
SPARSE_WIRES: Final[_Wires] = dict.fromkeys((1, 2), LENGTH)
VALUE_WIRES: Final[_Wires] = dict.fromkeys((1, 2, 3, 4), LENGTH)
_TYPE_WIRES: Final[_Wires] = dict.fromkeys((*_TYPE_KINDS, 6), LENGTH)
_TENSOR_TYPE_WIRES: Final[_Wires] = {1: VARINT, 2: LENGTH}
_SHAPE_WIRES: Final[_Wires] = {1: LENGTH}
_DIM_WIRES: Final[_Wires] = {1: VARINT, 2: LENGTH, 3: LENGTH}
_OPSET_WIRES: Final[_Wires] = {1: LENGTH, 2: VARINT}
_ENTRY_WIRES: Final[_Wires] = {1: LENGTH, 2: LENGTH}
_FUNCTION_WIRES: Final[_Wires] = dict.fromkeys((1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14), LENGTH)
_TRAINING_WIRES: Final[_Wires] = dict.fromkeys((1, 2, 3, 4), LENGTH)

# onnx writes the floats and ints of a tree ensemble as one small field each, a million of them in
# a large forest; this steps over a whole run at once.
ATTRIBUTE_RUN: Final = re.compile(rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f])*+", re.DOTALL)

_EXTERNAL: Final = 1  # TensorProto.DataLocation
_LAST_TAG: Final = 2**32 - 1
_LAST_SIZE: Final = 10  # bytes of the longest varint


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
    for number, _, value, stop in fields(data, 0, len(data), MODEL_WIRES):
        if number == MODEL_FUNCTION:
            walk.run(walk.function(value, stop))
    operators = frozenset(walk.operators)  # before training: inference never runs those graphs
    for number, _, value, stop in fields(data, 0, len(data), MODEL_WIRES):
        if number == MODEL_TRAINING:
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


# --- fields -----------------------------------------------------------------------------------


def fields(
    data: bytes,
    start: int,
    end: int,
    wires: _Wires = _UNCHECKED,
    run: re.Pattern[bytes] | None = None,
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, at, value, stop) for each field of the message data[start:end].

    The whole field is data[at:stop]. `value` is the unsigned 64-bit integer of a varint field;
    otherwise it is an offset, and data[value:stop] is the payload. `wires` gives the wire type
    that known fields must have. `run` matches scalar fields that the caller does not read; such
    a stretch is stepped over when it follows another scalar field.

    Raises NotAModelError where the bytes are not a protobuf message.
    """
    position = start
    while position < end:
        at = position
        tag = data[at]
        position += 1
        if tag > 0x7F:
            tag, position = _varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        if number == 0 or tag > _LAST_TAG or wires.get(number, wire) != wire:
            raise _bad_tag(at, tag)
        if wire == LENGTH:
            if position < end and data[position] < 0x80:
                value = position + 1
                stop = value + data[position]
            else:
                size, value = _varint(data, position, end)
                stop = value + size
        elif wire == VARINT:
            value, stop = _varint(data, position, end)
        elif wire in (FIXED32, FIXED64):
            value, stop = position, position + (4 if wire == FIXED32 else 8)
        else:
            raise _bad_tag(at, tag)
        if stop > end:
            raise _too_long(at, stop - value, end - value)
        yield number, at, value, stop
        position = stop
        if run is not None and wire != LENGTH and (match := run.match(data, position, end)):
            position = match.end()


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    for at in range(position, min(end, position + _LAST_SIZE)):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, at + 1
        shift += 7
    else:
        if end - position < _LAST_SIZE:
            raise _not_a_model(f"the number at byte {position:,} is cut off; the file is truncated")
    raise _not_a_model(f"the number at byte {position:,} is longer than 64 bits")


def _signed(value: int, bits: int) -> int:
    """The `bits` low bits as two's complement, which is how protobuf reads int32 and int64."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _bad_tag(at: int, tag: int) -> NotAModelError:
    number, wire = tag >> 3, tag & 7
    if number == 0 or tag > _LAST_TAG:
        return _not_a_model(f"byte {at:,} is no start of a field (field number {number})")
    if wire in (VARINT, FIXED64, LENGTH, FIXED32):
        return _not_a_model(f"field {number} at byte {at:,} has wire type {wire}, which ONNX does not give it")
    return _not_a_model(f"field {number} at byte {at:,} has wire type {wire}, which ONNX does not use")


def _too_long(at: int, claimed: int, left: int) -> NotAModelError:
    return _not_a_model(
        f"a field at byte {at:,} claims {claimed:,} bytes and {max(left, 0):,} are left; "
        "the file is truncated or is another format"
    )


def _not_a_model(reason: str) -> NotAModelError:
    return NotAModelError(f"not an ONNX model: {reason}")


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
        raise _not_a_model(f"the name at byte {start:,} is not UTF-8") from None


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _single(data: bytes, span: _Span, wires: _Wires, wanted: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Number, start and stop of the one field whose number is in `wanted`, if it is there."""
    found: tuple[int, int, int] | None = None
    for number, at, value, stop in fields(data, *span, wires):
        if number in wanted:
            if found is not None:
                raise _not_a_model(f"field {number} at byte {at:,} repeats what may occur once")
            found = number, value, stop
    return found


# --- the top level of the model ---------------------------------------------------------------


class _Top(NamedTuple):
    ir_version: int
    producer: str
    opsets: dict[str, int]
    metadata: dict[str, bytes]
    graph: _Span


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
        raise _not_a_model(guess) from None


def _read_top(data: bytes, limits: Limits) -> _Top:
    ir_version: int | None = None
    producer = ""
    opsets: dict[str, int] = {}
    entries = _Metadata(data, limits)
    graph: _Span | None = None
    for number, at, value, stop in fields(data, 0, len(data), MODEL_WIRES):
        if number == MODEL_IR_VERSION:
            ir_version = _signed(value, 64)
        elif number == MODEL_PRODUCER:
            producer = _name(data, value, stop, limits)
        elif number == MODEL_OPSET:
            _add_opset(opsets, data, (value, stop), limits)
        elif number == MODEL_METADATA:
            entries.add(value, stop)
        elif number == MODEL_GRAPH:
            if graph is not None:
                raise _not_a_model(f"a second graph begins at byte {at:,}; one file holds one model")
            graph = value, stop
    if ir_version is None or ir_version < 1:
        raise _not_a_model("it states no ir_version")
    if graph is None:
        raise _not_a_model("it has no graph; the file is truncated or is another format")
    return _Top(ir_version, producer, opsets, entries.found, graph)


def _add_opset(opsets: dict[str, int], data: bytes, span: _Span, limits: Limits) -> None:
    domain, version = "", 0
    for number, _, value, stop in fields(data, *span, _OPSET_WIRES):
        if number == _OPSET_DOMAIN:
            domain = _domain(_name(data, value, stop, limits))
        elif number == _OPSET_VERSION:
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
        for number, _, value, stop in fields(data, start, end, _ENTRY_WIRES):
            if number == _ENTRY_KEY:
                key_span = value, stop
            elif number == _ENTRY_VALUE:
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

    def _key(self, span: _Span) -> str:
        try:
            return self._data[slice(*span)].decode()
        except UnicodeDecodeError:
            raise _not_a_model(f"the metadata key at byte {span[0]:,} is not UTF-8") from None


# --- the inputs and outputs of the main graph -------------------------------------------------


def _interface(data: bytes, graph: _Span, limits: Limits) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    constants: set[str] = set()
    for number, _, value, stop in fields(data, *graph, GRAPH_WIRES):
        if number == GRAPH_INPUT:
            inputs.append(_tensor_info(data, (value, stop), limits))
        elif number == GRAPH_OUTPUT:
            outputs.append(_tensor_info(data, (value, stop), limits))
        elif number in (GRAPH_INITIALIZER, GRAPH_SPARSE):
            start, end = constant_name(data, number, value, stop)
            constants.add(_name(data, start, end, limits))
            if len(constants) > limits.initializers:
                raise _over("initializers", limits.initializers, "initializers")
        if len(inputs) + len(outputs) > limits.graph_values:
            raise _over("graph_values", limits.graph_values, "inputs and outputs")
    return tuple(info for info in inputs if info.name not in constants), tuple(outputs)


def constant_name(data: bytes, kind: int, start: int, end: int) -> tuple[int, int]:
    """Where the name of an initializer stands.

    `kind` is GRAPH_INITIALIZER or GRAPH_SPARSE; a sparse one bears the name of its values.
    The span is empty where there is no name. Raises NotAModelError.
    """
    if kind == GRAPH_SPARSE:
        values = _single(data, (start, end), SPARSE_WIRES, (SPARSE_VALUES,))
        _, start, end = values or (0, start, start)
    span = start, start
    for number, _, value, stop in fields(data, start, end, TENSOR_WIRES):
        if number == TENSOR_NAME:
            span = value, stop
    return span


def _tensor_info(data: bytes, span: _Span, limits: Limits) -> TensorInfo:
    name = ""
    for number, _, value, stop in fields(data, *span, VALUE_WIRES):
        if number == VALUE_NAME:
            name = _name(data, value, stop, limits)
    held = _single(data, span, VALUE_WIRES, (VALUE_TYPE,))
    kind = _single(data, held[1:], _TYPE_WIRES, _TYPE_KINDS) if held else None
    if kind is None or kind[0] != TYPE_TENSOR:
        return TensorInfo(name, 0, None)
    elem_type = 0
    for number, _, value, _ in fields(data, *kind[1:], _TENSOR_TYPE_WIRES):
        if number == TENSOR_TYPE_ELEMENT:
            elem_type = _signed(value, 32)
    shape = _single(data, kind[1:], _TENSOR_TYPE_WIRES, (TENSOR_TYPE_SHAPE,))
    return TensorInfo(name, elem_type, _dims(data, shape[1:], limits) if shape else None)


def _dims(data: bytes, span: _Span, limits: Limits) -> tuple[int | str | None, ...]:
    dims: list[int | str | None] = []
    for number, _, value, stop in fields(data, *span, _SHAPE_WIRES):
        if number == SHAPE_DIM:
            dims.append(_dim(data, (value, stop), limits))
    return tuple(dims)


def _dim(data: bytes, span: _Span, limits: Limits) -> int | str | None:
    dim: int | str | None = None
    for number, _, value, stop in fields(data, *span, _DIM_WIRES):
        if number == DIM_VALUE:
            size = _signed(value, 64)
            dim = size if size >= 0 else None
        elif number == _DIM_PARAM:
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

    def run(self, root: Iterator[_Span]) -> None:
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
        for number, _, value, stop in fields(self._data, start, end, _TRAINING_WIRES):
            if number in _TRAINING_GRAPHS:
                self.run(self.graph(value, stop))

    def graph(self, start: int, end: int) -> Iterator[_Span]:
        for number, _, value, stop in fields(self._data, start, end, GRAPH_WIRES):
            if number == GRAPH_NODE:
                yield from self._node(value, stop)
            elif number == GRAPH_INITIALIZER:
                self._count_initializer()
                self._tensor(value, stop)
            elif number == GRAPH_SPARSE:
                self._count_initializer()
                self._sparse(value, stop)

    def function(self, start: int, end: int) -> Iterator[_Span]:
        domain = name = ""
        for number, _, value, stop in fields(self._data, start, end, _FUNCTION_WIRES):
            if number == _FUNCTION_NODE:
                yield from self._node(value, stop)
            elif number == _FUNCTION_ATTRIBUTE:
                yield from self._attribute(value, stop)
            elif number == _FUNCTION_NAME:
                name = _name(self._data, value, stop, self._limits)
            elif number == _FUNCTION_DOMAIN:
                domain = _domain(_name(self._data, value, stop, self._limits))
        self.functions.add((domain, name))
        if len(self.functions) > self._limits.nodes:
            raise _over("nodes", self._limits.nodes, "functions")

    def _node(self, start: int, end: int) -> Iterator[_Span]:
        self.nodes += 1
        if self.nodes > self._limits.nodes:
            raise _over("nodes", self._limits.nodes, "nodes")
        data, limits = self._data, self._limits
        domain = op_type = ""
        for number, _, value, stop in fields(data, start, end, NODE_WIRES):
            if number <= NODE_NAME:  # inputs, outputs, name: only checked
                _name(data, value, stop, limits)
            elif number == NODE_ATTRIBUTE:
                yield from self._attribute(value, stop)
            elif number == NODE_OP_TYPE:
                op_type = _name(data, value, stop, limits)
            elif number == NODE_DOMAIN:
                domain = _domain(_name(data, value, stop, limits))
        self.operators.add((domain, op_type))

    def _attribute(self, start: int, end: int) -> Iterator[_Span]:
        for number, _, value, stop in fields(self._data, start, end, ATTRIBUTE_WIRES, ATTRIBUTE_RUN):
            if number in ATTRIBUTE_GRAPH:
                yield value, stop
            elif number in ATTRIBUTE_TENSOR:
                self._tensor(value, stop)
            elif number in ATTRIBUTE_SPARSE:
                self._sparse(value, stop)

    def _count_initializer(self) -> None:
        self.initializers += 1
        if self.initializers > self._limits.initializers:
            raise _over("initializers", self._limits.initializers, "initializers")

    def _sparse(self, start: int, end: int) -> None:
        for number, _, value, stop in fields(self._data, start, end, SPARSE_WIRES):
            if number in (SPARSE_VALUES, _SPARSE_INDICES):
                self._tensor(value, stop)

    def _tensor(self, start: int, end: int) -> None:
        for number, _, value, stop in fields(self._data, start, end, TENSOR_WIRES):
            if number == TENSOR_NAME:
                _name(self._data, value, stop, self._limits)
            elif number == _TENSOR_EXTERNAL_DATA or (
                number == _TENSOR_DATA_LOCATION and _signed(value, 32) == _EXTERNAL
            ):
                self.external_data = True
