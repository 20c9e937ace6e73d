"""One method of a loaded model: callers' data in, its answer out, every value checked."""

from __future__ import annotations

from typing import Any

from edge_infer.answers import Decoder
from edge_infer.errors import GraphMismatchError, InferenceError
from edge_infer.session import Session
from edge_infer.tensors import Packer

__all__ = ["Method", "closed_error"]


class Method:
    """Thread-safe. It does not know its model, so that a model goes when its last user lets go of it."""

    def __init__(self, session: Session, packer: Packer, decoder: Decoder, source: str | None) -> None:
        """`source`: the file that errors name."""
        self._session: Session | None = session
        self._packer, self._decoder, self._source = packer, decoder, source

    def __call__(self, data: Any) -> Any:
        """Raises InputError with every mismatch, InferenceError, or GraphMismatchError where the manifest is wrong."""
        session, decoder = self._session, self._decoder
        if session is None:
            raise closed_error()
        batch = self._packer.pack(data)
        arrays = session.run(decoder.tensors, batch.feeds)
        try:
            return decoder.decode(arrays, rows=batch.rows, single=batch.single)
        except GraphMismatchError as error:
            raise (error.at(self._source) if self._source else error) from None

    def close(self) -> None:
        """Let go of the session; calls raise InferenceError from now on."""
        self._session = None


def closed_error() -> InferenceError:
    return InferenceError("this model was closed; load it again")
