"""One executable file: made here, run where nothing is installed, with no index and no network."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from edge_infer.bundle import PLATFORMS, SingleFile, make_single_file, target_of
from edge_infer.bundle.app import _with_paths
from edge_infer.errors import UsageError
from tests.deploy.conftest import ROOT, SAMPLES

RECORD = (SAMPLES / "penguins-1.0.0.record.json").read_text(encoding="utf-8")
ANSWER = json.loads((SAMPLES / "penguins-1.0.0.answer.json").read_text(encoding="utf-8"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in PLATFORMS.values(),
        reason="bundles are for Linux on x86-64 and aarch64; this machine is another",
    ),
]


@pytest.fixture(scope="module")
def made(penguins: Path, tmp_path_factory: pytest.TempPathFactory) -> SingleFile:
    folder = tmp_path_factory.mktemp("made")
    probe = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder / "probe"), "flatbuffers"]
    reached = subprocess.run(probe, capture_output=True, text=True, check=False)
    if reached.returncode:
        pytest.skip(f"pip reaches no package index to take wheels from: {reached.stderr[-200:]}")
    target = target_of(f"linux-{platform.machine()}", f"3.{sys.version_info.minor}")
    constraint = str(ROOT / "requirements" / "dev.lock")
    return make_single_file(folder / "penguins.pex", [penguins], target, constraint=constraint)


def _environment(cache: Path) -> dict[str, str]:
    """Of a device: a Python of that name on the path, and nothing else."""
    programs = cache.parent / "bin"
    programs.mkdir(exist_ok=True)
    python = programs / f"python3.{sys.version_info.minor}"
    if not python.exists():
        python.symlink_to(Path(sys.base_prefix) / "bin" / python.name)
    return {"PATH": f"{programs}:/usr/bin:/bin", "PEX_ROOT": str(cache), "HOME": str(cache.parent)}


def _command(made: SingleFile, *args: str) -> list[str]:
    alone = ["unshare", "--net"] if os.getuid() == 0 and shutil.which("unshare") else []
    if alone and subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = []
    return [*alone, made.file, *args]


def test_it_answers_by_the_models_name_after_a_first_start_that_was_killed_and_two_at_once(
    made: SingleFile, tmp_path: Path
) -> None:
    os.chmod(made.file, 0o555)
    environment, command = _environment(tmp_path / "cache"), _command(made, "predict", "penguins", RECORD, "--json")
    with subprocess.Popen(command, env=environment, cwd=tmp_path, start_new_session=True) as killed:
        time.sleep(1.0)
        os.killpg(killed.pid, signal.SIGKILL)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(command, env=environment, cwd=tmp_path, text=True, **pipes) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert json.loads(out)["prediction"] == ANSWER["prediction"]
    verified = subprocess.run(_command(made, "verify", "penguins@1.0.0"), env=environment, cwd=tmp_path, check=False)
    assert verified.returncode == 0


def test_it_says_what_it_holds(made: SingleFile) -> None:
    assert made.names == ("penguins@1.0.0", "penguins")
    with zipfile.ZipFile(made.file) as archive:
        inside = {name.rpartition("/")[2] for name in archive.namelist()}
    assert {"penguins-1.0.0.onnx", "sbom.cdx.json", "index.json"} <= inside


def test_a_file_that_is_there_stays_as_it_is(penguins: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(UsageError, match="new file"):
        make_single_file(tmp_path / "there", [penguins], target_of("linux-x86_64", "3.11"))
    assert (tmp_path / "there").read_text() == "mine"


def test_commands_that_take_no_model_are_left_alone() -> None:
    assert _with_paths(["status", "penguins"]) == ["status", "penguins"]
    assert _with_paths([]) == []
