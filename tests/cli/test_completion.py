"""Completion as bash asks for it: names in the store, and files where none fits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, fresh
from tests.store.releases import artifact


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with two releases of one model, and one of another."""
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "home"))
    for name, version in (("pets", "1.0.0"), ("pets", "1.1.0"), ("plants", "2.0.0")):
        file = tmp_path / f"{name}-{version}.onnx"
        file.write_bytes(artifact(version, name=name))
        assert fresh("install", file).code == 0
    return tmp_path


def completed(*words: str) -> list[str]:
    """What is offered for the last of the words."""
    ran = fresh(
        _EDGE_INFER_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(["edge-infer", *words]),
        COMP_CWORD=str(len(words)),
    )
    assert ran.err == ""
    return ran.out.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("predict", "p"), ["pets", "plants"]),
        (("inspect", "pets"), ["pets", "pets@1.0.0", "pets@1.1.0"]),
        (("activate", "pets@1.1"), ["pets@1.1.0"]),
        (("activate", "p"), ["pets@1.0.0", "pets@1.1.0", "plants@2.0.0"]),
        (("status", "pl"), ["plants"]),
        (("predict", "other"), []),
        (("ins",), ["inspect", "install"]),
        (("predict", "pets", "-m", "predict_"), ["predict_proba"]),
        (("bundle", "--platform", ""), ["linux-x86_64", "linux-aarch64"]),
    ],
    ids=str,
)
def test_names_of_the_store_are_offered(home: Path, words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(*words) == offered


def test_a_store_that_cannot_be_read_offers_nothing_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("a file, where a folder should be")
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "home"))
    assert completed("predict", "p") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_with_what_it_is_given_to_source(home: Path) -> None:
    programs = home / "bin"
    programs.mkdir()
    program = programs / "edge-infer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edge_infer.cli "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(edge-infer --show-completion bash)"\n'
        "COMP_WORDS=(edge-infer status pl); COMP_CWORD=2\n"
        '_edge_infer_completion edge-infer && printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": path, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["plants"]
