"""The systemd units: well formed, hardened, and a socket that answers for a model."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deploy.conftest import ROOT, SAMPLES

UNITS = ROOT / "deploy" / "systemd"
EXPOSURE = UNITS / "exposure.txt"
PROGRAM = "/opt/edge-infer/bin/edge-infer"
MOST = {"edge-infer-batch.service": 1.0, "edge-infer-stream-penguins@.service": 1.0, "edge-infer-update.service": 2.0}
RECORD = json.dumps(json.loads((SAMPLES / "penguins-1.0.0.record.json").read_text(encoding="utf-8")))
ANSWER = json.loads((SAMPLES / "penguins-1.0.0.answer.json").read_text(encoding="utf-8"))


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; on Debian: apt install systemd")
    return found


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they are installed for the model "penguins", with a program that is there."""
    for unit in UNITS.glob("edge-infer*.[st]*"):
        name = unit.name.replace("edge-infer-stream", "edge-infer-stream-penguins")
        (tmp_path / name).write_text(
            unit.read_text(encoding="utf-8").replace(PROGRAM, sys.executable), encoding="utf-8"
        )
    return tmp_path


def test_systemd_finds_nothing_to_complain_of(units: Path) -> None:
    names = [path for path in sorted(units.iterdir()) if path.suffix in (".service", ".socket", ".timer")]
    assert len(names) == 6
    done = subprocess.run([program("systemd-analyze"), "verify", *names], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_mistake_in_a_unit_would_be_found(units: Path) -> None:
    unit = units / "edge-infer-stream-penguins@.service"
    unit.write_text(unit.read_text(encoding="utf-8").replace("PrivateTmp=", "PrivateTemp="), encoding="utf-8")
    done = subprocess.run([program("systemd-analyze"), "verify", unit], capture_output=True, text=True, check=False)
    assert "PrivateTemp" in done.stderr


def test_the_services_are_as_little_exposed_as_is_written(units: Path, update_goldens: bool) -> None:
    analyze = program("systemd-analyze")
    version = subprocess.run([analyze, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    found = {name: _exposure(analyze, units / name) for name in MOST}
    assert {name: score for name, score in found.items() if score > MOST[name]} == {}
    written = "".join(f"{name} {score:.1f}\n" for name, score in found.items())
    if update_goldens:
        EXPOSURE.write_text(
            f"# systemd-analyze security --offline=true, systemd {version}. Written by `make goldens`.\n{written}"
        )
    first, _, rest = EXPOSURE.read_text(encoding="utf-8").partition("\n")
    if f"systemd {version}." in first:  # another version may weigh otherwise
        assert rest == written


def _exposure(analyze: str, unit: Path) -> float:
    command = [analyze, "security", "--offline=true", "--no-pager", unit]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    score = re.search(r"Overall exposure level for .*: ([0-9.]+)", told.stdout)
    if score is None:
        pytest.skip(f"this systemd-analyze cannot judge a file (250 or newer can): {told.stderr[-200:]}")
    return float(score[1])


def test_each_connection_is_a_process_that_answers(tmp_path: Path) -> None:
    """What systemd does with Accept=yes and StandardInput=socket, without being process 1."""
    listen = tmp_path / "penguins.socket"
    serve = [program("systemd-socket-activate"), "--accept", "--inetd", f"--listen={listen}"]
    stream = [sys.executable, "-m", "edge_infer.cli", "stream", str(SAMPLES / "penguins-1.0.0.onnx")]
    paths = f"--setenv=PYTHONPATH={ROOT}"
    with subprocess.Popen([*serve, paths, *stream], stderr=subprocess.DEVNULL) as activator:
        try:
            callers = [_connected(listen) for _ in range(3)]
            told = [_asked(caller, RECORD) for caller in callers]
            assert [each["prediction"] for each in told] == 3 * [ANSWER["prediction"]]
            assert "error" in _asked(callers[0], "no JSON")
            assert _asked(callers[0], RECORD)["prediction"] == ANSWER["prediction"]
            for caller in callers:
                caller.close()
        finally:
            activator.terminate()


def test_a_program_answers_where_there_is_no_systemd(tmp_path: Path) -> None:
    """deploy/docker/serve_socket.py: in containers."""
    listen, programs = tmp_path / "penguins.socket", tmp_path / "bin"
    programs.mkdir()
    (programs / "edge-infer").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edge_infer.cli "$@"\n')
    (programs / "edge-infer").chmod(0o755)
    listen.touch()  # what an earlier run left
    server = [sys.executable, ROOT / "deploy" / "docker" / "serve_socket.py", SAMPLES / "penguins-1.0.0.onnx", listen]
    paths = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*map(str, server), "600"], env={**os.environ, **paths}) as serving:
        try:
            with _connected(listen) as first, _connected(listen) as second:
                assert stat.S_IMODE(listen.stat().st_mode) == 0o600
                for caller in (first, second, first):
                    assert _asked(caller, RECORD)["prediction"] == ANSWER["prediction"]
        finally:
            serving.terminate()
        assert serving.wait() == 0


def _connected(path: Path) -> socket.socket:
    """As soon as somebody listens."""
    for _ in range(300):
        caller = socket.socket(socket.AF_UNIX)
        try:
            caller.connect(str(path))
        except OSError:
            caller.close()
            time.sleep(0.1)
        else:
            caller.settimeout(60)
            return caller
    raise AssertionError(f"nobody listens at {path}")


def _asked(caller: socket.socket, line: str) -> dict[str, object]:
    caller.sendall(line.encode() + b"\n")
    with caller.makefile("rb") as answers:
        told: dict[str, object] = json.loads(answers.readline())
    return told
