"""A change of verdict, told once: to a function of the program, or to a command.

What was told last is kept beside the windows, so that of all processes on a folder one tells it.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Final, NamedTuple

from edge_infer.errors import DamagedStoreError, FormatError, LimitError, UnsafePathError
from edge_infer.monitor.looking import look
from edge_infer.monitor.verdict import UNKNOWN, DriftSettings
from edge_infer.store.files import Files
from edge_infer.strict_json import parse

__all__ = ["Event", "change_of", "run_command"]

_FILE: Final = "verdict.json"
_MOST_BYTES: Final = 1 << 16
_PATIENCE: Final = 10.0
_COMMAND_SECONDS: Final = 60.0


class Event(NamedTuple):
    """A model's verdict is another than before. verdict, before: stable, watch or drifted; reason: for people; utc: the
    end of the last window, by the device's clock."""

    name: str
    version: str
    verdict: str
    before: str
    reason: str
    utc: str


def change_of(files: Files, name: str, settings: DriftSettings | None = None) -> Event | None:
    """What has changed since it was told last; None where nothing has, or nothing can be said yet.

    A release that nothing was told of counts as stable before. Raises StoreWriteError, UnsafePathError.
    """
    found = look(files, name, settings=settings)
    verdict, digest = found.drift.verdict, found.whole.digest
    if verdict == UNKNOWN:
        return None
    with files.locked(_PATIENCE, path=(name, "lock")):
        before = _told(files, name, digest)
        if verdict == before:
            return None
        document = {"digest": digest, "verdict": verdict}
        files.replace((name, _FILE), json.dumps(document).encode() + b"\n")
    return Event(name, found.whole.version, verdict, before, found.drift.reason, found.whole.until)


def _told(files: Files, name: str, digest: str) -> str:
    """Of this release; "stable" where nothing was."""
    try:
        text = files.read(name, _FILE, most=_MOST_BYTES)
        root = parse(text, what=_FILE, most_bytes=_MOST_BYTES, most_depth=2)
        return root.get("verdict").text() if root.get("digest").text() == digest else "stable"
    except (FileNotFoundError, FormatError, LimitError, DamagedStoreError, UnsafePathError):
        return "stable"


def run_command(command: str, event: Event) -> int:
    """By the shell, the event in EDGE_INFER_MODEL, _VERSION, _VERDICT and _REASON; its exit code.

    Raises subprocess.TimeoutExpired after a minute.
    """
    told = {
        "EDGE_INFER_MODEL": event.name,
        "EDGE_INFER_VERSION": event.version,
        "EDGE_INFER_VERDICT": event.verdict,
        "EDGE_INFER_REASON": event.reason.replace("\0", ""),
    }
    done = subprocess.run(command, shell=True, env=os.environ | told, timeout=_COMMAND_SECONDS, check=False)
    return done.returncode
