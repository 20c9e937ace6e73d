"""`Scorer`: Arrow rows in, Arrow answers out. What files, Spark, Ray and DuckDB call."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from edge_infer.answers import Decoder
from edge_infer.batch.arrow_answers import ArrowAnswer
from edge_infer.errors import InputError, MethodError, Mismatch
from edge_infer.graphs import Graphs
from edge_infer.manifest import Manifest
from edge_infer.observed import Observer
from edge_infer.tensors import Batch, Packer

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Scored", "Scorer"]


class Scored(NamedTuple):
    """answers: of the rows that fit, in their order; misfits: by row, what does not fit."""

    answers: pa.RecordBatch
    misfits: dict[int, list[Mismatch]]


class Scorer:
    """Several methods of a loaded model in one run. Thread-safe; made by `Model.scorer`.

    schema: of the answers. columns: names of the input columns that an answer depends on.
    """

    def __init__(
        self,
        manifest: Manifest,
        graphs: Graphs,
        packer: Packer,
        methods: Sequence[str] | None = None,
        observer: Observer | None = None,
    ) -> None:
        """methods: None: the first one, and probabilities where there are any. Raises MethodError."""
        outputs = [manifest.output(method) for method in methods or _usual(manifest)]
        if not all(outputs) or not outputs:
            none = "none: it takes and gives tensors" if manifest.interface else "none: this file has no manifest"
            has = ", ".join(output.method for output in manifest.outputs) or none
            raise MethodError(f"no {', '.join(methods or ['method'])}: this model has {has}", name="scorer")
        self.manifest = manifest
        self._graphs, self._packer, self._observer = graphs, packer, observer
        listed = any(output.listed for output in outputs if output)
        shapes = {name: shape for name, (_, shape) in graphs.whole.outputs.items()} if listed else {}
        self._answers = [ArrowAnswer(output, manifest, shapes) for output in outputs if output]
        self._decoders = [Decoder(output) for output in outputs if output] if observer else []
        self._tensors = list(dict.fromkeys(name for answer in self._answers for name in answer.tensors))
        self._most = packer.rows_in(graphs.options.chunk_bytes)
        self.methods = tuple(answer.method for answer in self._answers)
        self.schema = pa.schema([field for answer in self._answers for field in answer.fields])
        self.columns = [column.name for column in manifest.inputs.columns if column.used]

    def __call__(self, rows: pa.RecordBatch | pa.Table) -> pa.RecordBatch:
        """The answers, a row for each row.

        Raises:
            InputError: rows that do not fit; every mismatch is named.
        """
        if not rows.num_rows:
            return _empty(self.schema)
        started = perf_counter()
        batch = self._pack(rows, started)
        tensors = self._run(batch)
        columns: list[pa.Array] = []
        for answer in self._answers:
            columns += answer.columns([tensors[name] for name in answer.tensors], batch.rows)
        if self._observer is not None:
            self._tell(self._observer, rows, tensors, perf_counter() - started)
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def score(self, rows: pa.RecordBatch | pa.Table) -> Scored:
        """The answers of the rows that fit. Raises InputError where the whole input does not: a column is not there."""
        try:
            return Scored(self(rows), {})
        except InputError as error:
            misfits = _by_row(error)
        fits = np.ones(rows.num_rows, bool)
        fits[list(misfits)] = False
        return Scored(self(rows.filter(pa.array(fits))), misfits)

    def _pack(self, rows: Any, started: float) -> Batch:
        try:
            return self._packer.pack(rows)
        except InputError as error:
            if self._observer is not None:
                self._observer.failed(self.methods[0], rows, error, perf_counter() - started)
            raise

    def _run(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """The tensors of all rows, in chunks that fit the cache."""
        session = self._graphs.for_batch(batch, frozenset(self._tensors))
        size = self._most or batch.rows
        feeds = {name: batch.feeds[name] for name in session.inputs if name in batch.feeds}
        parts = [
            session.run(self._tensors, {name: feed[start : start + size] for name, feed in feeds.items()})
            for start in range(0, batch.rows, size)
        ]
        whole = parts[0] if len(parts) == 1 else [np.concatenate(each) for each in zip(*parts, strict=True)]
        return dict(zip(self._tensors, whole, strict=True))

    def _tell(self, observer: Observer, rows: Any, tensors: dict[str, NDArray[Any]], seconds: float) -> None:
        for decoder, method in zip(self._decoders, self.methods, strict=True):
            found = decoder.decode([tensors[name] for name in decoder.tensors], rows=rows.num_rows, single=False)
            observer.answered(method, rows, found, seconds)


def _usual(manifest: Manifest) -> list[str]:
    present = [output.method for output in manifest.outputs]
    first = "predict" if "predict" in present else present[0] if present else None
    return [method for method in (first, "predict_proba") if method in present]


def _by_row(error: InputError) -> dict[int, list[Mismatch]]:
    """Raises the error itself where it is not about rows."""
    found: dict[int, list[Mismatch]] = {}
    for mismatch in error.mismatches:
        if mismatch.row is None:
            raise error
        found.setdefault(mismatch.row, []).append(mismatch)
    return found


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
