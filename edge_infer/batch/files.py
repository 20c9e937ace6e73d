"""What IN… names: files of many kinds, compressed or not, found by globs and in folders, and standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, NamedTuple, cast
from urllib.parse import unquote

import pyarrow as pa

from edge_infer.batch.errors import InputFileError
from edge_infer.errors import UsageError

__all__ = ["COMPRESSIONS", "KINDS", "STANDARD_INPUT", "InputFile", "Kind", "find_inputs", "kind_of"]

STANDARD_INPUT: Final = "-"
#: Suffix → kind of file.
KINDS: Final = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
#: Suffix → the name of the codec in pyarrow. Parquet and Arrow files compress their own columns.
COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".lz4": "lz4"}
_TABLES: Final = ("parquet", "arrow")
_PATTERN: Final = frozenset("*?[")


class Kind(NamedTuple):
    """name: csv, tsv, jsonl, parquet or arrow; compression: of the file around it."""

    name: str
    compression: str | None = None

    @property
    def is_text(self) -> bool:
        return self.name not in _TABLES


class InputFile(NamedTuple):
    """partition: columns that its folders name (`year=2026/`), as text."""

    path: str
    kind: Kind
    partition: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """For messages."""
        return "standard input" if self.path == STANDARD_INPUT else self.path

    def open(self) -> IO[bytes]:
        """Its bytes, without compression. Raises OSError."""
        if self.path == STANDARD_INPUT:
            file: Any = sys.stdin.buffer
        else:
            file = open(self.path, "rb")  # noqa: SIM115  # the caller closes it
        if self.kind.compression is None:
            return file  # type: ignore[no-any-return]
        return cast("IO[bytes]", _Unpacked(file, self.kind.compression, self.name))

    def identity(self) -> tuple[str, int, int]:
        """Path, size, and time of change in ns: what tells that it is the same as before. Raises OSError."""
        if self.path == STANDARD_INPUT:
            return self.path, 0, 0
        told = os.stat(self.path)
        return os.path.abspath(self.path), told.st_size, told.st_mtime_ns


class _Unpacked:
    """A compressed file. What cannot be unpacked is a mistake of the file."""

    def __init__(self, file: Any, compression: str, name: str) -> None:
        self._file, self._compression, self._name = file, compression, name
        self._stream = pa.CompressedInputStream(file, compression)

    def read(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read(size))
        except OSError as error:
            raise InputFileError(f"{self._name}: not a whole {self._compression} file: {error}") from None

    def close(self) -> None:
        self._stream.close()
        self._file.close()


def kind_of(path: str, asked: str | None = None, argument: str = "IN") -> Kind:
    """By its suffixes, or as asked. Raises UsageError, with the argument's name."""
    stem, suffix = os.path.splitext(path.lower())
    compression = COMPRESSIONS.get(suffix)
    name = asked or KINDS.get(os.path.splitext(stem)[1] if compression else suffix)
    if name is None:
        known = ", ".join(KINDS)
        raise UsageError(
            f"{argument}: expected a file that ends in {known}, or such a text file with "
            f"{', '.join(COMPRESSIONS)} behind it; got {path!r:.200}"
        )
    if compression and name in _TABLES:
        raise UsageError(f"{argument}: {path!r:.200}: a {name} file is compressed within; leave {suffix} out")
    return Kind(name, compression)


def find_inputs(asked: Sequence[str], kind: str | None = None) -> list[InputFile]:
    """The files in order: as they are named; of a glob or a folder, by name.

    kind: of all of them; None: by suffix. In folders, files of other kinds, and hidden ones, are passed over.

    Raises:
        UsageError: a name that stands for no file, or one of no known kind.
        FileNotFoundError: there is no such file.
    """
    found: list[InputFile] = []
    for name in asked:
        if name == STANDARD_INPUT:
            found.append(InputFile(name, Kind(kind or "csv")))
        elif os.path.isdir(name):
            found += _required(list(_in_folder(name, kind)), f"the folder {name!r:.200} holds none")
        elif os.path.exists(name) or not _PATTERN.intersection(name):
            os.stat(name)  # or it raises
            found.append(InputFile(name, kind_of(name, kind)))
        else:
            paths = [path for path in sorted(glob.glob(name, recursive=True)) if os.path.isfile(path)]
            some = [InputFile(path, kind_of(path, kind), _partition(path)) for path in paths]
            found += _required(some, f"{name!r:.200} matches none")
    if len(found) > 1 and any(file.path == STANDARD_INPUT for file in found):
        raise UsageError("IN: expected standard input (-) alone, or files")
    return _required(found, "none was named")


def _in_folder(folder: str, kind: str | None) -> Iterator[InputFile]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith((".", "_")))
        for name in sorted(each for each in names if not each.startswith((".", "_"))):
            path = os.path.join(parent, name)
            try:
                yield InputFile(path, kind_of(path, kind), _partition(os.path.relpath(path, folder)))
            except UsageError:
                continue


def _partition(path: str) -> tuple[tuple[str, str], ...]:
    """The columns in the names of its folders, as Hive writes them."""
    parts = [part.partition("=") for part in os.path.dirname(path).split(os.sep)]
    return tuple((unquote(name), unquote(value)) for name, sign, value in parts if sign and name)


def _required(files: list[InputFile], got: str) -> list[InputFile]:
    if not files:
        raise UsageError(f"IN: expected at least one file; {got}")
    return files
