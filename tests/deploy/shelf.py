"""Wheels made by hand in a folder that stands for a package index, so that tests need none."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["put_wheel", "stocked"]

#: As wheels tell them: by PEP 639, by the field before it, by a classifier.
_LICENSES = {
    "edge_infer": "License-Expression: Apache-2.0 OR MIT",
    "native": "License: Like BSD",
    "backport": "Classifier: License :: OSI Approved :: MIT License",
}


def put_wheel(folder: Path, name: str, requires: Sequence[str] = (), *, tag: str = "py3-none-any") -> Path:
    """An empty package of version 1.0 that asks for others; its path."""
    path = folder / f"{name}-1.0-{tag}.whl"
    info = f"{name}-1.0.dist-info"
    headers = ["Metadata-Version: 2.1", f"Name: {name.replace('_', '-')}", "Version: 1.0"]
    headers += [_LICENSES[name]] if name in _LICENSES else []
    headers += [f"Requires-Dist: {each}" for each in requires]
    extras = ["Provides-Extra: secure"] if any("extra" in each for each in requires) else []
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join([*headers, *extras, "", ""]))
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def stocked(folder: Path) -> Path:
    """The wheel of an edge-infer whose requirements differ by machine and Python, beside all that it could ask for."""
    for machine in ("x86_64", "aarch64"):
        put_wheel(folder, "native", tag=f"cp311-cp311-manylinux_2_28_{machine}")
        put_wheel(folder, "native", tag=f"cp312-cp312-manylinux_2_17_{machine}")
        put_wheel(folder, f"for_{machine}", ["deeper; platform_machine != 'x86_64'"])
    for name in ("pip", "deeper", "vault", "backport"):
        put_wheel(folder, name)
    return put_wheel(
        folder,
        "edge_infer",
        [
            "native",
            "for-aarch64; platform_machine == 'aarch64'",
            "for-x86_64; platform_machine == 'x86_64'",
            "backport; python_version < '3.12'",
            "vault; extra == 'secure'",
        ],
    )
