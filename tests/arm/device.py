"""What a device does, as commands: import, every sample, predict, stream, and the store with its trials.

python -m tests.arm.device FOLDER runs it with this machine's Python; `make test-arm` with the emulated one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["Device", "releases", "run"]

ROOT: Final = Path(__file__).parents[2]
SAMPLES: Final = sorted((ROOT / "artifacts" / "samples").glob("format-*/*.onnx"))
PENGUINS: Final = ROOT / "artifacts" / "samples" / "format-1" / "penguins-1.0.0.onnx"
RECORD: Final = PENGUINS.with_suffix(".record.json").read_text(encoding="utf-8")
ANSWER: Final[Any] = json.loads(PENGUINS.with_suffix(".answer.json").read_text(encoding="utf-8"))


class Device:
    """Commands run with one interpreter, in an empty home."""

    def __init__(self, python: Path, home: Path) -> None:
        home = home.resolve()  # a home that is no absolute path is not taken for one
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        self.python = python
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("EDGE_INFER", "XDG_"))},
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "PYTHONSAFEPATH": "1",
        }

    def run(self, *args: str | Path, stdin: str = "", code: int = 0) -> str:
        """Standard output. Raises SystemExit where the exit code is another."""
        command = [str(self.python), *map(str, args)]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=self.environment, check=False, timeout=600
        )
        if done.returncode != code:
            sys.exit(
                f"{' '.join(command)}\nexpected exit code {code}, got {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def edge_infer(self, *args: str | Path, stdin: str = "", code: int = 0) -> str:
        """Standard output of `edge-infer ARGS`."""
        return self.run("-m", "edge_infer.cli", *args, stdin=stdin, code=code)


def releases(folder: Path) -> tuple[Path, Path]:
    """Releases 2 and 3 of the penguins, made by the converter on this machine."""
    from edge_infer_convert import convert
    from edge_infer_convert.demo import train

    estimator, X, _ = train()
    paths = [folder / f"penguins-{number}.0.0.onnx" for number in (2, 3)]
    for number, path in enumerate(paths, 2):
        convert(estimator, data=X, name="penguins", version=f"{number}.0.0", release=number, output=path)
    return paths[0], paths[1]


def run(device: Device, newer: tuple[Path, Path]) -> None:
    """All of it. Raises SystemExit with what was expected."""
    _imports(device)
    _samples(device)
    _predicts(device)
    _streams(device)
    _keeps_a_store(device, *newer)


def _expect(what: str, got: Any, wanted: Any) -> None:
    if got != wanted:
        sys.exit(f"{what}: expected {wanted!r}, got {got!r}")
    print(f"arm: {what}", flush=True)


def _imports(device: Device) -> None:
    machine, modules = device.run(
        "-c", "import platform, sys, edge_infer.model; print(platform.machine(), 'onnxruntime' in sys.modules)"
    ).split()
    _expect(f"import on {machine}", modules, "True")
    told = json.loads(device.edge_infer("doctor", PENGUINS, "--json"))
    _expect("doctor", told["verdict"], "This machine can run models.")


def _samples(device: Device) -> None:
    for path in SAMPLES:
        told = json.loads(device.edge_infer("verify", path, "--json"))
        statuses = {check["name"]: check["status"] for check in told["checks"]}
        _expect(f"verify {path.name}", (told["ok"], statuses["goldens"]), (True, "ok"))


def _predicts(device: Device) -> None:
    _expect("predict", json.loads(device.edge_infer("predict", PENGUINS, RECORD, "--json")), ANSWER)
    told = json.loads(device.edge_infer("inspect", PENGUINS, "--json"))
    _expect("inspect", told["name"], "penguins")
    device.edge_infer("predict", PENGUINS, '{"island": 3}', code=1)


def _streams(device: Device) -> None:
    lines = [json.dumps({"id": i, **json.loads(RECORD)}) for i in range(3)]
    told = [
        json.loads(line) for line in device.edge_infer("stream", PENGUINS, stdin="\n".join([*lines, "{"])).splitlines()
    ]
    _expect("stream", [line.get("id") for line in told], [0, 1, 2, None])
    _expect("stream's answers", {line["prediction"] for line in told[:3]}, {ANSWER["prediction"]})


def _keeps_a_store(device: Device, second: Path, third: Path) -> None:
    device.edge_infer("install", PENGUINS)
    _expect("install", _active(device), "1.0.0")
    device.edge_infer("install", second, "--trial", "2")
    for _ in range(2):
        device.edge_infer("predict", "penguins", RECORD)
    _expect("a trial that ends well", (_active(device), _on_trial(device)), ("2.0.0", False))
    device.edge_infer("install", third, "--trial", "1000,24h")
    _expect("a trial under way", (_active(device), _on_trial(device)), ("3.0.0", True))
    device.edge_infer("rollback", "penguins")
    _expect("rollback", _active(device), "2.0.0")
    device.edge_infer("activate", "penguins@1.0.0", code=1)  # older than what was active
    device.edge_infer("activate", "penguins@1.0.0", "--allow-older")
    _expect("activate", _active(device), "1.0.0")


def _status(device: Device) -> Any:
    return json.loads(device.edge_infer("status", "penguins", "--json"))["models"][0]


def _active(device: Device) -> str:
    return str(_status(device)["active"])


def _on_trial(device: Device) -> bool:
    return bool(_status(device)["trial"])


if __name__ == "__main__":
    place = Path(sys.argv[1])
    run(Device(Path(sys.executable), place / "home"), releases(place))
