"""What a bundle is made for: a machine, a C library and a version of Python."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from edge_infer.errors import UsageError

__all__ = ["OLDEST_GLIBC", "PLATFORMS", "Target", "target_of"]

#: Name on the command line → the machine as `uname -m` tells it.
PLATFORMS: Final = {"linux-x86_64": "x86_64", "linux-aarch64": "aarch64"}

#: The second number of the glibc that onnxruntime's and numpy's wheels ask for (manylinux_2_28); Debian 10 has it.
OLDEST_GLIBC: Final = 28
_FIRST_GLIBC: Final = 17  # manylinux2014, PEP 599

_PYTHON: Final = re.compile(r"3\.(\d{1,2})")
_LEAST_MINOR: Final = 11

_OTHERS: Final = {
    "musl": "onnxruntime has no wheels for musl (Alpine); take a system with glibc, as Debian, or a Debian-slim image",
    "armv": "onnxruntime has no wheels for 32-bit ARM; a 64-bit system on the same board is linux-aarch64",
    "win": "install.sh needs a POSIX shell; on Windows: pip download there, then pip install --no-index --find-links",
    "mac": "install.sh is tried on Linux only; on macOS: pip download there, then pip install --no-index --find-links",
}


class Target(NamedTuple):
    """A kind of device. `machine` is as `uname -m` tells it, `minor` the second number of Python's version."""

    platform: str
    machine: str
    minor: int

    @property
    def python(self) -> str:
        return f"3.{self.minor}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Platform tags of wheels that fit, the newest first (PEP 600, PEP 599)."""
        newest_first = range(OLDEST_GLIBC, _FIRST_GLIBC - 1, -1)
        return (*(f"manylinux_2_{glibc}_{self.machine}" for glibc in newest_first), f"manylinux2014_{self.machine}")

    @property
    def environment(self) -> dict[str, str]:
        """What environment markers are judged by on such a device (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


def target_of(platform: str, python: str) -> Target:
    """Of "linux-aarch64" and "3.11".

    Raises:
        UsageError: a platform or a Python that onnxruntime has no wheels for, with what to do.
    """
    if platform not in PLATFORMS:
        raise UsageError(
            f"--platform: expected one of {', '.join(PLATFORMS)}, got {platform!r:.100}{_advice(platform)}"
        )
    found = _PYTHON.fullmatch(python)
    if found is None or int(found[1]) < _LEAST_MINOR:
        raise UsageError(
            f"--python: expected the device's version as 3.{_LEAST_MINOR} or newer, in two numbers, got {python!r:.100}"
        )
    return Target(platform, PLATFORMS[platform], int(found[1]))


def _advice(platform: str) -> str:
    return next((f"; {advice}" for word, advice in _OTHERS.items() if word in platform.lower()), "")
