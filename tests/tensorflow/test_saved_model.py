"""SavedModels of TensorFlow: a thousand inputs through the signature and the converted file; and what is not loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_infer
from edge_infer.errors import SchemaError, UnsupportedModelError, UntrustedSourceError, UsageError

for package in ("tensorflow", "tf2onnx", "keras"):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: make tensorflow brings it", allow_module_level=True)

from edge_infer_convert import convert, load_estimator  # noqa: E402  # behind the skips
from edge_infer_convert.frontends.keras_files import import_keras  # noqa: E402

keras: Any = import_keras()

import tensorflow as tf  # noqa: E402

from tests.frameworks.keras_models import SUBJECTS, own, seeded  # noqa: E402  # on that backend

MANY = 1000
RNG = np.random.default_rng(0)


def spec(shape: list[int | None] | None, dtype: Any, name: str) -> Any:
    return tf.TensorSpec(shape, dtype, name=name)


class Linear(tf.Module):  # type: ignore[misc, unused-ignore]
    """Two inputs, and outputs of two types."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.random.default_rng(1).normal(0, 1, (4, 3)).astype(np.float32))

    @tf.function(input_signature=[spec([None, 4], tf.float32, "x"), spec([None], tf.int32, "shift")])
    def __call__(self, x: Any, shift: Any) -> dict[str, Any]:
        h = x @ self.w + tf.cast(shift, tf.float32)[:, None]
        return {"probabilities": tf.nn.softmax(h), "label": tf.argmax(h, -1)}


class Looped(tf.Module):  # type: ignore[misc, unused-ignore]
    """A loop over any length, with an `if` of its own."""

    @tf.function(input_signature=[spec([None, None], tf.float32, "x")])
    def __call__(self, x: Any) -> dict[str, Any]:
        total = tf.zeros(tf.shape(x)[0])
        for step in tf.range(tf.shape(x)[1]):
            total = tf.where(total > 1, total * 0.5, total + x[:, step])
        return {"total": total}


def functional(dtype: Any, body: Callable[[Any], Any]) -> Any:
    """A module of one function of a vector."""
    module = tf.Module()
    module.serve = tf.function(lambda x: {"y": body(x)}, input_signature=[spec([None], dtype, "x")])
    return module


def saved(module: Any, folder: Path, **signatures: Any) -> Path:
    chosen = signatures or {"serving_default": module.serve if hasattr(module, "serve") else module.__call__}
    tf.saved_model.save(module, str(folder), signatures=chosen)
    return folder


def assert_equal(model: edge_infer.Model, wanted: dict[str, Any], examples: dict[str, Any]) -> None:
    got = model.run(examples)
    assert got.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert got[name].dtype == tensor.numpy().dtype
        np.testing.assert_allclose(got[name], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "examples"),
    [
        (Linear, {"x": (MANY, 4), "shift": (MANY,)}),
        (Looped, {"x": (MANY, 9)}),
    ],
)
def test_a_saved_model_gives_its_signatures_answers(make: Any, examples: dict[str, Any], tmp_path: Path) -> None:
    folder = saved(make(), tmp_path / "model")
    arrays = {
        name: RNG.integers(0, 3, shape).astype(np.int32) if name == "shift" else RNG.random(shape, np.float32)
        for name, shape in examples.items()
    }
    loaded = load_estimator(folder)
    made = convert(loaded, name="m")
    assert made.manifest.source.framework == "TensorFlow"
    assert made.manifest.source.versions.keys() >= {"tensorflow", "tf2onnx"}
    wanted = loaded.signatures["serving_default"](**{name: tf.constant(each) for name, each in arrays.items()})
    assert_equal(edge_infer.load(made.data), wanted, arrays)
    if make is Linear:  # tf2onnx goes through sets to write loops
        assert convert(load_estimator(folder), name="m").data == made.data, "the same model gives the same bytes"
    assert str(tmp_path).encode() not in made.data


@pytest.mark.parametrize("name", ["convolutions", "recurrent"])
def test_what_keras_exports_is_converted(name: str, tmp_path: Path) -> None:
    subject = SUBJECTS[name]
    original = seeded(subject)
    original.export(tmp_path / "model", verbose=False)
    made = convert(load_estimator(tmp_path / "model"), name="exported")
    assert made.manifest.interface is not None
    (given,), (output,) = made.manifest.interface.inputs, made.manifest.interface.outputs
    got = edge_infer.load(made.data).run({given.name: next(iter(subject.examples.values()))})[output.name]
    np.testing.assert_allclose(got, own(original, subject.examples)[0], rtol=1e-4, atol=1e-5)


def test_a_folder_is_converted_by_the_command(tmp_path: Path) -> None:
    folder = saved(Linear(), tmp_path / "linear")
    np.savez(tmp_path / "some.npz", x=RNG.random((2, 4), np.float32), shift=np.zeros(2, np.int32))
    for command in (
        ["convert", "linear"],
        ["verify", "linear-1.0.0.onnx"],
        ["predict", "linear-1.0.0.onnx", "some.npz"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "edge_infer.cli", *command],
            cwd=tmp_path, env=os.environ, capture_output=True, encoding="utf-8", timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert not {"WARNING", "oneDNN", "I0000"} & set(done.stderr.split()), (
            "TensorFlow's pages of notes are not shown"
        )
    assert '"label"' in done.stdout
    assert folder.is_dir()


def test_names_are_cleaned(tmp_path: Path) -> None:
    module = tf.Module()
    module.serve = tf.function(lambda x: {"sum/out:0": x * 2}, input_signature=[spec([None, 2], tf.float32, "x")])
    made = convert(load_estimator(saved(module, tmp_path / "m")), name="m")
    assert made.manifest.interface is not None
    assert [each.name for each in made.manifest.interface.outputs] == ["sum_out"]


def test_another_signature_is_chosen_in_python(tmp_path: Path) -> None:
    module = Linear()
    more = tf.function(lambda x: {"y": x + 1}, input_signature=[spec([None], tf.float32, "x")])
    folder = saved(module, tmp_path / "m", first=module.__call__, second=more)
    loaded = load_estimator(folder)
    with pytest.raises(UsageError, match=r"no signature 'serving_default' \(it has first, second\)(.|\n)*signatures\["):
        convert(loaded, name="m")
    model = edge_infer.load(convert(loaded.signatures["second"], name="m").data)
    np.testing.assert_array_equal(model.run({"x": np.ones(3, np.float32)})["y"], 2)


# --- what is not loaded -----------------------------------------------------------------

OUTSIDE: dict[str, tuple[Any, Any, str]] = {
    "reads a file": ("string", lambda x: tf.map_fn(tf.io.read_file, x), "ReadFile"),
    "calls Python": ("float32", lambda x: tf.py_function(lambda a: a * 2, [x], tf.float32), "EagerPyFunc"),
    "lists a folder": ("string", tf.io.matching_files, "MatchingFiles"),
    "prints to a file": ("float32", lambda x: (tf.print(x, output_stream="file:///dev/null"), x)[1], "PrintV2"),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_operators_that_reach_beyond_the_model_are_refused(name: str, tmp_path: Path) -> None:
    dtype, body, operator = OUTSIDE[name]
    folder = saved(functional(tf.as_dtype(dtype), body), tmp_path / "m")
    with pytest.raises(
        UntrustedSourceError, match=rf"reach beyond the model(.|\n)*\({operator}\)(.|\n)*--trust-pickle"
    ):
        load_estimator(folder)
    assert load_estimator(folder, trust_pickle=True).signatures


def test_saving_is_allowed_where_the_file_says_how_and_nowhere_else(tmp_path: Path) -> None:
    def body(x: Any) -> Any:
        with tf.control_dependencies([tf.raw_ops.Save(filename="a", tensor_names=["a"], data=[x])]):
            return tf.identity(x)

    def sharded(x: Any) -> Any:
        tf.raw_ops.SaveV2(prefix=str(tmp_path / "written"), tensor_names=["a"], shape_and_slices=[""], tensors=[x])
        return x

    for number, (kind, told) in enumerate([(body, "Save"), (sharded, "SaveV2")]):
        folder = saved(functional(tf.float32, kind), tmp_path / f"m{number}")
        with pytest.raises(UntrustedSourceError, match=rf"\({told}\)"):
            load_estimator(folder)
    assert not list(tmp_path.glob("written*"))
    assert load_estimator(saved(Linear(), tmp_path / "ours")).signatures, "its variables are saved by such operators"


def test_randomness_and_tables_are_loaded(tmp_path: Path) -> None:
    keys, values = tf.constant([0, 1], tf.int64), tf.constant([5, 6], tf.int64)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
    module = functional(tf.int64, lambda x: table.lookup(x) + tf.cast(tf.random.uniform(tf.shape(x)) * 0, tf.int64))
    module.table = table
    loaded = load_estimator(saved(module, tmp_path / "m"))
    with pytest.raises(UnsupportedModelError, match="LookupTableFindV2") as caught:  # of a resource, as ONNX has none
        convert(loaded, name="m")
    assert caught.value.blockers


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_a_torn_folder_is_told(part: str, tmp_path: Path) -> None:
    folder = saved(Linear(), tmp_path / "m")
    path = folder / part
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UntrustedSourceError, match=f"{folder}.*(torn|cannot be read)"):
        load_estimator(folder)


def test_a_folder_that_is_no_saved_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"is a folder; a model file is expected, or a SavedModel"):
        load_estimator(tmp_path)


def test_an_input_of_any_rank_is_told(tmp_path: Path) -> None:
    module = tf.Module()
    module.serve = tf.function(lambda x: {"y": x * 2}, input_signature=[spec(None, tf.float32, "x")])
    with pytest.raises(SchemaError, match=r"tf\.TensorSpec\(\[None, 10\]"):
        convert(load_estimator(saved(module, tmp_path / "m")), name="m")
    with pytest.raises(UsageError, match=r"tf\.saved_model\.save"):
        convert(tf.Module(), name="m")
