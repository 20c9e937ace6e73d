"""Models for readers in other languages, each made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.examples.models import DIABETES, DIGITS, MADE, PENGUINS, Record, goldens, penguins_with_gaps

#: The file of a model, and records to ask it with.
Made = tuple[Path, list[Record]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """A model by its name in `MADE` or that of a sample; samples come with their golden rows."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def make(name: str) -> Made:
        samples = {"penguins": PENGUINS, "diabetes": DIABETES, "digits": DIGITS}
        if name == "penguins with gaps":
            return PENGUINS, list(penguins_with_gaps())
        if name in samples:
            return samples[name], list(goldens(samples[name]))
        path = folder / f"{name}.onnx"
        return path, MADE[name](path)

    return make
