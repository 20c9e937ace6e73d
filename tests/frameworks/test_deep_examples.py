"""The examples of deep models run in a fresh process, in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, folder: Path) -> tuple[str, float]:
    """What the example prints, and its share of right answers in percent."""
    command = [sys.executable, str(EXAMPLES / name)]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    found = re.search(r"right: ([0-9.]+)%", done.stdout)
    assert found is not None
    return done.stdout, float(found[1])


def test_a_network_of_digits_in_pytorch(tmp_path: Path) -> None:
    """The example itself compares each answer with PyTorch's."""
    pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks brings it")
    printed, right = run("torch_digits.py", tmp_path)
    assert "labels equal to PyTorch's: 450 of 450" in printed
    assert right > 95


def test_a_pipeline_that_ends_in_a_network_of_skorch(tmp_path: Path) -> None:
    """The example itself compares each probability with the pipeline's."""
    pytest.importorskip("skorch", reason="skorch is not installed: make frameworks brings it")
    printed, right = run("skorch_penguins.py", tmp_path)
    assert "labels equal to the pipeline's: 86 of 86" in printed
    assert right > 95
