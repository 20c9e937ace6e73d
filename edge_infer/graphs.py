"""The sessions of one model: of small graphs one for each method, which computes nothing that is not asked."""

from __future__ import annotations

from _thread import allocate_lock  # threading.Lock itself; the module threading takes a millisecond to import
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge_infer.artifact import Artifact, naming
from edge_infer.cut import NewInput, cut
from edge_infer.errors import InferenceError
from edge_infer.options import SessionOptions
from edge_infer.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["Graphs"]

_INT64: Final = 7
#: Bytes of a graph up to which each method has a copy of its own: onnxruntime runs all nodes, whatever is asked for.
_SMALL: Final = 1 << 21
#: Bytes of a graph up to which a second one, of trees in parts, is worth its memory.
_SPLIT: Final = 1 << 25


class Graphs:
    """Made when a model is loaded. Thread-safe."""

    def __init__(self, artifact: Artifact, options: SessionOptions) -> None:
        """Raises RuntimeFitError or ArtifactError where this machine cannot run the model."""
        self._artifact, self.options = artifact, options
        self._own: dict[frozenset[str], Session] = {}
        self._in_parts: dict[tuple[frozenset[str], bool], Session] = {}
        self._whole: Session | None = None
        self._lock = allocate_lock()
        with naming(artifact.source):
            self._core = _core(artifact)
            self._shared: Session | None = Session(self._core, options)

    def splitting_from(self, rows: int) -> Graphs:
        """The same sessions, with another option `split_rows`."""
        other = copy(self)
        other.options = self.options._replace(split_rows=rows)
        return other

    @property
    def threads(self) -> int:
        """Threads of an operator, and chunks of many rows that are under way at once."""
        return self.shared.threads

    @property
    def shared(self) -> Session:
        """A session of the graph with all its answers."""
        if self._shared is None:
            raise InferenceError("this model was closed; load it again")
        return self._shared

    def giving(self, wanted: frozenset[str]) -> Session:
        """A session that computes these outputs of the graph, and others only where the graph is large."""
        return self._own.get(wanted) or self._opened(wanted)

    def for_rows(self, rows: int, feeds: Mapping[str, NDArray[Any]], wanted: frozenset[str]) -> Session:
        """`giving`, for a call of so many rows: large ensembles of trees in parts where that is faster."""
        if not self._splits_from or rows < self._splits_from:
            return self.giving(wanted)
        gaps = any(feed.dtype.kind == "f" and bool(np.isnan(feed).any()) for feed in feeds.values())
        return self._in_parts.get((wanted, gaps)) or self._opened_in_parts(wanted, gaps=gaps)

    @property
    def _splits_from(self) -> int:
        """Rows; 0: never."""
        proven = self._artifact.manifest.splits and len(self._core) <= _SPLIT
        return self.options.split_rows if proven else 0

    def _opened_in_parts(self, wanted: frozenset[str], *, gaps: bool) -> Session:
        from edge_infer.split_trees import split_trees  # where there are many rows only

        usual = self.giving(wanted)
        given = frozenset(usual.outputs)  # of a large graph all
        with self._lock:
            if (given, gaps) not in self._in_parts:
                parts = split_trees(self._core, gaps=gaps)
                dropped = self.shared.outputs.keys() - given
                with naming(self._artifact.source):
                    self._in_parts[given, gaps] = (
                        usual if parts is None else Session(cut(parts, drop_outputs=dropped), self.options)
                    )
            self._in_parts[wanted, gaps] = self._in_parts[given, gaps]
            return self._in_parts[wanted, gaps]

    def _opened(self, wanted: frozenset[str]) -> Session:
        with self._lock:
            shared = self.shared
            if wanted not in self._own:
                dropped = shared.outputs.keys() - wanted
                small = len(self._core) <= _SMALL and wanted <= shared.outputs.keys()
                with naming(self._artifact.source):
                    own = Session(cut(self._core, drop_outputs=dropped), self.options) if dropped and small else shared
                self._own[wanted] = own
            return self._own[wanted]

    @property
    def whole(self) -> Session:
        """A session of the graph as the file has it: strings in, labels out."""
        with self._lock:
            _ = self.shared  # or it is closed
            if self._whole is None:
                with naming(self._artifact.source):
                    self._whole = Session(self._artifact.data, self.options)
            return self._whole

    def close(self) -> None:
        """Let go of all sessions; each property raises InferenceError from now on."""
        with self._lock:
            self._shared = self._whole = None
            self._own.clear()
            self._in_parts.clear()


def _core(artifact: Artifact) -> bytes:
    """The graph between the string encoders and the label decoding: int64 codes in, class positions out."""
    inputs, outputs = artifact.manifest.inputs, artifact.manifest.outputs
    if not artifact.described:
        return artifact.data
    strings = len(inputs.cut.first) if inputs.cut else 0
    indexed = [output for output in outputs if output.index is not None]
    if not strings and not indexed:
        return artifact.data
    return cut(
        artifact.data,
        inputs=[NewInput(inputs.cut.tensor, _INT64, (None, strings))] if inputs.cut and strings else [],
        outputs=[NewInput(output.index, _INT64, (None, *output.shape)) for output in indexed if output.index],
        drop_outputs={name for output in indexed for name in output.tensors},
    )
