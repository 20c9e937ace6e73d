"""What a batch writes: chunks behind one another in a file of its own, which takes the output's name when it is whole.

Text is written as it will be. Parquet and Arrow files end in a table of what they hold, so that nothing can be added
to them after a crash: their chunks wait in a stream of Arrow messages, and become the file at the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pyarrow as pa

from edge_infer.batch.errors import BatchError, ResumeError
from edge_infer.batch.files import Kind
from edge_infer.batch.table_text import csv_header, csv_lines, json_lines
from edge_infer.files import flush_folder, try_lock, unlock

__all__ = ["Encoder", "Growing", "finish"]

_ROW_GROUP: Final = 1 << 17  # rows


class Encoder(NamedTuple):
    """Of an output's chunks, in any thread."""

    kind: Kind
    schema: pa.Schema

    def head(self) -> bytes:
        """What stands before the first chunk."""
        if self.kind.name in ("csv", "tsv"):
            return self._packed(csv_header(self.schema.names, self._delimiter))
        return b"" if self.kind.name == "jsonl" else bytes(self.schema.serialize())

    def chunk(self, batch: pa.RecordBatch) -> bytes:
        if self.kind.name in ("csv", "tsv"):
            return self._packed(csv_lines(batch, self._delimiter))
        if self.kind.name == "jsonl":
            return self._packed(json_lines(batch))
        return bytes(batch.serialize()) if batch.num_rows else b""

    @property
    def _delimiter(self) -> str:
        return "\t" if self.kind.name == "tsv" else ","

    def _packed(self, data: bytes) -> bytes:
        """Each chunk is a stream of its own: gzip, zstd, bzip2 and lz4 read them behind one another as one."""
        if self.kind.compression is None or not data:
            return data
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, self.kind.compression) as packed:
            packed.write(data)
        return bytes(sink.getvalue())


class Growing:
    """A file that grows by chunks, and can be cut back to what is known to be on the disk."""

    def __init__(self, path: str, size: int = 0) -> None:
        """size: bytes of it that count; what is behind them is cut off.

        Raises:
            BatchError: another process writes it.
            ResumeError: it has fewer bytes.
            OSError: it cannot be written.
        """
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            if not try_lock(self._file.fileno()):
                raise BatchError(f"{path}: another process writes this output")
            there = os.fstat(self._file.fileno()).st_size
            if there < size:
                raise ResumeError(f"{path}: expected at least {size:,} bytes, got {there:,}; run it without --resume")
        except BaseException:
            self._file.close()
            raise
        self._file.truncate(size)
        self._file.seek(size)
        self.size = size

    def add(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)

    def flush(self) -> None:
        """What was added lasts."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.flush()
        unlock(self._file.fileno())
        self._file.close()


def finish(part: str, output: str, kind: Kind) -> None:
    """The part file becomes the output, under its name. Raises OSError."""
    if kind.is_text:
        os.replace(part, output)
    else:
        whole = part + ".whole"
        with pa.OSFile(part, "rb") as stream:
            reader = pa.ipc.open_stream(stream)
            (_write_parquet if kind.name == "parquet" else _write_arrow)(whole, reader)
        _flush(whole)
        os.replace(whole, output)
        os.unlink(part)
    flush_folder(_folder(output))


def _folder(path: str) -> Any:
    from pathlib import Path

    return Path(path).absolute().parent


def _flush(path: str) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _write_parquet(path: str, reader: Any) -> None:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetWriter(path, reader.schema, compression="zstd") as writer:
        for table in _groups(reader):
            writer.write_table(table, row_group_size=_ROW_GROUP)


def _write_arrow(path: str, reader: Any) -> None:
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, reader.schema) as writer:
        for table in _groups(reader):
            writer.write_table(table, max_chunksize=_ROW_GROUP)


def _groups(reader: Any) -> Iterator[pa.Table]:
    """Tables of so many rows, however they came."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        start = 0
        while start < batch.num_rows:
            some = batch.slice(start, _ROW_GROUP - rows)
            waiting.append(some)
            rows += some.num_rows
            start += some.num_rows
            if rows == _ROW_GROUP:
                yield pa.Table.from_batches(waiting).combine_chunks()
                waiting, rows = [], 0
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks()
