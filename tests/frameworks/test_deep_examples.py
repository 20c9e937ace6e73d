"""The examples of deep models run in a fresh process, in an empty folder. Each compares its answers itself."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def told(name: str, folder: Path, *needed: str) -> str:
    """What the example prints."""
    for module in needed:
        if find_spec(module) is None:  # not by an import: that of Keras fails where its usual backend is not there
            pytest.skip(f"{module} is not installed: make frameworks brings it")
    command = [sys.executable, str(EXAMPLES / name)]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("example", "framework", "least"), [("torch_digits.py", "PyTorch", 95), ("keras_digits.py", "Keras", 90)]
)
def test_a_network_of_digits(example: str, framework: str, least: float, tmp_path: Path) -> None:
    text = told(example, tmp_path, {"PyTorch": "torch", "Keras": "keras"}[framework])
    assert f"labels equal to {framework}'s: 450 of 450" in text
    found = re.search(r"right: ([0-9.]+)%", text)
    assert found is not None
    assert float(found[1]) > least


def test_files_of_pytorch_on_the_command_line(tmp_path: Path) -> None:
    text = told("torch_files.py", tmp_path, "torch")
    for file in ("program.pt2", "script.pt", "exported.onnx"):
        assert f"{file}: 1,000 answers equal to the module's" in text


def test_a_voice_detector_that_somebody_else_exported(tmp_path: Path) -> None:
    text = told("voices.py", tmp_path, "silero_vad", "soundfile")
    assert text.count(" s  0.") == 4
    assert "examples in 8 calls equal" in text


def test_quantized_digits_are_small_and_lose_little_or_are_not_kept(tmp_path: Path) -> None:
    text = told("quantize_digits.py", tmp_path, "torch")
    for variant in ("int8-static", "int8-dynamic", "uint8-static", "fp16", "weights-int4"):
        assert re.search(rf"^{variant}[ *].*\d", text, re.MULTILINE), text
    share = re.search(r"file: .* bytes, ([0-9.]+) of float32's", text)
    kept = re.search(r"kept: (\S+), (-?[0-9.]+) points lost", text)
    right = re.search(r"right on other images: ([0-9.]+)%", text)
    assert share is not None
    assert right is not None
    assert float(right[1]) > 95
    if kept is None:
        assert "kept: float32" in text
    else:
        assert float(kept[2]) <= 0.5
        assert float(share[1]) <= 0.35


def test_files_of_images_in_pytorch(tmp_path: Path) -> None:
    """The command line gives what the library gives."""
    lines = told("torch_images.py", tmp_path, "torch").splitlines()
    assert re.search(r"1,0[0-9]{2} examples in [0-9]+ calls equal", lines[0])
    assert {"seven.png: 7", "four.png: 4"} <= set(lines)
    assert [lines[lines.index(file) + 1].split()[0] for file in ("seven.png", "four.png")] == ["7", "4"]


def test_a_pipeline_that_ends_in_a_network_of_skorch(tmp_path: Path) -> None:
    """The example itself compares each probability with the pipeline's."""
    text = told("skorch_penguins.py", tmp_path, "skorch")
    assert "labels equal to the pipeline's: 86 of 86" in text
    found = re.search(r"right: ([0-9.]+)%", text)
    assert found is not None
    assert float(found[1]) > 95
