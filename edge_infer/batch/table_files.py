"""Parquet and Arrow files, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from edge_infer.batch.errors import InputFileError
from edge_infer.batch.files import InputFile
from edge_infer.batch.rows import Chunk, Place, Rows, batch_of, constant
from edge_infer.errors import InputError, Mismatch, UsageError
from edge_infer.manifest import Column, Inputs

__all__ = ["ArrowReader", "ParquetReader"]

_BUFFER: Final = 1 << 20
_LEAST_ROWS: Final = 1024


class _TableReader:
    """What the two have in common: which columns are read, and rows of a batch."""

    line_word = "row"

    def __init__(self, file: InputFile, schema: pa.Schema, inputs: Inputs, keep: Sequence[str], size: int) -> None:
        """size: bytes of a chunk, about."""
        self._file = file
        self._constants = {name: value for name, value in file.partition if name not in schema.names}
        self._used = [column.name for column in inputs.columns if column.used]
        self._keep = list(keep)
        for name in keep:
            if name not in schema.names and name not in self._constants:
                raise UsageError(
                    f"--keep: expected a column of {file.name}, got {name!r:.80}; it has {schema.names!r:.400}"
                )
        _check_kinds(inputs.columns, schema)
        wanted = [name for name in dict.fromkeys([*self._used, *keep]) if name in schema.names]
        self._wanted = wanted if set(self._used) <= {*wanted, *self._constants} else schema.names  # by position
        self.kept = pa.schema([_kept_field(name, schema) for name in keep])
        self._rows = max(_LEAST_ROWS, size // max(1, 8 * len(self._wanted)))

    def _read(self, batch: pa.RecordBatch, first: int) -> Rows:
        batch = _cast(batch)
        kept = {
            name: constant(self._constants[name], batch.num_rows).cast(pa.string())
            if name in self._constants
            else _plain(batch.column(batch.schema.names.index(name)), self.kept.field(name).type)
            for name in self._keep
        }
        rows = batch
        for name in self._used:
            if name in self._constants:
                rows = rows.append_column(name, constant(self._constants[name], batch.num_rows))
        line = partial(range, first, first + batch.num_rows)
        return Rows(rows, batch_of(kept, batch.num_rows), batch.num_rows, None, {}, {}, line)


class ParquetReader(_TableReader):
    """`batch.rows.Reader`. Strings come as the file's own dictionaries."""

    def __init__(self, file: InputFile, inputs: Inputs, keep: Sequence[str], size: int) -> None:
        """Raises InputFileError, UsageError, InputError, OSError."""
        self._parquet = _opened(file, None)
        schema = self._parquet.schema_arrow
        texts = [
            field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        super().__init__(file, schema, inputs, keep, size)
        if texts:
            self._parquet.close()
            self._parquet = _opened(file, [name for name in texts if name in self._wanted])

    def chunks(self, place: Place | None) -> Iterator[Chunk]:
        begun = place or {"group": 0, "batch": 0, "row": 1}
        row, size = begun["row"], self._size_of_row()
        for group in range(begun["group"], self._parquet.num_row_groups):
            skipped = begun["batch"] if group == begun["group"] else 0
            for number, batch in enumerate(self._batches(group)):
                if number < skipped:
                    continue
                after = {"group": group, "batch": number + 1, "row": row + batch.num_rows}
                yield Chunk(partial(self._read, batch, row), after, int(size * batch.num_rows))
                row += batch.num_rows

    def _batches(self, group: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._parquet.iter_batches(
                self._rows, row_groups=[group], columns=self._wanted, use_threads=False
            )
        except (pa.ArrowInvalid, OSError) as error:
            raise InputFileError(f"{self._file.name}, row group {group}: not a whole Parquet file: {error}") from None

    def _size_of_row(self) -> float:
        import os

        return float(os.path.getsize(self._file.path) / max(1, self._parquet.metadata.num_rows))

    def close(self) -> None:
        self._parquet.close()


class ArrowReader(_TableReader):
    """`batch.rows.Reader` of an Arrow IPC file (Feather 2) or stream, memory-mapped."""

    def __init__(self, file: InputFile, inputs: Inputs, keep: Sequence[str], size: int) -> None:
        """Raises InputFileError, UsageError, InputError, OSError."""
        self._map = pa.memory_map(file.path)
        try:
            self._ipc: Any = pa.ipc.open_file(self._map)
            self._count: int | None = self._ipc.num_record_batches
        except pa.ArrowInvalid:
            self._map.seek(0)
            self._count = None
            try:
                self._ipc = pa.ipc.open_stream(self._map)
            except pa.ArrowInvalid as error:
                raise InputFileError(f"{file.name}: not an Arrow file: {error}") from None
        super().__init__(file, self._ipc.schema, inputs, keep, size)

    def chunks(self, place: Place | None) -> Iterator[Chunk]:
        begun = place or {"batch": 0, "start": 0, "row": 1}
        row = begun["row"]
        for number, batch in self._batches():
            if number < begun["batch"]:
                continue
            first = begun["start"] if number == begun["batch"] else 0
            batch = batch.select(self._wanted)
            for start in range(first, batch.num_rows, self._rows):
                some = batch.slice(start, self._rows)
                after = {"batch": number, "start": start + some.num_rows, "row": row + some.num_rows}
                yield Chunk(partial(self._read, some, row), after, some.nbytes)
                row += some.num_rows

    def _batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        try:
            if self._count is None:
                yield from enumerate(self._ipc)
                return
            for number in range(self._count):
                yield number, self._ipc.get_batch(number)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputFileError(f"{self._file.name}: not a whole Arrow file: {error}") from None

    def close(self) -> None:
        self._map.close()


def _opened(file: InputFile, dictionaries: list[str] | None) -> Any:
    try:
        return pyarrow.parquet.ParquetFile(
            file.path, read_dictionary=dictionaries, buffer_size=_BUFFER, pre_buffer=False
        )
    except pa.ArrowInvalid as error:
        raise InputFileError(f"{file.name}: not a whole Parquet file: {error}") from None


def _kept_field(name: str, schema: pa.Schema) -> pa.Field:
    kind = schema.field(name).type if name in schema.names else pa.string()
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string(kind) or str(kind) == "string_view":
        kind = pa.string()
    return pa.field(name, kind)


def _plain(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary.take(column.indices)
    return column if column.type == kind else column.cast(kind)


def _cast(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Decimals become floats: the kinds that a model takes."""
    for place, field in enumerate(batch.schema):
        if pa.types.is_decimal(field.type):
            batch = batch.set_column(place, field.name, batch.column(place).cast(pa.float64()))
        elif str(field.type) == "string_view":
            batch = batch.set_column(place, field.name, batch.column(place).cast(pa.string()))
    return batch


def _check_kinds(columns: Sequence[Column], schema: pa.Schema) -> None:
    """What no value of a column can fit is told once, before anything is read."""
    wrong = [
        Mismatch(None, column.name, f"a column of the kind {column.kind}", f"one of {schema.field(column.name).type}")
        for column in columns
        if column.used and schema.names.count(column.name) == 1 and not _fits(column, schema.field(column.name).type)
    ]
    if wrong:
        raise InputError(wrong)


def _fits(column: Column, kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        return True
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view"
    if column.kind == "string":
        return text
    if column.kind == "datetime":
        return text or pa.types.is_temporal(kind)
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    )
