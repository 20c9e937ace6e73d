"""python -m tests.arm [--short] [--only STEP] [--root FOLDER] [--work FOLDER]: a device's work on emulated 64-bit Arm.

It builds the emulated system where it is missing (`root.py`), runs a device's commands (`device.py`) and the tests that
run there, and compares the answers of many models with this machine's (`models.py`, `answers.py`, `compare.py`). The
whole form records the comparison in artifacts/arm.json and artifacts/SUPPORT.md; the short form only judges it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from tests.arm import device, root

T = TypeVar("T")
ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
_PATIENCE: Final = 900.0  # seconds for a file of tests
#: Tests that run there: what a device has, without the converter's own tests. README.md says what is left out, and why.
SHORT_TESTS: Final = (
    *("tests/compat", "tests/runtime/test_goldens.py", "tests/runtime/test_input_errors.py"),
    *("tests/runtime/test_predict.py", "tests/runtime/test_prepared.py", "tests/cli/test_doctor.py"),
)
FULL_TESTS: Final = (
    *("tests/compat", "tests/runtime", "tests/hostile", "tests/encryption", "tests/signing"),
    *(f"tests/store/test_{name}.py" for name in ("encrypted", "schemas", "store", "trust")),
    "tests/monitor/test_windows.py",
    *(f"tests/cli/test_{name}.py" for name in ("doctor", "goldens", "light", "predict", "signing", "store", "stream")),
)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 1 where a step failed."""
    options = _parser().parse_args(argv)
    python = _timed("system", lambda: root.build(options.root))
    if python is None:
        return 1
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("device", lambda: _device(python, options.work)),
        ("answers", lambda: _answers(python, options.work, short=options.short)),
        ("tests", lambda: _tests(python, SHORT_TESTS if options.short else FULL_TESTS)),
    ]
    chosen = [(name, step) for name, step in steps if options.only in (None, name)]
    failed = [name for name, step in chosen if _timed(name, step) is None]
    print(f"arm: {'FAILED: ' + ', '.join(failed) if failed else 'passed'}")
    return int(bool(failed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.arm", description="Test on emulated 64-bit Arm.")
    parser.add_argument("--short", action="store_true", help="what the CI runs: a selection, and nothing is recorded")
    parser.add_argument("--only", choices=("device", "answers", "tests"), help="this step alone")
    parser.add_argument("--root", type=Path, default=ROOT / ".venv-arm", help="the emulated system, kept for next time")
    parser.add_argument("--work", type=Path, default=ROOT / ".venv-arm-work", help="models and answers, made anew")
    return parser


def _timed(name: str, step: Callable[[], T]) -> T | None:
    """What the step gives; None where it fails."""
    started = time.monotonic()
    try:
        result = step()
    except (SystemExit, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"arm: {name} FAILED after {time.monotonic() - started:.0f} s: {error}", flush=True)
        return None
    print(f"arm: {name} passed in {time.monotonic() - started:.0f} s", flush=True)
    return result


def _device(python: Path, work: Path) -> bool:
    device.run(device.Device(python, work / "home"), device.releases(work))
    return True


# --- answers ----------------------------------------------------------------------------


def _answers(python: Path, work: Path, *, short: bool) -> bool:
    """Made by both, and compared. Raises CalledProcessError where they differ."""
    models, x86, arm = work / "models", work / "x86", work / "arm"
    _run(sys.executable, "-m", "tests.arm.models", models, *(["--short"] if short else []))
    _run(sys.executable, HERE / "answers.py", models, x86)
    _run(python, HERE / "answers.py", models, arm)
    where = work / "where.json"
    where.write_text(json.dumps(_where(python)), encoding="utf-8")
    _run(sys.executable, "-m", "tests.arm.compare", models, x86, arm, *([] if short else ["--record", where]))
    return True


def _where(python: Path) -> dict[str, str | int]:
    """How the answers were made, for the record. Raises SystemExit where this machine is no x86-64."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        sys.exit(f"the comparison is with x86-64, and this machine is {platform.machine()}")
    told = subprocess.run(
        [python, "-c", "import platform, numpy, onnxruntime; "
         "print(platform.python_version(), numpy.__version__, onnxruntime.__version__)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    emulator = subprocess.run([python.parent / "qemu-aarch64", "--version"], capture_output=True, text=True, check=True)
    version = emulator.stdout.split("version ")[1].split()[0]
    return {
        "python": told[0],
        "numpy": told[1],
        "onnxruntime": told[2],
        "emulator": f"qemu-user {version} as {root.CPU}",
        "alone": 20,
    }


# --- tests ------------------------------------------------------------------------------


def _tests(python: Path, chosen: Sequence[str]) -> bool:
    """Each file in a process of its own, as many at once as there are CPUs. Raises SystemExit where one fails."""
    files = [file for name in chosen for file in _files(ROOT / name)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = [
            file for file, passed in zip(files, pool.map(partial(_test, python), files), strict=True) if not passed
        ]
    if failed:
        sys.exit(f"{len(failed)} of {len(files)} test files failed: {', '.join(map(str, failed))}")
    print(f"arm: {len(files)} test files passed", flush=True)
    return True


def _test(python: Path, file: Path) -> bool:
    """Whether it passes. One that hangs is tried once more, and that is told: where a process with threads makes a
    child, qemu's own locks may stay locked in it (seen with 7.2: a futex, for ever)."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    for _ in range(2):
        with subprocess.Popen(
            command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                told, _ = process.communicate(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                print(f"arm: {file} has hung for {_PATIENCE:g} s", flush=True)
                continue
        if process.returncode:
            print(told, flush=True)
        else:
            print(f"arm: {file}: {told.strip().splitlines()[-1]}", flush=True)
        return process.returncode == 0
    return False


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(path.glob("test_*.py"))
    return [file.relative_to(ROOT) for file in found]


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], cwd=ROOT, env=_environment(), check=True)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'convert'}", "CI": "true"}


if __name__ == "__main__":
    sys.exit(main())
