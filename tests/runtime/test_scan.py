"""The scanner of ONNX bytes: equal to onnx where onnx reads, and an ArtifactError elsewhere."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import onnx
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import helper

import edge_infer.scan
from edge_infer.errors import (
    ArtifactError,
    ForbiddenContentError,
    FormatError,
    LimitError,
    NotAModelError,
)
from edge_infer.limits import LIMITS, Limits
from edge_infer.scan import ModelFacts, TensorInfo, check_contents, read_metadata, scan

_BOUNDED = settings(max_examples=150, deadline=timedelta(seconds=5))

# --- bytes by hand ----------------------------------------------------------------------------


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def message(number: int, *parts: bytes) -> bytes:
    payload = b"".join(parts)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value % 2**64)


def metadata_entry(key: bytes, value: bytes) -> bytes:
    return message(14, message(1, key), message(2, value))


def model_of(*graph: bytes) -> bytes:
    return integer(1, 10) + message(7, *graph)


def relu(*more: bytes) -> bytes:
    return message(1, message(1, b"x"), message(2, b"y"), message(4, b"Relu"), *more)


def nested(depth: int) -> bytes:
    """A model whose innermost graph is `depth` deep; the main graph is the first."""
    graph = relu()
    for _ in range(depth - 1):
        graph = relu(message(5, message(6, graph)))
    return model_of(graph)


# --- the same facts, from onnx's own objects --------------------------------------------------


def facts_by_onnx(model: onnx.ModelProto) -> ModelFacts:
    main = model.graph
    operators = list(_all_nodes(main))
    for function in model.functions:
        operators += [node for owner in function.node for node in _with_inner(owner)]
        operators += [node for a in function.attribute_proto for g in _graphs(a) for node in _all_nodes(g)]
    graphs = list(_all_graphs(model))
    training = [g for t in model.training_info for g in (t.initialization, t.algorithm)]
    constants = {t.name for t in main.initializer} | {s.values.name for s in main.sparse_initializer}
    return ModelFacts(
        ir_version=model.ir_version,
        producer=model.producer_name,
        opsets={_domain(o.domain): o.version for o in model.opset_import},
        metadata={entry.key: entry.value.encode() for entry in model.metadata_props},
        inputs=tuple(_info(v) for v in main.input if v.name not in constants),
        outputs=tuple(_info(v) for v in main.output),
        operators=frozenset((_domain(node.domain), node.op_type) for node in operators),
        nodes=len(operators) + sum(1 for g in training for _ in _all_nodes(g)),
        initializers=sum(len(g.initializer) + len(g.sparse_initializer) for g in graphs),
        external_data=any(t.data_location == t.EXTERNAL or len(t.external_data) for t in _tensors(model)),
        functions=frozenset((_domain(f.domain), f.name) for f in model.functions),
    )


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _info(value: onnx.ValueInfoProto) -> TensorInfo:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        return TensorInfo(value.name, 0, None)
    if not tensor.HasField("shape"):
        return TensorInfo(value.name, tensor.elem_type, None)
    dims = tuple(_dim(dim) for dim in tensor.shape.dim)
    return TensorInfo(value.name, tensor.elem_type, dims)


def _dim(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return dim.dim_param or None


def _graphs(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    return [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _with_inner(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    yield node
    for attribute in node.attribute:
        for graph in _graphs(attribute):
            yield from _all_nodes(graph)


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield from _with_inner(node)


def _roots(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    yield model.graph
    for training in model.training_info:
        yield training.initialization
        yield training.algorithm


def _all_attributes(model: onnx.ModelProto) -> Iterator[onnx.AttributeProto]:
    for graph in _roots(model):
        for node in _all_nodes(graph):
            yield from node.attribute
    for function in model.functions:
        for owner in function.node:
            for node in _with_inner(owner):
                yield from node.attribute
        for attribute in function.attribute_proto:
            yield attribute
            for graph in _graphs(attribute):
                for node in _all_nodes(graph):
                    yield from node.attribute


def _all_graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    yield from _roots(model)
    for attribute in _all_attributes(model):
        yield from _graphs(attribute)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    sparse = []
    for graph in _all_graphs(model):
        yield from graph.initializer
        sparse += graph.sparse_initializer
    for attribute in _all_attributes(model):
        yield attribute.t
        yield from attribute.tensors
        sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for both in sparse:
        yield both.values
        yield both.indices


# --- random models ----------------------------------------------------------------------------

_names = st.text(max_size=6)
_domains = st.sampled_from(["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "lokal", "färbung.例"])
_ops = st.sampled_from(["Add", "If", "Loop", "Gather", "Größe"])
_dims = st.one_of(st.integers(0, 9), st.just(-1), _names, st.none())


@st.composite
def _some_tensors(draw: st.DrawFn) -> onnx.TensorProto:
    tensor = helper.make_tensor(draw(_names), onnx.TensorProto.INT64, [2], [1, 2])
    if draw(st.integers(0, 15)) == 15:
        tensor.external_data.add(key="location", value="weights.bin")
    if draw(st.integers(0, 15)) == 15:
        tensor.data_location = draw(st.sampled_from([tensor.DEFAULT, tensor.EXTERNAL]))
    return tensor


@st.composite
def _sparse_tensors(draw: st.DrawFn) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(draw(_some_tensors()), draw(_some_tensors()), [5])


@st.composite
def _values(draw: st.DrawFn) -> onnx.ValueInfoProto:
    name, elem_type = draw(_names), draw(st.integers(0, 28))
    shape = draw(st.none() | st.lists(_dims, max_size=3))
    dense = helper.make_tensor_type_proto(elem_type, shape)
    kinds = [
        lambda: dense,
        lambda: helper.make_sequence_type_proto(dense),
        lambda: helper.make_optional_type_proto(dense),
        lambda: helper.make_sparse_tensor_type_proto(elem_type, shape),
        lambda: helper.make_map_type_proto(onnx.TensorProto.INT64, dense),
        onnx.TypeProto,
    ]
    value = onnx.ValueInfoProto(name=name)
    if draw(st.booleans()):
        value.type.CopyFrom(draw(st.sampled_from(kinds))())
    return value


@st.composite
def _attributes(draw: st.DrawFn, depth: int) -> onnx.AttributeProto:
    numbers = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4)
    attribute = onnx.AttributeProto(name=draw(_names))
    attribute.ints.extend(draw(numbers))
    attribute.floats.extend([0.5] * draw(st.integers(0, 3)))
    attribute.strings.extend(draw(st.lists(st.binary(max_size=4), max_size=2)))
    for kind in draw(st.lists(st.sampled_from(["t", "ts", "s", "ss", "i", "g", "gs"]), max_size=2)):
        if kind == "t":
            attribute.t.CopyFrom(draw(_some_tensors()))
        elif kind == "ts":
            attribute.tensors.append(draw(_some_tensors()))
        elif kind == "s":
            attribute.sparse_tensor.CopyFrom(draw(_sparse_tensors()))
        elif kind == "ss":
            attribute.sparse_tensors.append(draw(_sparse_tensors()))
        elif kind == "i":
            attribute.i = -1
        elif kind == "g" and depth:
            attribute.g.CopyFrom(draw(_some_graphs(depth - 1)))
        elif depth:
            attribute.graphs.append(draw(_some_graphs(depth - 1)))
    return attribute


@st.composite
def _nodes(draw: st.DrawFn, depth: int) -> onnx.NodeProto:
    node = helper.make_node(draw(_ops), draw(st.lists(_names, max_size=2)), draw(st.lists(_names, max_size=2)))
    node.domain = draw(_domains)
    node.attribute.extend(draw(st.lists(_attributes(depth), max_size=2)))
    return node


@st.composite
def _some_graphs(draw: st.DrawFn, depth: int) -> onnx.GraphProto:
    graph = onnx.GraphProto(name=draw(_names))
    graph.node.extend(draw(st.lists(_nodes(depth), max_size=2)))
    graph.input.extend(draw(st.lists(_values(), max_size=3)))
    graph.output.extend(draw(st.lists(_values(), max_size=2)))
    graph.initializer.extend(draw(st.lists(_some_tensors(), max_size=2)))
    graph.sparse_initializer.extend(draw(st.lists(_sparse_tensors(), max_size=1)))
    for value, tensor in zip(graph.input, graph.initializer, strict=False):
        if draw(st.booleans()):
            tensor.name = value.name
    return graph


@st.composite
def _functions(draw: st.DrawFn) -> onnx.FunctionProto:
    function = onnx.FunctionProto(name=draw(_names), domain=draw(_domains))
    function.node.extend(draw(st.lists(_nodes(1), max_size=2)))
    function.attribute_proto.extend(draw(st.lists(_attributes(1), max_size=1)))
    return function


@st.composite
def _some_models(draw: st.DrawFn) -> onnx.ModelProto:
    model = onnx.ModelProto(ir_version=draw(st.integers(1, 99)), producer_name=draw(_names))
    model.graph.CopyFrom(draw(_some_graphs(2)))
    model.functions.extend(draw(st.lists(_functions(), max_size=2)))
    for domain, version in draw(st.dictionaries(_domains, st.integers(-1, 30), max_size=3)).items():
        model.opset_import.add(domain=domain, version=version)
    for key, value in draw(st.dictionaries(_names, _names, max_size=3)).items():
        model.metadata_props.add(key=key, value=value)
    if draw(st.booleans()):
        model.training_info.add(initialization=draw(_some_graphs(1)), algorithm=draw(_some_graphs(0)))
    return model


@_BOUNDED
@given(_some_models())
def test_facts_equal_those_of_onnx(model: onnx.ModelProto) -> None:
    data = model.SerializeToString()
    assert scan(data) == facts_by_onnx(model)
    assert read_metadata(data) == facts_by_onnx(model).metadata


# --- any bytes --------------------------------------------------------------------------------


def _rich_model() -> bytes:
    """A small model with every kind of message that the scanner reads."""
    tensor = helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [1.0])
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, "n", 3])
    inner = helper.make_graph([helper.make_node("Add", ["x", "w"], ["z"])], "inner", [], [value], [tensor])
    nodes = [
        helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner),
        helper.make_node("Twice", ["y"], ["v"], domain="lokal", factors=[1, 2], weights=[0.5, 0.25]),
    ]
    sparse = helper.make_sparse_tensor(tensor, tensor, [3])
    graph = helper.make_graph(nodes, "main", [value], [value], [tensor], sparse_initializer=[sparse])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("lokal", 1)]
    twice = helper.make_function("lokal", "Twice", ["a"], ["b"], [nodes[0]], opsets)
    model = helper.make_model(graph, functions=[twice], opset_imports=opsets, producer_name="größe")
    helper.set_model_props(model, {"edge_infer.manifest": "{}", "note": ""})
    model.training_info.add(algorithm=inner)
    return bytes(model.SerializeToString())


RICH = _rich_model()


def _scans_or_refuses(data: bytes) -> ModelFacts | None:
    try:
        return scan(data)
    except ArtifactError:
        return None


def test_every_truncation_scans_or_is_refused() -> None:
    scanned = [_scans_or_refuses(RICH[:size]) for size in range(len(RICH))]
    assert scanned[0] is None
    assert sum(facts is not None for facts in scanned) < 10, "only cuts between top-level fields can load"


@_BOUNDED
@given(st.binary(max_size=300))
@example(b"\x0a" * 300)
@example(b"\xff" * 300)
def test_random_bytes_scan_or_are_refused(data: bytes) -> None:
    facts = _scans_or_refuses(data)
    assert facts is None or facts.ir_version > 0


@settings(_BOUNDED, max_examples=600)
@given(st.lists(st.tuples(st.integers(0, len(RICH) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_flipped_bytes_never_show_the_scanner_another_model_than_onnx(flips: list[tuple[int, int]]) -> None:
    data = bytearray(RICH)
    for at, byte in flips:
        data[at] = byte
    facts = _scans_or_refuses(bytes(data))
    try:
        expected = facts_by_onnx(onnx.ModelProto.FromString(bytes(data)))
    except (DecodeError, UnicodeError, AttributeError):  # AttributeError: protobuf gives bytes for a bad str
        return
    # A tensor that occurs twice is merged by protobuf; the scanner reports external data of either.
    assert facts is None or facts._replace(external_data=expected.external_data) == expected
    assert facts is None or facts.external_data >= expected.external_data


@pytest.mark.parametrize("size", [2**32 - 1, 2**62, 2**64 - 1])
def test_a_huge_claimed_length_allocates_nothing(size: int) -> None:
    data = integer(1, 10) + b"\x3a" + varint(size) + bytes(50)
    tracemalloc.start()
    with pytest.raises(NotAModelError, match=f"claims {size:,} bytes and 50 are left"):
        scan(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


def test_payloads_are_never_copied() -> None:
    payload = bytes(8_000_000)
    data = model_of(message(5, message(8, b"w"), message(9, payload)), relu(message(5, message(4, payload))))
    tracemalloc.start()
    facts = scan(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert facts.initializers == 1
    assert peak < 200_000


def test_many_graphs_side_by_side_take_no_memory() -> None:
    data = model_of(relu(message(5, message(11, b"\x52\x00") * 50_000)))
    tracemalloc.start()
    facts = scan(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert facts.nodes == 1
    assert peak < 200_000


def test_graphs_ten_thousand_deep_do_not_exhaust_the_stack() -> None:
    data = nested(10_000)
    with pytest.raises(LimitError, match="nesting_depth"):
        scan(data)
    assert scan(data, LIMITS._replace(nesting_depth=10_000)).nodes == 10_000


# --- corruptions, each beside what must still load --------------------------------------------

PLAIN = model_of(relu())


def test_plain_model_loads() -> None:
    assert scan(PLAIN).operators == {("", "Relu")}


def _refused(data: bytes, match: str) -> None:
    with pytest.raises(NotAModelError, match=match):
        scan(data)


def test_empty_file_is_refused() -> None:
    _refused(b"", "the file is empty")


def test_torn_file_is_refused_with_the_place() -> None:
    _refused(PLAIN[:-1], "a field at byte 2 claims 14 bytes and 13 are left; the file is truncated")


def test_field_longer_than_its_message_is_refused_though_the_file_goes_on() -> None:
    _refused(model_of(b"\x0a\x05abc") + message(99, bytes(50)), "claims 5 bytes and 3 are left")


def test_fixed_field_cut_off_is_refused() -> None:
    _refused(PLAIN + b"\xf9\x07\x00\x00", "claims 8 bytes and 2 are left")


def test_varint_of_eleven_bytes_is_refused() -> None:
    _refused(PLAIN + b"\x28" + b"\x80" * 10 + b"\x01", "longer than 64 bits")


def test_varint_above_64_bits_is_refused() -> None:
    _refused(PLAIN + b"\x28" + b"\xff" * 9 + b"\x02", "longer than 64 bits")


def test_negative_number_of_ten_bytes_loads() -> None:
    assert scan(PLAIN + integer(5, -1)).nodes == 1


def test_varint_with_spare_bytes_loads() -> None:
    assert scan(PLAIN + b"\x08\x8b\x80\x00").ir_version == 11


def test_varint_cut_off_is_refused() -> None:
    _refused(PLAIN + b"\x28\x80\x80", "is cut off; the file is truncated")


def test_tag_cut_off_is_refused() -> None:
    _refused(PLAIN + b"\xa8", "is cut off; the file is truncated")


@pytest.mark.parametrize(
    "data",
    [
        integer(1, 10) + integer(7, 3),
        integer(1, 10) + message(1, b"\x0a") + message(7),
        model_of(integer(1, 3)),
        model_of(message(1, integer(4, 3))),
        model_of(message(5, integer(8, 3))),
        PLAIN + integer(14, 3),
        PLAIN + message(8, message(2, b"21")),
    ],
)
def test_wrong_wire_type_of_a_known_field_is_refused(data: bytes) -> None:
    _refused(data, "wire type")


@pytest.mark.parametrize("wire", [3, 4, 6, 7])
@pytest.mark.parametrize("number", [7, 99])
def test_groups_and_unassigned_wire_types_are_refused(number: int, wire: int) -> None:
    _refused(PLAIN + varint(number << 3 | wire), f"wire type {wire}")


_UNKNOWN = [
    integer(99, 2**64 - 1),
    varint(99 << 3 | 1) + bytes(8),
    message(99, b"later"),
    varint(99 << 3 | 5) + bytes(4),
    message(2**29 - 1, b"the last field number"),
]


@pytest.mark.parametrize("unknown", _UNKNOWN)
@pytest.mark.parametrize(
    "place",
    [
        lambda field: PLAIN + field,
        lambda field: field + PLAIN,
        lambda field: model_of(relu(), field),
        lambda field: model_of(relu(field)),
        lambda field: model_of(relu(message(5, field))),
        lambda field: model_of(relu(), message(5, field)),
        lambda field: model_of(relu(), message(11, field, message(2, field, message(1, field)))),
        lambda field: PLAIN + message(8, field) + message(14, field) + message(25, field),
    ],
)
def test_unknown_fields_load_wherever_they_are(unknown: bytes, place: Callable[[bytes], bytes]) -> None:
    facts = scan(place(unknown))
    assert ("", "Relu") in facts.operators
    assert facts.nodes == 1


def test_trailing_zeros_are_refused() -> None:
    _refused(PLAIN + bytes(4), f"byte {len(PLAIN)} is no start of a field")


def test_field_number_above_29_bits_is_refused() -> None:
    _refused(PLAIN + varint(2**32 | 2) + b"\x00", "no start of a field")


def test_model_without_graph_is_refused() -> None:
    _refused(integer(1, 10) + message(2, b"someone"), "no graph")


def test_model_with_an_empty_graph_loads() -> None:
    assert scan(integer(1, 10) + message(7)).nodes == 0


@pytest.mark.parametrize("start", [b"", integer(1, 0), integer(1, -1)])
def test_model_without_ir_version_is_refused(start: bytes) -> None:
    _refused(start + message(7, relu()), "no ir_version")


def test_fields_out_of_order_load() -> None:
    assert scan(metadata_entry(b"a", b"b") + message(7, relu()) + integer(1, 10)) == scan(
        integer(1, 10) + message(7, relu()) + metadata_entry(b"a", b"b")
    )


def test_initializers_before_the_inputs_that_they_feed_load() -> None:
    w, x = message(5, message(8, b"w")), message(11, message(1, b"x"))
    for order in ([w, message(11, message(1, b"w")), x], [x, message(11, message(1, b"w")), w]):
        assert scan(model_of(*order)).inputs == (TensorInfo("x", 0, None),)


def test_second_graph_is_refused() -> None:
    _refused(PLAIN + message(7, relu()), f"a second graph begins at byte {len(PLAIN)}")
    with pytest.raises(NotAModelError):
        read_metadata(PLAIN + message(7))


def test_last_of_a_repeated_number_counts_as_in_protobuf() -> None:
    assert scan(PLAIN + integer(1, 11)).ir_version == 11


@pytest.mark.parametrize(
    "value",
    [
        message(2, message(1)) + message(2, message(1)),
        message(2, message(1), message(1)),
        message(2, message(1), message(4)),
        message(2, message(1, message(2), message(2))),
    ],
)
def test_type_stated_twice_is_refused(value: bytes) -> None:
    _refused(model_of(message(11, value)), "repeats what may occur once")


_BAD_NAME = b"caf\xe9"


@pytest.mark.parametrize(
    "data",
    [
        model_of(message(1, message(1, _BAD_NAME))),
        model_of(message(1, message(2, _BAD_NAME))),
        model_of(message(1, message(3, _BAD_NAME))),
        model_of(message(1, message(4, _BAD_NAME))),
        model_of(message(1, message(7, _BAD_NAME))),
        model_of(message(5, message(8, _BAD_NAME))),
        model_of(message(11, message(1, _BAD_NAME))),
        model_of(message(12, message(2, message(1, message(2, message(1, message(2, _BAD_NAME))))))),
        PLAIN + message(2, _BAD_NAME),
        PLAIN + message(8, message(1, _BAD_NAME)),
        PLAIN + message(25, message(1, _BAD_NAME)),
        PLAIN + metadata_entry(_BAD_NAME, b""),
    ],
)
def test_name_that_is_not_utf8_is_refused(data: bytes) -> None:
    _refused(data, "is not UTF-8")


def test_names_in_any_script_load() -> None:
    name = "größe 例 🌡".encode()
    facts = scan(model_of(message(1, message(4, name)), message(11, message(1, name))))
    assert facts.inputs[0].name == "größe 例 🌡"
    assert facts.operators == {("", "größe 例 🌡")}


def test_metadata_value_may_be_any_bytes_or_empty_or_missing() -> None:
    data = PLAIN + metadata_entry(b"a", b"\xff\x00") + metadata_entry(b"b", b"") + message(14, message(1, b"c"))
    assert scan(data).metadata == {"a": b"\xff\x00", "b": b"", "c": b""}


def test_metadata_key_twice_is_a_format_error() -> None:
    data = PLAIN + metadata_entry(b"a", b"1") + metadata_entry(b"a", b"1")
    for read in (scan, read_metadata):
        with pytest.raises(FormatError, match="'a' occurs twice"):
            read(data)


def test_metadata_is_read_without_looking_into_the_graph() -> None:
    broken = integer(1, 10) + message(7, b"\xff" * 9) + metadata_entry(b"a", b"1")
    assert read_metadata(broken) == {"a": b"1"}
    _refused(broken, "cut off")


def test_packed_and_unpacked_numbers_load_alike() -> None:
    unpacked = message(5, *(integer(8, i) for i in range(300)), message(5, message(13)))
    packed = message(5, message(8, *(varint(i) for i in range(300))), message(5, message(13)))
    assert scan(model_of(relu(unpacked))) == scan(model_of(relu(packed)))
    assert scan(model_of(relu(unpacked))).external_data


@pytest.mark.parametrize("run", [integer(8, 5), integer(8, -1), b"\x3d\x3d\x40\x3d\x40"])
def test_tensor_behind_a_run_of_numbers_is_seen(run: bytes) -> None:
    for count in (1, 2, 1000):
        attribute = message(5, run * count, message(5, integer(14, 1)), run * count)
        assert scan(model_of(relu(attribute))).external_data


def test_run_of_numbers_cut_off_is_refused() -> None:
    _refused(model_of(relu(message(5, integer(8, 5) * 3 + b"\x40\x80"))), "cut off")
    _refused(model_of(relu(message(5, b"\x3d1234\x3d12"))), "claims 4 bytes and 2 are left")


_TENSOR = {
    "initializer": lambda t: model_of(message(5, t)),
    "sparse initializer": lambda t: model_of(message(15, message(1, t))),
    "sparse indices": lambda t: model_of(message(15, message(2, t))),
    "attribute": lambda t: model_of(relu(message(5, message(5, t)))),
    "attribute list": lambda t: model_of(relu(message(5, message(10, t)))),
    "sparse attribute": lambda t: model_of(relu(message(5, message(22, message(1, t))))),
    "sparse attribute list": lambda t: model_of(relu(message(5, message(23, message(2, t))))),
    "subgraph": lambda t: model_of(relu(message(5, message(6, message(5, t))))),
    "function": lambda t: PLAIN + message(25, message(7, message(5, message(5, t)))),
    "function attribute": lambda t: PLAIN + message(25, message(11, message(5, t))),
    "training": lambda t: PLAIN + message(20, message(2, message(5, t))),
}


@pytest.mark.parametrize("place", _TENSOR)
@pytest.mark.parametrize("tensor", [integer(14, 1), integer(14, 2**32 + 1), message(13, message(1, b"location"))])
def test_external_data_is_found_wherever_it_is(place: str, tensor: bytes) -> None:
    facts = scan(_TENSOR[place](tensor))
    assert facts.external_data
    with pytest.raises(ForbiddenContentError, match="external data"):
        check_contents(facts)


@pytest.mark.parametrize("place", _TENSOR)
def test_tensor_that_says_it_is_inside_is_allowed(place: str) -> None:
    facts = scan(_TENSOR[place](integer(14, 0) + message(9, bytes(8))))
    check_contents(facts)
    assert not facts.external_data


# --- operators --------------------------------------------------------------------------------


def _node(domain: bytes) -> bytes:
    return relu(message(7, domain))


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.training",
        "ai.onnx.preview.training",
        "com.microsoft",
        "com.microsoft.nchwc",
    ],
)
def test_operators_of_onnxruntime_are_allowed(domain: str) -> None:
    facts = scan(model_of(_node(domain.encode())))
    check_contents(facts)
    assert facts.operators == {("" if domain == "ai.onnx" else domain, "Relu")}


@pytest.mark.parametrize(
    "data",
    [
        model_of(_node(b"evil")),
        model_of(_node(b"ai.onnx ")),
        model_of(relu(message(5, message(11, _node(b"evil"))))),
        PLAIN + message(25, message(7, message(4, b"A"), message(7, b"evil"))),
    ],
)
def test_operator_of_another_domain_is_refused_wherever_it_is(data: bytes) -> None:
    with pytest.raises(ForbiddenContentError, match="operators that onnxruntime does not have"):
        check_contents(scan(data))


def test_operators_of_the_models_own_functions_are_allowed() -> None:
    facts = scan(model_of(_node(b"lokal")) + message(25, message(1, b"Relu"), message(10, b"lokal")))
    check_contents(facts)
    assert facts.functions == {("lokal", "Relu")}


def test_training_operators_do_not_count_because_inference_never_runs_them() -> None:
    facts = scan(PLAIN + message(20, message(1, _node(b"evil"))))
    assert facts.operators == {("", "Relu")}
    assert facts.nodes == 2


def test_long_list_of_foreign_operators_is_shortened() -> None:
    nodes = [message(1, message(4, b"Op%d" % i), message(7, b"evil")) for i in range(9)]
    with pytest.raises(ForbiddenContentError, match="evil:Op4 and 4 more"):
        check_contents(scan(model_of(*nodes)))


# --- limits: the bound loads, one above is refused --------------------------------------------

_VALUES = message(11, message(1, b"a")), message(12, message(1, b"b"))
_LIMITED = [
    ("model_bytes", len(PLAIN), PLAIN),
    ("nesting_depth", 3, nested(3)),
    ("nodes", 2, nested(2)),
    ("nodes", 2, PLAIN + message(25, message(7))),
    ("nodes", 2, PLAIN + message(20, message(1, relu()))),
    ("nodes", 2, PLAIN + message(25, message(1, b"a")) + message(25, message(1, b"b"))),
    ("initializers", 3, model_of(message(5), message(15), relu(message(5, message(6, message(5)))))),
    ("graph_values", 2, model_of(*_VALUES)),
    ("name_bytes", 5, model_of(message(1, message(2, b"fives")))),
    ("name_bytes", 5, model_of(message(5, message(8, b"fives")))),
    ("name_bytes", 5, model_of(message(11, message(1, b"fives")))),
    ("metadata_entries", 2, PLAIN + metadata_entry(b"a", b"") + metadata_entry(b"b", b"")),
    ("metadata_entries", 2, PLAIN + message(8, message(1, b"a")) + message(8, message(1, b"b"))),
    ("metadata_bytes", 6, PLAIN + metadata_entry(b"a", b"22") + metadata_entry(b"b", b"22")),
]


@pytest.mark.parametrize(("limit", "bound", "data"), _LIMITED)
def test_limit_holds_at_its_bound_and_not_above(limit: str, bound: int, data: bytes) -> None:
    at_bound: Limits = LIMITS._replace(**{limit: bound})
    assert scan(data, at_bound) == scan(data)
    with pytest.raises(LimitError, match=limit):
        scan(data, LIMITS._replace(**{limit: bound - 1}))


# --- other formats ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "guess"),
    [
        (b"\x80\x04\x95\x1c\x00\x00\x00", "a pickle; convert it first with `edge-infer convert`"),
        (b"\x80\x02}q\x00.", "a pickle"),
        (b"PK\x03\x04\x14\x00\x00\x00", "a zip archive"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "gzip"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\x93NUMPY\x01\x00", "NumPy array"),
        (b'{"learner": {}}', "JSON"),
        (b"<!DOCTYPE html>\n<html>", "HTML"),
        (b"\xef\xbb\xbf\n<html>", "HTML"),
        (b"tree\nversion=v4\n", "text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "git lfs pull"),
        (b"\x18\x00\x00\x00ORTM\x00\x00", "an onnxruntime .ort file"),
        (b"\x1c\x00\x00\x00TFL3\x00\x00", "a TensorFlow Lite file"),
        (bytes(64), "zero bytes"),
    ],
)
def test_other_format_is_named(data: bytes, guess: str) -> None:
    for read in (scan, read_metadata):
        with pytest.raises(NotAModelError, match=guess):
            read(data)


def test_model_that_begins_like_another_format_loads() -> None:
    zip_like = b"PK" + PLAIN  # field 10, a varint that no ONNX has yet
    assert scan(zip_like).nodes == 1


# --- weight -----------------------------------------------------------------------------------


_IMPORTED = """
import sys, types
package = types.ModuleType("edge_infer")  # without its __init__, which may import more
package.__path__ = ["edge_infer"]
sys.modules["edge_infer"] = package
import edge_infer.cut
print([name for name in ("onnx", "google", "numpy", "dataclasses") if name in sys.modules])
"""


def test_scanner_imports_neither_onnx_nor_protobuf_nor_numpy() -> None:
    root = Path(edge_infer.scan.__file__).parents[1]
    command = [sys.executable, "-c", _IMPORTED]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=root)
    assert ran.stdout.strip() == "[]", ran.stderr
