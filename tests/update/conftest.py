"""Artifacts to publish, and a repository for each test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_infer.signing import PrivateKey, generate_key, sign
from edge_infer.update.publisher import Publisher
from tests.store.releases import artifact
from tests.update.devices import Device

Models = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of tests are on this machine."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """The file of a release; `signed`: with a signature beside it."""
    folder = tmp_path / "models"
    folder.mkdir()

    def file(
        version: str, *, name: str = "pets", release: int | None = None, signed: bool = False, rollback: bool = False
    ) -> Path:
        path = folder / f"{name}-{version}.onnx"
        path.write_bytes(artifact(version, name=name, release=release))
        if signed:
            if not (folder / "release.key").exists():
                generate_key(folder / "release.key")
            key = PrivateKey.read(folder / "release.key")
            signature = sign(path.read_bytes(), path.name, key, release=release, rollback_allowed=rollback)
            Path(f"{path}.sig").write_bytes(signature)
        return path

    return file


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "repository", tmp_path / "keys")


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path / "repository", tmp_path / "store")
