"""Files with secrets: written once, for their owner only, and read only where nobody else can."""

from __future__ import annotations

import contextlib
import os
import stat

from edge_infer.errors import KeyFileError, UsageError

__all__ = ["read_private", "write_new"]

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has no such flag


def write_new(path: str, data: bytes, mode: int) -> None:
    """Make a file that was not there before, with `mode`; nothing is left behind where that fails.

    Raises:
        UsageError: there is something of that name already.
        OSError: as the system says.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, mode)
    except FileExistsError:
        raise UsageError(f"{path} exists already, and a key is never written over: choose another name") from None
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def read_private(path: str, most_bytes: int) -> bytes:
    """The content of a regular file that its owner alone can read, judged by the file that was opened.

    Raises:
        KeyFileError: a symlink, no regular file, readable by others, or too large.
        OSError: as the system says.
    """
    if os.path.islink(path):
        raise KeyFileError(f"{path}: expected the file itself, got a symlink; give the path that it leads to")
    descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"{path}: expected a regular file")
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise KeyFileError(
                f"{path}: others can read it (mode {mode:04o}); expected a secret of its owner: chmod 600 {path}"
            )
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise KeyFileError(f"{path}: more than {most_bytes:,} bytes; this is no key")
    return data
