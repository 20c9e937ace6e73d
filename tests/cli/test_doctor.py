"""What `edge-infer doctor` says of machines that we do not have (from facts, word for word) and of this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from edge_infer import folders
from edge_infer.cli.console import width
from edge_infer.cli.doctor import lines
from edge_infer.doctor import tiny
from edge_infer.doctor.facts import Facts, Folder, Trial, gathered
from edge_infer.doctor.findings import findings, verdict
from edge_infer.doctor.trials import STAGES
from tests.cli.conftest import ROOT, Run, fresh

GOLDENS = Path(__file__).parent / "goldens"
MODEL = ROOT / "artifacts" / "samples" / "format-1" / "penguins-1.0.0.onnx"

_RUN: Final = {name: Trial("runs") for name in ("float32", "float64", "strings", "trees")}
_THERE: Final = {"typer": Trial("0.29.2"), "platformdirs": Trial("4.14.8")}
WORKS: Final = {
    "numpy": Trial("2.4.6"),
    "onnxruntime": Trial("1.32.0"),
    **_RUN,
    "opsets": Trial("28, 5, 14"),
    "model": Trial(),
    **_THERE,
}
NONE: Final = {name: Trial() for name in STAGES}
NO_RUNTIME: Final = {
    **NONE,
    "numpy": Trial("2.4.6"),
    "onnxruntime": Trial(error="No module named 'onnxruntime'"),
    **_THERE,
}
BARE: Final = {
    **NONE,
    "numpy": Trial(error="No module named 'numpy'"),
    "typer": Trial(error="No module named 'typer'"),
    "platformdirs": Trial(error="No module named 'platformdirs'"),
}
PI: Final = Facts(
    implementation="CPython",
    python=(3, 11, 2),
    system="Linux",
    machine="aarch64",
    bits=64,
    libc=("glibc", "2.36"),
    trials=WORKS,
    cpus=4,
    memory=4_000_000_000,
    store=Folder("/home/pi/.local/share/edge-infer", "", 20 * 2**30),
    settings=Folder("/home/pi/.config/edge-infer/tuned", "", 20 * 2**30),
    now=1_795_000_000.0,
    boot=True,
    extras={"convert": ("sklearn",), "secure": ()},
)
MACHINES: Final = {
    "pi-64": PI,
    "pi-64-model": PI._replace(
        trials={**WORKS, "model": Trial("edge-infer artifact, penguins 1.0.0; goldens: 60 rows")}
    ),
    "pi-64-without-a-clock": PI._replace(now=17.0, boot=False, memory=None),
    "armv7": PI._replace(machine="armv7l", bits=32, trials=NO_RUNTIME),
    "armv7-on-a-64-bit-kernel": PI._replace(bits=32, trials=NO_RUNTIME),
    "armv6": PI._replace(machine="armv6l", bits=32, trials=BARE),
    "alpine": PI._replace(machine="x86_64", libc=("musl", "1.2.5"), trials=NO_RUNTIME),
    "alpine-with-its-own-onnxruntime": PI._replace(machine="x86_64", libc=("musl", "1.2.5")),
    "x86-32": PI._replace(machine="i686", bits=32, trials=NO_RUNTIME),
    "x86-32-python-only": PI._replace(machine="x86_64", bits=32, trials=NO_RUNTIME),
    "riscv64": PI._replace(machine="riscv64", trials=NO_RUNTIME),
    "pypy": PI._replace(implementation="PyPy", trials=NO_RUNTIME),
    "python-3.9": PI._replace(
        python=(3, 9, 18), trials=BARE, settings=Folder("", "unknown: this Python is too old to tell")
    ),
    "python-3.15": PI._replace(python=(3, 15, 0), trials=NO_RUNTIME),
    "glibc-2.27": PI._replace(libc=("glibc", "2.27"), trials=NO_RUNTIME),
    "glibc-2.17": PI._replace(libc=("glibc", "2.17"), trials=NO_RUNTIME),
    "mac-intel": PI._replace(system="Darwin", machine="x86_64", libc=("", ""), trials=NO_RUNTIME),
    "nothing-installed": PI._replace(
        trials=BARE, store=Folder("", "unknown: No module named 'platformdirs'"), extras={}
    ),
    "onnxruntime-crashes": PI._replace(trials={**NO_RUNTIME, "onnxruntime": Trial(error="it crashes Python (SIGILL)")}),
    "onnxruntime-1.20": PI._replace(
        trials={
            **WORKS,
            "onnxruntime": Trial("1.20.1"),
            "trees": Trial(error="TreeEnsemble(5) is not implemented"),
            "opsets": Trial("21, 4, 10"),
        }
    ),
    "read-only": PI._replace(
        store=Folder("/var/lib/edge-infer", "this user cannot write to /var/lib"),
        trials={**WORKS, "model": Trial(error="goldens: 2 of 60 rows differ (edge-infer verify shows all checks)")},
    ),
}
READY: Final = {"pi-64", "pi-64-model", "pi-64-without-a-clock", "alpine-with-its-own-onnxruntime"}


@pytest.mark.parametrize("name", MACHINES)
def test_the_report_of_a_machine_is_word_for_word_the_golden(name: str, update_goldens: bool) -> None:
    shown = "\n".join(lines(findings(MACHINES[name]))) + "\n"
    golden = GOLDENS / f"doctor-{name}.txt"
    if update_goldens:
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MACHINES)
def test_a_report_is_one_screen(name: str) -> None:
    shown = lines(findings(MACHINES[name]))
    assert max(map(width, shown)) <= 80
    assert len(shown) <= 24


@pytest.mark.parametrize("name", MACHINES)
def test_what_fails_has_a_remedy_and_only_ready_machines_fail_nowhere(name: str) -> None:
    failed = [finding for finding in findings(MACHINES[name]) if finding.status == "failed"]
    assert all(finding.remedy for finding in failed if finding.name != "model")
    assert (failed == []) is (name in READY)
    assert verdict(findings(MACHINES[name])).startswith("This machine can run models.") is (name in READY)


# --- this machine -----------------------------------------------------------------------


def test_this_machine_is_ready(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "home"))
    ran = run("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("This machine can run models.\n")
    assert str(tmp_path / "home") in "".join(ran.out.split())  # folded at 80 columns
    assert list(tmp_path.iterdir()) == []  # nothing is written


def test_json_tells_the_same(run: Run) -> None:
    ran = run("doctor", MODEL, "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["ok"]) == (0, True)
    assert {finding["name"]: finding["status"] for finding in told["findings"]}["model"] == "ok"
    assert told["facts"]["python"] == list(sys.version_info[:3])
    assert "penguins 1.0.0" in told["facts"]["trials"]["model"]["told"]


def test_a_model_that_is_not_there_is_said_to_be_so(run: Run) -> None:
    ran = run("doctor", "nope.onnx")
    assert ran.code == 1
    assert "✗ model        nope.onnx: no such file" in ran.out
    assert ran.out.endswith("This machine can run models, but not this one.\n")


def test_a_model_whose_goldens_do_not_come_out_is_told_of(run: Run, tmp_path: Path) -> None:
    from tests.cli.conftest import classifier_bytes

    path = tmp_path / "wrong-1.0.0.onnx"
    path.write_bytes(classifier_bytes(wrong_golden=True))
    ran = run("doctor", path)
    assert ran.code == 1
    assert "✗ model        goldens: " in ran.out


def hidden(*args: str) -> subprocess.CompletedProcess[str]:
    """With nothing but Python's own library and this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-S", *args], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_without_any_package_it_tells_what_to_install() -> None:
    ran = hidden("-m", "edge_infer.cli", "doctor")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "✗ numpy        No module named 'numpy'\n               → pip install 'numpy>=1.26'" in ran.stdout
    assert "✓ settings" in ran.stdout


def test_without_any_package_a_command_names_the_doctor() -> None:
    for command in (["predict", str(MODEL), "{}"], ["inspect", str(MODEL)]):
        ran = hidden("-m", "edge_infer.cli", *command)
        assert ran.returncode == 1
        assert ran.stderr.count("\n") == 1
        assert "is not installed; `python -m edge_infer.doctor` tells what to do here" in ran.stderr


def test_it_runs_straight_from_a_wheel(tmp_path: Path) -> None:
    wheel = shutil.make_archive(str(tmp_path / "edge_infer"), "zip", ROOT, "edge_infer")
    for python in ([sys.executable, "-S"], [sys.executable]):
        ran = subprocess.run(
            [*python, "-m", "edge_infer.doctor", "--json"],
            env={**os.environ, "PYTHONPATH": wheel},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        told = json.loads(ran.stdout)
        assert told["ok"] is ("-S" not in python), ran.stderr


@pytest.mark.parametrize("args", [["--nope"], ["a.onnx", "b.onnx"]], ids=" ".join)
def test_wrong_usage_is_told_without_typer(args: list[str]) -> None:
    ran = hidden("-m", "edge_infer.doctor", *args)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("usage: ")


def test_wrong_usage_is_told_by_typer() -> None:
    assert fresh("doctor", "--nope").code == 2


def test_the_code_keeps_to_python_3_8() -> None:
    import ast

    for path in [*(ROOT / "edge_infer" / "doctor").glob("*.py"), ROOT / "edge_infer" / "cli" / "doctor.py"]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_a_crash_is_told_and_ends_nothing_but_the_trial(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    facts = gathered()
    assert facts.trials["onnxruntime"] == Trial(error="it crashes Python (SIGILL)")
    assert facts.trials["float32"] == Trial()


def test_a_folder_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "file" / "store"))
    assert gathered().store.problem == f"{tmp_path / 'file'} is no folder"
    assert folders.default_folder() == str(tmp_path / "file" / "store")


@pytest.mark.parametrize("name", tiny.RUNS)
def test_a_wrong_answer_of_a_tiny_model_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Any = tiny._answer
    tiny.RUNS[name]()
    monkeypatch.setattr(tiny, "_answer", lambda model, x: answer(model, x) + 1)
    with pytest.raises(ValueError, match="a wrong answer: expected"):
        tiny.RUNS[name]()
