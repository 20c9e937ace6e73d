"""What a process holds, and the most that it held: for parts that measure memory in fresh processes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Final

__all__ = ["bytes_now", "peak_bytes"]

_STATUS: Final = Path("/proc/self/status")


def bytes_now() -> int:
    """What the process holds; from here on, its peak is counted anew where the system can."""
    if not _STATUS.exists():
        return peak_bytes()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # of VmHWM: proc(5)
    return _status("VmRSS")


def peak_bytes() -> int:
    """Of this process. What getrusage says on Linux includes the process that it was forked from."""
    if _STATUS.exists():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _status(name: str) -> int:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
