"""This device and this moment, as the store notes them."""

from __future__ import annotations

import hashlib
import os

__all__ = ["machine_fingerprint", "now", "who"]


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


def who() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no name for the user's number
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
