"""The bytes of ONNX files: protobuf messages field by field, read without onnx and without protobuf.

Bytes are walked by integer offset; tensor payloads are stepped over, never decoded.

Unknown fields are skipped, as protobuf does, so that files of a newer ONNX still load. What is
refused beyond protobuf: groups, and a known field with the wrong wire type.

Source: onnx.proto of onnx 1.23 (IR version 14) and
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from edge_infer.errors import NotAModelError

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
TENSOR_EXTERNAL_DATA: Final = 13
TENSOR_DATA_LOCATION: Final = 14
SPARSE_VALUES: Final = 1
SPARSE_INDICES: Final = 2
VALUE_NAME: Final = 1
VALUE_TYPE: Final = 2
TYPE_TENSOR: Final = 1
TYPE_KINDS: Final = (1, 4, 5, 7, 8, 9)  # the members of TypeProto's oneof
TENSOR_TYPE_ELEMENT: Final = 1
TENSOR_TYPE_SHAPE: Final = 2
SHAPE_DIM: Final = 1
DIM_VALUE: Final = 1
DIM_PARAM: Final = 2
OPSET_DOMAIN: Final = 1
OPSET_VERSION: Final = 2
ENTRY_KEY: Final = 1
ENTRY_VALUE: Final = 2
FUNCTION_NAME: Final = 1
FUNCTION_NODE: Final = 7
FUNCTION_DOMAIN: Final = 10
FUNCTION_ATTRIBUTE: Final = 11
TRAINING_GRAPHS: Final = (1, 2)  # initialization, algorithm

_Wires = Mapping[int, int]
Span = tuple[int, int]

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
TYPE_WIRES: Final[_Wires] = dict.fromkeys((*TYPE_KINDS, 6), LENGTH)
TENSOR_TYPE_WIRES: Final[_Wires] = {1: VARINT, 2: LENGTH}
SHAPE_WIRES: Final[_Wires] = {1: LENGTH}
DIM_WIRES: Final[_Wires] = {1: VARINT, 2: LENGTH, 3: LENGTH}
OPSET_WIRES: Final[_Wires] = {1: LENGTH, 2: VARINT}
ENTRY_WIRES: Final[_Wires] = {1: LENGTH, 2: LENGTH}
FUNCTION_WIRES: Final[_Wires] = dict.fromkeys((1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14), LENGTH)
TRAINING_WIRES: Final[_Wires] = dict.fromkeys((1, 2, 3, 4), LENGTH)

# onnx writes the floats and ints of a tree ensemble as one small field each, a million of them in
# a large forest; this steps over a whole run at once.
ATTRIBUTE_RUN: Final = re.compile(rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f])*+", re.DOTALL)

EXTERNAL: Final = 1  # TensorProto.DataLocation
_LAST_TAG: Final = 2**32 - 1
_LAST_SIZE: Final = 10  # bytes of the longest varint


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
            raise not_a_model(f"the number at byte {position:,} is cut off; the file is truncated")
    raise not_a_model(f"the number at byte {position:,} is longer than 64 bits")


def _bad_tag(at: int, tag: int) -> NotAModelError:
    number, wire = tag >> 3, tag & 7
    if number == 0 or tag > _LAST_TAG:
        return not_a_model(f"byte {at:,} is no start of a field (field number {number})")
    if wire in (VARINT, FIXED64, LENGTH, FIXED32):
        return not_a_model(f"field {number} at byte {at:,} has wire type {wire}, which ONNX does not give it")
    return not_a_model(f"field {number} at byte {at:,} has wire type {wire}, which ONNX does not use")


def _too_long(at: int, claimed: int, left: int) -> NotAModelError:
    return not_a_model(
        f"a field at byte {at:,} claims {claimed:,} bytes and {max(left, 0):,} are left; "
        "the file is truncated or is another format"
    )


def not_a_model(reason: str) -> NotAModelError:
    return NotAModelError(f"not an ONNX model: {reason}")


def single(data: bytes, span: Span, wires: _Wires, wanted: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Number, start and stop of the one field whose number is in `wanted`, if it is there."""
    found: tuple[int, int, int] | None = None
    for number, at, value, stop in fields(data, *span, wires):
        if number in wanted:
            if found is not None:
                raise not_a_model(f"field {number} at byte {at:,} repeats what may occur once")
            found = number, value, stop
    return found


def constant_name(data: bytes, kind: int, start: int, end: int) -> tuple[int, int]:
    """Where the name of an initializer stands.

    `kind` is GRAPH_INITIALIZER or GRAPH_SPARSE; a sparse one bears the name of its values.
    The span is empty where there is no name. Raises NotAModelError.
    """
    if kind == GRAPH_SPARSE:
        values = single(data, (start, end), SPARSE_WIRES, (SPARSE_VALUES,))
        _, start, end = values or (0, start, start)
    span = start, start
    for number, _, value, stop in fields(data, start, end, TENSOR_WIRES):
        if number == TENSOR_NAME:
            span = value, stop
    return span
