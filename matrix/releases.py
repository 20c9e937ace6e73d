"""python -m matrix.releases [RELEASE …]: what each release of onnxruntime takes, asked of the release itself.

Installs the last patch of each release into a temporary folder (some 20 MB each), and writes
convert/edge_infer_convert/onnxruntime_releases.json. Needs CPython 3.11, for which all of them have wheels.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import TensorProto, helper

from edge_infer_convert.targets import RELEASES_FILE

__all__ = ["main"]

_OLDEST: Final = (1, 16)  # the first that tells its kernels
_ML: Final = "ai.onnx.ml"
_DOMAINS: Final = ("", _ML)
_BESIDE: Final = ("numpy==1.26.4", "protobuf", "flatbuffers", "packaging", "sympy", "coloredlogs")
_PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")

#: Run by the release itself: the largest of each kind that loads, and the operators that it has a kernel for.
_ASK: Final = """
import json, sys, onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state
onnxruntime.set_default_logger_severity(4)
largest = {}
for kind, number, model in json.load(sys.stdin):
    try:
        onnxruntime.InferenceSession(bytes.fromhex(model), providers=["CPUExecutionProvider"])
        largest[kind] = max(number, largest.get(kind, 0))
    except Exception:
        pass
kernels = sorted({(k.domain, k.op_name) for k in state.get_all_opkernel_def() if k.provider == "CPUExecutionProvider"})
json.dump({"largest": largest, "kernels": kernels}, sys.stdout)
"""


def main(argv: list[str] | None = None) -> int:
    """Ask and write. 1 where pip cannot bring a release."""
    asked = argv or _last_patches()
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        beside = _installed(_BESIDE, Path(folder) / "beside", alone=False)
        for release in asked:
            place = _installed((f"onnxruntime=={release}",), Path(folder) / release, alone=True)
            found[release] = _answer(place, beside)
            print(release, found[release]["largest"], len(found[release]["kernels"]), "kernels", flush=True)
    RELEASES_FILE.write_text(_document(found), encoding="utf-8")
    return 0


def _last_patches() -> list[str]:
    """The last patch of each release that the package index has, oldest first."""
    told = subprocess.run([*_PIP, "index", "versions", "onnxruntime"], capture_output=True, check=True, text=True)
    line = next(line for line in told.stdout.splitlines() if line.startswith("Available versions:"))
    versions = [tuple(map(int, text.split("."))) for text in re.findall(r"\b\d+\.\d+\.\d+\b", line)]
    last: dict[tuple[int, ...], tuple[int, ...]] = {}
    for version in sorted(versions):
        last[version[:2]] = version
    return [".".join(map(str, version)) for minor, version in last.items() if minor >= _OLDEST]


def _installed(names: tuple[str, ...], folder: Path, *, alone: bool) -> Path:
    subprocess.run([*_PIP, "install", "-q", *["--no-deps"][:alone], "--target", str(folder), *names], check=True)
    return folder


def _answer(place: Path, beside: Path) -> dict[str, Any]:
    path = os.pathsep.join([str(place), str(beside)])
    done = subprocess.run(
        [sys.executable, "-c", _ASK], input=json.dumps(_questions()), env=os.environ | {"PYTHONPATH": path},
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _questions() -> list[tuple[str, int, str]]:
    """Models of one node, each a step newer than the one before."""
    models = [
        (f"opset:{domain}", version, _model(8, domain, version)) for domain in _DOMAINS for version in range(1, 40)
    ]
    models += [("ir", version, _model(version, "", 15)) for version in range(8, 30)]
    return [(kind, number, model.hex()) for kind, number, model in models]


def _model(ir: int, domain: str, version: int) -> bytes:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    opsets = {"": 15} | {domain: version}
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", [x], [y])
    ids = [helper.make_opsetid(*opset) for opset in opsets.items()]
    data: bytes = helper.make_model(graph, ir_version=ir, opset_imports=ids).SerializeToString()
    return data


# --- what is kept -----------------------------------------------------------------------


def _document(found: dict[str, dict[str, Any]]) -> str:
    """releases: of each its opsets and IR version. operators: the release that first had a kernel for each, where a
    model's opset does not tell that."""
    releases = {
        _minor(release): {
            "opsets": {domain: each["largest"][f"opset:{domain}"] for domain in _DOMAINS},
            "ir": each["largest"]["ir"],
        }
        for release, each in found.items()
    }
    first: dict[tuple[str, str], str] = {}
    for release, each in found.items():
        for domain, name in each["kernels"]:
            first.setdefault((domain, name), _minor(release))
    oldest = _minor(next(iter(found)))
    operators = {
        f"{domain}:{name}" if domain else name: release
        for (domain, name), release in sorted(first.items())
        if release != oldest
        and not domain.startswith("com.microsoft.")
        and _told_apart(domain, name, release, releases)
    }
    return json.dumps({"releases": releases, "operators": operators}, indent=1) + "\n"


def _told_apart(domain: str, name: str, release: str, releases: dict[str, dict[str, Any]]) -> bool:
    """Whether an older release takes a model with this operator's first opset, and has no kernel for it. Operators
    that are functions of others need none."""
    if domain == "com.microsoft":
        return True
    schemas = [s for s in onnx.defs.get_all_schemas_with_history() if s.domain == domain and s.name == name]
    if not schemas or any(s.has_function or s.has_context_dependent_function for s in schemas):
        return False
    since = min(s.since_version for s in schemas)
    takes = next((key for key, each in releases.items() if each["opsets"][domain] >= since), release)
    return takes != release


def _minor(release: str) -> str:
    return ".".join(release.split(".")[:2])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
