"""The graph that the runtime runs for one method, with the tensors that it feeds: for sides that run it without us."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import edge_infer
from edge_infer import Model, SessionOptions
from edge_infer.session import Bound, Session

__all__ = ["Core", "core", "session_like_ours"]


class _Recorded(Session):
    """A session that keeps the bytes that it was made of."""

    def __init__(self, model: bytes, options: SessionOptions | None = None) -> None:
        super().__init__(model, options)
        self.data = model


class Core(NamedTuple):
    """Between string encoders and label decoding: numbers and codes in, one tensor of answers out.

    data: the very bytes that the runtime gives to onnxruntime.
    shape: of one row's answer.
    """

    data: bytes
    output: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    model: Model
    session: Session

    def feeds(self, data: Any) -> dict[str, NDArray[Any]]:
        """Input tensors of the graph's dtypes, as the runtime makes them of a caller's data."""
        return self.model._packer.pack(data).feeds

    def bound(self, feeds: dict[str, NDArray[Any]]) -> tuple[Bound, NDArray[Any]]:
        """One row bound as the runtime binds it, and the buffer that its answer comes to."""
        answer = np.zeros((1, *self.shape), self.dtype)
        return self.session.bind(feeds, {self.output: answer}), answer


def core(path: Path, method: str, options: SessionOptions | None = None) -> Core:
    """Of a model whose method has one tensor that tells the answer. Raises ValueError for others."""
    with patch("edge_infer.graphs.Session", _Recorded):
        model = edge_infer.load(path, options=options)
        decoder = model._decoders[method]
        session = model._graphs.giving(frozenset([decoder.tensor_of_one]))
    name = decoder.tensor_of_one
    return Core(session.data, name, decoder.shape_of_one, session.dtype_of_output(name), model, session)


def session_like_ours(data: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """A bare session with the options that edge_infer has by default."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
