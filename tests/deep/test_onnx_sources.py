"""Other people's ONNX: checked, cleaned, proven against the file as it came, and against onnx's reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import edge_infer
from edge_infer.errors import SchemaError, UnsupportedModelError, UntrustedSourceError, UsageError
from edge_infer_convert import Conversion, convert, load_estimator
from edge_infer_convert.deep.inputs import spec_of
from tests.deep.graphs import FLOAT, convnet, embedding, model_of, recurrent, reference, value

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 1, (1000, 1, 8, 8)).astype(np.float32)


def shapes(made: Conversion) -> dict[str, tuple[Any, ...]]:
    assert made.manifest.interface is not None
    return {spec.name: spec.shape for spec in (*made.manifest.interface.inputs, *made.manifest.interface.outputs)}


def test_a_network_gives_its_answers_on_a_thousand_examples(tmp_path: Path) -> None:
    model = convnet()
    target = tmp_path / "net-2.0.0.onnx"
    made = convert(model, inputs=IMAGES, labels=list("abcdefghij"), name="net", version="2.0.0", output=target)
    assert made.certificate["kinds"] == {"made": 16, "given": 1000}
    assert shapes(made) == {"image": ("batch", 1, 8, 8), "scores": ("batch", 10)}
    assert made.manifest.task == "classification"
    loaded = edge_infer.load(target)
    got = loaded.run({"image": IMAGES})["scores"]
    np.testing.assert_allclose(got, reference(model, {"image": IMAGES})["scores"], rtol=1e-4, atol=1e-5)
    assert loaded.methods == ()
    with pytest.raises(AttributeError, match="run"):
        _ = loaded.predict


def test_no_example_is_in_the_file() -> None:
    examples = IMAGES[:3].copy()
    examples[1, 0, 2] = 0.123456
    made = convert(convnet(), inputs={"image": examples}, name="net")
    assert np.float32(0.123456).tobytes() not in made.data
    assert b"0.123456" not in made.data


def test_sizes_are_called_as_the_caller_calls_them() -> None:
    made = convert(embedding(), inputs={"ids": "int64[batch, length=5] 0..49"}, name="words")
    assert shapes(made) == {"ids": ("batch", "length"), "mean": ("batch", 6), "twice": ("batch", "length")}
    loaded = edge_infer.load(made.data)
    ids = RNG.integers(0, 50, (7, 9))
    wanted = reference(embedding(), {"ids": ids})
    got = loaded.run({"ids": ids})
    np.testing.assert_allclose(got["mean"], wanted["mean"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(got["twice"], 2 * ids)


def test_calls_out_of_range_are_told() -> None:
    """The usual range of whole numbers is 0 and 1; this table is smaller."""
    with pytest.raises(SchemaError, match=r"the original fails on a call with ids int64 \[1, 16\].*\n.*0\.\.29999"):
        convert(embedding(words=1), name="words")


def test_a_first_size_without_a_name_is_the_batch() -> None:
    made = convert(convnet(batch=None), name="net")
    assert shapes(made) == {"image": ("batch", 1, 8, 8), "scores": ("batch", 10)}


def test_notes_of_the_exporter_do_not_travel() -> None:
    model = convnet()
    model.doc_string = model.graph.doc_string = "/home/ada/secret.py"
    for node in model.graph.node:
        node.doc_string = "/home/ada/secret.py"
        node.metadata_props.add(key="trace", value="/home/ada/secret.py, line 3")
    made = convert(model, name="net")
    assert b"/home/ada" not in made.data
    assert made.data == convert(convnet(), name="net").data, "nor is anything else of it left"
    assert model.doc_string, "the caller's own model stays"


def test_what_the_model_says_of_itself_stays() -> None:
    model = convnet()
    model.metadata_props.add(key="names", value="cat,dog")
    made = convert(model, name="net")
    again = convert(_parsed(made.data), name="net")
    entries = [entry.key for entry in _parsed(again.data).metadata_props]
    assert sorted(entries) == ["edge_infer.manifest", "edge_infer.parity", "edge_infer.tensor_goldens", "names"]


def _parsed(data: bytes) -> Any:
    model = onnx.ModelProto()
    model.ParseFromString(data)
    return model


def test_answers_to_examples_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many and large they are: at most one call's are held."""
    import gc

    from edge_infer_convert.deep import parity

    held: list[int] = []
    check = parity._check_shapes

    def counted(number: int, each: Any) -> None:
        gc.collect()
        held.append(sum(isinstance(other, parity.Compared) for other in gc.get_objects()))
        check(number, each)

    monkeypatch.setattr(parity, "_check_shapes", counted)
    convert(convnet(), inputs=IMAGES, name="net")
    assert len(held) == 8 + 16
    assert max(held[8:]) <= 8 + 2


def test_external_data_comes_into_the_file(tmp_path: Path) -> None:
    onnx.save(convnet(), tmp_path / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0)
    made = convert(load_estimator(tmp_path / "net.onnx"), name="net")
    got = edge_infer.load(made.data).run({"image": IMAGES[:9]})["scores"]
    np.testing.assert_allclose(got, reference(convnet(), {"image": IMAGES[:9]})["scores"], rtol=1e-4, atol=1e-5)
    (tmp_path / "net.bin").unlink()
    with pytest.raises(UntrustedSourceError, match=r"net\.bin"):
        load_estimator(tmp_path / "net.onnx")


def test_external_data_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\0" * 4096)
    path = tmp_path / "models" / "net.onnx"
    onnx.save(convnet(), path, save_as_external_data=True, location="net.bin", size_threshold=0)
    changed = onnx.load(path, load_external_data=False)
    for tensor in changed.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret.bin"
    path.write_bytes(changed.SerializeToString())
    with pytest.raises(UntrustedSourceError):
        load_estimator(path)


@pytest.mark.parametrize("content", [b"not a model at all", b"\x08\x08", convnet().SerializeToString()[:-50]])
def test_a_file_that_is_no_model_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises((UntrustedSourceError, UnsupportedModelError)):
        convert(load_estimator(tmp_path / "net.onnx"), name="net")


def test_an_older_opset_is_brought_to_the_one_that_is_asked_for() -> None:
    made = convert(convnet(), opset=20, name="net")
    assert made.manifest.needs.opsets == {"": 20}
    assert convert(convnet(), name="net").manifest.needs.opsets == {"": 18}


def test_operators_that_nobody_has_are_told() -> None:
    node = helper.make_node("Wonder", ["x"], ["y"], domain="my.company", name="the third step")
    graph = helper.make_graph([node], "g", [value("x", FLOAT, ["N", 2])], [value("y", FLOAT, ["N", 2])])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("my.company", 1)]
    with pytest.raises(UnsupportedModelError, match=r"the third step.*my\.company:Wonder"):
        convert(helper.make_model(graph, opset_imports=opsets, ir_version=8), name="odd")


def test_what_is_no_tensor_is_told() -> None:
    sequence = helper.make_tensor_sequence_value_info("x", FLOAT, None)
    node = helper.make_node("SequenceLength", ["x"], ["y"])
    model = model_of([node], [sequence], [value("y", TensorProto.INT64, [])], {})
    with pytest.raises(UnsupportedModelError, match=r"input 'x': expected a dense tensor"):
        convert(model, name="odd")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"inputs": {"picture": IMAGES}}, "expected image, got"),
        ({"inputs": "float32[batch, 1, 8]"}, "the graph takes float32"),
        ({"inputs": "float64[batch, 1, 8, 8]"}, "the graph takes float32"),
        ({"inputs": "float32[batch, 1, 8, 9]"}, "a size of 8 at axis 3, got 9"),
        ({"inputs": IMAGES[:, :, :4]}, "a size of 8 at axis 2, got 4"),
        ({"inputs": IMAGES[:0]}, "at least one example"),
        ({"inputs": {"picture": "float32[batch, 1, 8, 8]"}}, "inputs: expected image, got picture"),
        (
            {"opset": 99},
            f"opset: expected at most {onnx.defs.onnx_opset_version()}, the newest of onnx {onnx.__version__}, got 99",
        ),
        ({"labels": ["a", "b"]}, "expected as many as the last size of an output"),
        ({"states": {"image": "scores"}}, "states: expected for 'image' an output of float32 with 4 dimensions"),
        ({"states": {"x": "scores"}}, "'x', which is no input"),
        ({"data": IMAGES}, "data: for estimators"),
        ({"precision": "float32"}, "precision: for estimators"),
        ({"strict_privacy": True}, "strict_privacy: for estimators"),
    ],
)
def test_wrong_arguments_are_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises((UsageError, SchemaError)) as caught:
        convert(convnet(), name="net", **options)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("float[3]", "expected a type and sizes"),
        ("float32", "expected a type and sizes"),
        ("float32[batch, 3", "expected a type and sizes"),
        ("float32[-3]", "expected a size"),
        ("float32[3.5]", "expected a size"),
        ("float32[a=b]", "expected a size"),
        ("float32[3] 1..0", "the lower end"),
        ("float32[3] 1.2.3..4", "expected a range"),
    ],
)
def test_wrong_texts_of_inputs_are_told(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        spec_of("x", text)


def test_texts_of_inputs() -> None:
    told = spec_of("x", " int64 [ batch , length=16, 3 ]  -5..2e3 ")
    assert (told.spec.dtype, told.spec.shape, told.sizes) == ("int64", ("batch", "length", 3), {"length": 16})
    assert (told.low, told.high) == (-5.0, 2000.0)
    assert spec_of("x", "bool[]").spec.shape == ()


# --- states -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stream_of() -> edge_infer.Model:
    return edge_infer.load(convert(recurrent(), states={"hidden": "next"}, name="recurrent").data)


@pytest.mark.parametrize("rows", [1, 3])
def test_states_go_from_call_to_call(stream_of: edge_infer.Model, rows: int) -> None:
    steps = RNG.normal(size=(6, rows, 3)).astype(np.float32)
    hidden = np.zeros((rows, 4), np.float32)
    stream = stream_of.stateful()
    assert stream.states == {}
    for step in steps:
        wanted = reference(recurrent(), {"step": step, "hidden": hidden})
        got = stream.run({"step": step})
        assert list(got) == ["total"]
        np.testing.assert_allclose(got["total"], wanted["total"], rtol=1e-4, atol=1e-6)
        hidden = wanted["next"]
    np.testing.assert_allclose(stream.states["hidden"], hidden, rtol=1e-4, atol=1e-6)
    first = stream_of.stateful().run({"step": steps[0]})
    stream.reset()
    np.testing.assert_array_equal(stream.run({"step": steps[0]})["total"], first["total"])


def test_a_call_that_fails_leaves_the_states(stream_of: edge_infer.Model) -> None:
    stream = stream_of.stateful()
    stream.run({"step": np.ones((2, 3), np.float32)})
    before = stream.states["hidden"]
    for wrong in ({"step": np.ones((2, 4), np.float32)}, {"hidden": before}, {}, {"step": np.ones((3, 3), np.float32)}):
        with pytest.raises(edge_infer.InputError):
            stream.run(wrong)
        np.testing.assert_array_equal(stream.states["hidden"], before)


def test_states_can_be_put_aside_and_taken_up_again(stream_of: edge_infer.Model) -> None:
    step = np.ones((2, 3), np.float32)
    stream, other = stream_of.stateful(), stream_of.stateful()
    stream.run({"step": step})
    other.states = stream.states
    np.testing.assert_array_equal(other.run({"step": step})["total"], stream.run({"step": step})["total"])
    for wrong in ({}, {"hidden": np.ones((2, 5), np.float32)}, {"hidden": np.ones((2, 4))}):
        with pytest.raises(edge_infer.InputError, match="input 'hidden'"):
            other.states = wrong


def test_a_model_without_states_has_no_stream() -> None:
    with pytest.raises(UsageError, match="names no states"):
        edge_infer.load(convert(convnet(), name="net").data).stateful()
