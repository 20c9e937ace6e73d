"""The sessions of one model: of small graphs one for each method, which computes nothing that is not asked."""

from __future__ import annotations

from _thread import allocate_lock  # threading.Lock itself; the module threading takes a millisecond to import
from collections.abc import Collection
from typing import Final

from edge_infer.artifact import Artifact, naming
from edge_infer.cut import NewInput, cut
from edge_infer.errors import InferenceError
from edge_infer.session import Session, SessionOptions

__all__ = ["Graphs", "closed_error"]

_INT64: Final = 7
#: Bytes of a graph up to which each method has a copy of its own: onnxruntime runs all nodes, whatever is asked for.
_SMALL: Final = 1 << 20


class Graphs:
    """Made when a model is loaded. Thread-safe."""

    def __init__(self, artifact: Artifact, options: SessionOptions) -> None:
        """Raises RuntimeFitError or ArtifactError where this machine cannot run the model."""
        self._artifact, self._options = artifact, options
        self._own: dict[frozenset[str], Session] = {}
        self._whole: Session | None = None
        self._lock = allocate_lock()
        self.closed = False
        with naming(artifact.source):
            self._core = _core(artifact)
            self._shared: Session | None = Session(self._core, options)

    @property
    def shared(self) -> Session:
        """A session of the graph with all its answers."""
        if self._shared is None:
            raise closed_error()
        return self._shared

    def giving(self, tensors: Collection[str]) -> Session:
        """A session that computes these outputs of the graph, and others only where the graph is large."""
        shared, wanted = self.shared, frozenset(tensors)
        dropped = shared.outputs.keys() - wanted
        if not dropped or not wanted <= shared.outputs.keys() or len(self._core) > _SMALL:
            return shared
        with self._lock:
            if self.closed:
                raise closed_error()
            if wanted not in self._own:
                with naming(self._artifact.source):
                    self._own[wanted] = Session(cut(self._core, drop_outputs=dropped), self._options)
            return self._own[wanted]

    @property
    def whole(self) -> Session:
        """A session of the graph as the file has it: strings in, labels out."""
        with self._lock:
            if self.closed:
                raise closed_error()
            if self._whole is None:
                with naming(self._artifact.source):
                    self._whole = Session(self._artifact.data, self._options)
            return self._whole

    def close(self) -> None:
        """Let go of all sessions; each property raises InferenceError from now on."""
        with self._lock:
            self.closed = True
            self._shared = self._whole = None
            self._own.clear()


def closed_error() -> InferenceError:
    return InferenceError("this model was closed; load it again")


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
