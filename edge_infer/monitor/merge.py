"""The windows of many devices in one folder, so that they can be looked at as one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from edge_infer.errors import UsageError
from edge_infer.monitor.basis import keep_basis, read_basis
from edge_infer.monitor.windows import HOURS, Window, add_window, models, read_all
from edge_infer.store.files import Files

__all__ = ["merge_folders"]


def merge_folders(sources: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str]) -> dict[str, int]:
    """Into a new folder, which `edge-infer monitor` reads as any other; how many windows of each model came together.

    Windows of one release that began in the same hour, or day, become one. The sources are not changed.

    Raises:
        UsageError: a source is no folder, or there is something in `output` already.
        StoreWriteError, UnsafePathError: it cannot be written.
    """
    if os.path.lexists(output) and not (os.path.isdir(output) and not os.listdir(output)):
        raise UsageError(f"{os.fspath(output)}: expected a new folder, or an empty one")
    for source in sources:
        if not os.path.isdir(source):
            raise UsageError(f"{os.fspath(source)}: there is no such folder")
    target, counted = Files(output), dict[str, int]()
    found = [window for source in sources for window in _windows(Files(source), target)]
    for window in sorted(found, key=lambda window: (window.start, window.since)):
        add_window(target, HOURS, window)
        counted[window.name] = counted.get(window.name, 0) + 1
    return counted


def _windows(source: Files, target: Files) -> list[Window]:
    """All of a device; what they are counted by is copied on the way."""
    found = []
    for name in models(source):
        for window in read_all(source, name):
            basis = read_basis(source, name, window.digest)
            if basis is not None:
                with target.locked(path=(name, "lock")):
                    keep_basis(target, basis)
            found.append(window)
    return found
