"""`edge-infer bench` of deep models: calls are made up as the golden calls are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import edge_infer
from edge_infer.bench.tensors import Made, feeds_of, tensors_for
from edge_infer_convert import convert
from tests.deep.graphs import convnet, embedding, recurrent


def test_tensors_are_in_the_range_of_the_golden_calls_and_of_every_size() -> None:
    model = edge_infer.load(convert(embedding(), inputs="int64[batch, length=5] 20..49", name="words").data)
    made = tensors_for(model)
    assert isinstance(made, Made)
    assert (made.origin, made.widest) == ("made up as in the golden calls", None)
    for rows in (1, 10, 1000):
        (feeds,) = made.batch(rows).given
        assert feeds["ids"].shape == (rows, 5)
        assert feeds["ids"].min() >= 20
        assert made.ask(model)(feeds)["mean"].shape == (rows, 6)


def test_all_inputs_that_the_batch_is_a_size_of_get_it() -> None:
    model = edge_infer.load(convert(recurrent(), name="cell").data)
    (feeds,) = tensors_for(model).batch(7).given
    assert {name: feed.shape for name, feed in feeds.items()} == {"step": (7, 3), "hidden": (7, 4)}
    assert {name: feed.shape for name, feed in feeds_of(model.artifact).items()} == {"step": (1, 3), "hidden": (1, 4)}


def test_a_model_of_one_example_is_asked_one() -> None:
    model = edge_infer.load(convert(convnet(batch=None), inputs="float32[1, 1, 8, 8] 0..1", name="one").data)
    made = tensors_for(model)
    assert made.widest is None or made.widest == 1
    assert made.ask(model)(made.batch(1).given[0])["scores"].shape == (1, 10)


def test_without_golden_calls_there_are_zeros(tmp_path: Path) -> None:
    path = tmp_path / "bare.onnx"
    path.write_bytes(convnet().SerializeToString())
    feeds = feeds_of(edge_infer.load(path).artifact)
    assert np.count_nonzero(feeds["image"]) == 0


def test_on_the_command_line(tmp_path: Path) -> None:
    convert(convnet(), inputs="float32[batch, 1, 8, 8] 0..1", name="net", output=tmp_path / "net-1.0.0.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "edge_infer.cli", "bench", "net-1.0.0.onnx", "--seconds", "0.01", "--json"],
        cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["rows"] == "made up as in the golden calls"
    assert told["latency"][0]["given"] == "tensors, 1 example"
    assert told["resident_bytes"] > 0
