"""A package index of a folder, and models to bundle."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_infer.signing import PrivateKey, generate_key, sign
from tests.deploy.shelf import stocked

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "artifacts" / "samples" / "format-1"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A wheel of an edge-infer whose requirements pip finds in a folder, and nowhere else."""
    shelf = tmp_path_factory.mktemp("shelf")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            patch.delenv(name)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(shelf))
        yield stocked(shelf)


@pytest.fixture(scope="session")
def penguins() -> Path:
    """A model that nobody signed."""
    return SAMPLES / "penguins-1.0.0.onnx"


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory, penguins: Path) -> tuple[Path, Path]:
    """A model with its signature beside it, and the public key."""
    folder = tmp_path_factory.mktemp("signed")
    model, key = folder / penguins.name, folder / "release.key"
    shutil.copy(penguins, model)
    generate_key(key)
    signature = sign(model.read_bytes(), model.name, PrivateKey.read(key), release=1, rollback_allowed=False)
    Path(f"{model}.sig").write_bytes(signature)
    return model, Path(f"{key}.pub")
