"""The examples of deep models run in a fresh process, in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_network_of_digits_in_pytorch(tmp_path: Path) -> None:
    """The example itself compares each answer with PyTorch's."""
    pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks brings it")
    command = [sys.executable, str(EXAMPLES / "torch_digits.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "labels equal to PyTorch's: 450 of 450" in done.stdout
    found = re.search(r"right: ([0-9.]+)%", done.stdout)
    assert found is not None
    assert float(found[1]) > 95


def test_quantized_digits_are_small_and_lose_little_or_are_not_kept(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks brings it")
    command = [sys.executable, str(EXAMPLES / "quantize_digits.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    for variant in ("int8-static", "int8-dynamic", "uint8-static", "fp16", "weights-int4"):
        assert re.search(rf"^{variant}[ *].*\d", done.stdout, re.MULTILINE), done.stdout
    share = re.search(r"file: .* bytes, ([0-9.]+) of float32's", done.stdout)
    kept = re.search(r"kept: (\S+), (-?[0-9.]+) points lost", done.stdout)
    right = re.search(r"right on other images: ([0-9.]+)%", done.stdout)
    assert share is not None
    assert right is not None
    assert float(right[1]) > 95
    if kept is None:
        assert "kept: float32" in done.stdout
    else:
        assert float(kept[2]) <= 0.5
        assert float(share[1]) <= 0.35
