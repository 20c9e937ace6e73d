"""All writes of a store, and how its files are opened: never through a symbolic link, never half a file.

A file is written under a temporary name, flushed, renamed, and its folder flushed, in this order: a power cut leaves
the old file or the new one. Every step can be watched (`Files.watched`), which the tests use to cut the power anywhere.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from edge_infer.errors import DamagedStoreError, StoreWriteError, UnsafePathError

__all__ = ["TEMPORARY", "Files", "Path", "Step"]

#: Where files stand, as the names of folders and file below the store's own folder.
Path = tuple[str, ...]

#: The folder of files that are being written.
TEMPORARY: Final = "tmp"
_LOCK: Final = "lock"

_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644
_FOLDER: Final = 0o755
#: A link is an error, and a pipe is opened at once, to be refused, rather than waited for.
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_IS_FOLDER: Final = getattr(os, "O_DIRECTORY", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows would change line ends
_WRITES: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NO_FOLLOW
_APPENDS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY | _NO_FOLLOW
_BY_DESCRIPTOR: Final = os.open in os.supports_dir_fd  # not on Windows: there names are checked, then used


class Step(NamedTuple):
    """One change to the file system, as it was done.

    kind: "make" a folder, "create" an empty file, "write" at its end, "flush" what it holds, "flush folder" (the names
    in it), "rename" to `target`, or "remove" a file.
    """

    kind: str
    path: Path
    data: bytes = b""
    target: Path = ()


class Files:
    """The files below one folder. Thread-safe; writers hold `locked` while they write."""

    def __init__(self, root: str | os.PathLike[str], watch: Callable[[Step], None] | None = None) -> None:
        self.root = os.path.abspath(os.fspath(root))
        self._watch = watch

    # --- reading ---

    def read(self, *path: str, most: int) -> bytes:
        """The bytes of a file of at most `most` bytes.

        Raises:
            FileNotFoundError: there is none.
            UnsafePathError: a symbolic link, or no usual file.
            DamagedStoreError: it is larger.
        """
        with self._folder(path[:-1]) as folder:
            descriptor = self._open(folder, path, os.O_RDONLY | _BINARY | _NO_FOLLOW)
            with open(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise UnsafePathError(f"{self.shown(path)}: expected a file")
                if status.st_size > most:
                    raise DamagedStoreError(f"{self.shown(path)}: {status.st_size:,} bytes, at most {most:,} expected")
                return file.read(most)

    def names(self, *path: str) -> list[str]:
        """What a folder holds, in order; nothing where it is not there."""
        try:
            with self._folder(path) as folder:
                return sorted(os.listdir(folder.where))
        except FileNotFoundError:
            return []

    def status(self, *path: str) -> os.stat_result | None:
        """Of a file itself, not of what it may point to; None where it is not there."""
        try:
            with self._folder(path[:-1]) as folder:
                return os.stat(folder.name(path[-1]), dir_fd=folder.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def shown(self, path: Path) -> str:
        """For messages."""
        return os.path.join(self.root, *path)

    # --- writing ---

    def replace(self, path: Path, data: bytes, *, private: bool = False) -> None:
        """A file holds these bytes from now on; until then, and after a crash, it may hold what it held."""
        self._make_folders((*path[:-1],), (TEMPORARY,))
        temporary = (TEMPORARY, f"{path[-1]}.{os.getpid()}.{secrets.token_hex(4)}")
        with self._telling(path):
            try:
                self._create(temporary, data, _PRIVATE if private else _PUBLIC)
                self._rename(temporary, path)
            except BaseException:
                self._remove_quietly(temporary)
                raise
            self._flush_folder(path[:-1])

    def append(self, path: Path, line: bytes) -> None:
        """A line more at the end of a file, behind the end of the last one where a crash has left it open."""
        self._make_folders((*path[:-1],))
        with self._telling(path), self._folder(path[:-1]) as folder:
            created = self.status(*path) is None
            descriptor = self._open(folder, path, _APPENDS, _PUBLIC)
            try:
                if created:
                    self._done(Step("create", path))
                data = line if created or _ends_whole(descriptor) else b"\n" + line
                self._write(descriptor, path, data)
            finally:
                os.close(descriptor)
            if created:
                self._flush_folder(path[:-1])

    def remove(self, *path: str) -> None:
        """A file is gone, if it was there. Raises UnsafePathError for a folder."""
        with self._telling(path):
            try:
                with self._folder(path[:-1]) as folder:
                    os.unlink(folder.name(path[-1]), dir_fd=folder.descriptor)
            except FileNotFoundError:
                return
            except (IsADirectoryError, PermissionError) as error:
                if isinstance(error, IsADirectoryError) or error.errno == errno.EISDIR:
                    raise UnsafePathError(f"{self.shown(path)}: expected a file, found a folder") from error
                raise
            self._done(Step("remove", path))
            self._flush_folder(path[:-1])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time, of all processes; the system lets go of the lock of one that dies."""
        self._make_folders((TEMPORARY,))
        with self._telling((_LOCK,)), self._folder(()) as folder:
            descriptor = self._open(folder, (_LOCK,), os.O_RDWR | os.O_CREAT | _NO_FOLLOW, _PUBLIC)
        try:
            _lock(descriptor)
            yield
        finally:
            os.close(descriptor)  # which unlocks

    # --- steps ---

    def _make_folders(self, *paths: Path) -> None:
        with self._telling(paths[0]):
            os.makedirs(self.root, _FOLDER, exist_ok=True)
            for path in paths:
                for depth in range(1, len(path) + 1):
                    self._make_folder(path[:depth])

    def _make_folder(self, path: Path) -> None:
        with self._folder(path[:-1]) as folder:
            try:
                os.mkdir(folder.name(path[-1]), _FOLDER, dir_fd=folder.descriptor)
            except FileExistsError:
                return
        self._done(Step("make", path))
        self._flush_folder(path[:-1])

    def _create(self, path: Path, data: bytes, mode: int) -> None:
        with self._folder(path[:-1]) as folder:
            descriptor = self._open(folder, path, _WRITES, mode)
            try:
                self._done(Step("create", path))
                self._write(descriptor, path, data)
            finally:
                os.close(descriptor)

    def _write(self, descriptor: int, path: Path, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.write(descriptor, view)
            self._done(Step("write", path, bytes(view[:written])))
            view = view[written:]
        os.fsync(descriptor)
        self._done(Step("flush", path))

    def _rename(self, path: Path, target: Path) -> None:
        with self._folder(path[:-1]) as source, self._folder(target[:-1]) as folder:
            os.replace(
                source.name(path[-1]),
                folder.name(target[-1]),
                src_dir_fd=source.descriptor,
                dst_dir_fd=folder.descriptor,
            )
        self._done(Step("rename", path, target=target))

    def _flush_folder(self, path: Path) -> None:
        if os.name != "nt":  # Windows has no such call
            with self._folder(path) as folder:
                assert folder.descriptor is not None
                os.fsync(folder.descriptor)
        self._done(Step("flush folder", path))

    def _remove_quietly(self, path: Path) -> None:
        with suppress(OSError, StoreWriteError):  # prune takes it later
            self.remove(*path)

    def _done(self, step: Step) -> None:
        if self._watch is not None:
            self._watch(step)

    # --- opening ---

    @contextmanager
    def _folder(self, path: Path) -> Iterator[_Folder]:
        """A folder below the store's, opened name by name, so that none of them is a link even if it is swapped."""
        if not _BY_DESCRIPTOR:
            yield _Folder(None, self._checked(path))
            return
        descriptor = os.open(self.root, os.O_RDONLY | _IS_FOLDER)
        try:
            for depth in range(1, len(path) + 1):
                inner = self._open(_Folder(descriptor, ""), path[:depth], os.O_RDONLY | _IS_FOLDER | _NO_FOLLOW)
                os.close(descriptor)
                descriptor = inner
            yield _Folder(descriptor, "")
        finally:
            os.close(descriptor)

    def _open(self, folder: _Folder, path: Path, flags: int, mode: int = 0) -> int:
        try:
            return os.open(folder.name(path[-1]), flags, mode, dir_fd=folder.descriptor)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                raise UnsafePathError(
                    f"{self.shown(path)}: a symbolic link, or no folder where one is expected; the store follows none"
                ) from error
            raise

    def _checked(self, path: Path) -> str:
        """For systems that cannot open a file below an opened folder."""
        where = self.root
        for name in path:
            where = os.path.join(where, name)
            if os.path.islink(where):
                raise UnsafePathError(f"{where}: a symbolic link; the store follows none")
        return where

    @contextmanager
    def _telling(self, path: Path) -> Iterator[None]:
        """What stands in the way of a write, and that nothing is lost."""
        try:
            yield
        except OSError as error:
            reason = _REASONS.get(error.errno or 0)
            if reason is None:
                raise
            raise StoreWriteError(
                f"{self.shown(path)}: cannot be written: {reason}. Nothing was changed: what was active still is."
            ) from error


class _Folder(NamedTuple):
    """An opened folder, or where it is."""

    descriptor: int | None
    path: str

    @property
    def where(self) -> Any:
        return self.path if self.descriptor is None else self.descriptor

    def name(self, name: str) -> str:
        return os.path.join(self.path, name) if self.descriptor is None else name


_REASONS: Final = {
    errno.ENOSPC: "the disk is full; free some space, or run edge-infer prune",
    getattr(errno, "EDQUOT", -1): "the user's quota of the disk is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied; the store belongs to another user (EDGE_INFER_HOME names another store)",
    errno.EPERM: "permission denied; the store belongs to another user (EDGE_INFER_HOME names another store)",
    errno.EFBIG: "the file is larger than the file system, or a limit of this process, takes",
    errno.EIO: "the disk reports an error",
}


def _ends_whole(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    if not size:
        return True
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"


if os.name == "nt":  # pragma: no cover

    def _lock(descriptor: int) -> None:
        import msvcrt
        import time

        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
                return
            except OSError:
                time.sleep(0.02)

else:

    def _lock(descriptor: int) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
