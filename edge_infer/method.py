"""One method of a loaded model: callers' data in, its answer out, every value checked."""

from __future__ import annotations

from typing import Any

from edge_infer.answers import Decoder
from edge_infer.errors import GraphMismatchError
from edge_infer.frames import rows_of
from edge_infer.graphs import Graphs
from edge_infer.tensors import Packer

__all__ = ["Method"]


class Method:
    """Thread-safe. It does not know its model, so that a model goes when its last user lets go of it."""

    def __init__(self, graphs: Graphs, packer: Packer, decoder: Decoder, source: str | None) -> None:
        """`source`: the file that errors name."""
        self._graphs, self._packer, self._decoder, self._source = graphs, packer, decoder, source
        self._most = packer.rows_in(graphs.options.chunk_bytes)
        self._tensors = frozenset(decoder.tensors)

    def __call__(self, data: Any) -> Any:
        """Raises InputError with every mismatch, InferenceError, or GraphMismatchError where the manifest is wrong."""
        rows = rows_of(data)
        if rows is not None and self._most and rows.length > self._most:
            from edge_infer.chunks import answer_in_chunks

            return answer_in_chunks(self._answer, rows, self._most, self._graphs.threads)
        return self._answer(data)

    def _answer(self, data: Any) -> Any:
        decoder = self._decoder
        batch = self._packer.pack(data)
        session = self._graphs.for_batch(batch, self._tensors)
        feeds = batch.feeds
        if len(feeds) > len(session.inputs):  # of a tensor that no answer depends on
            feeds = {name: feeds[name] for name in session.inputs}
        arrays = session.run(decoder.tensors, feeds)
        try:
            return decoder.decode(arrays, rows=batch.rows, single=batch.single)
        except GraphMismatchError as error:
            raise (error.at(self._source) if self._source else error) from None
