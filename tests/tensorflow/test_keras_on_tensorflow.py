"""The models of tests/frameworks/test_keras.py where TensorFlow is Keras's backend, and PyTorch is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_infer
from edge_infer.errors import UnsupportedModelError

for package in ("tensorflow", "tf2onnx", "keras"):
    if find_spec(package) is None:  # not by importing it: Keras chooses its backend then
        pytest.skip(f"{package} is not installed: make tensorflow brings it", allow_module_level=True)

from edge_infer_convert import convert, load_estimator  # noqa: E402  # behind the skips
from edge_infer_convert.frontends.keras_files import import_keras  # noqa: E402

keras: Any = import_keras()

from tests.frameworks.keras_models import SUBJECTS, own, seeded  # noqa: E402  # on that backend

#: Of numpy, where Keras saves a variable of TensorFlow.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def assert_equal(model: edge_infer.Model, original: Any, examples: dict[str, Any]) -> None:
    for got, wanted in zip(model.run(examples).values(), own(original, examples), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_model_gives_its_answers(name: str) -> None:
    subject = SUBJECTS[name]
    original = seeded(subject)
    made = convert(original, inputs=subject.inputs, name=name)
    assert made.manifest.source.framework == "Keras"
    assert made.manifest.source.versions.keys() >= {"keras", "tensorflow", "tf2onnx"}
    assert made.manifest.interface is not None
    assert [spec.name for spec in made.manifest.interface.inputs] == list(subject.examples)
    assert {spec.name for spec in made.manifest.interface.outputs} == set(subject.gives)
    assert_equal(edge_infer.load(made.data), original, subject.examples)


@pytest.mark.parametrize("name", ["convolutions", "lists"])
def test_a_file_gives_the_same_bytes_as_the_model(name: str, tmp_path: Path) -> None:
    """Whatever TensorFlow and tf2onnx have counted before. Loops may differ: tf2onnx writes them from sets."""
    subject = SUBJECTS[name]
    original = seeded(subject)
    original.save(tmp_path / "model.keras")
    first = convert(original, inputs=subject.inputs, name="m").data
    assert convert(load_estimator(tmp_path / "model.keras"), inputs=subject.inputs, name="m").data == first
    assert str(tmp_path).encode() not in first


def test_lengths_of_any_size() -> None:
    original = seeded(SUBJECTS["recurrent"])
    model = edge_infer.load(convert(original, name="r").data)
    for length in (1, 40):
        assert_equal(model, original, {"x": np.ones((2, length, 5), np.float32)})


@pytest.mark.parametrize("layer", ["LSTM", "SimpleRNN"])
def test_sequences_of_any_length_that_end_early_are_masked(layer: str) -> None:
    keras.utils.set_random_seed(0)
    ids = keras.Input((None,), name="ids", dtype="int32")
    embedded = keras.layers.Embedding(9, 5, mask_zero=True)(ids)
    original = keras.Model(ids, getattr(keras.layers, layer)(4)(embedded))
    model = edge_infer.load(convert(original, inputs={"ids": "int32[batch, length] 0..8"}, name="masked").data)
    for length in (1, 40):
        examples = {"ids": np.random.default_rng(0).integers(0, 9, (20, length)).astype(np.int32)}
        assert_equal(model, original, examples)


def test_an_operator_without_counterpart_is_told_with_its_layer() -> None:
    class Sorted(keras.layers.Layer):  # type: ignore[misc, name-defined, unused-ignore]
        def call(self, x: Any) -> Any:
            return keras.ops.fft((x, x))[0]

    original = keras.Sequential([keras.Input((4,), name="x"), Sorted(name="spectrum")])
    with pytest.raises(UnsupportedModelError, match="spectrum") as caught:
        convert(original, name="odd")
    assert caught.value.blockers
