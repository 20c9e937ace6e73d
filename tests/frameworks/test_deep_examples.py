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


def test_files_of_images_in_pytorch(tmp_path: Path) -> None:
    """The command line gives what the library gives."""
    pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks brings it")
    command = [sys.executable, str(EXAMPLES / "torch_images.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "1,013 examples" in lines[0] or "1,016 examples" in lines[0]
    assert {"seven.png: 7", "four.png: 4"} <= set(lines)
    assert [lines[lines.index(file) + 1].split()[0] for file in ("seven.png", "four.png")] == ["7", "4"]
