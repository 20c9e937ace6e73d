"""The examples of deep models run in a fresh process, in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("example", "framework", "least"), [("torch_digits.py", "PyTorch", 95), ("keras_digits.py", "Keras", 90)]
)
def test_a_network_of_digits(example: str, framework: str, least: float, tmp_path: Path) -> None:
    """The example itself compares each answer with the framework's."""
    package = {"PyTorch": "torch", "Keras": "keras"}[framework]
    if find_spec(package) is None:
        pytest.skip(f"{framework} is not installed: make frameworks brings it")
    command = [sys.executable, str(EXAMPLES / example)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert f"labels equal to {framework}'s: 450 of 450" in done.stdout
    found = re.search(r"right: ([0-9.]+)%", done.stdout)
    assert found is not None
    assert float(found[1]) > least
