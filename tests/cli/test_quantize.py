"""`edge-infer convert --quantize` and `--simplify`, in a fresh process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.cli.conftest import Run, fresh
from tests.deep.graphs import classifier, clusters

POINTS, LABELS = clusters(200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("quantize")
    onnx.save(classifier(), made / "net.onnx")
    np.savez(made / "points.npz", point=POINTS)
    np.save(made / "truth.npy", LABELS)
    np.savez(made / "two.npz", a=LABELS, b=LABELS)
    return made


def test_convert_inspect_verify_predict(run: Run, folder: Path) -> None:
    ran = fresh(
        "convert", folder / "net.onnx", "--quantize", "int8-static", "--quantize", "fp16", "--max-loss", 2,
        "--calibration", folder / "points.npz", "--targets", folder / "truth.npy", "-o", folder / "small.onnx",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "quantize and measure: fp16" in ran.err
    assert all(len(line) <= 80 for line in ran.out.splitlines() if str(folder) not in line)
    assert "variant                        size  share     p50 µs   RSS MB accuracy    loss" in ran.out
    assert "int8-static: kept" in ran.out or "fp16: kept" in ran.out
    told = json.loads(run("inspect", folder / "small.onnx", "--json").out)
    assert told["quantization"]["metric"] == "accuracy"
    assert told["quantization"]["loss"] <= 2
    card = run("inspect", folder / "small.onnx").out
    assert "quantized  " in card
    assert "compared with the original, before it was quantized" in card
    verified = run("verify", folder / "small.onnx")
    assert verified.code == 0
    assert "what was measured when it was quantized" in verified.out
    assert run("predict", folder / "small.onnx", folder / "points.npz").code == 0


def test_json_has_the_table(run: Run, folder: Path) -> None:
    ran = run(
        "convert", folder / "net.onnx", "--quantize", "int8-dynamic", "--inputs", folder / "points.npz", "--max-loss",
        0, "-o", folder / "plain.onnx", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["quantization"] is None
    assert [row["variant"] for row in told["variants"]] == ["float32", "int8-dynamic"]
    assert [row["kept"] for row in told["variants"]] == [True, False]
    assert told["variants"][1]["score"]["loss"] > 0
    assert told["size"] == told["variants"][0]["size"] == (folder / "plain.onnx").stat().st_size


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--quantize", "int8"), "need examples to set ranges by"),
        (("--quantize", "int9"), "quantize: expected one or more of"),
        (("--calibration", "points.npz"), "calibration: of no use without quantize"),
        (("--quantize", "int8", "--calibration", "net.onnx"), "--calibration: expected a file of arrays"),
        (
            ("--quantize", "int8", "--calibration", "points.npz", "--targets", "two.npz"),
            "--targets: expected one array",
        ),
        (("--quantize", "int8", "--calibration", "points.npz", "--max-loss", "101"), "max_loss: expected"),
        (("--quantize", "int8", "--calibration", "absent.npz"), "absent.npz"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_written(
    run: Run, folder: Path, options: tuple[str, ...], told: str
) -> None:
    placed = [str(folder / each) if each.endswith((".npz", ".npy", ".onnx")) else each for each in options]
    ran = run("convert", folder / "net.onnx", *placed, "-o", folder / "none.onnx")
    assert ran.code in (1, 2)
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert not (folder / "none.onnx").exists()
