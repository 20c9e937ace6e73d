"""A reader for each kind of file."""

from __future__ import annotations

from collections.abc import Sequence

from edge_infer.batch.files import InputFile
from edge_infer.batch.rows import Reader
from edge_infer.manifest import Inputs

__all__ = ["reader_of"]


def reader_of(file: InputFile, inputs: Inputs, keep: Sequence[str], size: int, delimiter: str | None = None) -> Reader:
    """size: bytes of a chunk, about. Raises InputFileError, UsageError, InputError, OSError."""
    if file.kind.name in ("csv", "tsv"):
        from edge_infer.batch.csv_file import CsvReader

        return CsvReader(file, inputs, keep, size, delimiter)
    if file.kind.name == "jsonl":
        from edge_infer.batch.json_file import JsonReader

        return JsonReader(file, inputs, keep, size)
    from edge_infer.batch.table_files import ArrowReader, ParquetReader

    return (ParquetReader if file.kind.name == "parquet" else ArrowReader)(file, inputs, keep, size)
