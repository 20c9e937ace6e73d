"""From facts to findings: what works, what does not, and what to do. Pure functions.

What there are wheels for: onnxruntime 1.32.0 for CPython 3.11 to 3.14 on Linux (x86_64 and aarch64, glibc 2.28), macOS
14 (Apple silicon) and Windows; 1.21.0 for CPython 3.10 to 3.13, with glibc 2.27, and macOS 13 on Intel too. There is no
source distribution. 32-bit Arm: https://github.com/microsoft/onnxruntime/issues/24511 and 8874; musl: issues/2909.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edge_infer.doctor.facts import Facts, Folder, Trial

__all__ = ["Finding", "findings", "verdict"]


class Finding(NamedTuple):
    """status: "ok", "failed" (models cannot run, or what runs is at risk) or "not checked" (not needed, or unknown)."""

    name: str
    status: str
    detail: str
    remedy: str = ""


_LOWEST = {"numpy": (1, 26), "onnxruntime": (1, 21)}
_PYTHON, _NEWEST_PYTHON = (3, 11), (3, 14)
_GLIBC, _OLDER_GLIBC = (2, 28), (2, 27)
_MACHINES = ("x86_64", "amd64", "aarch64", "arm64")
_RUNS = ("float32", "float64", "strings", "trees")
#: 1 November 2026, when this was written: a clock before it is wrong.
_WRITTEN = 1_793_491_200
_BUILD = "https://onnxruntime.ai/docs/build/inferencing.html"
_64_BIT_BOARDS = "Raspberry Pi 3, 4, 5 and Zero 2 W"


def findings(facts: Facts) -> tuple[Finding, ...]:
    """In the order in which one would mend them."""
    found = [
        _python(facts),
        _system(facts),
        _package("numpy", facts),
        _package("onnxruntime", facts),
        _runs(facts),
        Finding("CPUs", "ok", f"{facts.cpus} usable"),
        Finding("memory", "not checked", "unknown")
        if facts.memory is None
        else Finding("memory", "ok", f"{_size(facts.memory)} usable"),
        _folder("store", facts.store, "EDGE_INFER_HOME"),
        _folder("settings", facts.settings, "EDGE_INFER_CONFIG"),
        _clock(facts),
        _commands(facts),
        _extras(facts),
    ]
    if facts.trials["model"] != Trial():
        found.append(_model(facts.trials["model"]))
    return tuple(found)


def verdict(found: tuple[Finding, ...]) -> str:
    """A line: the answer."""
    failed = [finding.name for finding in found if finding.status == "failed"]
    if not failed:
        return "This machine can run models."
    if failed == ["model"]:
        return "This machine can run models, but not this one."
    return f"This machine is not ready: {', '.join(failed)}."


# --- Python and the system --------------------------------------------------------------


def _python(facts: Facts) -> Finding:
    told = f"{facts.implementation} {_dotted(facts.python)}, {facts.bits}-bit"
    if facts.implementation != "CPython":
        return Finding(
            "Python", "failed", f"{told}: onnxruntime has wheels for CPython only", "Use CPython 3.11 or later."
        )
    if facts.python < _PYTHON:
        remedy = "Install Python 3.11 or later (Debian 12 and Ubuntu 24.04 have it)."
        return Finding("Python", "failed", f"{told}: edge-infer needs 3.11 or later", remedy)
    if facts.python[:2] > _NEWEST_PYTHON and not _works(facts):
        remedy = "Use Python 3.11 to 3.14."
        return Finding("Python", "failed", f"{told}: newer than onnxruntime 1.32 has wheels for", remedy)
    return Finding("Python", "ok", told)


def _system(facts: Facts) -> Finding:
    libc = ", " + " ".join(filter(None, facts.libc)) if facts.libc[0] else ""
    told = f"{facts.system} {facts.machine}{libc}"
    if _works(facts):
        return Finding("system", "ok", told)
    for rule in (_too_narrow, _unknown_machine, _other_libc, _old_mac):
        found = rule(facts)
        if found:
            return Finding("system", "failed", f"{told}: {found[0]}", found[1])
    return Finding("system", "ok", told)


def _works(facts: Facts) -> bool:
    """onnxruntime is there, from wherever: no wheel is needed."""
    return bool(facts.trials["onnxruntime"].told)


def _too_narrow(facts: Facts) -> tuple[str, str] | None:
    if facts.bits != 32:
        return None
    why = "onnxruntime has wheels for 64-bit systems only"
    machine = facts.machine.lower()
    if machine.startswith("armv6"):
        return why, f"This CPU has no 64-bit mode. Use a board that has one ({_64_BIT_BOARDS}) with a 64-bit system."
    if machine.startswith("armv7"):
        return why, (
            f"Install the 64-bit system (arm64) on the same board: {_64_BIT_BOARDS} run it. "
            f"On a 32-bit CPU, build onnxruntime from source: {_BUILD}#arm"
        )
    if machine in ("aarch64", "arm64") or machine.startswith("armv8"):
        return why, "The kernel is 64-bit, this Python is not. Install the 64-bit system (arm64) on the same board."
    if machine in ("x86_64", "amd64"):
        return why, "This machine is 64-bit, this Python is not. Install a 64-bit Python."
    return why, "Install a 64-bit system where the CPU has that mode; else use another machine."


def _unknown_machine(facts: Facts) -> tuple[str, str] | None:
    if facts.machine.lower() in _MACHINES:
        return None
    return (
        "onnxruntime has wheels for x86_64 and aarch64 only",
        f"Take onnxruntime from the distribution where it has it, or build it from source: {_BUILD}",
    )


def _other_libc(facts: Facts) -> tuple[str, str] | None:
    name, version = facts.libc
    if name == "musl":
        return "onnxruntime has wheels for glibc only", (
            "In a container, use Debian's image in place of Alpine's (python:3.12-slim). On Alpine itself, its own "
            "Python and packages: apk add py3-onnxruntime"
        )
    if name != "glibc" or _numbers(version) >= _GLIBC:
        return None
    if _numbers(version) >= _OLDER_GLIBC:
        return "onnxruntime 1.32 needs glibc 2.28", "Install an older one: pip install 'onnxruntime==1.21.*'"
    return (
        "onnxruntime needs glibc 2.27 or later",
        "Use a newer system: Debian 12 or Ubuntu 24.04 have all that is needed.",
    )


def _old_mac(facts: Facts) -> tuple[str, str] | None:
    if facts.system != "Darwin" or facts.machine != "x86_64":
        return None
    return (
        "onnxruntime 1.32 has wheels for Apple silicon only",
        "Install an older one, with Python 3.11 to 3.13: pip install 'onnxruntime==1.21.*'",
    )


# --- packages ---------------------------------------------------------------------------


def _package(name: str, facts: Facts) -> Finding:
    trial, least = facts.trials[name], _LOWEST[name]
    wanted = f"{name}>={_dotted(least)}"
    if trial == Trial():
        return Finding(name, "not checked", "not tried: what it needs is missing")
    if trial.error:
        return Finding(name, "failed", trial.error, _remedy(name, wanted, trial, facts))
    if _numbers(trial.told) < least:
        return Finding(name, "failed", f"{trial.told}: expected {_dotted(least)} or later", f"pip install '{wanted}'")
    return Finding(name, "ok", trial.told + (_newest(facts.trials["opsets"]) if name == "onnxruntime" else ""))


def _remedy(name: str, wanted: str, trial: Trial, facts: Facts) -> str:
    if "failed" in (_python(facts).status, _system(facts).status):
        return "First what is said above."
    if "No module named" in trial.error:
        return f"pip install '{wanted}'"
    return f"Install it anew: pip install --force-reinstall '{wanted}'. If that does not help, another release of it."


def _newest(opsets: Trial) -> str:
    if not opsets.told:
        return ""
    opset, ml, ir = opsets.told.split(", ")
    return f": opset {opset}, ai.onnx.ml {ml}, IR {ir}"


def _runs(facts: Facts) -> Finding:
    failed = {name: facts.trials[name].error for name in _RUNS if facts.trials[name].error}
    if failed:
        names, first = ", ".join(failed), next(iter(failed.values()))
        return Finding("runs", "failed", f"not {names}: {first:.200}", "pip install --upgrade onnxruntime")
    if not all(facts.trials[name].told for name in _RUNS):
        return Finding("runs", "not checked", "no tiny model was tried: onnxruntime is missing")
    return Finding("runs", "ok", f"{', '.join(_RUNS)} (tiny models)")


def _commands(facts: Facts) -> Finding:
    missing = [name for name in ("typer", "platformdirs") if facts.trials[name].error]
    if not missing:
        return Finding("commands", "ok", "all")
    return Finding(
        "commands", "not checked", f"predict, stream and doctor only: {' and '.join(missing)} missing", _pip(missing)
    )


def _extras(facts: Facts) -> Finding:
    there = [name for name, missing in facts.extras.items() if not missing]
    absent = [name for name, missing in facts.extras.items() if missing]
    told = ", ".join(there) or "none"
    told += f"; not {', '.join(absent)}" if absent else ""
    return Finding("extras", "ok" if there else "not checked", told)


# --- the device -------------------------------------------------------------------------


def _folder(name: str, folder: Folder, variable: str) -> Finding:
    if not folder.path:
        return Finding(name, "not checked", folder.problem)
    if folder.problem:
        remedy = f"Give this user the folder, or name another: {variable}=FOLDER"
        return Finding(name, "failed", f"{folder.path}: {folder.problem}", remedy)
    free = "" if folder.free is None else f", {_size(folder.free)} free"
    return Finding(name, "ok", f"{folder.path}{free}")


def _clock(facts: Facts) -> Finding:
    from datetime import datetime, timezone

    told = f"{datetime.fromtimestamp(facts.now, timezone.utc):%Y-%m-%d %H:%M} UTC"  # noqa: UP017 - old Pythons too
    boot = "" if facts.boot else "; the system has no boot id: a restart is told by the time since it"
    if facts.now >= _WRITTEN:
        return Finding("clock", "ok", told + boot)
    why = "in the past; answers and the store do not need it, last days of keys and updates do"
    return Finding("clock", "not checked", f"{told}: {why}{boot}", "Set it, or start a time service (NTP).")


def _model(trial: Trial) -> Finding:
    if trial.error:
        return Finding("model", "failed", trial.error)
    return Finding("model", "ok", trial.told)


# --- text -------------------------------------------------------------------------------


def _numbers(version: str) -> tuple[int, ...]:
    """ "2.36" → (2, 36); what follows the second number does not count."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.0f} MiB"


def _pip(names: list[str]) -> str:
    return f"pip install {' '.join(names)}"
