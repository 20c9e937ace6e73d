"""The examples of TensorFlow run in a fresh process, in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_saved_model_of_digits(tmp_path: Path) -> None:
    """The example itself compares each answer with TensorFlow's."""
    if find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed: make tensorflow brings it")
    command = [sys.executable, str(EXAMPLES / "tensorflow_digits.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "labels equal to TensorFlow's: 450 of 450" in done.stdout
    found = re.search(r"right: ([0-9.]+)%", done.stdout)
    assert found is not None
    assert float(found[1]) > 90
