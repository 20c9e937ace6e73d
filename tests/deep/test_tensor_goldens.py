"""Golden tensors: recipes that give the same numbers everywhere, answers that come back as written, hostile files."""

from __future__ import annotations

import base64
import copy
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edge_infer.errors import ArtifactError
from edge_infer.goldens import Tolerance
from edge_infer.interface import Interface, TensorSpec
from edge_infer.manifest import KEY_TENSOR_GOLDENS
from edge_infer.tensor_goldens import (
    GoldenCase,
    Kept,
    Recipe,
    TensorGoldens,
    parse_tensor_goldens,
    render_tensor_goldens,
)
from edge_infer.verification import verify
from edge_infer_convert import convert
from edge_infer_convert.result import with_metadata
from tests.deep.graphs import convnet, embedding

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
SCHEMA = Draft202012Validator(json.loads((ARTIFACTS / "tensor_goldens.schema.json").read_text(encoding="utf-8")))
INTERFACE = Interface(
    (TensorSpec("x", "float32", ("batch", 3)), TensorSpec("n", "int64", ())),
    (TensorSpec("y", "float32", ("batch", 2)),),
)
ANSWER = np.array([[1.5, -2.0], [np.nan, np.inf]], np.float32)
INPUTS = {"x": Recipe("float32", (2, 3), 7, -1.0, 1.0), "n": Recipe("int64", (), 8, 4.0, 4.0)}
GOLDENS = TensorGoldens((GoldenCase(INPUTS, {"y": Kept.of(ANSWER, 99)}),), {"y": Tolerance(1e-4, 1.0)})


def splitmix(seed: int, count: int) -> list[int]:
    """The generator as it is published, in whole numbers."""
    found, state = [], seed
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        found.append(z ^ (z >> 31))
    return found


def test_the_generator_is_the_published_one() -> None:
    assert splitmix(0, 1) == [0xE220A8397B1DCDAF], "as Vigna's splitmix64.c gives for the seed 0"


@given(st.integers(0, 2**64 - 1), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_numbers_of_a_recipe_are_those_of_the_generator(seed: int, low: float, width: float) -> None:
    made = Recipe("float64", (2, 3), seed, low, low + width).made()
    wanted = [low + (z >> 11) * 2.0**-53 * ((low + width) - low) for z in splitmix(seed, 6)]
    assert made.reshape(-1).tolist() == wanted
    assert made.min() >= low


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("int8", -128, 127), ("uint8", 0, 255), ("bool", 0, 1), ("int64", -3, 3), ("int32", 5, 5), ("uint64", 0, 2**53)],
)
def test_whole_numbers_reach_both_ends_and_no_further(dtype: str, low: int, high: int) -> None:
    made = Recipe(dtype, (4000,), 1, low, high).made()
    assert made.dtype.name == dtype
    assert int(made.min()) >= low
    assert int(made.max()) <= high
    if high - low < 300:
        assert set(made.astype(int).tolist()) == set(range(low, high + 1))


def test_written_goldens_are_read_back() -> None:
    read = parse_tensor_goldens(render_tensor_goldens(GOLDENS), INTERFACE)
    assert read.tolerances == GOLDENS.tolerances
    assert read.cases[0].inputs == GOLDENS.cases[0].inputs
    kept = read.cases[0].outputs["y"]
    np.testing.assert_array_equal(kept.data.reshape(2, 2), ANSWER)
    large = Kept.of(np.arange(1000), 30)
    assert (large.every, large.data[:3].tolist()) == (34, [0, 34, 68])


def packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw)).decode()


def case(document: dict[str, Any]) -> Any:
    return document["cases"][0]


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no cases": lambda d: d.update(cases=[]),
    "too many cases": lambda d: d.update(cases=d["cases"] * 129),
    "an input is missing": lambda d: case(d)["inputs"].pop("n"),
    "an input too many": lambda d: case(d)["inputs"].update(z=case(d)["inputs"]["x"]),
    "an unknown output": lambda d: case(d)["outputs"].update(z=case(d)["outputs"]["y"]),
    "no outputs": lambda d: case(d).update(outputs={}),
    "no tolerance": lambda d: d.update(tolerances={}),
    "a large tolerance": lambda d: d["tolerances"]["y"].update(relative=0.5),
    "another dtype": lambda d: case(d)["inputs"]["x"].update(dtype="float64"),
    "another shape": lambda d: case(d)["inputs"]["x"].update(shape=[2, 4]),
    "a huge shape": lambda d: case(d)["inputs"]["x"].update(shape=[2**40, 3]),
    "a shape of huge and nothing": lambda d: case(d)["inputs"]["x"].update(shape=[0, 2**60]),
    "a negative size": lambda d: case(d)["inputs"]["x"].update(shape=[-1, 3]),
    "a negative seed": lambda d: case(d)["inputs"]["x"].update(seed=-1),
    "a seed of 65 bits": lambda d: case(d)["inputs"]["x"].update(seed=2**64),
    "ends the wrong way round": lambda d: case(d)["inputs"]["x"].update(low=2),
    "an end beyond the type": lambda d: case(d)["inputs"]["x"].update(high=1e39),
    "an end that is no whole number": lambda d: case(d)["inputs"]["n"].update(low=3.5),
    "an end that float64 does not hold": lambda d: case(d)["inputs"]["n"].update(high=2**60),
    "data that is not base64": lambda d: case(d)["outputs"]["y"].update(data="%%%"),
    "data that is not zlib": lambda d: case(d)["outputs"]["y"].update(data="AAAA"),
    "too little data": lambda d: case(d)["outputs"]["y"].update(data=packed(b"\0" * 12)),
    "too much data": lambda d: case(d)["outputs"]["y"].update(data=packed(b"\0" * 20)),
    "a bomb": lambda d: case(d)["outputs"]["y"].update(data=packed(b"\0" * 10_000_000)),
    "a step of nothing": lambda d: case(d)["outputs"]["y"].update(every=0),
}
#: What spans several fields, or is in packed data, FORMAT.md says alone.
BEYOND_THE_SCHEMA = BROKEN.keys() - {
    "no cases", "too many cases", "no outputs", "a large tolerance", "a negative size", "a negative seed",
    "a seed of 65 bits", "a step of nothing",
}  # fmt: skip
FINE: dict[str, Callable[[dict[str, Any]], object]] = {
    "as it is": lambda d: d,
    "an unknown field": lambda d: d.update(colour="red"),
    "another batch": lambda d: case(d)["inputs"]["x"].update(shape=[9, 3]),
    "equal ends": lambda d: case(d)["inputs"]["x"].update(low=1, high=1),
    "nothing in the batch": lambda d: case(d)["outputs"]["y"].update(shape=[0, 2], data=packed(b"")),
    "every second": lambda d: case(d)["outputs"]["y"].update(every=2, data=packed(b"\0" * 8)),
}


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = copy.deepcopy(json.loads(render_tensor_goldens(GOLDENS)))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize("name", BROKEN)
def test_broken_goldens_are_refused(name: str) -> None:
    with pytest.raises(ArtifactError):
        parse_tensor_goldens(changed(BROKEN[name]), INTERFACE)
    assert SCHEMA.is_valid(json.loads(changed(BROKEN[name]))) == (name in BEYOND_THE_SCHEMA)


@pytest.mark.parametrize("name", FINE)
def test_odd_goldens_that_are_fine_are_read(name: str) -> None:
    assert parse_tensor_goldens(changed(FINE[name]), INTERFACE).cases
    assert SCHEMA.is_valid(json.loads(changed(FINE[name])))


@pytest.mark.parametrize(("model", "output"), [(convnet(), "scores"), (embedding(), "twice")])
def test_a_graph_that_gives_something_else_does_not_verify(model: Any, output: str) -> None:
    inputs = {"ids": "int64[batch, length=4] 0..49"} if output == "twice" else None
    made = convert(model, inputs=inputs, name="model")
    assert {check.status for check in verify(made.data)} == {"ok", "not checked"}
    metadata = {entry.key: entry.value.encode() for entry in _read(made.data).metadata_props}
    document = json.loads(metadata[KEY_TENSOR_GOLDENS])
    kept = document["cases"][1]["outputs"][output]
    raw = bytearray(zlib.decompress(base64.b64decode(kept["data"])))
    raw[2] ^= 0x40
    kept["data"] = packed(bytes(raw))
    bare = _read(made.data)
    del bare.metadata_props[:]
    failed = [
        check
        for check in verify(with_metadata(bare, {**metadata, KEY_TENSOR_GOLDENS: json.dumps(document).encode()}))
        if check.status == "failed"
    ]
    assert [check.name for check in failed] == ["goldens"]
    assert f"{output} of call 1: 1 of" in failed[0].detail


def _read(data: bytes) -> Any:
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(data)
    return model
