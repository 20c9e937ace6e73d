"""What there is on this machine, as plain data."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from typing import Any, NamedTuple

__all__ = ["Facts", "Folder", "Trial", "gathered"]


class Trial(NamedTuple):
    """What came of a try: `told`, a version for instance; `error`, where it failed; neither, if it was not tried."""

    told: str = ""
    error: str = ""


class Folder(NamedTuple):
    """A folder that edge-infer writes to; `problem`: why it cannot; `free`: bytes, None where it is not known."""

    path: str
    problem: str = ""
    free: int | None = None


class Facts(NamedTuple):
    """A machine. Sizes in bytes, times in seconds since 1970; None where the system does not tell.

    libc: name and version, ("glibc", "2.36"), ("musl", "1.2.5") or ("", ""); bits: of Python's own pointers.
    trials: of the packages and of tiny models by name (`trials.STAGES`), and "model", the caller's.
    extras: name of each to the packages that it lacks.
    """

    implementation: str
    python: tuple[int, int, int]
    system: str
    machine: str
    bits: int
    libc: tuple[str, str]
    trials: dict[str, Trial]
    cpus: int
    memory: int | None
    store: Folder
    settings: Folder
    now: float
    boot: bool
    extras: dict[str, tuple[str, ...]]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        plain = self._asdict()
        plain["trials"] = {name: trial._asdict() for name, trial in self.trials.items()}
        return {**plain, "store": self.store._asdict(), "settings": self.settings._asdict()}


#: What `pip install "edge-infer[…]"` brings, by the names under which it is imported.
_EXTRAS = {
    "convert": ("onnx", "pandas", "sklearn", "skl2onnx"),
    "skops": ("skops",),
    "boosters": ("catboost", "lightgbm", "xgboost"),
    "images": ("PIL",),
    "audio": ("soundfile",),
    "secure": ("cryptography", "pyrage"),
    "update": ("cryptography", "tuf"),
}


def gathered(model: str = "") -> Facts:
    """Of this machine; `model`: a file, or a name in the store, to try too."""
    from edge_infer.doctor.trials import tried

    return Facts(
        implementation=platform.python_implementation(),
        python=sys.version_info[:3],
        system=platform.system(),
        machine=platform.machine(),
        bits=64 if sys.maxsize > 2**32 else 32,
        libc=_libc(),
        trials={**tried(model), "typer": _found("typer"), "platformdirs": _found("platformdirs")},
        cpus=_cpus(),
        memory=_memory(),
        store=_folder(_store),
        settings=_folder(_settings),
        now=time.time(),
        boot=os.path.exists("/proc/sys/kernel/random/boot_id"),
        extras={name: tuple(part for part in parts if not _is_there(part)) for name, parts in _EXTRAS.items()},
    )


def _libc() -> tuple[str, str]:
    """Of musl, Python names nothing before 3.14; its loader's file tells that it is there.

    Source: https://docs.python.org/3/library/platform.html#platform.libc_ver, musl's ldso.
    """
    if sys.platform != "linux":
        return ("", "")
    name, version = platform.libc_ver()
    if name == "glibc":
        return (name, version)
    try:
        loaders = [entry for entry in os.listdir("/lib") if entry.startswith("ld-musl-")]
    except OSError:
        loaders = []
    return ("musl", version if name == "musl" else "") if loaders else (name, version)


def _is_there(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _found(package: str) -> Trial:
    from importlib.metadata import PackageNotFoundError, version

    if not _is_there(package):
        return Trial(error=f"No module named '{package}'")
    try:
        return Trial(version(package))
    except PackageNotFoundError:
        return Trial("of unknown version")


def _cpus() -> int:
    from edge_infer.machine import usable_cpus

    return usable_cpus()


def _memory() -> int | None:
    from edge_infer.machine import usable_memory

    return usable_memory()


# --- folders ----------------------------------------------------------------------------


def _store() -> str:
    from edge_infer.folders import default_folder

    return default_folder()


def _settings() -> str:
    from edge_infer.tuned import folder

    return folder()


def _folder(where: Any) -> Folder:
    """Whether it can be written, or made: nothing is."""
    try:
        path = str(where())
    except ModuleNotFoundError as error:
        return Folder("", f"unknown: {error}")
    except Exception:  # noqa: BLE001 - an older Python than the code is for; the report says so
        return Folder("", "unknown: this Python is too old to tell")
    above = path
    while not os.path.exists(above) and os.path.dirname(above) != above:
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        return Folder(path, f"{above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        return Folder(path, f"this user cannot write to {above}")
    try:
        return Folder(path, "", shutil.disk_usage(above).free)
    except OSError:
        return Folder(path)
