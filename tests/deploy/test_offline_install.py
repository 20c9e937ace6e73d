"""A bundle as a device installs it: no index, no network, from a stick that cannot be written."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_infer.bundle import PLATFORMS, make_bundle, target_of
from tests.deploy.conftest import ROOT, SAMPLES

RECORD = (SAMPLES / "penguins-1.0.0.record.json").read_text(encoding="utf-8")
ANSWER = json.loads((SAMPLES / "penguins-1.0.0.answer.json").read_text(encoding="utf-8"))
CLOSED = "http://127.0.0.1:9/"  # the port `discard`, where nobody listens

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in PLATFORMS.values(),
        reason="bundles are for Linux on x86-64 and aarch64; this machine is another",
    ),
]


class Device(NamedTuple):
    """Where a bundle is installed, and what its environment is."""

    prefix: Path
    environment: dict[str, str]

    def install(self, bundle: Path, *args: str) -> subprocess.CompletedProcess[str]:
        script = ["sh", str(bundle / "install.sh"), "--prefix", str(self.prefix), "--python", sys.executable]
        return self._run([*cut_off(bundle), *script, *args])

    def edge_infer(self, *args: str) -> subprocess.CompletedProcess[str]:
        return self._run([str(self.prefix / "bin" / "edge-infer"), *args])

    @property
    def current(self) -> str:
        return os.readlink(self.prefix / "current")

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment, cwd=self.prefix.parent
        )


def cut_off(bundle: Path) -> list[str]:
    """For root, namespaces without a network, and with the bundle read-only; others have the closed index alone."""
    inside = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    command = ["unshare", "--net", "--mount", "sh", "-c", inside, str(bundle)]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        return []
    return command


@pytest.fixture(scope="module")
def made(signed: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    probe = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder / "probe"), "flatbuffers"]
    reached = subprocess.run(probe, capture_output=True, text=True, check=False)
    if reached.returncode:
        pytest.skip(f"pip reaches no package index to take wheels from: {reached.stderr[-200:]}")
    model, key = signed
    target = target_of(f"linux-{platform.machine()}", f"3.{sys.version_info.minor}")
    constraint = str(ROOT / "requirements" / "dev.lock")
    return Path(make_bundle(folder / "bundle", [model], target, keys=[key], constraint=constraint).folder)


@pytest.fixture(scope="module")
def device(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Device:
    """On which the bundle was installed."""
    folder = tmp_path_factory.mktemp("device with a blank")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "EDGE_INFER_", "PYTHON"))}
    here = Device(folder / "prefix", {**kept, "HOME": str(folder), "PIP_INDEX_URL": CLOSED})
    ran = here.install(made, "--home", str(folder / "store"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "penguins@1.0.0  active" in ran.stdout
    assert 'penguins@1.0.0 answers a golden row: {"prediction": ' in ran.stdout
    return here


def test_it_answers_as_the_original_and_trusts_the_key(device: Device) -> None:
    told = device.edge_infer("predict", "penguins", RECORD, "--json")
    assert json.loads(told.stdout)["prediction"] == ANSWER["prediction"]
    assert json.loads(device.edge_infer("trust", "--json").stdout)["trusted"]
    assert json.loads(device.edge_infer("status", "--json").stdout)["store"] == str(device.prefix.parent / "store")


def test_a_second_run_upgrades_and_keeps_the_programs_before(made: Path, device: Device) -> None:
    before = device.current
    left = device.prefix / "versions" / "left-by-a-crash"
    left.mkdir()
    ran = device.install(made)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "penguins@1.0.0  installed already" in ran.stdout
    assert device.current != before
    assert {f"versions/{path.name}" for path in (device.prefix / "versions").iterdir()} == {before, device.current}
    assert device.edge_infer("status").returncode == 0


def _signed_by_nobody(bundle: Path) -> None:
    next((bundle / "models").glob("*.sig")).unlink()


def _changed_model(bundle: Path) -> None:
    model = next((bundle / "models").glob("*.onnx"))
    model.write_bytes(model.read_bytes().replace(b"Gentoo", b"Gentou"))


def _changed_wheel(bundle: Path) -> None:
    with open(next((bundle / "wheels").glob("typer-*")), "ab") as file:
        file.write(b"\0")


@pytest.mark.parametrize("change", [_signed_by_nobody, _changed_model, _changed_wheel])
def test_a_run_that_fails_late_leaves_the_programs_before(
    made: Path, device: Device, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Whoever changes the stick can make its sums fit; the keys of the device and the pins still judge."""
    bundle = shutil.copytree(made, tmp_path / "bundle")
    change(bundle)
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(bundle)}\n" for path in files)
    (bundle / "SHA256SUMS").write_text("".join(sums))
    before, versions = device.current, set((device.prefix / "versions").iterdir())
    ran = device.install(bundle)
    assert ran.returncode == 1
    assert "install: FAILED: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert (device.current, set((device.prefix / "versions").iterdir())) == (before, versions)
    told = device.edge_infer("predict", "penguins", RECORD, "--json")
    assert json.loads(told.stdout)["prediction"] == ANSWER["prediction"]


def test_two_runs_at_once_do_not_meet(made: Path, device: Device) -> None:
    import fcntl

    with open(device.prefix / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = device.install(made)
    assert ran.returncode == 1
    assert "another install.sh is at work" in ran.stderr
