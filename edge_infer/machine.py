"""What this machine allows the process: CPUs by affinity, CPUs and memory by the limits of its control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from edge_infer.options import MOST_THREADS

__all__ = ["cpu_model", "usable_cpus", "usable_memory", "usable_threads"]

#: Lines of /proc/cpuinfo that name the processor, the best first: x86, then boards and cores of Arm.
_CPU_NAMES: Final = ("model name", "Model", "Hardware", "CPU part")


class _Controller(NamedTuple):
    """A controller of control groups, and the files that hold its limit, in version 2 and in version 1."""

    name: str
    files: tuple[str, ...]
    files_of_version_1: tuple[str, ...]


_CPU: Final = _Controller("cpu", ("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
_MEMORY: Final = _Controller("memory", ("memory.max",), ("memory.limit_in_bytes",))


def usable_cpus(root: str = "/") -> int:
    """CPUs that threads of this process keep busy without being throttled, at least 1.

    The fewer of those of its affinity (`taskset`, a container's cpuset) and of the quota of its control group and of
    the groups above it, version 1 or 2 (`cpu.max`, `cpu.cfs_quota_us`), a part of a CPU not counted. Where the system
    has neither, all CPUs.

    root: of the file system that `/proc` and the control groups are read from.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/cgroups.html, proc_pid_mountinfo(5).
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([cpus, *(int(quota) for quota in _quotas(root))]))


def usable_threads() -> int:
    """What `threads="all"` stands for: a thread for each of `usable_cpus`, up to `MOST_THREADS`."""
    return min(usable_cpus(), MOST_THREADS)


def usable_memory(root: str = "/") -> int | None:
    """Bytes that this process can have at most: the machine's, or the limit of its control group or of one above it.

    None where the system does not tell. root: as `usable_cpus` takes it.
    """
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    limits = (_read(os.path.join(folder, name)).strip() for folder, (name,) in _groups(root, _MEMORY))
    return min([physical, *(int(limit) for limit in limits if limit.isdecimal())])  # "max" is no limit


def cpu_model(root: str = "/") -> str:
    """The processor's name as Linux or Windows tell it, "unknown" where the system does so only to a program that is
    started for it (macOS). `root`: of the file system that `/proc` is read from."""
    found: dict[str, set[str]] = {}
    for line in _read(os.path.join(root, "proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), set()).add(value.strip())
    named = next((found[name] for name in _CPU_NAMES if name in found), set())
    return ", ".join(sorted(named)) or os.environ.get("PROCESSOR_IDENTIFIER") or "unknown"


def _quotas(root: str) -> Iterator[float]:
    """In CPUs, of each group that has one."""
    for folder, names in _groups(root, _CPU):
        words = " ".join(_read(os.path.join(folder, name)) for name in names).split()
        try:
            quota, period = (float(word) for word in words)  # "max", or nothing, is no quota
        except ValueError:
            continue
        if quota > 0 and period > 0:  # −1 is none in version 1
            yield quota / period


def _groups(root: str, controller: _Controller) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The folders of this process's groups and of those above them, and the files that hold the controller's limit."""
    own: dict[str, str] = {}  # of version 2 under "", of version 1 under each of its controllers
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    for line in _read(os.path.join(root, "proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        kind, *_, options = after.split()
        top, mounted = before.split()[3:5]
        if kind == "cgroup2":
            path, names = own.get("", "/"), controller.files
        elif kind == "cgroup" and controller.name in options.split(","):
            path, names = own.get(controller.name, "/"), controller.files_of_version_1
        else:
            continue
        inner = os.path.relpath(path, top)  # what is mounted may be the group of a container
        parts = [] if inner.startswith("..") else [part for part in inner.split("/") if part != "."]
        for depth in range(len(parts) + 1):
            yield os.path.join(root, mounted.lstrip("/"), *parts[:depth]), names


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""
