"""The sessions of one model: of small graphs one for each method, which computes nothing that is not asked."""

from __future__ import annotations

from _thread import allocate_lock  # threading.Lock itself; the module threading takes a millisecond to import
from copy import copy
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_infer.artifact import Artifact, naming
from edge_infer.cut import NewInput, cut
from edge_infer.errors import InferenceError
from edge_infer.options import SessionOptions
from edge_infer.session import Session

if TYPE_CHECKING:
    from edge_infer.tensors import Batch

__all__ = ["MANY_ROWS", "Graphs"]

#: Rows from which on smaller parts of large ensembles of trees are faster.
MANY_ROWS: Final = 1000

_INT64: Final = 7
#: Bytes of a graph up to which each method has a copy of its own: onnxruntime runs all nodes, whatever is asked for.
_SMALL: Final = 1 << 21
#: Bytes of a graph up to which a second one, of trees in parts, is worth its memory.
_SPLIT: Final = 1 << 25


class _Form(NamedTuple):
    """What parts large ensembles of trees run in. gaps: numbers may be NaN; many: parts for very many rows."""

    gaps: bool
    many: bool


class Graphs:
    """Made when a model is loaded. Thread-safe."""

    def __init__(self, artifact: Artifact, options: SessionOptions) -> None:
        """Raises RuntimeFitError or ArtifactError where this machine cannot run the model."""
        self._artifact, self.options = artifact, options
        self._own: dict[frozenset[str], Session] = {}
        self._in_parts: dict[tuple[frozenset[str], _Form], Session] = {}
        self._sizes: dict[tuple[frozenset[str], _Form], int] = {}  # bytes of each graph in parts
        self._whole: Session | None = None
        self._lock = allocate_lock()
        with naming(artifact.source):
            self._core = _core(artifact)
            self._shared: Session | None = Session(self._core, options)
        proven = artifact.manifest.splits and len(self._core) <= _SPLIT
        self._splits_from = options.split_rows if proven else 0  # rows; 0: never
        self._many_from = MANY_ROWS

    def splitting_from(self, rows: int, many: int = MANY_ROWS) -> Graphs:
        """The same sessions, with large ensembles in parts from so many rows on, and in smaller ones from `many` on."""
        other = copy(self)
        other._splits_from, other._many_from = rows and (self._splits_from and rows), many
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

    def for_batch(self, batch: Batch, wanted: frozenset[str]) -> Session:
        """`giving`, for the rows of a batch: large ensembles of trees in parts where that is faster."""
        if not self._splits_from or batch.rows < self._splits_from:
            return self.giving(wanted)
        form = _Form(batch.has_gaps(), batch.rows >= self._many_from)
        return self._in_parts.get((wanted, form)) or self._opened_in_parts(wanted, form)

    def _opened_in_parts(self, wanted: frozenset[str], form: _Form) -> Session:
        usual = self.giving(wanted)
        given = frozenset(usual.outputs)  # of a large graph all
        with self._lock:
            if (given, form) not in self._in_parts:
                self._in_parts[given, form] = self._made_in_parts(given, form) or usual
            self._in_parts[wanted, form] = self._in_parts[given, form]
            return self._in_parts[wanted, form]

    def _made_in_parts(self, given: frozenset[str], form: _Form) -> Session | None:
        from edge_infer.split_trees import PART_BRANCHES, PART_BRANCHES_OF_MANY, split_trees  # for many rows only

        part = PART_BRANCHES_OF_MANY if form.many else PART_BRANCHES
        parts = split_trees(self._core, gaps=form.gaps, part=part)
        if parts is None:
            return None
        self._sizes[given, form] = len(parts)
        twin = given, form._replace(gaps=not form.gaps)
        if self._sizes.get(twin) == len(parts):  # no branch tells where NaN goes: they are the same
            return self._in_parts[twin]
        dropped = self.shared.outputs.keys() - given
        with naming(self._artifact.source):
            return Session(cut(parts, drop_outputs=dropped), self.options)

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
        made = self._whole
        if made is not None:
            return made
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
            self._sizes.clear()


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
