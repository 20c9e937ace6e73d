"""Keras on PyTorch against itself: objects and files, on a thousand inputs each. On TensorFlow: tests/tensorflow."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_infer
from edge_infer.errors import MissingExtraError, ParityError, SchemaError, UntrustedSourceError, UsageError

for package in ("keras", "torch", "onnxscript"):
    if find_spec(package) is None:  # not by importing it: Keras chooses its backend then
        pytest.skip(f"{package} is not installed: make frameworks brings it", allow_module_level=True)

from edge_infer_convert import convert, load_estimator  # noqa: E402  # behind the skips
from edge_infer_convert.frontends import keras_files  # noqa: E402

keras: Any = keras_files.import_keras()

from tests.frameworks.keras_models import SUBJECTS, own, seeded, subclassed  # noqa: E402  # on that backend

#: Of numpy, where Keras makes an array of a parameter of PyTorch.
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
    assert made.manifest.source.estimator == type(original).__name__
    assert made.manifest.source.versions.keys() >= {"keras", "torch"}
    assert made.manifest.interface is not None
    assert [spec.name for spec in made.manifest.interface.inputs] == list(subject.examples)
    assert {spec.name for spec in made.manifest.interface.outputs} == set(subject.gives)
    assert_equal(edge_infer.load(made.data), original, subject.examples)


def test_the_same_model_gives_the_same_bytes() -> None:
    subject = SUBJECTS["lists"]
    first, second = (convert(seeded(subject), inputs=subject.inputs, name="lists").data for _ in range(2))
    assert first == second


def test_examples_tell_what_a_model_is_given() -> None:
    subject = SUBJECTS["lists"]
    made = convert(seeded(subject), inputs=subject.examples, name="lists")
    assert made.certificate["kinds"]["given"] == 1000
    with pytest.raises(SchemaError, match=r"the model takes float32 \['batch', 4\], got float64"):
        convert(seeded(subject), inputs={**subject.examples, "a": np.zeros((1000, 4))}, name="lists")


def test_a_recurrent_layer_is_one_operator_of_any_length() -> None:
    """Keras computes it step by step, which exporters unroll for one length."""
    import onnx

    subject = SUBJECTS["recurrent"]
    original = seeded(subject)
    data = convert(original, name="recurrent").data
    operators = [node.op_type for node in onnx.load_model_from_string(data).graph.node]
    assert (operators.count("LSTM"), operators.count("GRU")) == (2, 1)
    for length in (1, 40):
        assert_equal(edge_infer.load(data), original, {"x": np.ones((2, length, 5), np.float32)})
    assert keras.src.backend.lstm.__module__.startswith("keras."), "Keras has its own function back"


def test_an_answer_for_each_step_is_as_long_as_the_sequence() -> None:
    """The length of the example, and of the layer, is 16: PyTorch notes it down as fixed."""
    keras.utils.set_random_seed(0)
    original = keras.Sequential([keras.Input((None, 5), name="x"), keras.layers.LSTM(16, return_sequences=True)])
    made = convert(original, inputs="float32[batch, length, 5]", name="steps")
    assert made.manifest.interface is not None
    (output,) = made.manifest.interface.outputs
    assert output.shape[0] == "batch"
    assert isinstance(output.shape[1], str)
    for length in (1, 40):
        assert_equal(edge_infer.load(made.data), original, {"x": np.ones((2, length, 5), np.float32)})


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.LSTM(4, use_bias=False, go_backwards=True, return_sequences=True),
        lambda: keras.layers.GRU(4, use_bias=False, go_backwards=True),
        lambda: keras.layers.GRU(4, reset_after=False),  # which PyTorch does not have: unrolled
        lambda: keras.layers.LSTM(4, activation="relu"),
        lambda: keras.layers.SimpleRNN(4, return_sequences=True),
    ],
)
def test_recurrent_layers_of_all_kinds(layer: Any) -> None:
    keras.utils.set_random_seed(0)
    original = keras.Sequential([keras.Input((3, 5), name="x"), layer()])
    assert_equal(
        edge_infer.load(convert(original, name="r").data), original, {"x": SUBJECTS["recurrent"].examples["x"][:, :3]}
    )


def test_sequences_that_end_early_are_masked() -> None:
    keras.utils.set_random_seed(0)
    ids = keras.Input((6,), name="ids", dtype="int32")
    original = keras.Model(ids, keras.layers.LSTM(4)(keras.layers.Embedding(9, 5, mask_zero=True)(ids)))
    made = convert(original, inputs={"ids": "int32[batch, 6] 0..8"}, name="masked")
    examples = {"ids": np.random.default_rng(0).integers(0, 9, (100, 6)).astype(np.int32)}
    assert_equal(edge_infer.load(made.data), original, examples)


def test_what_is_right_for_one_length_only_is_refused() -> None:
    original = keras.Sequential([keras.Input((None, 5), name="x"), keras.layers.LSTM(4, activation="relu")])
    with pytest.raises(ParityError, match=r"resized; x \[2, 2, 5\](.|\n)*give it as a number"):
        convert(original, inputs="float32[batch, length=3, 5]", name="odd")
    made = convert(original, inputs="float32[batch, 3, 5]", name="odd")
    assert_equal(edge_infer.load(made.data), original, {"x": SUBJECTS["recurrent"].examples["x"][:, :3]})


# --- files ------------------------------------------------------------------------------


def test_a_file_is_converted_by_the_command(tmp_path: Path) -> None:
    """In a fresh process, in which nobody says which backend there is."""
    subject = SUBJECTS["convolutions"]
    original = seeded(subject)
    original.save(tmp_path / "digits.keras")
    (tmp_path / "labels.txt").write_text("\n".join("0123456789"))
    np.save(tmp_path / "image.npy", subject.examples["input"][:1])
    home = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"} | {"HOME": str(tmp_path)}
    for command, told in [
        (["convert", "digits.keras", "--labels", "labels.txt"], "input: float32 [batch, 8, 8, 1]"),
        (["verify", "digits-1.0.0.onnx"], "golden"),
        (["predict", "digits-1.0.0.onnx", "image.npy", "--top", "3"], ""),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "edge_infer.cli", *command],
            cwd=tmp_path, env=home, capture_output=True, encoding="utf-8", timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert told in done.stdout
    best = str(own(original, {"input": subject.examples["input"][:1]})[0].argmax())
    assert done.stdout.split()[0] == best
    assert_equal(edge_infer.load(tmp_path / "digits-1.0.0.onnx"), original, subject.examples)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")  # Keras wants the newer format written
def test_the_older_format_is_read_too(tmp_path: Path) -> None:
    subject = SUBJECTS["convolutions"]
    original = seeded(subject)
    original.save(tmp_path / "model.h5")
    made = convert(load_estimator(tmp_path / "model.h5"), name="older")
    assert_equal(edge_infer.load(made.data), original, subject.examples)


def test_a_subclassed_model_in_a_file_needs_its_class(tmp_path: Path) -> None:
    subclassed().save(tmp_path / "model.keras")
    with pytest.raises(UntrustedSourceError, match="custom_objects"):
        load_estimator(tmp_path / "model.keras")


def test_code_in_a_file_runs_only_when_it_is_trusted(tmp_path: Path) -> None:
    proof = tmp_path / "it_ran"
    here = str(proof)
    layer = keras.layers.Lambda(lambda x: (open(here, "w").close(), x * 2)[1], output_shape=(3,))
    model = keras.Sequential([keras.Input((3,), name="x"), layer])
    path = tmp_path / "model.keras"
    model.save(path)
    proof.unlink(missing_ok=True)
    with pytest.raises(UntrustedSourceError, match=r"holds code of its own(.|\n)*--trust-pickle"):
        load_estimator(path)
    assert not proof.exists()


def test_a_lambda_in_a_trusted_file_is_converted(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Lambda(lambda x: x * 2, output_shape=(3,))])
    model.save(tmp_path / "model.keras")
    made = convert(load_estimator(tmp_path / "model.keras", trust_pickle=True), name="doubled")
    np.testing.assert_array_equal(edge_infer.load(made.data).run({"x": np.ones((2, 3), np.float32)})["output"], 2)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "weights.weights.h5"])
def test_a_torn_file_is_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if "weights" in name:
        seeded(SUBJECTS["convolutions"]).save_weights(path)
    else:
        path.write_bytes(b"PK\3\4 torn")
    with pytest.raises(UntrustedSourceError, match=f"{path} cannot be read as a Keras model") as caught:
        load_estimator(path)
    assert "Traceback" not in str(caught.value)


def test_an_old_keras_reads_nothing_that_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(SUBJECTS["convolutions"]).save(tmp_path / "model.keras")
    monkeypatch.setattr(keras, "__version__", "3.13.1")
    with pytest.raises(UntrustedSourceError, match=r"keras>=3\.14"):
        load_estimator(tmp_path / "model.keras")
    assert load_estimator(tmp_path / "model.keras", trust_pickle=True).layers


# --- what cannot be converted -----------------------------------------------------------


def test_what_is_no_built_model_is_told() -> None:
    with pytest.raises(UsageError, match=r"expected a keras\.Model, got Dense"):
        convert(keras.layers.Dense(3), name="odd")
    with pytest.raises(SchemaError, match="call it with an example"):
        convert(keras.Sequential([keras.layers.Dense(3)]), name="odd")
    with pytest.raises(SchemaError, match=r"does not say what it is given \(first, second\)"):
        convert(subclassed(), name="odd")
    with pytest.raises(SchemaError, match="the model has a size of 8 at axis 1, got 9"):
        convert(seeded(SUBJECTS["convolutions"]), inputs="float32[batch, 9, 8, 1]", name="odd")


@pytest.mark.parametrize(
    ("backend", "told"), [("tensorflow", "edge-infer[tensorflow]"), ("abacus", "expected torch or tensorflow")]
)
def test_a_backend_that_is_not_there_is_told(backend: str, told: str, tmp_path: Path) -> None:
    """In a fresh process: Keras chooses its backend when it is imported."""
    if backend == "tensorflow" and keras_files.find_spec("tensorflow") is not None:
        pytest.skip("TensorFlow is installed here: make frameworks makes an environment without it")
    seeded(SUBJECTS["convolutions"]).save(tmp_path / "model.keras")
    done = subprocess.run(
        [sys.executable, "-m", "edge_infer.cli", "convert", "model.keras"],
        cwd=tmp_path, env=os.environ | {"KERAS_BACKEND": backend}, capture_output=True, encoding="utf-8", timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_backend_is_one_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert keras_files._backend() == "torch"
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    assert keras_files._backend() in ("torch", "tensorflow")
    (tmp_path / "keras.json").write_text("[torn")
    assert keras_files._backend() in ("torch", "tensorflow")
    monkeypatch.setattr(keras_files, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"edge-infer\[keras\]"):
        keras_files._backend()
