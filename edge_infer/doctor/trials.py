"""Tries packages and tiny models in a process of its own: an import can crash where a CPU is not as expected."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from edge_infer.doctor.facts import Trial

__all__ = ["STAGES", "tried"]

#: In order; each needs the ones before it.
STAGES = ("numpy", "onnxruntime", "float32", "float64", "strings", "trees", "opsets", "model")
_SECONDS = 300  # a large model on a slow board


def tried(model: str = "") -> dict[str, Trial]:
    """What came of each stage; of one that crashed, how it ended."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-s", "-S", "-m", "edge_infer.doctor.trials", model]  # the path is all given
    try:
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return _stages(late.stdout or b"", f"no end after {_SECONDS} s")
    except OSError as error:
        return _stages(b"", f"{sys.executable} could not be started: {error}")
    return _stages(ran.stdout, _ending(ran.returncode, ran.stderr))


def _stages(output: bytes, ending: str) -> dict[str, Trial]:
    found: dict[str, Trial] = {}
    for line in output.decode(errors="replace").splitlines():
        name, told, error = json.loads(line)
        found[name] = Trial(told, error)
    missing = [name for name in STAGES if name not in found]
    if missing and ending:
        found[missing[0]] = Trial(error=ending)
    return {name: found.get(name, Trial()) for name in STAGES}


def _ending(code: int, errors: bytes) -> str:
    """Empty where it ended well."""
    if code == 0:
        return ""
    if code < 0:
        try:
            return f"it crashes Python ({signal.Signals(-code).name})"
        except ValueError:
            return f"it crashes Python (signal {-code})"
    last = (errors.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    return f"Python ended with exit code {code}: {last:.200}"


# --- the other process ------------------------------------------------------------------


def _main(model: str) -> None:
    """A JSON line for each stage, written before the next one begins; the first that fails is the last but `model`."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as `edge_infer.session` does
    works = all(_stage(name) for name in STAGES[:2])
    if not works:
        return
    for name in STAGES[2:-1]:
        _stage(name)
    if model:
        _tell("model", *_verified(model))


def _stage(name: str) -> bool:
    try:
        _tell(name, _try(name), "")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the report is about
        _tell(name, "", " ".join(str(error).split())[:300] or type(error).__name__)
        return False
    return True


def _try(name: str) -> str:
    if name in ("numpy", "onnxruntime"):
        from importlib import import_module

        return str(import_module(name).__version__)
    from edge_infer.doctor import tiny

    if name == "opsets":
        return tiny.newest_opsets()
    tiny.RUNS[name]()
    return "runs"


def _verified(model: str) -> tuple[str, str]:
    """What `edge-infer verify` would say, in a line."""
    from edge_infer.cli.failure import describe

    try:
        from edge_infer.cli.model_file import model_file
        from edge_infer.verification import verify

        checks = verify(model_file(model))
    except Exception as error:  # noqa: BLE001
        return "", describe(error)[0].partition("error: ")[2]
    failed = [f"{check.name}: {check.detail}" for check in checks if check.status == "failed"]
    if failed:
        return "", f"{failed[0]} (edge-infer verify shows all checks)"
    told = {check.name: check.detail for check in checks}
    return f"{told.get('format', model)}; goldens: {told.get('goldens', 'none')}", ""


def _tell(name: str, told: Any, error: str) -> None:
    print(json.dumps([name, told, error]), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
