"""All writes of a store, and how its files are opened: never through a symbolic link, never half a file.

A file is written under a temporary name, flushed, renamed, and its folder flushed, in this order: a power cut leaves
the old file or the new one. Every step can be watched, which the tests use to cut the power anywhere.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from edge_infer.errors import DamagedStoreError, StoreWriteError, UnsafePathError
from edge_infer.files import try_lock, unlock

__all__ = ["TEMPORARY", "Files", "Path", "Step"]

#: Where files stand, as the names of folders and file below the store's own folder.
Path = tuple[str, ...]

#: The folder of files that are being written.
TEMPORARY: Final = "tmp"
_LOCK: Final = "lock"
_LOCK_SECONDS: Final = 60.0  # that a writer waits for another

_PRIVATE: Final = 0o600  # of the lock: who may only read could hold it otherwise
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
        self._lasting: set[Path] = set()  # folders whose names are known to last

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

    def read_end(self, *path: str, most: int) -> bytes:
        """The last `most` bytes of a file, however long it is. Raises FileNotFoundError, UnsafePathError."""
        with self._folder(path[:-1]) as folder:
            descriptor = self._open(folder, path, os.O_RDONLY | _BINARY | _NO_FOLLOW)
            with open(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise UnsafePathError(f"{self.shown(path)}: expected a file")
                file.seek(max(0, status.st_size - most))
                return file.read(most)

    def pieces(self, *path: str, start: int = 0, size: int) -> Iterator[bytes]:
        """The bytes of a file from `start` on, at most `size` at a time. Raises FileNotFoundError, UnsafePathError."""
        with self._folder(path[:-1]) as folder:
            descriptor = self._open(folder, path, os.O_RDONLY | _BINARY | _NO_FOLLOW)
        with open(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnsafePathError(f"{self.shown(path)}: expected a file")
            file.seek(start)
            while piece := file.read(size):
                yield piece

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
        """A file holds these bytes from now on; until then, and after a crash, it may hold what it held.

        private: its owner alone may read it.
        """
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

    def settle(self, path: Path) -> None:
        """What stands in a file lasts from now on: whoever wrote it may have been stopped before it was flushed."""
        with self._telling(path):
            with self._folder(path[:-1]) as folder:
                descriptor = self._open(folder, path, os.O_RDWR | _BINARY | _NO_FOLLOW)
                try:
                    _flush(descriptor)
                finally:
                    os.close(descriptor)
            self._done(Step("flush", path))
            self._flush_folder(path[:-1])

    def append(self, path: Path, line: bytes, *, private: bool = False) -> None:
        """A line more at the end of a file, behind the end of the last one where a crash has left it open.

        private: its owner alone may read it, if it is made here.
        """
        with self._appending(path, _PRIVATE if private else _PUBLIC) as descriptor:
            self._write(descriptor, path, line if _ends_whole(descriptor) else b"\n" + line)

    def extend(self, path: Path, data: bytes, *, at: int) -> None:
        """These bytes stand behind the first `at` of a file, which it must have, from now on.

        Raises:
            StoreWriteError: it has more or fewer, since another process changes it.
        """
        with self._appending(path) as descriptor:
            if os.fstat(descriptor).st_size != at:
                raise StoreWriteError(f"{self.shown(path)}: another process has just changed it; try again")
            self._write(descriptor, path, data)

    @contextmanager
    def _appending(self, path: Path, mode: int = _PUBLIC) -> Iterator[int]:
        """A descriptor that writes at a file's end; a file that is made here lasts afterwards."""
        self._make_folders((*path[:-1],))
        with self._telling(path), self._folder(path[:-1]) as folder:
            created = self.status(*path) is None
            descriptor = self._open(folder, path, _APPENDS, mode)
            try:
                if created:
                    self._done(Step("create", path))
                yield descriptor
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
    def locked(self, patience: float | None = None, *, path: Path = (_LOCK,)) -> Iterator[None]:
        """One writer at a time, of all processes; the system lets go of the lock of one that dies.

        path: the file that is locked, for those who take turns in something else than writing.

        Raises StoreWriteError where another has it for more than `patience` seconds, a minute if nothing is said.
        """
        self._make_folders((TEMPORARY,), (*path[:-1],))
        with self._telling(path), self._folder(path[:-1]) as folder:
            descriptor = self._open(folder, path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, _PRIVATE)
        try:
            self._wait_for(descriptor, _LOCK_SECONDS if patience is None else patience)
            yield
        finally:
            unlock(descriptor)  # a child that was forked meanwhile has the descriptor too
            os.close(descriptor)

    def hold(self, path: Path) -> int:
        """Make a file that this process holds until the descriptor, which is given, is closed: at the latest when the
        process ends, however it does."""
        self._make_folders((*path[:-1],))
        with self._telling(path), self._folder(path[:-1]) as folder:
            descriptor = self._open(folder, path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, _PRIVATE)
        self._done(Step("create", path))
        try_lock(descriptor)  # nobody else knows of it
        return descriptor

    def let_go(self, descriptor: int) -> None:
        """Of what `hold` gave."""
        unlock(descriptor)
        os.close(descriptor)

    def is_held(self, path: Path) -> bool:
        """Whether a process that still runs holds it. For writers."""
        try:
            with self._folder(path[:-1]) as folder:
                descriptor = self._open(folder, path, os.O_RDONLY | _NO_FOLLOW)
        except FileNotFoundError:
            return False
        try:
            return not try_lock(descriptor)
        finally:
            os.close(descriptor)

    # --- steps ---

    def _wait_for(self, descriptor: int, patience: float) -> None:
        until = time.monotonic() + patience
        while not try_lock(descriptor):
            if time.monotonic() > until:
                raise StoreWriteError(
                    f"{self.shown((_LOCK,))}: another process has been changing the store for {patience:g} s; "
                    "try again when it has ended"
                )
            time.sleep(0.005)

    def _make_folders(self, *paths: Path) -> None:
        with self._telling(paths[0]):
            self._make_root()
            for path in paths:
                for depth in range(1, len(path) + 1):
                    self._make_folder(path[:depth])

    def _make_root(self) -> None:
        """The store's own folder, and those above it that are not there yet; each lasts in the one above."""
        above = [self.root]
        while not os.path.isdir(above[-1]):
            above.append(os.path.dirname(above[-1]))
        try:
            os.makedirs(self.root, _FOLDER, exist_ok=True)
        except FileNotFoundError as error:  # what /proc says
            raise StoreWriteError(f"{self.root}: this folder cannot be made; EDGE_INFER_HOME names another") from error
        for folder in above[1:]:
            _flush_path(folder)

    def _make_folder(self, path: Path) -> None:
        with self._folder(path[:-1]) as folder:
            try:
                os.mkdir(folder.name(path[-1]), _FOLDER, dir_fd=folder.descriptor)
            except FileExistsError:
                if path in self._lasting:
                    return  # else another made it, and may have been stopped before it was flushed
            else:
                self._done(Step("make", path))
        self._flush_folder(path[:-1])
        self._lasting.add(path)

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
        _flush(descriptor)
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
                _flush(folder.descriptor)
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
        """What stands in the way of a write."""
        try:
            yield
        except OSError as error:
            reason = _REASONS.get(error.errno or 0)
            if reason is None:
                raise
            raise StoreWriteError(
                f"{self.shown(path)}: cannot be written: {reason}. The store is whole; edge-infer status shows it."
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


def _flush_path(folder: str) -> None:
    if os.name == "nt":  # pragma: no cover
        return
    descriptor = os.open(folder, os.O_RDONLY | _IS_FOLDER)
    try:
        _flush(descriptor)
    finally:
        os.close(descriptor)


def _flush(descriptor: int) -> None:
    """To the disk itself: macOS's fsync leaves it in the drive's cache (fsync(2) there)."""
    if sys.platform == "darwin":  # pragma: no cover
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)
