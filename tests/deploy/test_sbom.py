"""The bill of materials of a bundle: what CycloneDX's own schema takes, complete, and the same each time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from edge_infer.bundle import make_bundle, target_of
from edge_infer.bundle.sbom import NAME

HERE = target_of("linux-x86_64", "3.11")


@pytest.fixture(scope="module")
def folder(wheel: Path, penguins: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sbom") / "bundle"
    make_bundle(made, [penguins], HERE, wheel=str(wheel))
    return made


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / NAME).read_bytes())
    return found


def test_it_follows_the_schema(folder: Path) -> None:
    text = (folder / NAME).read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    broken = text.replace('"type": "library"', '"type": "a library"')
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


def test_every_wheel_and_model_is_named_with_its_digest(folder: Path, document: dict[str, Any]) -> None:
    named = {(c["name"], c["version"]): c["hashes"][0]["content"] for c in document["components"]}
    files = [*(folder / "wheels").iterdir(), *(folder / "models").iterdir()]
    assert sorted(named.values()) == sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    (model,) = [c for c in document["components"] if c["type"] == "machine-learning-model"]
    facts = {each["name"]: each["value"] for each in model["properties"]}
    assert (model["name"], model["version"]) == ("penguins", "1.0.0")
    assert facts["edge-infer:task"] == "classification"
    assert "scikit-learn" in facts["edge-infer:versions"]


def test_licenses_and_package_urls_are_those_of_the_wheels(document: dict[str, Any]) -> None:
    found = {c["name"]: c for c in document["components"]}
    assert found["edge-infer"]["licenses"] == [{"expression": "Apache-2.0 OR MIT"}]
    assert found["native"]["licenses"] == [{"license": {"name": "Like BSD"}}]
    assert found["backport"]["licenses"] == [{"license": {"name": "MIT License"}}]
    assert "licenses" not in found["pip"]
    assert found["edge-infer"]["purl"].startswith("pkg:pypi/edge-infer@1.0?")


def test_it_tells_what_needs_what(document: dict[str, Any]) -> None:
    needs = {each["ref"].partition("@")[0]: each.get("dependsOn", []) for each in document["dependencies"]}
    assert "model:penguins-1.0.0.onnx" in needs["bundle"]
    assert [each.partition("@")[0] for each in needs["pkg:pypi/edge-infer"]] == [
        f"pkg:pypi/{name}" for name in ("backport", "for-x86-64", "native")
    ]


def test_the_same_bundle_has_the_same_bytes(folder: Path, wheel: Path, penguins: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path / "again", [penguins], HERE, wheel=str(wheel))
    assert (tmp_path / "again" / NAME).read_bytes() == (folder / NAME).read_bytes()


def test_the_sums_name_it_and_without_it_there_is_none(
    folder: Path, wheel: Path, penguins: Path, tmp_path: Path
) -> None:
    assert f"  {NAME}\n" in (folder / "SHA256SUMS").read_text()
    make_bundle(tmp_path / "without", [penguins], HERE, wheel=str(wheel), sbom=False)
    assert not (tmp_path / "without" / NAME).exists()


def test_without_the_library_it_is_said_what_to_install(penguins: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nsys.modules['cyclonedx'] = None\n"
        "from edge_infer.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "bundle", str(penguins), "--platform", "linux-x86_64", "-o", "made"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert 'pip install "edge-infer[bundle]"' in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []
