"""`edge-infer bundle`: its exit codes, and what it tells."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge_infer.cli.console import width
from tests.cli.conftest import Run
from tests.deploy.shelf import stocked


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """edge-infer's, beside all that it asks for; pip looks nowhere else."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in (("CONFIG_FILE", os.devnull), ("NO_INDEX", "1"), ("FIND_LINKS", str(shelf))):
        monkeypatch.setenv(f"PIP_{name}", value)
    return stocked(shelf)


def test_a_bundle_is_made_and_its_sizes_are_told(run: Run, classifier: Path, wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    ran = run("bundle", classifier, "--platform", "linux-aarch64", "--wheel", wheel, "-o", folder)
    assert (ran.code, ran.err) == (0, "")
    assert f"{folder}: linux-aarch64, Python 3.11, " in ran.out
    assert "models/people-1.2.0.onnx" in ran.out
    assert "sha256 of SHA256SUMS " in ran.out
    assert ran.out.endswith("sh bundle/install.sh\n")


def test_json_is_one_object(run: Run, classifier: Path, wheel: Path, tmp_path: Path) -> None:
    options = ("--platform", "linux-x86_64", "--python", "3.12", "--extra", "secure", "--wheel", wheel)
    ran = run("bundle", classifier, *options, "-o", tmp_path / "bundle", "--json")
    told = json.loads(ran.out)
    assert (told["platform"], told["python"], told["version"]) == ("linux-x86_64", "3.12", "1.0")
    assert (told["extras"], told["models"], told["keys"]) == (["secure"], [classifier.name], [])
    assert told["size"] == sum(told["sizes"].values())
    assert len(told["digest"]) == 64


def test_what_fails_is_told_in_a_line_or_two(run: Run, classifier: Path, wheel: Path, tmp_path: Path) -> None:
    ran = run(
        "bundle", classifier, "--platform", "linux-x86_64", "--python", "3.14", "--wheel", wheel, "-o", tmp_path / "b"
    )
    assert ran.code == 1
    assert ran.err.startswith("error: pip download failed:\n")
    assert "Traceback" not in ran.err
    assert run("bundle", tmp_path / "no.onnx", "--platform", "linux-x86_64", "-o", tmp_path / "b").code == 1
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "args",
    [
        ("--platform", "linux-musl", "-o", "b"),
        ("--platform", "linux-x86_64", "--python", "3.9", "-o", "b"),
        ("--platform", "linux-x86_64", "-o", "no/such/folder"),
        ("--platform", "linux-x86_64", "-o", "b", "--extra", "convert"),
        ("-o", "b"),
        ("--platform", "linux-x86_64"),
    ],
)
def test_wrong_usage(
    run: Run, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("bundle", classifier, *args).code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_help_fits_a_terminal(run: Run) -> None:
    ran = run("bundle", "--help")
    assert ran.code == 0
    assert "edge-infer bundle titanic-1.2.0.onnx --platform linux-aarch64" in " ".join(ran.out.split())
    assert all(width(line) <= 100 for line in ran.out.splitlines())


def test_a_name_in_place_of_a_file_is_told_apart(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pets.html").touch()  # which is no model that was meant
    ran = run("bundle", "pets", "--platform", "linux-x86_64", "-o", tmp_path / "b")
    assert (ran.code, "a bundle takes files, not names in the store" in ran.err) == (2, True)
    assert not (tmp_path / "b").exists()
