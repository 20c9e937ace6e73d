"""Images as inputs: what the graph makes of them, against Pillow and a float64 reference; and what is told of them."""

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
from numpy.typing import NDArray
from onnx import helper
from PIL import Image as Pil
from sklearn.datasets import load_sample_image

import edge_infer
from edge_infer.errors import ArtifactError, ParityError, SchemaError, UsageError
from edge_infer.manifest import parse_manifest, render_manifest
from edge_infer.store.schemas import compare, verdict
from edge_infer_convert import Image, convert
from edge_infer_convert.deep.image_reference import prepared, resized
from edge_infer_convert.deep.images import image_of_text, image_spec
from tests.deep.graphs import FLOAT, convnet, model_of, reference, value
from tests.deep.pictures import model_with, photo, through

RNG = np.random.default_rng(0)
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
SCHEMA = Draft202012Validator(json.loads((ARTIFACTS / "manifest.schema.json").read_text(encoding="utf-8")))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILTERS = {"bilinear": Pil.Resampling.BILINEAR, "bicubic": Pil.Resampling.BICUBIC}


def by_pillow(pixels: NDArray[np.uint8], image: Image) -> NDArray[np.float64]:
    """As torchvision's Resize, CenterCrop, ToTensor and Normalize do it with a PIL image; NHWC or NCHW."""
    picture = Pil.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if image.resize is not None:
        short = min(picture.size)
        width, height = (
            [int(image.resize * edge / short) for edge in picture.size]
            if isinstance(image.resize, int)
            else image.resize[::-1]
        )
        picture = picture.resize((width, picture.height), FILTERS[image.interpolation])
        picture = picture.resize((width, height), FILTERS[image.interpolation])  # Pillow itself takes either pass first
        top, left = round((height - image.size[0]) / 2.0), round((width - image.size[1]) / 2.0)
        picture = picture.crop((left, top, left + image.size[1], top + image.size[0]))
    found = np.asarray(picture, np.float64).reshape(*image.size, -1)
    found = (found[..., ::-1] if image.channels == "BGR" else found) * image.scale
    found = (found - np.asarray(image.mean)) / np.asarray(image.std)
    return found.transpose(2, 0, 1) if image.layout == "NCHW" else found


# --- what the graph makes of an image ---------------------------------------------------

#: By name: the image, and how many of 255 levels Pillow's answer may be away, which rounds after each of two passes.
PREPARED: dict[str, tuple[Image, float]] = {
    "as it is": (Image((12, 9)), 0.01),
    "as it is, NHWC": (Image((12, 9), layout="NHWC", scale=1.0), 0.01),
    "grey": (Image((8, 8), channels="L", scale=1 / 16, mean=0.5, std=0.25), 0.01),
    "ImageNet": (Image((28, 28), resize=32, mean=MEAN, std=STD), 1.01),
    "the shorter edge only": (Image((16, 16), resize=16), 1.01),
    "to a size": (Image((24, 40), resize=(24, 40), layout="NHWC", channels="BGR"), 1.01),
    "to a size, then cut": (Image((11, 13), resize=(16, 16)), 1.01),
    "bicubic": (Image((20, 20), resize=23, interpolation="bicubic", mean=MEAN, std=STD), 2.01),
    "bicubic, NHWC": (Image((20, 17), resize=(20, 17), interpolation="bicubic", layout="NHWC"), 2.01),
    "grey, resized": (Image((10, 10), resize=12, channels="L", layout="NHWC"), 1.01),
}


@pytest.fixture(scope="module")
def models() -> dict[str, edge_infer.Model]:
    return {name: model_with(image, 1 if image.channels == "L" else 3) for name, (image, _) in PREPARED.items()}


@pytest.mark.parametrize("name", PREPARED)
@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_the_graph_prepares_images_as_pillow_and_the_reference_do(
    models: dict[str, edge_infer.Model], name: str, height: int, width: int, batch: int, seed: int
) -> None:
    image, levels = PREPARED[name]
    if image.resize is None:
        height, width = image.size
    pixels = np.stack([photo(height, width, 1 if image.channels == "L" else 3, seed + i) for i in range(batch)])
    got = models[name].run({"x": pixels})["y"]
    np.testing.assert_allclose(got, prepared(pixels, image_spec("x", image)), rtol=0, atol=2e-5 * 4.5)
    wanted = np.stack([by_pillow(each, image) for each in pixels])
    level = image.scale / np.min(image.std)
    assert np.abs(got - wanted).max() <= levels * level


@settings(max_examples=60, deadline=None)
@given(height=st.integers(8, 60), width=st.integers(8, 60))
def test_the_middle_is_the_one_that_torchvision_cuts(height: int, width: int) -> None:
    """Where the shorter edge has its size already, nothing is resampled, so that every pixel can be told."""
    short = min(height, width)
    pixels = RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)
    image = Image((7, 8), resize=short, scale=1.0, layout="NHWC")
    got = prepared(pixels[None], image_spec("x", image))[0]
    np.testing.assert_array_equal(got, by_pillow(pixels, image))


def test_the_graph_cuts_the_same_middle(models: dict[str, edge_infer.Model]) -> None:
    for height, width in ((16, 16), (16, 17), (16, 18), (16, 19), (21, 16), (22, 16), (23, 16)):
        pixels = RNG.integers(0, 256, (1, height, width, 3)).astype(np.uint8)
        image = PREPARED["the shorter edge only"][0]
        got = models["the shorter edge only"].run({"x": pixels})["y"][0]
        np.testing.assert_allclose(got, by_pillow(pixels[0], image), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("interpolation", "most", "mean"), [("bilinear", 1.01, 0.3), ("bicubic", 1.1, 0.3)])
def test_photographs_are_resized_as_pillow_does_but_for_its_rounding(
    interpolation: str, most: float, mean: float
) -> None:
    """docs/deep.md states these bounds."""
    spec = image_spec("x", Image((224, 224), resize=256, interpolation=interpolation))
    for name in ("china.jpg", "flower.jpg"):
        pixels = load_sample_image(name)
        for size in ((256, 383), (224, 224), (600, 900)):
            got = resized(pixels, spec, size)
            wanted = np.asarray(Pil.fromarray(pixels).resize(size[::-1], FILTERS[interpolation]), np.float64)
            away = np.abs(got - wanted)
            assert away.max() <= most
            assert away.mean() <= mean


def test_without_antialias_a_pixel_is_made_of_the_four_around_its_place() -> None:
    """As OpenCV and tf.image do: of an image made smaller by four, the middle two of each four count."""
    pixels = RNG.integers(0, 256, (1, 16, 24, 3)).astype(np.uint8)
    got = model_with(Image((4, 6), resize=(4, 6), antialias=False, scale=1.0, layout="NHWC")).run({"x": pixels})["y"]
    blocks = pixels.astype(np.float64).reshape(4, 4, 6, 4, 3)[:, 1:3, :, 1:3]
    np.testing.assert_allclose(got[0], blocks.mean(axis=(1, 3)), rtol=0, atol=1e-3)


def test_a_network_gives_its_answers_to_images() -> None:
    """A thousand of them, as examples; the answers are the network's own to the prepared pixels."""
    images = RNG.integers(0, 256, (1000, 8, 8, 1)).astype(np.uint8)
    image = Image((8, 8), channels="L", scale=1 / 255, mean=0.5, std=0.5, examples=images)
    made = convert(convnet(), inputs={"image": image}, labels=list("abcdefghij"), name="net")
    assert made.certificate["kinds"] == {"made": 16, "given": 1000}
    assert made.data.count(images[:4].tobytes()) == 0
    wanted = reference(convnet(), {"image": ((images / 255 - 0.5) / 0.5).astype(np.float32).transpose(0, 3, 1, 2)})
    got = edge_infer.load(made.data).run({"image": images})["scores"]
    np.testing.assert_allclose(got, wanted["scores"], rtol=1e-4, atol=1e-4)


def test_wrong_preparation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate sees a graph that does something else to its images than was told."""
    from edge_infer_convert.deep import image_graph

    monkeypatch.setattr(image_graph, "prepared", lambda array, spec: prepared(array, spec) * np.float32(1.001))
    with pytest.raises(ParityError, match="tensors of 8 calls differ"):
        model_with(Image((12, 9)))


def test_an_older_graph_is_brought_to_the_opset_that_images_need() -> None:
    older = through(["N", 3, 8, 8])
    del older.opset_import[:]
    older.opset_import.append(helper.make_opsetid("", 13))
    made = convert(older, inputs={"x": Image((8, 8), resize=9)}, name="x")
    assert made.manifest.needs.opsets == {"": 18}
    assert convert(older, inputs={"x": Image((8, 8))}, opset=20, name="x").manifest.needs.opsets == {"": 20}
    with pytest.raises(UsageError, match="opset: images need at least 18"):
        convert(older, inputs={"x": Image((8, 8))}, opset=17, name="x")


def test_two_images_have_sizes_of_their_own() -> None:
    nodes = [helper.make_node("Sub", ["left", "right"], ["away"])]
    shape = ["N", 3, 8, 8]
    network = model_of(
        nodes, [value("left", FLOAT, shape), value("right", FLOAT, shape)], [value("away", FLOAT, shape)], {}
    )
    image = Image((8, 8), resize=8)
    made = convert(network, inputs={"left": image, "right": image}, name="pair")
    assert made.manifest.interface is not None
    assert [spec.shape[1] for spec in made.manifest.interface.inputs] == ["left_height", "right_height"]
    left, right = photo(8, 30), photo(20, 8)
    got = edge_infer.load(made.data).run({"left": left, "right": right})["away"]
    spec = image_spec("x", image)
    np.testing.assert_allclose(got, prepared(left[None], spec) - prepared(right[None], spec), rtol=0, atol=1e-4)


def test_an_image_is_renamed_in_inner_graphs_too() -> None:
    """A branch takes the network's input by its name."""
    branches = [
        helper.make_graph([helper.make_node(kind, ["x"], [kind])], kind, [], [value(kind, FLOAT, ["N", 3, 4, 4])])
        for kind in ("Neg", "Abs")
    ]
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "half"], ["bright"]),
        helper.make_node("If", ["bright"], ["y"], then_branch=branches[0], else_branch=branches[1]),
    ]
    shape = ["N", 3, 4, 4]
    network = model_of(nodes, [value("x", FLOAT, shape)], [value("y", FLOAT, shape)], {"half": np.float32(0.5)})
    model = edge_infer.load(convert(network, inputs={"x": Image((4, 4))}, name="x").data)
    for level, sign in ((255, -1), (20, 1)):
        pixels = np.full((2, 4, 4, 3), level, np.uint8)
        np.testing.assert_allclose(model.run({"x": pixels})["y"], sign * np.full((2, 3, 4, 4), level / 255), rtol=1e-6)


# --- what is told -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image", "expected the height and width"),
        ("image[224]", "expected the height and width"),
        ("image[h, w]", "expected the height and width"),
        ("image[0, 8]", "whole numbers of pixels"),
        ("image[8, 8] resize", "expected any of resize="),
        ("image[8, 8] colour=red", "expected any of resize="),
        ("image[8, 8] scale=1 scale=1", "each once"),
        ("image[8, 8] resize=7", "nothing can be cut out"),
        ("image[8, 8] resize=8x7", "nothing can be cut out"),
        ("image[8, 8] resize=8x", "a number for the shorter edge"),
        ("image[8, 8] mean=0.5,0.5", "expected a number, or 3 for RGB"),
        ("image[8, 8] std=0", "numbers that are not 0"),
        ("image[8, 8] scale=1/0", "a number such as 1/255"),
        ("image[8, 8] scale=0", "a number that is not 0"),
        ("image[8, 8] channels=CMYK", "channels: expected one of RGB, BGR, L"),
        ("image[8, 8] layout=HWC", "layout: expected one of"),
        ("image[8, 8] antialias=maybe", "yes or no"),
        ("image[8, 8] resize=8 interpolation=bicubic antialias=no", "not one thing"),
    ],
)
def test_wrong_texts_of_images_are_told(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert(through(["N", 3, 8, 8]), inputs={"x": text}, name="x")
    assert told in str(caught.value)
    assert "input 'x'" in str(caught.value)


def test_a_text_says_what_the_fields_say() -> None:
    text = " image [ 224,320 ]  resize=256x400 mean=0.485,0.456,0.406 std=1/2 scale=1/255 layout=NHWC channels=BGR "
    text += "interpolation=bilinear antialias=no"
    told = Image((224, 320), (256, 400), MEAN, 0.5, 1 / 255, "NHWC", "BGR", "bilinear", False)
    assert image_spec("x", image_of_text("x", text)) == image_spec("x", told)
    assert image_spec("x", image_of_text("x", "image[8, 8]")) == image_spec("x", Image((8, 8)))


def test_examples_of_another_form_are_told() -> None:
    for wrong in (np.zeros((2, 8, 8, 3), np.float32), np.zeros((8, 8, 3), np.uint8), np.zeros((2, 9, 8, 3), np.uint8)):
        with pytest.raises(UsageError, match="examples: expected images"):
            model_with(Image((8, 8), examples=wrong))


def test_a_graph_of_another_size_is_told() -> None:
    with pytest.raises(SchemaError, match="the graph has a size of 8 at axis 2, got 9"):
        convert(through(["N", 3, 8, 8]), inputs={"x": Image((9, 8))}, name="x")


Document = dict[str, Any]


def image_in(document: Document) -> Document:
    found: Document = document["interface"]["inputs"][0]["image"]
    return found


BROKEN: dict[str, Callable[[Document], object]] = {
    "no size": lambda d: image_in(d).pop("size"),
    "one size": lambda d: image_in(d).update(size=[8]),
    "a size of nothing": lambda d: image_in(d).update(size=[0, 8]),
    "a huge resize": lambda d: image_in(d).update(resize=10**6),
    "an odd resize": lambda d: image_in(d).update(resize=[1, 2, 3]),
    "an odd layout": lambda d: image_in(d).update(layout="CHWN"),
    "odd channels": lambda d: image_in(d).update(channels="CMYK"),
    "an odd interpolation": lambda d: image_in(d).update(interpolation="lanczos"),
    "a resize without interpolation": lambda d: image_in(d).pop("interpolation"),
    "a mean for two channels": lambda d: image_in(d).update(mean=[0, 0]),
    "a scale of text": lambda d: image_in(d).update(scale="1/255"),
    "another dtype": lambda d: d["interface"]["inputs"][0].update(dtype="float32"),
    "no batch": lambda d: d["interface"]["inputs"][0].update(shape=["height", "width", 3]),
    "another depth": lambda d: d["interface"]["inputs"][0].update(shape=["batch", "height", "width", 4]),
    "another size": lambda d: [image_in(d).pop(each) for each in ("resize", "interpolation", "antialias")],
}
BEYOND_THE_SCHEMA = {"a mean for two channels", "another dtype", "no batch", "another depth", "another size"}


@pytest.fixture(scope="module")
def document() -> Document:
    made = convert(through(["N", 3, 8, 8]), inputs={"x": Image((8, 8), resize=9)}, name="x")
    assert parse_manifest(render_manifest(made.manifest)) == made.manifest
    loaded: Document = json.loads(render_manifest(made.manifest))
    assert SCHEMA.is_valid(loaded)
    return loaded


@pytest.mark.parametrize("name", BROKEN)
def test_a_manifest_with_a_broken_image_is_refused(document: Document, name: str) -> None:
    changed = copy.deepcopy(document)
    BROKEN[name](changed)
    with pytest.raises(ArtifactError):
        parse_manifest(json.dumps(changed).encode())
    assert SCHEMA.is_valid(changed) == (name in BEYOND_THE_SCHEMA)


def test_a_release_that_takes_no_files_any_more_breaks_its_callers(document: Document) -> None:
    image = parse_manifest(json.dumps(document).encode())
    other, plain = copy.deepcopy(document), copy.deepcopy(document)
    image_in(other).update(mean=[1, 2, 3], size=[7, 7])
    plain["interface"]["inputs"][0].pop("image")
    pixels = parse_manifest(json.dumps(plain).encode())
    assert verdict(compare(image, parse_manifest(json.dumps(other).encode()))) == "compatible"
    assert verdict(compare(image, pixels)) == "breaking"
    assert verdict(compare(pixels, image)) == "widening"
