"""This device and this moment, as the store notes them."""

from __future__ import annotations

import hashlib
import os
import sys

from edge_infer.folders import default_folder
from edge_infer.store.trial import Moment

__all__ = ["default_folder", "machine_fingerprint", "moment", "now", "who"]


def machine_fingerprint() -> str:
    """A hash of what answers depend on here: edge-infer, onnxruntime, numpy, Python, the machine and its CPU."""
    from edge_infer.machine import cpu_model
    from edge_infer.session import fingerprint

    told = {**fingerprint(), "cpu": cpu_model()}
    return hashlib.sha256("\n".join(f"{key}={value}" for key, value in sorted(told.items())).encode()).hexdigest()[:16]


def now() -> str:
    """UTC by the device's clock, which may be wrong: nothing is decided by it alone."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def moment() -> Moment:
    """This moment by the machine's own clock, which nobody sets: time asleep counts where the system tells it.

    Source: Linux's random(4), boot_id, and clock_gettime(2), CLOCK_BOOTTIME.
    """
    import time

    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:  # a time that is smaller than the one before tells a restart as well
        boot = ""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return Moment(boot, time.monotonic() if clock is None else time.clock_gettime(clock))


def who() -> str:
    """The user that the process runs as, whatever its environment says."""
    if sys.platform == "win32":  # pragma: no cover
        return os.environ.get("USERNAME", "unknown")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a number without a name
        return str(os.getuid())
