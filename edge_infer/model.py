"""`load` and `Model`: what an application uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from edge_infer.answers import Decoder
from edge_infer.artifact import Artifact, decrypted, is_bare_name, parse_artifact, read_artifact
from edge_infer.errors import InferenceError, InputError, MethodError, Mismatch, UsageError
from edge_infer.graphs import Graphs
from edge_infer.interface import Interface, shown, tensor_mismatches, tensor_of
from edge_infer.manifest import Manifest
from edge_infer.method import Method
from edge_infer.observed import Observer, Observing, observed, observing
from edge_infer.options import SessionOptions
from edge_infer.prepared import Prepared, prepare
from edge_infer.tensors import Packer
from edge_infer.tuned import options_for

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

    from edge_infer.batch.chunk_answers import OnError
    from edge_infer.batch.job import BatchResult, Seen
    from edge_infer.batch.scoring import Scorer
    from edge_infer.stateful import Stateful

__all__ = ["Model", "load"]


def load(
    source: str | os.PathLike[str] | bytes,
    *,
    options: SessionOptions | None = None,
    identity: str | os.PathLike[str] | None = None,
    monitor: Observing | None = None,
) -> Model:
    """Load an artifact, or any ONNX file, from a path, from bytes, or from this device's store by its name.

    Args:
        source: a path (with a suffix or a separator), the file's bytes, or a name: "titanic" is the active release of
            that model in the store (`edge_infer.store`), "titanic@1.2.0" one of its releases.
        options: threads, spinning and memory; see `SessionOptions`. None: from environment variables, then from what
            `edge-infer bench --tune` recorded for this file on this device, then the defaults.
        identity: the file of the secret that opens an encrypted model (age), in memory only; None: the one that
            EDGE_INFER_IDENTITY names. Its owner alone may be able to read it, and it may be no symlink.
        monitor: an `edge_infer.Monitor`, which counts what the model is asked and answers; None: one that writes to
            the folder that EDGE_INFER_MONITOR names, if it names one.

    Raises:
        FileNotFoundError: there is no such file.
        ArtifactError: the file is broken, forbidden or not a model; the message says why.
        RuntimeFitError: this machine's onnxruntime cannot run it.
        DecryptionError: an encrypted file is not for this identity, or was changed.
        KeyFileError: the identity's file cannot be used.
        UsageError: options that make no sense, or an encrypted file without an identity.
        StoreError: the store has no such model, or none that works on this machine.
    """
    if isinstance(source, str) and is_bare_name(source):
        return _of_store(source, options, identity, monitor)
    if isinstance(source, bytes | bytearray | memoryview):
        artifact = parse_artifact(decrypted(bytes(source), identity))
    else:
        artifact = read_artifact(os.fspath(source), identity=identity)
    chosen = observing(monitor)
    return Model(artifact, options, observer=None if chosen is None else chosen.observer(artifact))


def _of_store(
    name: str, options: SessionOptions | None, identity: str | os.PathLike[str] | None, monitor: Observing | None
) -> Model:
    from edge_infer.errors import NotInstalledError
    from edge_infer.store import Store

    try:
        return Store(identity=identity).load(name, options=options, monitor=monitor)
    except (NotInstalledError, UsageError) as error:
        beside = [path for path in (name, f"{name}.onnx") if os.path.isfile(path)]
        if not beside:
            raise
        raise type(error)(f"{error}\nThere is a file of this name; its path is {'./' + beside[0]!r}") from None


class _IfConverted:
    """A method that is there only when the original had it: else the attribute raises `MethodError`."""

    def __init__(self, method: Callable[[Model, Any], Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, model: None, owner: type[Model]) -> Self: ...
    @overload
    def __get__(self, model: Model, owner: type[Model]) -> Callable[[Any], Any]: ...
    def __get__(self, model: Model | None, owner: type[Model]) -> Any:
        if model is None:
            return self
        if not model._has(self._method.__name__):
            raise model._no_method(self._method.__name__)
        return self._method.__get__(model, owner)


class Model:
    """A loaded model: immutable, thread-safe, and a context manager.

    It has the methods that its original had: `predict`, `predict_proba`, `predict_log_proba`,
    `decision_function`, `score_samples`, `transform`; another raises `MethodError` (an AttributeError)
    with the reason. One record (a dict, or a flat list) gives one answer; many rows (a table, a matrix,
    a list of dicts) give an array with a row for each.

    It pickles by path and digest (by bytes, decrypted ones, if it was loaded from bytes). After a fork, a child whose
    parent used more than one thread must load the model again: threads do not survive a fork.
    """

    def __init__(
        self, artifact: Artifact, options: SessionOptions | None = None, *, observer: Observer | None = None
    ) -> None:
        """Does all costly work once. `artifact` comes from `read_artifact` or `parse_artifact`. Raises as `load`.

        observer: told of every call; without one, a call takes no longer.
        """
        self._options = options_for(artifact) if options is None else _known(options)
        self._origin: Any = os.path.abspath(artifact.source) if artifact.source else artifact.data
        self._artifact = artifact
        self._manifest = artifact.manifest
        self._graphs = Graphs(artifact, self._options)
        self._packer = packer = Packer(artifact.manifest.inputs)
        self._decoders = {output.method: Decoder(output) for output in artifact.manifest.outputs}
        self._methods = {
            name: Method(self._graphs, packer, decoder, artifact.source) for name, decoder in self._decoders.items()
        }
        self._prepared = self._prepare()
        self._observer = observer
        if observer is not None:
            self._be_observed(observer)

    def _prepare(self) -> list[Prepared]:
        """The short way of each method that has one, set on this model in place of the method of the class."""
        made: list[Prepared] = []
        for name in self._methods.keys() & set(self.methods):
            try:
                way = prepare(self._graphs, self._packer, self._decoders[name], self._methods[name])
            except ValueError:  # there is none
                continue
            way.answer.__name__, way.answer.__doc__ = name, getattr(type(self), name).__doc__
            vars(self)[name] = way.answer
            made.append(way)
        return made

    def _be_observed(self, observer: Observer) -> None:
        """What is observed does not know its model either: see `Method`."""
        for name in self.methods:
            answer: Callable[[Any], Any] = vars(self).get(name) or self._methods.get(name) or self._log_proba()
            vars(self)[name] = observed(name, answer, observer, getattr(type(self), name).__doc__)
        graphs, interface = self._graphs, self._manifest.interface
        run = observed("run", lambda asked: _run(graphs, interface, *asked), observer, type(self).run.__doc__)
        vars(self)["run"] = lambda feeds, outputs=None: run((feeds, outputs))

    def _log_proba(self) -> Callable[[Any], Any]:
        probabilities = self._methods["predict_proba"]
        return lambda data: _logarithms(probabilities(data))

    # --- answers ---

    @_IfConverted
    def predict(self, data: Any) -> Any:
        """Labels or numbers, shape (rows,) or (rows, outputs), in the original's dtype.

        Raises:
            InputError: the data does not fit; every mismatch is named.
        """
        return self._answer("predict", data)

    @_IfConverted
    def predict_proba(self, data: Any) -> Any:
        """Probabilities, shape (rows, classes), in the order of `classes_`; see `predict`."""
        return self._answer("predict_proba", data)

    @_IfConverted
    def predict_log_proba(self, data: Any) -> Any:
        """The natural logarithm of `predict_proba`."""
        return _logarithms(self._answer("predict_proba", data))

    @_IfConverted
    def decision_function(self, data: Any) -> Any:
        """Scores before the decision, shape (rows,) or (rows, classes); see `predict`."""
        return self._answer("decision_function", data)

    @_IfConverted
    def score_samples(self, data: Any) -> Any:
        """How normal each row is, shape (rows,); see `predict`."""
        return self._answer("score_samples", data)

    @_IfConverted
    def transform(self, data: Any) -> Any:
        """The transformed rows, shape (rows, features); see `predict`."""
        return self._answer("transform", data)

    def run(self, feeds: dict[str, Any], outputs: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Tensors in, tensors out, by the names of the graph. An array is not copied; the numbers of lists are taken
        as the input's dtype. For an input that is an image also a path, a file's bytes or a PIL image (or a list of
        images of one size), and pixels of one image without the batch (extra `images` for all but pixels).

        Raises:
            InputError: the feeds are not what the manifest's interface tells; every mismatch is named. Or an image
                cannot be decoded.
            InferenceError: onnxruntime refuses the feeds.
        """
        return _run(self._graphs, self._manifest.interface, feeds, outputs)

    def stateful(self) -> Stateful:
        """One stream of calls, in which states go from each to the next. Raises UsageError where there are none."""
        from edge_infer.stateful import Stateful

        return Stateful(self)

    def predict_file(
        self,
        inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        output: str | os.PathLike[str],
        *,
        methods: Sequence[str] | None = None,
        keep: Sequence[str] = (),
        on_error: OnError = "reject",
        memory: int = 200 << 20,
        threads: int | None = None,
        resume: bool = False,
        input_kind: str | None = None,
        output_kind: str | None = None,
        delimiter: str | None = None,
        progress: Callable[[Seen], None] | None = None,
    ) -> BatchResult:
        """Score files of any size, in their order, in constant memory (extra `batch`).

        CSV, TSV, JSON Lines, Parquet, Arrow; text also compressed. Rows that cannot be scored go to
        OUTPUT.rejected.jsonl, with line and reason. The output appears when it is whole.

        Args:
            inputs: files, globs, folders, or "-" for standard input.
            output: its suffix says what kind of file.
            methods: what is answered; None: the first one, and probabilities where there are any.
            keep: columns of the input that the output begins with.
            on_error: "reject", "null" (the row keeps its place, without answers) or "fail".
            memory: bytes that rows under way take, about.
            threads: that score; None: as many as there are CPUs to use.
            resume: go on with what was begun and broke off; the output is that of an unbroken run, byte for byte.
            input_kind, output_kind: csv, tsv, jsonl, parquet or arrow, where a name does not say.
            delimiter: of CSV; None: found out from the header.
            progress: called about ten times a second, by this thread.

        Raises:
            UsageError: an argument that makes no sense.
            InputError: the files have other columns than the model takes.
            BatchError (`edge_infer.batch.errors`): a file is broken, a row fails where on_error is "fail", or what was
                begun was another job; what is done stays for `resume`.
            OSError: a file cannot be read or written.
        """
        scorer = self.scorer(methods)
        from edge_infer.batch.predicting import predict_files

        return predict_files(
            scorer, self._artifact.digest, inputs, output, keep=keep, on_error=on_error, memory=memory,
            threads=threads, resume=resume, input_kind=input_kind, output_kind=output_kind, delimiter=delimiter,
            progress=progress,
        )  # fmt: skip

    def scorer(self, methods: Sequence[str] | None = None) -> Scorer:
        """What answers rows of Arrow by columns of Arrow: for engines that hold data so (extra `batch`).

        methods: answered in one run; None: the first one, and probabilities where there are any.

        Raises:
            MethodError: the model has no such method.
            MissingExtraError: pyarrow is not installed.
        """
        from edge_infer.batch import scorer_of

        return scorer_of(self._manifest, self._graphs, self._packer, methods, self._observer)

    def _answer(self, method: str, data: Any, graphs: Graphs | None = None) -> Any:
        """The careful way. `graphs`: in place of the model's own."""
        if graphs is None or graphs is self._graphs:
            return self._methods[method](data)
        return Method(graphs, self._packer, self._decoders[method], self._artifact.source)(data)

    def _has(self, method: str) -> bool:
        needs = "predict_proba" if method == "predict_log_proba" else method
        return needs in self._decoders and method not in self._manifest.missing_methods

    def _no_method(self, method: str) -> MethodError:
        given = ", ".join(self._decoders) or "only run()"
        reason = self._manifest.missing_methods.get(method, "the original model has no such method")
        return MethodError(f"no {method}: {reason}. This model has: {given}", name=method, obj=self)

    # --- what the model is ---

    @property
    def methods(self) -> tuple[str, ...]:
        """Those of the class's methods that this model has, as its original had them: "predict", …"""
        named = (name for name, value in vars(Model).items() if isinstance(value, _IfConverted))
        return tuple(name for name in named if self._has(name))

    @property
    def manifest(self) -> Manifest:
        """Schema, labels, provenance and needs."""
        return self._manifest

    @property
    def artifact(self) -> Artifact:
        """The checked bytes that this model was made from."""
        return self._artifact

    @property
    def options(self) -> SessionOptions:
        """How this model uses the machine: as `load` was told, or found."""
        return self._options

    @property
    def classes_(self) -> Any:
        """The class labels in the original's dtype; a list of arrays for several label columns."""
        decoder = self._decoders.get("predict")
        if decoder is None or not decoder.classes:
            raise MethodError("no classes_: this model is not a classifier", name="classes_", obj=self)
        return decoder.classes[0] if len(decoder.classes) == 1 else decoder.classes

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """The names of the input columns, an object array as scikit-learn's."""
        return np.array([column.name for column in self._manifest.inputs.columns], dtype=object)

    @property
    def n_features_in_(self) -> int:
        """The number of input columns."""
        return len(self._manifest.inputs.columns)

    def __repr__(self) -> str:
        m = self._manifest
        takes = f"{len(m.inputs.columns)} columns"
        if m.interface is not None:
            takes = ", ".join(f"{spec.name}: {shown(spec)}" for spec in m.interface.inputs)
        return f"<edge_infer.Model {m.name} {m.version}: {m.task}, {takes}, {m.precision}>"

    # --- life ---

    def close(self) -> None:
        """Release the session's memory now rather than when the model is collected."""
        if self._observer is not None:
            self._observer.closed()  # first: a call of another thread that comes too late is no failure of the model
        self._graphs.close()
        for name in (*self.methods, "run"):
            vars(self).pop(name, None)  # the class's own says that the model is closed
        for way in self._prepared:
            way.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._observer = None  # it hears of the end when that of the program is known
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self._origin, self._artifact.digest, tuple(self._options), self._artifact.identity)


def _run(
    graphs: Graphs, interface: Interface | None, feeds: dict[str, Any], outputs: Sequence[str] | None
) -> dict[str, NDArray[Any]]:
    whole = graphs.whole
    names = whole.output_names if outputs is None else list(outputs)
    arrays = {
        name: value if isinstance(value, np.ndarray) else _array(name, value, interface)
        for name, value in feeds.items()
    }
    try:
        answers = whole.run(names, arrays)
    except InferenceError:  # only then is it looked at why
        wrong = [] if interface is None else tensor_mismatches(interface, arrays)
        if not wrong or interface is None:
            raise
        from edge_infer.images import as_batches

        whole_batches = as_batches(arrays, interface.images)
        if tensor_mismatches(interface, whole_batches):
            raise InputError(wrong) from None
        answers = whole.run(names, whole_batches)
    return dict(zip(names, answers, strict=True))


def _array(name: str, value: Any, interface: Interface | None) -> NDArray[Any]:
    """Of lists and plain numbers, which have no types, in the input's own; of an image's files. Raises InputError."""
    spec = next((spec for spec in interface.inputs if spec.name == name), None) if interface else None
    if spec is not None and spec.image is not None:
        from edge_infer.images import images_of, is_image_source

        if is_image_source(value):
            return images_of(value, spec)
    if spec is None or not isinstance(value, list | tuple | int | float):
        return np.asarray(value)
    try:
        return tensor_of(value, spec)
    except (ValueError, TypeError, OverflowError) as error:
        told = f"nested lists of {shown(spec)}"
        raise InputError([Mismatch(None, name, told, f"{error!s:.100}", "input")]) from None


def _logarithms(probabilities: Any) -> Any:
    with np.errstate(divide="ignore"):
        return [np.log(p) for p in probabilities] if isinstance(probabilities, list) else np.log(probabilities)


def _known(options: SessionOptions) -> SessionOptions:
    """Itself. Raises UsageError for what no type checker has seen."""
    if not isinstance(options, SessionOptions):
        raise UsageError(
            f"options: expected edge_infer.SessionOptions, got {type(options).__name__} {options!r:.60}; "
            "write load(path, options=edge_infer.SessionOptions(threads=2))"
        )
    return options


def _unpickle(origin: str | bytes, digest: str, options: tuple[Any, ...], identity: str | None) -> Model:
    artifact = parse_artifact(origin) if isinstance(origin, bytes) else read_artifact(origin, identity=identity)
    if artifact.digest != digest:
        raise UsageError(f"{origin!r} has changed since this model was pickled: its sha256 is not {digest} any more")
    return Model(artifact, SessionOptions(*options))
