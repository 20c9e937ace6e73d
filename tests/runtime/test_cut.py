"""A cut model computes, between its new borders, what the whole model computes there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge_infer.cut import NewInput, cut
from edge_infer.errors import GraphMismatchError, NotAModelError, UsageError
from edge_infer.scan import TensorInfo, read_metadata, scan

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
_OPSETS = [helper.make_opsetid("", 19), helper.make_opsetid("ai.onnx.ml", 3)]

_Array = NDArray[Any]


def run(data: bytes, feeds: dict[str, _Array]) -> dict[str, _Array]:
    """Every output of the model; onnx's checker must accept it first."""
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def value(name: str, elem_type: int, *shape: int | str | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, elem_type, list(shape))


def serialized(graph: onnx.GraphProto) -> bytes:
    return bytes(helper.make_model(graph, opset_imports=_OPSETS, ir_version=9).SerializeToString())


def floats(name: str, values: list[float]) -> onnx.TensorProto:
    return helper.make_tensor(name, FLOAT, [len(values)], values)


def classifier() -> bytes:
    """Strings and numbers to a label: LabelEncoder, a linear model, ArgMax, Gather."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["färbe"],
            ["codes"],
            domain="ai.onnx.ml",
            keys_strings=["red", "green", "größe"],
            values_int64s=[0, 1, 2],
            default_int64=-1,
        ),
        helper.make_node("Cast", ["codes"], ["numbers"], to=FLOAT),
        helper.make_node("Concat", ["numbers", "x"], ["features"], axis=1),
        helper.make_node("MatMul", ["features", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
        helper.make_node("ArgMax", ["scores"], ["label_index"], axis=1, keepdims=0),
        helper.make_node("Gather", ["labels", "label_index"], ["label"]),
    ]
    weights = np.array([[1, -1], [0.5, 2], [-1, 0.25]], np.float32)
    graph = helper.make_graph(
        nodes,
        "classifier",
        [value("färbe", STRING, None, 1), value("x", FLOAT, None, 2)],
        [value("label", STRING, None), value("probabilities", FLOAT, None, 2)],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.array(["no", "yes"], object), "labels"),
            floats("unused", [1.0]),
        ],
        value_info=[value("codes", INT64, None, 1), value("label_index", INT64, None)],
    )
    model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=9)
    helper.set_model_props(model, {"edge_infer.manifest": "{}"})
    return bytes(model.SerializeToString())


CLASSIFIER = classifier()
CODES = NewInput("codes", INT64, (None, 1))
INDEX = NewInput("label_index", INT64, (None,))
FEEDS = {
    "färbe": np.array([["red"], ["größe"], ["blue"]], object),
    "x": np.array([[1, 0], [-3, 2], [0.5, 9]], np.float32),
}
CODE_FEEDS = {"codes": np.array([[0], [2], [-1]]), "x": FEEDS["x"]}


def test_model_fed_with_codes_answers_as_the_one_fed_with_strings() -> None:
    whole, headless = run(CLASSIFIER, FEEDS), run(cut(CLASSIFIER, inputs=[CODES]), CODE_FEEDS)
    assert list(headless) == ["label", "probabilities"]
    assert headless["label"].tolist() == whole["label"].tolist()
    assert headless["probabilities"].tobytes() == whole["probabilities"].tobytes()


def test_label_index_points_at_the_label_that_the_whole_model_gives() -> None:
    whole = run(CLASSIFIER, FEEDS)
    tailless = run(cut(CLASSIFIER, outputs=[INDEX], drop_outputs=["label"]), FEEDS)
    assert list(tailless) == ["probabilities", "label_index"]
    assert np.array(["no", "yes"])[tailless["label_index"]].tolist() == whole["label"].tolist()


def test_head_and_tail_cut_together_leave_no_string_behind() -> None:
    data = cut(CLASSIFIER, inputs=[CODES], outputs=[INDEX], drop_outputs=["label"])
    facts = scan(data)
    assert facts.inputs == (TensorInfo("x", FLOAT, (None, 2)), TensorInfo("codes", INT64, (None, 1)))
    assert facts.outputs[-1] == TensorInfo("label_index", INT64, (None,))
    assert ("ai.onnx.ml", "LabelEncoder") not in facts.operators
    assert b"yes" not in data
    labels = np.array(["no", "yes"])[run(data, CODE_FEEDS)["label_index"]]
    assert labels.tolist() == run(CLASSIFIER, FEEDS)["label"].tolist() == ["yes", "no", "yes"]


def test_input_that_only_dropped_nodes_used_is_removed() -> None:
    data = cut(CLASSIFIER, inputs=[NewInput("label_index", INT64, (None,))], drop_outputs=["probabilities"])
    assert [info.name for info in scan(data).inputs] == ["label_index"]
    assert run(data, {"label_index": np.array([1, 0])})["label"].tolist() == ["yes", "no"]


def test_unused_initializers_and_value_info_are_removed() -> None:
    graph = onnx.load_from_string(cut(CLASSIFIER)).graph
    assert [tensor.name for tensor in graph.initializer] == ["weights", "labels"]
    assert not graph.value_info


def test_kept_nodes_and_initializers_are_copied_verbatim() -> None:
    before = onnx.load_from_string(CLASSIFIER).graph
    after = onnx.load_from_string(cut(CLASSIFIER, inputs=[CODES])).graph
    assert list(after.node) == list(before.node)[1:]
    assert list(after.initializer) == list(before.initializer)[:2]


def test_metadata_goes_unless_it_is_asked_for() -> None:
    assert read_metadata(cut(CLASSIFIER)) == {}
    assert read_metadata(cut(CLASSIFIER, keep_metadata=True)) == {"edge_infer.manifest": b"{}"}


def test_everything_else_of_the_model_stays() -> None:
    model = onnx.load_from_string(CLASSIFIER)
    opset = [helper.make_opsetid("", 19)]
    double = helper.make_function("lokal", "Double", ["a"], ["b"], [helper.make_node("Add", "aa", "b")], opset)
    model.functions.append(double)
    model.opset_import.add(domain="lokal", version=1)
    unknown_field = b"\x9a\x06\x05later"
    data = cut(model.SerializeToString() + unknown_field, keep_metadata=True)
    after = onnx.load_from_string(data)
    after.graph.CopyFrom(model.graph)
    assert after.SerializeToString() == model.SerializeToString() + unknown_field


def test_cut_of_a_cut_changes_nothing_more() -> None:
    once = cut(CLASSIFIER, inputs=[CODES], outputs=[INDEX], drop_outputs=["label"])
    assert cut(once) == once


# --- subgraphs --------------------------------------------------------------------------------


def _branch(name: str, nodes: list[onnx.NodeProto], output: str) -> onnx.GraphProto:
    return helper.make_graph(nodes, name, [], [value(output, FLOAT, None)])


def capturing() -> bytes:
    """`y` needs `doubled` and `w` only inside branches of an If, one of them two graphs deep."""
    deep = helper.make_node(
        "If",
        ["flag"],
        ["deep_out"],
        then_branch=_branch("a", [helper.make_node("Add", ["doubled", "w"], ["a_out"])], "a_out"),
        else_branch=_branch("b", [helper.make_node("Identity", ["w"], ["b_out"])], "b_out"),
    )
    nodes = [
        helper.make_node("Add", ["x", "x"], ["doubled"]),
        helper.make_node("Neg", ["x"], ["unneeded"]),
        helper.make_node(
            "If",
            ["flag"],
            ["y"],
            then_branch=_branch("then", [deep], "deep_out"),
            else_branch=_branch("else", [helper.make_node("Neg", ["doubled"], ["c_out"])], "c_out"),
        ),
    ]
    inputs = [value("x", FLOAT, None), value("flag", TensorProto.BOOL)]
    constants = [floats("w", [10.0, 20.0]), floats("unused", [1.0])]
    return serialized(helper.make_graph(nodes, "capturing", inputs, [value("y", FLOAT, None)], constants))


@pytest.mark.parametrize("flag", [True, False])
def test_names_that_only_a_subgraph_uses_stay(flag: bool) -> None:
    feeds = {"x": np.array([1, 2], np.float32), "flag": np.array(flag)}
    data = cut(capturing())
    assert run(data, feeds)["y"].tolist() == run(capturing(), feeds)["y"].tolist()
    graph = onnx.load_from_string(data).graph
    assert [node.op_type for node in graph.node] == ["Add", "If"]
    assert [tensor.name for tensor in graph.initializer] == ["w"]


@pytest.mark.parametrize("flag", [True, False])
def test_subgraph_reads_a_new_input_in_place_of_what_computed_it(flag: bool) -> None:
    data = cut(capturing(), inputs=[NewInput("doubled", FLOAT, (None,))])
    assert [info.name for info in scan(data).inputs] == ["flag", "doubled"]
    answer = run(data, {"doubled": np.array([5, 6], np.float32), "flag": np.array(flag)})["y"]
    assert answer.tolist() == ([15, 26] if flag else [-5, -6])


def test_outer_tensor_that_a_subgraph_hands_on_as_its_output_stays() -> None:
    # onnxruntime refuses such a graph, but other readers of ONNX accept it.
    branch = _branch("direct", [], "doubled")
    nodes = [
        helper.make_node("Add", ["x", "x"], ["doubled"]),
        helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch),
    ]
    inputs = [value("x", FLOAT, None), value("flag", TensorProto.BOOL)]
    data = serialized(helper.make_graph(nodes, "g", inputs, [value("y", FLOAT, None)]))
    assert scan(cut(data)).nodes == 2


# --- borders ----------------------------------------------------------------------------------


def topk() -> bytes:
    """One node with two outputs that both reach the end."""
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["best", "where"]),
        helper.make_node("Cast", ["where"], ["places"], to=FLOAT),
        helper.make_node("Add", ["best", "places"], ["sum"]),
    ]
    k = helper.make_tensor("k", INT64, [1], [1])
    return serialized(helper.make_graph(nodes, "g", [value("x", FLOAT, 3)], [value("sum", FLOAT, 1)], [k]))


@pytest.mark.parametrize(("fed", "answer"), [("best", 102.0), ("where", 109.0)])
def test_new_input_replaces_one_output_of_a_node_whose_other_output_is_needed(fed: str, answer: float) -> None:
    elem_type = FLOAT if fed == "best" else INT64
    data = cut(topk(), inputs=[NewInput(fed, elem_type, (1,))])
    fed_value = np.array([100], np.float32 if fed == "best" else np.int64)
    assert run(data, {"x": np.array([1, 2, 9], np.float32), fed: fed_value})["sum"].tolist() == [answer]
    assert fed + "/cut" in onnx.load_from_string(data).graph.node[0].output


def test_fresh_name_avoids_the_names_in_use() -> None:
    model = onnx.load_from_string(topk())
    model.graph.node[2].output[0] = model.graph.output[0].name = "best/cut"
    data = cut(model.SerializeToString(), inputs=[NewInput("best", FLOAT, (1,))])
    feeds = {"x": np.array([1, 2, 9], np.float32), "best": np.array([100], np.float32)}
    assert run(data, feeds)["best/cut"].tolist() == [102.0]


def test_output_that_is_also_a_new_input_is_handed_through() -> None:
    data = cut(CLASSIFIER, inputs=[INDEX], outputs=[INDEX], drop_outputs=["label", "probabilities"])
    assert scan(data).nodes == 0
    assert run(data, {"label_index": np.array([3, 4])})["label_index"].tolist() == [3, 4]


def test_output_that_exists_is_moved_to_the_end_and_not_doubled() -> None:
    data = cut(CLASSIFIER, outputs=[NewInput("label", STRING, (None,))])
    assert list(run(data, FEEDS)) == ["probabilities", "label"]


def test_graph_input_may_be_stated_anew() -> None:
    data = cut(CLASSIFIER, inputs=[NewInput("x", FLOAT, (3, 2))])
    assert scan(data).inputs[1] == TensorInfo("x", FLOAT, (3, 2))
    assert run(data, FEEDS)["label"].tolist() == run(CLASSIFIER, FEEDS)["label"].tolist()


def test_input_with_a_default_loses_it_when_it_becomes_a_new_input() -> None:
    inputs = [value("x", FLOAT, None), value("w", FLOAT, 1)]
    node = helper.make_node("Add", ["x", "w"], ["y"])
    data = serialized(helper.make_graph([node], "g", inputs, [value("y", FLOAT, None)], [floats("w", [5.0])]))
    assert [info.name for info in scan(cut(data)).inputs] == ["x"]
    assert [info.name for info in scan(cut(data, inputs=[NewInput("w", FLOAT, (1,))])).inputs] == ["x", "w"]


def test_sparse_initializers_stay_only_when_used() -> None:
    def sparse(name: str) -> onnx.SparseTensorProto:
        at = helper.make_tensor("", INT64, [1], [1])
        return helper.make_sparse_tensor(floats(name, [7.0]), at, [3])

    node = helper.make_node("Add", ["x", "w"], ["y"])
    values = [value("x", FLOAT, 3)], [value("y", FLOAT, 3)]
    graph = helper.make_graph([node], "g", *values, sparse_initializer=[sparse("w"), sparse("unused")])
    data = cut(serialized(graph))
    assert [s.values.name for s in onnx.load_from_string(data).graph.sparse_initializer] == ["w"]
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.zeros(3, np.float32)})[0].tolist() == [0, 7, 0]


def test_quantization_notes_on_removed_tensors_go() -> None:
    model = onnx.load_from_string(CLASSIFIER)
    for name in ("scores", "label"):
        model.graph.quantization_annotation.add(tensor_name=name)
    graph = onnx.load_from_string(cut(model.SerializeToString(), drop_outputs=["label"])).graph
    assert [note.tensor_name for note in graph.quantization_annotation] == ["scores"]


def test_omitted_optional_inputs_are_no_tensor() -> None:
    nodes = [
        helper.make_node("Neg", ["x"], [""]),
        helper.make_node("Clip", ["x", "", "top"], ["y"]),
    ]
    top = helper.make_tensor("top", FLOAT, [], [1.0])
    values = [value("x", FLOAT, None)], [value("y", FLOAT, None)]
    data = cut(serialized(helper.make_graph(nodes, "g", *values, [top])))
    assert scan(data).nodes == 1
    assert run(data, {"x": np.array([-3, 3], np.float32)})["y"].tolist() == [-3, 1]


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nowhere", "weights", "Codes", ""])
def test_tensor_that_no_node_computes_is_refused(name: str) -> None:
    tensor = NewInput(name, INT64, (None,))
    with pytest.raises(GraphMismatchError, match=f"no tensor '{name}'"):
        cut(CLASSIFIER, inputs=[tensor])
    with pytest.raises(GraphMismatchError, match=f"no tensor '{name}'"):
        cut(CLASSIFIER, outputs=[tensor])


def test_tensor_inside_a_subgraph_is_no_border() -> None:
    with pytest.raises(GraphMismatchError, match="no tensor 'a_out'"):
        cut(capturing(), outputs=[NewInput("a_out", FLOAT, (None,))])


def test_dropping_what_is_no_output_is_refused() -> None:
    with pytest.raises(GraphMismatchError, match="no output 'codes' to drop"):
        cut(CLASSIFIER, drop_outputs=["codes"])


def test_cut_without_an_output_left_is_refused() -> None:
    with pytest.raises(GraphMismatchError, match="without an output"):
        cut(CLASSIFIER, drop_outputs=["label", "probabilities"])


def test_tensor_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="'codes' is named twice"):
        cut(CLASSIFIER, inputs=[CODES, CODES])


@pytest.mark.parametrize("data", [b"", b"\x08\x0a", CLASSIFIER[:-3]])
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(NotAModelError):
        cut(data)


# --- random graphs ----------------------------------------------------------------------------


@st.composite
def _networks(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """Additions and products of earlier tensors, and the names of all that they compute."""
    known, nodes = ["x0", "x1", "c"], []
    for index in range(draw(st.integers(1, 8))):
        pair = draw(st.tuples(st.sampled_from(known), st.sampled_from(known)))
        nodes.append(helper.make_node(draw(st.sampled_from(["Add", "Mul", "Sub"])), pair, [f"t{index}"]))
        known.append(f"t{index}")
    computed = known[3:]
    inputs = [value(name, FLOAT, None) for name in ("x0", "x1")]
    outputs = [value(name, FLOAT, None) for name in computed]
    return serialized(helper.make_graph(nodes, "g", inputs, outputs, [floats("c", [0.5, 3.0])])), computed


@settings(max_examples=40, deadline=timedelta(seconds=10))
@given(_networks(), st.data())
def test_any_cut_of_any_network_gives_the_bits_of_the_whole(network: tuple[bytes, list[str]], draw: Any) -> None:
    data, computed = network
    feeds = {"x0": np.array([1.5, -2], np.float32), "x1": np.array([0.25, 7], np.float32)}
    whole = run(data, feeds)
    border = draw.draw(st.lists(st.sampled_from(computed), unique=True, max_size=3))
    dropped = draw.draw(st.lists(st.sampled_from(computed), unique=True, max_size=len(computed) - 1))
    part = cut(data, inputs=[NewInput(name, FLOAT, (None,)) for name in border], drop_outputs=dropped)
    wanted = {info.name for info in scan(part).inputs}
    answers = run(part, {name: array for name, array in (feeds | whole).items() if name in wanted})
    assert answers.keys() == whole.keys() - set(dropped)
    assert set(border) <= wanted
    for name, answer in answers.items():
        assert answer.tobytes() == whole[name].tobytes()
