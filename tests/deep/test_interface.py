"""The interface in a manifest: what is read, what is refused, and what of given tensors is told to differ."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import edge_infer
from edge_infer import InputError
from edge_infer.artifact import parse_artifact
from edge_infer.errors import ArtifactError, GraphMismatchError, InferenceError
from edge_infer.image_spec import CHANNELS, INTERPOLATIONS, LAYOUTS, ImageSpec
from edge_infer.interface import TENSOR_TYPES, Interface, State, TensorSpec, tensor_mismatches
from edge_infer.manifest import KEY_MANIFEST, parse_manifest, render_manifest
from edge_infer.quantization import SAMPLES, Quantization
from edge_infer.sounds import AudioSpec
from edge_infer_convert import Conversion, convert
from edge_infer_convert.result import with_metadata
from tests.deep.graphs import convnet, embedding, recurrent

Document = dict[str, Any]
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
SCHEMA = Draft202012Validator(json.loads((ARTIFACTS / "manifest.schema.json").read_text(encoding="utf-8")))


SMALL = convert(convnet(), name="small").manifest


@pytest.fixture(scope="module")
def made() -> Conversion:
    return convert(recurrent(), states={"hidden": "next"}, name="recurrent")


@pytest.fixture(scope="module")
def document(made: Conversion) -> Document:
    loaded: Document = json.loads(render_manifest(made.manifest))
    return loaded


# --- what is written is read back -------------------------------------------------------

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_SIZES = st.lists(st.integers(1, 9) | _TEXT, max_size=4).map(tuple)
_NUMBERS = st.floats(-1e6, 1e6)


@st.composite
def images(draw: st.DrawFn, name: str) -> TensorSpec:
    channels = draw(st.sampled_from(list(CHANNELS)))
    count = CHANNELS[channels]
    size, resize = (8, 8), draw(st.none() | st.integers(8, 300) | st.just((9, 12)))
    numbers = st.lists(st.floats(0.1, 9), min_size=count, max_size=count).map(tuple)
    interpolation = None if resize is None else draw(st.sampled_from(INTERPOLATIONS))
    antialias = None if resize is None else interpolation == "bicubic" or draw(st.booleans())
    layout, scale = draw(st.sampled_from(LAYOUTS)), draw(st.floats(1e-3, 9))
    spec = ImageSpec(channels, size, layout, resize, interpolation, antialias, scale, draw(numbers), draw(numbers))
    sizes: tuple[int | str, ...] = size if resize is None else ("height", "width")
    return TensorSpec(name, "uint8", ("batch", *sizes, count), image=spec)


@st.composite
def specs(draw: st.DrawFn, name: str) -> TensorSpec:
    shape, described = draw(_SIZES), draw(st.none() | _TEXT.filter(str.strip))
    classes = None
    if shape and isinstance(shape[-1], int) and draw(st.booleans()):
        classes = tuple(draw(st.lists(_TEXT, min_size=shape[-1], max_size=shape[-1], unique=True)))
    return TensorSpec(name, draw(st.sampled_from(list(TENSOR_TYPES))), shape, described, classes)


@st.composite
def interfaces(draw: st.DrawFn) -> Interface:
    """Tensors, images, sound, and states, which are like the outputs that they are fed from."""
    given_specs = [draw(specs(name)) for name in draw(st.lists(st.sampled_from("abc"), unique=True))]
    given_specs += [draw(images("image"))] if draw(st.booleans()) else []
    step = draw(st.integers(1, 64))
    sound = TensorSpec("sound", "float32", ("batch", 64), audio=AudioSpec(draw(st.integers(1, 96_000)), step))
    given_specs += [sound] if draw(st.booleans()) else []
    gives = [draw(specs(name)) for name in draw(st.lists(st.sampled_from("xyz"), unique=True, min_size=1))]
    states = []
    for out in (spec for spec in gives if spec.dtype != "string" and draw(st.booleans())):
        given_specs.append(out._replace(name=f"of {out.name}", classes=None))
        states.append(State(f"of {out.name}", out.name))
    return Interface(tuple(given_specs), tuple(gives), tuple(states))


_QUANTIZATIONS = st.builds(
    Quantization, _TEXT, _TEXT, _TEXT, st.integers(0, 600), _TEXT, _TEXT, _NUMBERS, _NUMBERS, _NUMBERS,
    st.integers(1, 1000), st.sampled_from(SAMPLES),
)  # fmt: skip


@settings(max_examples=150)
@given(interfaces(), st.none() | _QUANTIZATIONS)
def test_what_is_rendered_is_parsed_back(interface: Interface, quantization: Quantization | None) -> None:
    manifest = SMALL._replace(interface=interface, quantization=quantization)
    text = render_manifest(manifest)
    assert parse_manifest(text) == manifest
    assert render_manifest(parse_manifest(text)) == text
    assert not list(SCHEMA.iter_errors(json.loads(text)))


BROKEN: dict[str, Callable[[Document], object]] = {
    "no interface": lambda d: d.pop("interface"),
    "an interface of columns": lambda d: d["inputs"].update(style="columns"),
    "tensors beside it": lambda d: d["inputs"]["tensors"].append({"name": "x", "dtype": "float32", "width": 1}),
    "no outputs": lambda d: d["interface"].update(outputs=[]),
    "a name twice": lambda d: d["interface"]["inputs"].append(d["interface"]["inputs"][0]),
    "an odd dtype": lambda d: d["interface"]["inputs"][0].update(dtype="complex64"),
    "a negative size": lambda d: d["interface"]["inputs"][0].update(shape=["batch", -3]),
    "a size of a fraction": lambda d: d["interface"]["inputs"][0].update(shape=["batch", 3.5]),
    "a size without a name": lambda d: d["interface"]["inputs"][0].update(shape=["", 3]),
    "too many sizes": lambda d: d["interface"]["inputs"][0].update(shape=[1] * 33),
    "a state of no input": lambda d: d["interface"]["states"][0].update(input="nothing"),
    "a state of no output": lambda d: d["interface"]["states"][0].update(output="step"),
    "a state of another form": lambda d: d["interface"]["outputs"][1].update(dtype="float64"),
    "a state twice": lambda d: d["interface"]["states"].append(d["interface"]["states"][0]),
    "too few classes": lambda d: d["interface"]["outputs"][1].update(classes=["a"]),
    "a class that is a list": lambda d: d["interface"]["outputs"][1].update(classes=["a", "b", "c", []]),
    "an empty description": lambda d: d["interface"]["inputs"][0].update(description=" "),
}
#: What spans several fields, FORMAT.md says alone.
BEYOND_THE_SCHEMA = {
    "a name twice", "a state of no input", "a state of no output", "a state of another form", "a state twice",
    "too few classes",
}  # fmt: skip
FINE: dict[str, Callable[[Document], object]] = {
    "as it is": lambda d: d,
    "an unknown field": lambda d: d["interface"]["inputs"][0].update(colour="red"),
    "no states": lambda d: d["interface"].pop("states"),
    "a size of nothing": lambda d: d["interface"]["inputs"][0].update(shape=["batch", 0]),
    "a scalar": lambda d: d["interface"]["inputs"][0].update(shape=[]),
    "classes": lambda d: d["interface"]["outputs"][1].update(classes=["a", "b", 3, True]),
    "a description": lambda d: d["interface"]["inputs"][0].update(description="A step."),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_interfaces_are_refused_by_reader_and_schema(document: Document, name: str) -> None:
    changed = copy.deepcopy(document)
    BROKEN[name](changed)
    with pytest.raises(ArtifactError):
        parse_manifest(json.dumps(changed).encode())
    assert SCHEMA.is_valid(changed) == (name in BEYOND_THE_SCHEMA)


@pytest.mark.parametrize("name", FINE)
def test_odd_interfaces_that_are_fine_are_read(document: Document, name: str) -> None:
    changed = copy.deepcopy(document)
    FINE[name](changed)
    manifest = parse_manifest(json.dumps(changed).encode())
    assert manifest.interface is not None
    assert parse_manifest(render_manifest(manifest)) == manifest
    assert SCHEMA.is_valid(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["interface"]["inputs"].pop(),
        lambda d: d["interface"]["inputs"][0].update(name="other"),
        lambda d: d["interface"]["inputs"][0].update(dtype="float64"),
        lambda d: d["interface"]["inputs"][0].update(shape=["batch", 5]),
        lambda d: d["interface"]["inputs"][0].update(shape=["batch"]),
        lambda d: d["interface"]["outputs"][0].update(name="sum"),
        lambda d: d["interface"]["outputs"][0].update(shape=["batch", 2]),
    ],
)
def test_an_interface_that_is_not_the_graphs_is_refused(document: Document, change: Any) -> None:
    changed = copy.deepcopy(document)
    changed["interface"].pop("states")
    change(changed)
    with pytest.raises(GraphMismatchError):
        parse_artifact(with_metadata(recurrent(), {KEY_MANIFEST: json.dumps(changed).encode()}))


STEP, HIDDEN = np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)


@pytest.mark.parametrize(
    ("feeds", "told"),
    [
        ({"step": STEP}, ["input 'hidden': expected a tensor float32 [batch, 4], got no such tensor"]),
        ({"step": STEP, "hidden": HIDDEN, "x": STEP}, ["expected no tensor but step, hidden, got one of the name 'x'"]),
        ({"step": STEP.astype("f8"), "hidden": HIDDEN}, ["write .astype('float32'), got float64 [2, 3]"]),
        ({"step": STEP[0], "hidden": HIDDEN}, ["got 1 dimension: [3]"]),
        ({"step": STEP[:, :2], "hidden": HIDDEN}, ["expected float32 [batch, 3], got [2, 2]"]),
        ({"step": STEP, "hidden": HIDDEN[:1]}, ["[batch, 4] with batch = 2, as in 'step', got [1, 4]"]),
        ({"step": STEP[:, :2], "hidden": HIDDEN[0]}, ["got [2, 2]", "got 1 dimension"]),
        ({"step": np.array([["a", "b", "c"]]), "hidden": HIDDEN[:1]}, ["expected float32 [batch, 3], got <U1"]),
    ],
)
def test_every_mismatch_of_tensors_is_told(made: Conversion, feeds: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        edge_infer.load(made.data).run(feeds)
    assert len(caught.value.mismatches) == len(told)
    for text in told:
        assert text in str(caught.value)


def test_what_the_graph_takes_is_no_mismatch(made: Conversion) -> None:
    assert made.manifest.interface is not None
    for rows in (0, 1, 7):
        feeds = {"step": np.ones((rows, 3), np.float32), "hidden": np.ones((rows, 4), np.float32)}
        assert tensor_mismatches(made.manifest.interface, feeds) == []


def test_an_input_is_not_copied() -> None:
    """What onnxruntime is given is the caller's own array."""
    model = edge_infer.load(convert(convnet(), name="net").data)
    image = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    whole, seen = model._graphs.whole, []
    run = whole.run

    def looked_at(names: Any, feeds: Any) -> Any:
        seen.append(feeds)
        return run(names, feeds)

    whole.run = looked_at  # type: ignore[method-assign]
    model.run({"image": image})
    assert seen[0]["image"] is image


def test_lists_take_the_inputs_type(made: Conversion) -> None:
    model = edge_infer.load(made.data)
    got = model.run({"step": [[1, 2, 3]], "hidden": [[0.5] * 4]})
    wanted = model.run({"step": np.array([[1, 2, 3]], np.float32), "hidden": np.full((1, 4), 0.5, np.float32)})
    np.testing.assert_array_equal(got["total"], wanted["total"])
    words = edge_infer.load(convert(embedding(), inputs="int64[batch, length=4] 0..49", name="words").data)
    assert words.run({"ids": [[1, 2]]})["twice"].tolist() == [[2, 4]]
    for wrong in ([[1.5]], [["a"]], [[1], [2, 3]], [[2**70]]):
        with pytest.raises(InputError, match="input 'ids': expected nested lists of int64"):
            words.run({"ids": wrong})


def test_onnxruntimes_public_and_private_ways_answer_alike(made: Conversion) -> None:
    """The private one is taken where it is found; another onnxruntime may have none."""
    feeds = {"step": np.ones((2, 3), np.float32), "hidden": np.ones((2, 4), np.float32)}
    private, public = edge_infer.load(made.data), edge_infer.load(made.data)
    public._graphs.whole._runs = public._graphs.whole._session
    assert private._graphs.whole._runs is not public._graphs.whole._runs
    for outputs in (None, ["total"], ["next", "total"]):
        got, wanted = private.run(feeds, outputs), public.run(feeds, outputs)
        assert list(got) == list(wanted)
        for name, tensor in wanted.items():
            np.testing.assert_array_equal(got[name], tensor)
    for model in (private, public):
        for wrong in ({}, {**feeds, "x": feeds["step"]}, {**feeds, "step": feeds["step"].astype("f8")}):
            with pytest.raises(InputError):
                model.run(wrong)
        with pytest.raises(InferenceError):
            model.run(feeds, ["nothing"])


def test_a_call_that_fails_is_raised_and_written_nowhere(made: Conversion, capfd: pytest.CaptureFixture[str]) -> None:
    """onnxruntime would write it to standard error as well, which an application may not want."""
    model = edge_infer.load(made.data)
    with pytest.raises(InputError):
        model.run({"step": np.zeros((2, 3), np.float32), "hidden": np.zeros((3, 4), np.float32)})
    assert capfd.readouterr() == ("", "")
