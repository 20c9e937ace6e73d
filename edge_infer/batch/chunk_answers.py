"""One chunk from its rows to the bytes that are written of it: what a worker thread does."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from edge_infer.batch.errors import InputFileError, RowError
from edge_infer.batch.outputs import Encoder
from edge_infer.batch.rows import Chunk, Rows
from edge_infer.batch.scoring import Scorer
from edge_infer.errors import Mismatch

__all__ = ["Answered", "ChunkScorer", "OnError"]

OnError = Literal["reject", "null", "fail"]
_MOST_REASONS: Final = 10  # of a row


class Answered(NamedTuple):
    """output, rejects: bytes to write; rows: that have an answer; rejected: that have none."""

    output: bytes
    rejects: bytes
    rows: int
    rejected: int


class ChunkScorer(NamedTuple):
    """Thread-safe."""

    scorer: Scorer
    encoder: Encoder
    on_error: OnError

    def __call__(self, chunk: Chunk, file: str, line_word: str) -> Answered:
        """Raises RowError for the first row that cannot be scored, where `on_error` says so."""
        rows = chunk.load()
        answers, reasons = self._scored(rows)
        if reasons and self.on_error == "fail":
            record = min(reasons)
            raise RowError(f"{file}, {line_word} {rows.line()[record]}: {reasons[record]}")
        output = self._with_kept(rows, answers, set(reasons))
        rejects = _rejects(reasons, rows, file, line_word) if reasons else b""
        return Answered(self.encoder.chunk(output), rejects, rows.records - len(reasons), len(reasons))

    def _scored(self, rows: Rows) -> tuple[pa.RecordBatch, dict[int, str]]:
        """Answers of the rows that fit, and by record why others have none."""
        batch = rows.batch
        fits = np.ones(batch.num_rows, bool)
        fits[list(rows.misfits)] = False
        scored = self.scorer.score(batch if fits.all() else batch.filter(pa.array(fits)))
        misfits = dict(rows.misfits)
        if scored.misfits:
            places = np.flatnonzero(fits)
            misfits |= {int(places[row]): found for row, found in scored.misfits.items()}
        positions = rows.positions
        record = (lambda row: row) if positions is None else (lambda row: int(positions[row]))
        reasons = rows.broken | {record(row): _reason(found) for row, found in misfits.items()}
        return scored.answers, reasons

    def _with_kept(self, rows: Rows, answers: pa.RecordBatch, bad: set[int]) -> pa.RecordBatch:
        """Kept columns and answers, of the rows that have answers, or of all records in their order."""
        positions = np.arange(rows.records) if rows.positions is None else rows.positions
        good = ~np.isin(positions, list(bad)) if bad else np.ones(len(positions), bool)
        kept, answered = rows.kept.columns, answers.columns
        if self.on_error != "null":
            kept = kept if good.all() else [column.filter(pa.array(good)) for column in kept]
        elif bad:
            kept = [column.take(_places(rows.records, positions)) for column in kept]
            answered = [column.take(_places(rows.records, positions[good])) for column in answered]
        columns = [_cast(column, field) for column, field in zip([*kept, *answered], self.encoder.schema, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self.encoder.schema)


def _places(records: int, positions: Any) -> pa.Array:
    """For each record its place among `positions`, or null."""
    places = np.full(records, -1)
    places[positions] = np.arange(len(positions))
    return pa.array(places, mask=places < 0)


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    """A kept column of a later file, as the first file has it."""
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputFileError(
            f"--keep: column {field.name!r:.80}: expected {field.type} as in the first file, got {column.type}: {error}"
        ) from None


def _reason(misfits: list[Mismatch]) -> str:
    told = "; ".join(str(each._replace(row=None)) for each in misfits[:_MOST_REASONS])
    return told + (f"; and {len(misfits) - _MOST_REASONS} more" if len(misfits) > _MOST_REASONS else "")


def _rejects(reasons: dict[int, str], rows: Rows, file: str, line_word: str) -> bytes:
    lines = rows.line()
    found = [{"file": file, line_word: lines[record], "reason": reasons[record]} for record in sorted(reasons)]
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in found).encode("utf-8", "backslashreplace")
