"""CSV in blocks: pyarrow reads a block by the manifest's types; one with cells of other kinds is looked at closely."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from edge_infer.batch.errors import InputFileError
from edge_infer.batch.files import InputFile
from edge_infer.batch.rows import Chunk, Place, Rows, batch_of, constant
from edge_infer.batch.text_blocks import Block, Cutter, blocks_of, is_utf8, lines_of_records
from edge_infer.batch.text_columns import is_exact, missing_of, typed
from edge_infer.csv_cells import DELIMITERS, likely_delimiter, places_in
from edge_infer.errors import Mismatch, UsageError
from edge_infer.manifest import Column, Inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CsvReader"]

_BOM: Final = b"\xef\xbb\xbf"
_TEXT: Final = pa.string()
_CODES: Final = pa.dictionary(pa.int32(), pa.string())
_RAW: Final = pa.dictionary(pa.int32(), pa.binary())
MOST_RECORD: Final = 16 << 20


class _Head(NamedTuple):
    """What the first record tells. body: what was read behind it, which begins at `offset`, on `line`."""

    names: list[str]
    places: list[int]
    cutter: Cutter
    delimiter: str
    offset: int
    line: int


class CsvReader:
    """`batch.rows.Reader` of a CSV or TSV file."""

    line_word = "line"

    def __init__(self, file: InputFile, inputs: Inputs, keep: Sequence[str], size: int, delimiter: str | None) -> None:
        """size: bytes of a chunk, about. Raises InputFileError, UsageError, InputError, OSError."""
        self._file, self._size = file, size
        self._stream = file.open()
        try:
            self._begin(inputs, keep, delimiter)
        except BaseException:
            self.close()
            raise

    def _begin(self, inputs: Inputs, keep: Sequence[str], delimiter: str | None) -> None:
        file = self._file
        self._head, self._start = self._read_head(inputs, delimiter or ("\t" if file.kind.name == "tsv" else None))
        partition = dict(file.partition)
        used = [column for column in inputs.columns if column.used]
        places = dict(zip((column.name for column in inputs.columns), self._head.places, strict=True))
        self._columns = [(column, places[column.name]) for column in used]
        self._constants = {name: value for name, value in partition.items() if name not in self._head.names}
        self._keep = self._kept_places(keep)
        self.kept = pa.schema([pa.field(name, _TEXT) for name in keep])
        twice = {place for _, place in self._keep}
        self._quick = {place: _quick_type(column, kept=place in twice) for column, place in self._columns if place >= 0}
        self._quick |= {place: _CODES for place in twice if place >= 0 and place not in self._quick}
        self._missing = missing_of([column for column, _ in self._columns if column.kind in ("number", "integer")])

    def _read_head(self, inputs: Inputs, delimiter: str | None) -> tuple[_Head, bytes]:
        start = self._stream.read(self._size)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InputFileError(f"{self._file.name}: expected UTF-8, got UTF-16; save it as 'CSV UTF-8'")
        offset, line = (len(_BOM) if start.startswith(_BOM) else 0), 1
        newline = b"\n" if b"\n" in start or b"\r" not in start else b"\r"
        cutter = Cutter(newline=newline, delimiter=(delimiter or "".join(DELIMITERS)).encode())
        while True:
            end = cutter.first_end(start[offset:])
            while not end and len(start) < MOST_RECORD and (more := self._stream.read(self._size)):
                start += more
                end = cutter.first_end(start[offset:])
            record = start[offset : offset + end] if end else start[offset:]
            if record.strip(b"\r\n") or not end:
                break
            offset, line = offset + end, line + 1
        header = self._decoded(record)
        names = [column.name for column in inputs.columns]
        try:
            delimiter = delimiter or likely_delimiter(header.strip("\r\n"), names)
            cells = _cells(header, delimiter)
        except csv.Error as error:
            raise InputFileError(f"{self._file.name}, line {line}: not the header of a CSV: {error}") from None
        cutter = Cutter(newline=newline, delimiter=delimiter.encode())
        places, skip = self._places(cells, inputs)
        if skip:
            offset, line = offset + len(record), line + record.count(newline)
        return _Head(cells if skip else [], places, cutter, delimiter, offset, line), start[offset:]

    def _decoded(self, record: bytes) -> str:
        if not record.strip():
            raise InputFileError(f"{self._file.name}: expected a CSV with a header row, got nothing")
        if len(record) >= MOST_RECORD:
            raise InputFileError(f"{self._file.name}, line 1: expected a header, got more than {MOST_RECORD:,} bytes")
        try:
            return record.decode()
        except UnicodeDecodeError as error:
            raise InputFileError(
                f"{self._file.name}, line 1: expected UTF-8, got the byte 0x{record[error.start]:02x}; save it as "
                "'CSV UTF-8'"
            ) from None

    def _places(self, cells: list[str], inputs: Inputs) -> tuple[list[int], int]:
        """Columns that folders name stand nowhere in the file: −1."""
        self._width = len(cells)
        given = dict(self._file.partition)
        others = inputs._replace(columns=tuple(c for c in inputs.columns if c.name not in given or c.name in cells))
        if not others.columns:
            return [-1] * len(inputs.columns), 1
        places, skip = places_in(cells, others)
        found = dict(zip((column.name for column in others.columns), places, strict=True))
        return [found.get(column.name, -1) for column in inputs.columns], skip

    def _kept_places(self, keep: Sequence[str]) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        for name in keep:
            if self._head.names.count(name) > 1:
                raise UsageError(f"--keep: {self._file.name} has more than one column {name!r:.80}")
            if name not in self._head.names and name not in self._constants:
                shown = ", ".join(map(repr, self._head.names[:12])) or "no header"
                raise UsageError(
                    f"--keep: expected a column of {self._file.name}, got {name!r:.80}; it has {shown:.400}"
                )
            found.append((name, self._head.names.index(name) if name in self._head.names else -1))
        return found

    # --- chunks ---

    def chunks(self, place: Place | None) -> Iterator[Chunk]:
        head, start = self._head, self._start
        offset, line = head.offset, head.line
        if place is not None:
            offset, line, start = place["offset"], place["line"], self._rest_from(place["offset"])
        self._start = b""
        for block in blocks_of(
            self._stream, head.cutter, self._size, start=start, offset=offset, line=line, most=MOST_RECORD
        ):
            yield Chunk(
                partial(self._read, block),
                {"offset": block.end, "line": block.line + block.lines},
                block.end - block.offset,
            )

    def _rest_from(self, offset: int) -> bytes:
        """What was read already of what is behind a place, or the stream moved there."""
        here = self._head.offset + len(self._start)
        if offset <= here:
            return self._start[offset - self._head.offset :]
        left = offset - here
        while left and (some := self._stream.read(min(left, 1 << 20))):
            left -= len(some)
        return b""

    def _read(self, block: Block) -> Rows:
        if block.is_too_long:
            return self._too_long(block)
        broken: dict[int, str] = {}
        readable = is_utf8(block.data)
        table = self._parsed(block.data, self._quick, broken) if readable else None
        found = None if table is None else self._typed(table)
        if found is None:
            broken.clear()
            data = block.data if readable else block.data.decode("latin-1").encode()
            table = self._parsed(data, dict.fromkeys(self._quick, _RAW), broken, check_utf8=False)
            table = table if table is None or readable else _as_written(table)
            found = None if table is None else self._typed(table)
        assert table is not None
        assert found is not None  # texts can be of any kind
        columns, misfits = found
        batch = batch_of(columns, table.num_rows)
        records = table.num_rows + len(broken)
        return Rows(
            batch, self._kept(table, misfits), records, _positions(records, broken), misfits, broken,
            partial(lines_of_records, block.data, self._head.cutter, block.line),
        )  # fmt: skip

    def _parsed(
        self, data: bytes, types: dict[int, pa.DataType], broken: dict[int, str], *, check_utf8: bool = True
    ) -> pa.Table | None:
        """None where a cell is not of its type. `broken`: filled with records that have too few or too many cells."""

        def skip(row: Any) -> str:
            broken[row.number - 1] = f"expected {row.expected_columns} cells as in the header, got {row.actual_columns}"
            return "skip"

        names = [str(place) for place in range(self._width)]
        read = pyarrow.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names)
        parse = pyarrow.csv.ParseOptions(
            delimiter=self._head.delimiter, newlines_in_values=True, invalid_row_handler=skip
        )
        convert = pyarrow.csv.ConvertOptions(
            check_utf8=check_utf8,
            column_types={str(place): kind for place, kind in types.items()},
            include_columns=[str(place) for place in types] or names[:1],
            null_values=self._missing,
            strings_can_be_null=False,
        )
        try:
            return pyarrow.csv.read_csv(pa.BufferReader(data), read, parse, convert).combine_chunks()
        except pa.ArrowInvalid as error:
            if check_utf8:
                return None
            raise InputFileError(f"{self._file.name}: {error}") from None

    def _typed(self, table: pa.Table) -> tuple[dict[str, pa.Array], dict[int, list[Mismatch]]] | None:
        """The columns of the manifest, and misfits by row; None where they must be read as text first."""
        found: dict[str, pa.Array] = {}
        misfits: dict[int, list[Mismatch]] = {}
        for column, place in self._columns:
            values = constant(self._constants[column.name], table.num_rows) if place < 0 else _one(table[str(place)])
            if pa.types.is_dictionary(values.type):
                values, bad = typed(values, column)
                for row, mismatch in bad.items():
                    misfits.setdefault(row, []).append(mismatch)
            elif not is_exact(values, column):
                return None
            found[column.name] = values
        return found, misfits

    def _kept(self, table: pa.Table, misfits: dict[int, list[Mismatch]]) -> pa.RecordBatch:
        arrays: dict[str, pa.Array] = {}
        for name, place in self._keep:
            values = constant(self._constants[name], table.num_rows) if place < 0 else _one(table[str(place)])
            arrays[name] = _text_of(values, name, misfits)
        return batch_of(arrays, table.num_rows)

    def _too_long(self, block: Block) -> Rows:
        length = block.end - block.offset
        reason = (
            f"expected a line of at most {MOST_RECORD:,} bytes, got {length:,}"
            if length >= MOST_RECORD
            else 'expected a quote (") for each one that opens a cell, got none'
        )
        kept = batch_of({name: pa.array([], _TEXT) for name in self.kept.names}, 0)
        return Rows(batch_of({}, 0), kept, 1, np.zeros(0, np.int64), {}, {0: reason}, lambda: [block.line])

    def close(self) -> None:
        if self._file.path != "-":
            self._stream.close()


def _quick_type(column: Column, *, kept: bool) -> pa.DataType:
    """As which pyarrow reads it. A kept column stays as it is written."""
    if column.kind in ("number", "integer"):
        return _CODES if kept else pa.float64()
    return _TEXT if column.free_text and not kept else _CODES


def _cells(header: str, delimiter: str) -> list[str]:
    return next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), [])


def _as_written(table: pa.Table) -> pa.Table:
    """Of a block that was read as Latin-1, which has a character for each byte, since pyarrow decodes broken rows."""
    columns = {}
    for name in table.schema.names:
        column = _one(table[name])
        if not pa.types.is_dictionary(column.type):  # of a model that no column is read for
            columns[name] = column
            continue
        written = [value.decode().encode("latin-1") for value in column.dictionary.to_pylist()]
        columns[name] = pa.DictionaryArray.from_arrays(column.indices, pa.array(written, pa.binary()))
    return pa.table(columns)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _positions(records: int, broken: dict[int, str]) -> NDArray[np.int64] | None:
    return np.delete(np.arange(records), list(broken)) if broken else None


def _text_of(values: pa.Array, name: str, misfits: dict[int, list[Mismatch]]) -> pa.Array:
    """Kept text; what is not UTF-8 cannot be kept."""
    if not pa.types.is_binary(values.type.value_type):
        return values.dictionary.take(values.indices)
    texts: list[str | None] = []
    bad: set[int] = set()
    for place, raw in enumerate(values.dictionary.to_pylist()):
        try:
            texts.append(raw.decode())
        except UnicodeDecodeError:
            texts.append(None)
            bad.add(place)
    if bad:
        for row in np.flatnonzero(np.isin(np.asarray(values.indices), list(bad))).tolist():
            misfits.setdefault(row, []).append(Mismatch(None, name, "text in UTF-8", "other bytes"))
    return pa.array(texts, _TEXT).take(values.indices)
