"""PyTorch against itself: modules, exported programs and TorchScript, on a thousand inputs each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import edge_infer
from edge_infer.errors import ParityError, SchemaError, UnsupportedModelError, UntrustedSourceError, UsageError

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks brings it")
pytest.importorskip("onnxscript", reason="onnxscript is not installed: make frameworks brings it")

from edge_infer_convert import convert, load_estimator  # noqa: E402  # behind the skips
from tests.frameworks.torch_modules import (  # noqa: E402
    Attention,
    Convolutions,
    DependsOnSize,
    DependsOnValues,
    Pair,
    Recurrent,
    seeded,
)

#: TorchScript is deprecated; its files are read all the same.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
RNG = np.random.default_rng(0)
MANY = 1000


class Subject(NamedTuple):
    kind: Any
    inputs: dict[str, str]
    examples: dict[str, Any]


def floats(*shape: int) -> Any:
    return RNG.normal(0, 1, shape).astype(np.float32)


SUBJECTS = {
    "convolutions": Subject(Convolutions, {"image": "float32[batch, 1, 8, 8] 0..1"}, {"image": floats(MANY, 1, 8, 8)}),
    "recurrent": Subject(
        Recurrent,
        {"x": "float32[batch, length=6, 5]", "hidden": "float32[1, batch, 7]", "cell": "float32[1, batch, 7]"},
        {"x": floats(MANY, 9, 5), "hidden": floats(1, MANY, 7), "cell": floats(1, MANY, 7)},
    ),
    "attention": Subject(
        Attention,
        {"ids": "int64[batch, length=12] 0..99", "mask": "float32[batch, length=12] 0..1"},
        {"ids": RNG.integers(0, 100, (MANY, 7)), "mask": (RNG.random((MANY, 7)) < 0.8).astype(np.float32)},
    ),
    "pair": Subject(
        Pair,
        {"a": "float32[batch, 4]", "b": "int32[batch, 3] 0..9"},
        {"a": floats(MANY, 4), "b": RNG.integers(0, 10, (MANY, 3)).astype(np.int32)},
    ),
}


def own(module: Any, examples: dict[str, Any]) -> list[Any]:
    """The module's own answers, as a flat list."""
    with torch.no_grad():
        found = module(*(torch.from_numpy(array) for array in examples.values()))
    parts = found.values() if isinstance(found, dict) else found if isinstance(found, tuple) else [found]
    return [part.numpy() for part in parts]


def assert_equal(model: edge_infer.Model, module: Any, examples: dict[str, Any]) -> None:
    for got, wanted in zip(model.run(examples).values(), own(module, examples), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_module_gives_its_answers(name: str) -> None:
    subject = SUBJECTS[name]
    module = seeded(subject.kind)
    made = convert(module, inputs=subject.inputs, name=name)
    assert made.manifest.source.framework == "PyTorch"
    assert made.manifest.source.estimator == subject.kind.__name__
    assert_equal(edge_infer.load(made.data), module, subject.examples)
    again = convert(seeded(subject.kind), inputs=subject.inputs, name=name)
    assert again.data == made.data, "the same model gives the same bytes"
    assert str(Path.cwd()).encode() not in made.data
    assert b"torch_modules" not in made.data, "nor is any of its source in them"


@pytest.mark.parametrize("name", ["convolutions", "pair"])
def test_examples_tell_what_a_module_is_given(name: str) -> None:
    subject = SUBJECTS[name]
    made = convert(seeded(subject.kind), inputs=subject.examples, name=name)
    assert made.certificate["kinds"]["given"] == MANY
    tensors = [torch.from_numpy(array[:3]) for array in subject.examples.values()]
    assert convert(seeded(subject.kind), inputs=tensors, name=name).manifest.interface == made.manifest.interface


def test_states_are_fed_back() -> None:
    module, subject = seeded(Recurrent), SUBJECTS["recurrent"]
    states = {"hidden": "next_hidden", "cell": "next_cell"}
    stream = edge_infer.load(convert(module, inputs=subject.inputs, states=states, name="r").data).stateful()
    x = subject.examples["x"][:5]
    for part in (x[:, :4], x[:, 4:6], x[:, 6:]):
        got = stream.run({"x": part})
    zeros = np.zeros((1, 5, 7), np.float32)
    np.testing.assert_allclose(got["scores"], own(module, {"x": x, "h": zeros, "c": zeros})[0], rtol=1e-4, atol=1e-5)


def exported(subject: Subject) -> Any:
    auto = torch.export.Dim.AUTO
    some = tuple(torch.from_numpy(array[:3]) for array in subject.examples.values())
    return torch.export.export(
        seeded(subject.kind).eval(), some, dynamic_shapes=tuple({0: auto} for _ in some), strict=False
    )


@pytest.mark.parametrize("name", ["convolutions", "pair"])
def test_an_exported_program_says_what_it_is_given(name: str, tmp_path: Path) -> None:
    subject = SUBJECTS[name]
    torch.export.save(exported(subject), tmp_path / "model.pt2")
    with pytest.raises(UntrustedSourceError, match="--trust-pickle"):  # weights in it may be pickles
        load_estimator(tmp_path / "model.pt2")
    made = convert(load_estimator(tmp_path / "model.pt2", trust_pickle=True), name=name)
    assert made.manifest.interface is not None
    assert [spec.name for spec in made.manifest.interface.inputs] == list(subject.inputs)
    assert all(spec.shape[0] == "batch" for spec in made.manifest.interface.inputs)
    assert_equal(edge_infer.load(made.data), seeded(subject.kind).eval(), subject.examples)


@pytest.mark.parametrize("way", ["trace", "script"])
def test_torchscript_gives_its_answers(way: str, tmp_path: Path) -> None:
    subject = SUBJECTS["convolutions"]
    module = seeded(Convolutions).eval()
    some = torch.from_numpy(subject.examples["image"][:2])
    scripted = torch.jit.trace(module, some) if way == "trace" else torch.jit.script(module)
    scripted.save(tmp_path / "model.pt")
    made = convert(load_estimator(tmp_path / "model.pt"), inputs=subject.inputs, name="scripted")
    assert_equal(edge_infer.load(made.data), module, subject.examples)


def test_a_pickled_module_is_read_when_it_is_trusted(tmp_path: Path) -> None:
    subject = SUBJECTS["convolutions"]
    module = seeded(Convolutions)
    torch.save(module, tmp_path / "model.pt")
    with pytest.raises(UntrustedSourceError, match=r"--trust-pickle(.|\n)*torch\.onnx\.export"):
        load_estimator(tmp_path / "model.pt")
    made = convert(load_estimator(tmp_path / "model.pt", trust_pickle=True), inputs=subject.inputs, name="pickled")
    assert_equal(edge_infer.load(made.data), module.eval(), subject.examples)


@pytest.mark.parametrize("name", ["model.pt2", "model.pt"])
def test_a_torn_file_is_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith(".pt2"):
        torch.export.save(exported(SUBJECTS["pair"]), path)
    else:
        torch.jit.trace(seeded(Convolutions).eval(), torch.rand(2, 1, 8, 8)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UntrustedSourceError, match=str(path)):
        load_estimator(path, trust_pickle=True)


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    torch.save(seeded(Convolutions).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(UntrustedSourceError, match="state_dict"):
        load_estimator(tmp_path / "weights.pt", trust_pickle=True)


@pytest.mark.parametrize(
    ("make", "inputs", "kind", "told"),
    [
        (DependsOnValues, "float32[batch, 3]", UnsupportedModelError, "torch.where or torch.cond"),
        (DependsOnSize, "float32[batch, 3]", UnsupportedModelError, "should vary"),
        (lambda: seeded(Convolutions), "float32[batch, 1, 9, 9, 2]", SchemaError, "the original fails on a call"),
        (lambda: seeded(Convolutions), None, SchemaError, "does not say what it is given (image)"),
        (lambda: seeded(Attention), {"ids": "int64[batch, 4] 0..999", "mask": "float32[batch, 4]"}, SchemaError, "0.."),
        (lambda: seeded(Convolutions), {"picture": "float32[batch, 1, 8, 8]"}, UsageError, "expected image"),
        (torch.nn.ReLU, {}, UsageError, "expected input, got none"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_told(
    make: Callable[[], Any], inputs: Any, kind: type[Exception], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(kind) as caught:
        convert(make(), inputs=inputs, name="odd")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 1500
    written = capfd.readouterr()
    assert written.out + written.err == "", "PyTorch's own pages of graphs are not shown"


def test_a_fixed_batch_may_be_asked_for() -> None:
    made = convert(DependsOnSize(), inputs="float32[4, 3]", name="four")
    x = floats(4, 3)
    np.testing.assert_allclose(edge_infer.load(made.data).run({"x": x})["output"], x + 6, rtol=1e-6)


def test_a_model_that_answers_by_chance_is_not_converted() -> None:
    class Chance(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def forward(self, x: Any) -> Any:
            return x + torch.rand_like(x)

    with pytest.raises(ParityError, match="output of call 0"):
        convert(Chance(), inputs="float32[batch, 3]", name="chance")
