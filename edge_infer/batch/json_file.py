"""JSON Lines in blocks: pyarrow reads a block by the manifest's types; one that is not so is read line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from edge_infer.batch.csv_file import MOST_RECORD
from edge_infer.batch.files import InputFile
from edge_infer.batch.rows import Chunk, Place, Rows, batch_of, constant
from edge_infer.batch.text_blocks import Block, Cutter, blocks_of, is_utf8, lines_of_records
from edge_infer.batch.text_columns import is_exact, typed
from edge_infer.columns import Misfit, column_readers
from edge_infer.errors import Mismatch
from edge_infer.manifest import Column, Inputs

__all__ = ["JsonReader"]

_BOM: Final = b"\xef\xbb\xbf"
_TYPES: Final = {"number": pa.float64(), "integer": pa.float64(), "boolean": pa.bool_()}
_SURROGATE: Final = re.compile("[\\ud800-\\udfff]")
_LOOKED_AT: Final = 1000  # lines that tell the type of a kept column


class JsonReader:
    """`batch.rows.Reader` of JSON Lines: an object a line; blank lines are passed over."""

    line_word = "line"

    def __init__(self, file: InputFile, inputs: Inputs, keep: Sequence[str], size: int) -> None:
        """size: bytes of a chunk, about. Raises OSError."""
        self._file, self._size = file, size
        self._stream = file.open()
        self._constants = dict(file.partition)
        self._readers = [reader for reader in column_readers(inputs) if reader.column.used]
        self._names = [column.name for column in inputs.columns]
        self._texts = inputs.style == "texts"
        self._cutter = Cutter()
        self._start = self._stream.read(size)
        self._skipped = len(_BOM) if self._start.startswith(_BOM) else 0
        self._start = self._start[self._skipped :]
        self._types = {reader.column.name: _type_of(reader.column) for reader in self._readers}
        self.kept = pa.schema([pa.field(name, self._kept_type(name)) for name in keep])
        self._schema = pa.schema(
            [*self._types.items(), *((f.name, f.type) for f in self.kept if f.name not in self._types)]
        )

    def _kept_type(self, name: str) -> pa.DataType:
        """As the first lines have it: whole numbers, numbers or truth values; text for all else."""
        if name in self._constants:
            return pa.string()
        if name in self._types:
            return self._types[name]
        kinds = {type(value) for value in _values_of(name, self._start.split(b"\n", _LOOKED_AT)[:_LOOKED_AT])}
        if not kinds or not kinds <= {int, float, bool} or (bool in kinds and len(kinds) > 1):
            return pa.string()
        return pa.bool_() if bool in kinds else pa.float64() if float in kinds else pa.int64()

    def chunks(self, place: Place | None) -> Iterator[Chunk]:
        offset, line, start = self._skipped, 1, self._start
        if place is not None:
            offset, line = place["offset"], place["line"]
            start = start[offset - self._skipped :]
            left = offset - self._skipped - len(self._start)
            while left > 0 and (some := self._stream.read(min(left, 1 << 20))):
                left -= len(some)
        self._start = b""
        for block in blocks_of(
            self._stream, self._cutter, self._size, start=start, offset=offset, line=line, most=MOST_RECORD
        ):
            after = {"offset": block.end, "line": block.line + block.lines}
            yield Chunk(partial(self._read, block), after, block.end - block.offset)

    def close(self) -> None:
        if self._file.path != "-":
            self._stream.close()

    def _read(self, block: Block) -> Rows:
        line = partial(lines_of_records, block.data, self._cutter, block.line)
        if block.is_too_long:
            length = block.end - block.offset
            broken = {0: f"expected a line of at most {MOST_RECORD:,} bytes, got {length:,}"}
            return self._rows_of([], broken, 1, lambda: [block.line])
        table = self._parsed(block.data) if is_utf8(block.data) else None
        if table is not None:
            names = [name for name in self._types if name in table.schema.names]
            columns = self._with_constants({name: table[name].combine_chunks() for name in names}, table.num_rows)
            return Rows(
                batch_of(columns, table.num_rows),
                self._kept_of(table), table.num_rows, None, {}, {}, line,
            )  # fmt: skip
        records = [text for text in block.data.split(b"\n") if text.strip(b"\r")]
        broken = {}
        found = [self._record(text, place, broken) for place, text in enumerate(records)]
        return self._rows_of([each for each in found if each is not None], broken, len(records), line)

    # --- quickly ---

    def _parsed(self, data: bytes) -> pa.Table | None:
        """None where a line is not an object with all columns, each of its kind."""
        options = pyarrow.json.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="ignore")
        try:
            table = pyarrow.json.read_json(pa.BufferReader(data), _read_options(data), options)
        except pa.ArrowInvalid:
            return None
        for reader in self._readers:
            column = reader.column
            if (
                column.kind == "integer"
                and column.name not in self._constants
                and not is_exact(table[column.name], column)
            ):
                return None
        return table if self._has_all_keys(table, data) else None

    def _has_all_keys(self, table: pa.Table, data: bytes) -> bool:
        """pyarrow gives null for null, and for a key that is not there."""
        names = [name for name in self._types if name not in self._constants and table[name].null_count]
        if not names:
            return True
        lines = [text for text in data.split(b"\n") if text.strip(b"\r")]
        if len(lines) != table.num_rows:
            return False
        rows = np.unique(np.concatenate([np.flatnonzero(np.asarray(pc.is_null(table[name]))) for name in names]))
        return all(json.loads(lines[row]).keys() >= set(names) for row in rows.tolist())

    def _with_constants(self, columns: dict[str, Any], rows: int) -> dict[str, Any]:
        for reader in self._readers:
            name = reader.column.name
            if name in self._constants and name not in columns:
                columns[name] = typed(constant(self._constants[name], rows), reader.column).values
        return columns

    def _kept_of(self, table: pa.Table) -> pa.RecordBatch:
        arrays = {
            field.name: constant(self._constants[field.name], table.num_rows).cast(field.type)
            if field.name in self._constants
            else table[field.name].combine_chunks()
            for field in self.kept
        }
        return batch_of(arrays, table.num_rows)

    # --- line by line ---

    def _record(self, text: bytes, place: int, broken: dict[int, str]) -> dict[str, Any] | None:
        try:
            value = json.loads(text.decode(), object_pairs_hook=_unique)
        except UnicodeDecodeError as error:
            broken[place] = f"expected UTF-8, got the byte 0x{text[error.start]:02x}"
            return None
        except RecursionError:
            broken[place] = "expected JSON, got one that is nested too deeply"
            return None
        except ValueError as error:
            broken[place] = f"expected JSON: {error}"
            return None
        if isinstance(value, str) and self._texts:
            return {self._names[0]: value}
        if isinstance(value, list) and len(value) == len(self._names):
            return dict(zip(self._names, value, strict=True))
        if not isinstance(value, dict):
            broken[place] = f"expected an object, got {str(value)[:60]}"
            return None
        return value

    def _rows_of(
        self, records: list[dict[str, Any]], broken: dict[int, str], count: int, line: Callable[[], Sequence[int]]
    ) -> Rows:
        misfits: dict[int, list[Mismatch]] = {}
        columns: dict[str, Any] = {}
        for reader in self._readers:
            column = reader.column
            if column.name not in self._constants:
                values = [_cell(record, reader, row, misfits) for row, record in enumerate(records)]
                columns[column.name] = _array(values, column)
        columns = self._with_constants(columns, len(records))
        kept = {field.name: self._kept_values(field, records, misfits) for field in self.kept}
        positions = np.delete(np.arange(count), list(broken)) if broken else None
        rows = len(records)
        return Rows(batch_of(columns, rows), batch_of(kept, rows), count, positions, misfits, broken, line)

    def _kept_values(
        self, field: pa.Field, records: list[dict[str, Any]], misfits: dict[int, list[Mismatch]]
    ) -> pa.Array:
        if field.name in self._constants:
            return constant(self._constants[field.name], len(records)).cast(field.type)
        values: list[Any] = []
        for row, record in enumerate(records):
            value = record.get(field.name)
            if value is not None and pa.types.is_string(field.type) and not isinstance(value, str):
                value = json.dumps(value, ensure_ascii=False)
            try:
                pa.scalar(value, field.type)
            except UnicodeEncodeError:
                expected = "text that UTF-8 can write, since it is kept"
                misfits.setdefault(row, []).append(Mismatch(None, field.name, expected, "a lone surrogate"))
                value = None
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                expected = f"{field.type} as in the first lines, since it is kept"
                misfits.setdefault(row, []).append(Mismatch(None, field.name, expected, f"{value!r:.60}"))
                value = None
            values.append(value)
        return pa.array(values, field.type)


def _values_of(name: str, lines: Sequence[bytes]) -> Iterator[Any]:
    """Values of a key, in lines that can be read."""
    for line in lines:
        try:
            value = json.loads(line).get(name)
        except (ValueError, AttributeError, RecursionError):
            continue
        if value is not None:
            yield value


def _type_of(column: Column) -> pa.DataType:
    return _TYPES.get(column.kind, pa.string())


def _read_options(data: bytes) -> Any:
    return pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1)


def _cell(record: dict[str, Any], reader: Any, row: int, misfits: dict[int, list[Mismatch]]) -> Any:
    column = reader.column
    if column.name not in record:
        found = Mismatch(None, column.name, f"a column of the kind {column.kind}", "no such field")
    else:
        value = record[column.name]
        try:
            reader.one(value)
        except Misfit as misfit:
            found = Mismatch(None, column.name, misfit.expected, misfit.got)
        else:
            if not isinstance(value, str) or _is_text(value):
                return value
            found = Mismatch(None, column.name, "text that UTF-8 can write", "a lone surrogate")
    misfits.setdefault(row, []).append(found)
    return None


def _is_text(value: str) -> bool:
    """Whether UTF-8 can write it: JSON's escapes can tell of half a character."""
    return value.isascii() or not _SURROGATE.search(value)


def _array(values: list[Any], column: Column) -> pa.Array:
    """Of values that fit, and null."""
    if column.kind in ("string", "datetime"):
        return pa.array([None if each is None or each != each else str(each) for each in values], pa.string())
    if column.kind == "integer" and all(each is None or type(each) is int for each in values):
        return pa.array(values, pa.int64())
    return pa.array([None if each is None else float(each) for each in values], pa.float64())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return fields
