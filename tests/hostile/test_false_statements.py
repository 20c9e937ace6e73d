"""What a manifest or the goldens say wrongly of a graph ends in a typed error, at load or at the first answer."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import edge_infer
from edge_infer.errors import EdgeInferError, FormatError, GraphMismatchError, RuntimeFitError
from edge_infer.manifest import KEY_GOLDENS, KEY_MANIFEST
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, RECORD, with_documents

METHODS = ("predict", "predict_proba", "decision_function", "transform")


# --- any document -----------------------------------------------------------------------


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON document."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    for key, item in items:
        yield value, key
        yield from places(item)


_ODD = st.sampled_from(
    [
        *(None, True, False, 0, 1, 2, 5, -1, 2**31, 2**63, 2**70, 1.5, "", "x", "label", "numbers", "strings", "codes"),
        *("label_index", "probabilities", "scores", "prediction", "predict", "transform", "object", "int64", "float32"),
        *(
            "bool",
            "<U6",
            "<U4096",
            "string",
            "number",
            "array",
            [],
            {},
            [0],
            [1, 2],
            [[]],
            ["a"],
            [["a", "b"]],
            {"a": 1},
        ),
    ]
)
_STEPS = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(["put", "drop", "twice", "swap"]), _ODD), max_size=3
)


def mutate(document: Any, steps: list[tuple[int, str, Any]]) -> None:
    for number, action, odd in steps:
        spots = list(places(document))
        if not spots:
            return
        container, key = spots[number % len(spots)]
        other, other_key = spots[(number * 7 + 3) % len(spots)]
        if action == "drop":
            del container[key]
        elif action == "twice" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif action == "swap":
            container[key] = copy.deepcopy(other[other_key])
        else:
            container[key] = copy.deepcopy(odd)


DATA: dict[Path, list[Any]] = {
    PENGUINS: [RECORD, [RECORD, RECORD], [list(RECORD.values())]],
    DIABETES: [[0.0] * 10, np.zeros((2, 10))],
    DIGITS: [np.zeros((2, 64)), [1] * 64],
}


def use(data: bytes, sample: Path) -> None:
    """Everything that a program does with a model; only typed errors may come out."""
    assert edge_infer.verify(data)
    try:
        model = edge_infer.load(data)
    except EdgeInferError:
        return
    for name in ("classes_", "feature_names_in_", *METHODS):
        try:
            found = getattr(model, name)
            for rows in DATA[sample] if name in METHODS else ():
                found(rows)
        except EdgeInferError:
            continue


@pytest.mark.parametrize("key", [KEY_MANIFEST, KEY_GOLDENS])
@pytest.mark.parametrize("sample", DATA, ids=lambda path: path.stem)
@settings(max_examples=120, deadline=timedelta(seconds=5))
@given(steps=_STEPS)
def test_any_change_of_a_document_gives_answers_or_a_typed_error(
    sample: Path, key: str, steps: list[tuple[int, str, Any]]
) -> None:
    def change(document: Any) -> None:
        mutate(document, steps)

    use(with_documents(sample, **{"manifest" if key == KEY_MANIFEST else "goldens": change}), sample)


@pytest.mark.parametrize("key", [KEY_MANIFEST, KEY_GOLDENS])
@pytest.mark.parametrize(
    "value", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"format": 1}', b"0" * 10_000]
)
def test_a_document_of_another_kind_is_refused(key: str, value: bytes) -> None:
    model = onnx.load(PENGUINS)
    entry = next(entry for entry in model.metadata_props if entry.key == key)
    marker = "@" * len(value)
    entry.value = marker
    data = (
        model.SerializeToString().replace(marker.encode() or b"\0" * 99, value) if value else model.SerializeToString()
    )
    failed = [check.name for check in edge_infer.verify(data) if check.status == "failed"]
    readable = key == KEY_GOLDENS and value != b"\xff"  # ONNX itself wants UTF-8
    assert failed in ((["goldens"],) if readable else (["format"], ["limits"]))
    if key == KEY_MANIFEST:
        with pytest.raises(EdgeInferError):
            edge_infer.load(data)


# --- what a graph does otherwise than its manifest says ----------------------------------


def output(model: onnx.ModelProto, name: str) -> Any:
    return next(value for value in model.graph.output if value.name == name)


def rewired(name: str, make: Callable[[str], list[Any]]) -> Callable[[onnx.ModelProto], None]:
    """The tensor `name` is computed by new nodes from what it was before."""

    def change(model: onnx.ModelProto) -> None:
        inner = name + "/before"
        for node in model.graph.node:
            if name in node.output:
                node.output[list(node.output).index(name)] = inner
        made = make(inner)
        made[-1].output[0] = name
        at = max(i for i, node in enumerate(model.graph.node) if inner in node.output) + 1
        for node in reversed(made):
            model.graph.node.insert(at, node)
        for value in model.graph.output:
            if value.name == name:
                value.type.tensor_type.ClearField("shape")

    return change


def constant(name: str, value: Any, dtype: Any = np.int64) -> Any:
    return helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(np.array(value, dtype)))


GRAPHS: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "positions above the classes": (
        rewired("label_index", lambda x: [constant("c", [3]), helper.make_node("Add", [x, "c"], ["o"])]),
        "predict: .* positions from [345] to",
    ),
    "positions below zero": (
        rewired("label_index", lambda x: [constant("c", [-9]), helper.make_node("Add", [x, "c"], ["o"])]),
        "predict: .* positions from -",
    ),
    "positions for half of the rows": (
        rewired(
            "label_index",
            lambda x: [
                *(constant(n, [v]) for n, v in (("s", 0), ("e", 1))),
                helper.make_node("Slice", [x, "s", "e"], ["o"]),
            ],
        ),
        r"predict: .* an array of the shape \(1,\) for 2 rows",
    ),
    "positions in a matrix": (
        rewired("label_index", lambda x: [constant("c", [1]), helper.make_node("Unsqueeze", [x, "c"], ["o"])]),
        "predict: expected object answers|label",
    ),
    "positions as a fraction": (
        rewired("label_index", lambda x: [helper.make_node("Cast", [x], ["o"], to=TensorProto.FLOAT)]),
        "predict: expected object answers|label",
    ),
    "probabilities of fewer classes": (
        rewired(
            "probabilities",
            lambda x: [
                *(constant(n, [v]) for n, v in (("s", 0), ("e", 2), ("a", 1))),
                helper.make_node("Slice", [x, "s", "e", "a"], ["o"]),
            ],
        ),
        "probabilities|predict_proba",
    ),
    "a scalar for all rows": (
        rewired("probabilities", lambda x: [helper.make_node("ReduceSum", [x], ["o"], keepdims=0)]),
        "probabilities|predict_proba",
    ),
    "another width of input": (
        lambda m: m.graph.input[0].type.tensor_type.shape.dim[1].__setattr__("dim_value", 5),
        "input 'numbers': the manifest says a width of 4",
    ),
    "no width of input": (
        lambda m: m.graph.input[0].type.tensor_type.ClearField("shape"),
        "input 'numbers': the manifest says a width of 4, the graph has the shape None",
    ),
    "another dtype of input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.DOUBLE),
        "input 'numbers': the manifest says float32",
    ),
    "an input more": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])),
        "the graph's inputs are",
    ),
    "an output less": (
        lambda m: m.graph.output.remove(output(m, "scores")),
        r"decision_function needs outputs .*scores",
    ),
    "text for probabilities": (
        lambda m: setattr(output(m, "probabilities").type.tensor_type, "elem_type", TensorProto.STRING),
        "output 'probabilities': the manifest says float64, the graph gives text",
    ),
    "a node of an operator that is not": (lambda m: setattr(m.graph.node[-1], "op_type", "Guess"), "Guess"),
    "a node whose input is not": (lambda m: m.graph.node[-1].input.__setitem__(0, "nothing"), "nothing"),
    "a later opset": (lambda m: setattr(m.opset_import[0], "version", 9999), "opset|Opset"),
    "a later ir_version": (lambda m: setattr(m, "ir_version", 9999), "(?i)ir[_ ]version"),
    "no opset": (lambda m: m.ClearField("opset_import"), "false.onnx"),
}


def load_and_answer(path: Path) -> None:
    model = edge_infer.load(path)
    for method in METHODS[:3]:
        getattr(model, method)([RECORD, RECORD])


@pytest.mark.parametrize("case", GRAPHS)
def test_a_graph_that_is_not_as_the_manifest_says_is_a_typed_error_with_its_file(case: str, tmp_path: Path) -> None:
    change, message = GRAPHS[case]
    path = tmp_path / "false.onnx"
    path.write_bytes(with_documents(PENGUINS, graph=change))
    with pytest.raises((GraphMismatchError, RuntimeFitError), match=message) as caught:
        load_and_answer(path)
    assert caught.value.source == str(path)
    assert "failed" in [check.status for check in edge_infer.verify(path)]


def relabelled(model: onnx.ModelProto) -> None:
    """The labels of the graph itself change; their positions do not."""
    for tensor in model.graph.initializer:
        if list(tensor.string_data) == [b"Adelie", b"Chinstrap", b"Gentoo"]:
            tensor.string_data[0] = b"Dodo"


ELSEWHERE: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "nodes in a circle": (lambda m: m.graph.node[0].input.__setitem__(0, m.graph.node[-1].output[0]), "agreement"),
    "codes of another dtype": (
        rewired("codes", lambda x: [helper.make_node("Cast", [x], ["o"], to=TensorProto.FLOAT)]),
        "agreement",
    ),
    "codes of other texts": (
        rewired("codes", lambda x: [constant("c", [[1, 0]]), helper.make_node("Sub", [x, "c"], ["o"])]),
        "goldens",
    ),
    "other labels": (relabelled, "goldens"),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_what_is_wrong_only_for_other_hosts_fails_the_verification(case: str) -> None:
    change, name = ELSEWHERE[case]
    data = with_documents(PENGUINS, graph=change)
    assert data != with_documents(PENGUINS)
    assert edge_infer.load(data).predict(RECORD) == "Gentoo"
    failed = [check for check in edge_infer.verify(data) if check.status == "failed"]
    assert [check.name for check in failed] == [name], failed


HARMLESS: dict[str, Callable[[onnx.ModelProto], object]] = {
    "written again by onnx": lambda m: None,
    "another producer": lambda m: setattr(m, "producer_name", "someone else"),
    "a doc string": lambda m: setattr(m.graph, "doc_string", "a penguin" * 1000),
    "an output more": lambda m: m.graph.output.append(onnx.ValueInfoProto(name="label_index")),
    "outputs in another order": lambda m: m.graph.output.append(m.graph.output.pop(0)),
    "inputs in another order": lambda m: m.graph.input.append(m.graph.input.pop(0)),
    "outputs without shapes": lambda m: [value.type.tensor_type.ClearField("shape") for value in m.graph.output],
    "no goldens": lambda m: [m.metadata_props.remove(e) for e in list(m.metadata_props) if e.key == KEY_GOLDENS],
    "no edge_infer key but the manifest": lambda m: [
        m.metadata_props.remove(e) for e in list(m.metadata_props) if e.key != KEY_MANIFEST
    ],
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_does_not_change_the_answers_still_loads(case: str, tmp_path: Path) -> None:
    path = tmp_path / "true.onnx"
    path.write_bytes(with_documents(PENGUINS, graph=HARMLESS[case]))
    assert edge_infer.load(path).predict([RECORD]).tolist() == ["Gentoo"]
    assert "failed" not in [check.status for check in edge_infer.verify(path)]


def test_a_bad_side_document_names_its_file_and_does_not_stop_predictions(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(with_documents(PENGUINS, goldens=lambda d: d.pop("rows")))
    artifact = edge_infer.read_artifact(path)
    with pytest.raises(FormatError, match=r"bad\.onnx: \$: the field 'rows' is missing"):
        artifact.goldens()
    assert edge_infer.load(path).predict(RECORD) == "Gentoo"
    model = onnx.load(PENGUINS)
    for entry in model.metadata_props:
        if entry.key in ("edge_infer.parity", "edge_infer.reference"):
            entry.value = json.dumps([])
    path.write_bytes(model.SerializeToString())
    for read in (edge_infer.read_artifact(path).parity, edge_infer.read_artifact(path).reference):
        with pytest.raises(FormatError, match=r"bad\.onnx: \$: expected an object, got a list"):
            read()
