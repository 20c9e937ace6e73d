"""The one place that imports onnxruntime: options, creation, one call, and its errors translated."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

# onnxruntime 1.29 and later report their use to Microsoft, from the import on, unless this is set before it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as _native

from edge_infer.errors import (
    ArtifactError,
    GraphMismatchError,
    InferenceError,
    NotAModelError,
    RuntimeFitError,
)
from edge_infer.options import SessionOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["ONNXRUNTIME_VERSION", "Bound", "Session"]

ONNXRUNTIME_VERSION: str = onnxruntime.__version__

_SEVERITY_FATAL = 4  # errors are raised; onnxruntime would write them to standard error as well


class Bound(NamedTuple):
    """A graph bound to buffers: fill the inputs, `run`, read the outputs. For one call at a time."""

    run: Callable[[], None]
    held: tuple[Any, ...]  # what must live as long


class Session:
    """A loaded graph. Thread-safe: onnxruntime allows concurrent runs of one session."""

    def __init__(self, model: bytes, options: SessionOptions | None = None) -> None:
        """Raises RuntimeFitError or ArtifactError where onnxruntime refuses the model, UsageError for bad options."""
        chosen = (options or SessionOptions()).checked()
        threads = _all_threads() if chosen.threads == "all" else chosen.threads
        self.threads = threads
        native = _native_options(chosen, threads)
        #: Only the process that made the threads has them.
        self._process = None if threads == 1 else os.getpid()
        try:
            self._session = onnxruntime.InferenceSession(model, native, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise _creation_error(error) from error
        #: onnxruntime makes one for each call that brings none, which takes 0.7 µs. A run only reads it.
        self._run_options = onnxruntime.RunOptions()
        self.inputs = {value.name: (value.type, value.shape) for value in self._session.get_inputs()}
        self.outputs = {value.name: (value.type, value.shape) for value in self._session.get_outputs()}
        self.output_names = list(self.outputs)
        #: The session below onnxruntime's Python layer, which makes a call longer; the layer, where that is not found.
        self._runs = getattr(self._session, "_sess", self._session)

    @property
    def threaded(self) -> bool:
        """Whether it has threads of its own, which do not survive a fork."""
        return self._process is not None

    def run(self, names: Sequence[str], feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs `names`. Raises InferenceError with onnxruntime's reason."""
        if self._process is not None and self._process != os.getpid():
            raise InferenceError(
                "this model was loaded with threads in the process that this one was forked from, and threads do "
                "not survive a fork: load it again here, or load it with threads=1"
            )
        try:
            return self._runs.run(names, feeds, self._run_options)  # type: ignore[no-any-return]
        except _RUN_ERRORS as error:
            raise InferenceError(f"onnxruntime {ONNXRUNTIME_VERSION} failed: {_reason(error)}") from error

    def bind(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]], *, private: bool = True
    ) -> Bound:
        """The graph reading from and writing to these arrays of numbers, C-contiguous, of the graph's dtypes.

        `private`: call onnxruntime's native session, where it is found, without the Python layer around it. Neither
        way translates onnxruntime's errors: `run` tells them.

        Raises:
            ValueError, RuntimeError: the arrays cannot be bound.
        """
        binding = self._session.io_binding()
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in inputs.items()}
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        answers = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in outputs.items()}
        for name, value in answers.items():
            binding.bind_ortvalue_output(name, value)
        options = self._run_options
        held = (self._session, binding, values, answers, dict(inputs), dict(outputs))
        native = getattr(self._session, "_sess", None) if private else None
        inner = getattr(binding, "_iobinding", None)
        if native is None or inner is None:
            return Bound(partial(self._session.run_with_iobinding, binding, options), held)
        return Bound(partial(native.run_with_iobinding, inner, options), held)

    def dtype_of_output(self, name: str) -> np.dtype[Any]:
        """Raises ValueError for an output that is no tensor of numbers, or is not there."""
        kind = self.outputs.get(name, ("none", ()))[0]
        if kind not in _NUMPY_NAMES:
            raise ValueError(f"{name}: {kind}")
        return np.dtype(_NUMPY_NAMES[kind])


#: Dense tensors of numbers as onnxruntime names them.
_NUMPY_NAMES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64"}


def _all_threads() -> int:
    from edge_infer.machine import usable_threads  # where it is asked for only: it counts at every start

    return usable_threads()


def _native_options(options: SessionOptions, threads: int) -> Any:
    native = onnxruntime.SessionOptions()
    native.intra_op_num_threads = threads
    native.inter_op_num_threads = 1
    native.enable_cpu_mem_arena = options.arena
    native.log_severity_level = _SEVERITY_FATAL
    native.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.spinning)))
    return native


#: onnxruntime's own exception classes derive from Exception only; its Python layer raises ValueError.
_RUN_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(_native).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    ValueError,
    RuntimeError,
)


def _creation_error(error: Exception) -> ArtifactError | RuntimeFitError:
    reason, kind = _reason(error), type(error).__name__
    if kind == "InvalidProtobuf":
        return NotAModelError(f"onnxruntime cannot parse it: {reason}")
    if (
        kind == "NotImplemented"
        or "opset" in reason.lower()
        or "ir_version" in reason.lower()
        or "IR version" in reason
    ):
        return RuntimeFitError(
            f"onnxruntime {ONNXRUNTIME_VERSION} on this machine cannot run the model: {reason}\n"
            "Update onnxruntime here, or convert the model again for this version."
        )
    return GraphMismatchError(f"onnxruntime {ONNXRUNTIME_VERSION} refuses the graph: {reason}")


def _reason(error: Exception) -> str:
    """The message without the prefixes and the pages of attributes that onnxruntime may add."""
    text = " ".join(str(error).split())
    return text if len(text) <= 400 else text[:400] + " …"


def fingerprint() -> dict[str, str]:
    """What the answers of this machine depend on."""
    import platform

    from edge_infer import __version__

    return {
        "edge-infer": __version__,
        "onnxruntime": ONNXRUNTIME_VERSION,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
