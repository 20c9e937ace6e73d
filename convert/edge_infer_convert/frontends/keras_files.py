"""`.keras` and `.h5` files, read by Keras on a backend that is there."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from packaging.version import Version

from edge_infer.errors import MissingExtraError, UntrustedSourceError, UsageError
from edge_infer.extras import needs
from edge_infer_convert.frontends.tensorflow_start import start_tensorflow

__all__ = ["import_keras", "read_keras"]

_EXPORTED: Final = ("torch", "tensorflow")
_EXTRAS: Final = {"torch": "keras", "tensorflow": "tensorflow"}
_SAFE: Final = Version("3.14")  # of older ones, the safe mode can be led around (CVE-2026-1462, CVE-2025-9905 …)


def read_keras(path: Path, *, trust_pickle: bool) -> Any:
    """The model in a `.keras` file, or in an `.h5` file of older versions, without what it was trained by.

    trust_pickle: whether code that it holds (a Lambda) may run, and classes of other packages may be imported.

    Raises:
        UntrustedSourceError: it holds code or classes and is not trusted, or cannot be read.
        MissingExtraError: Keras is not installed, or no backend that models are exported from.
    """
    keras = import_keras()
    if not trust_pickle and Version(keras.__version__) < _SAFE:
        raise UntrustedSourceError(
            f"{path}: Keras {keras.__version__} may run code that a file holds, even in its safe mode: install "
            f"keras>={_SAFE}, or say that you trust the file: --trust-pickle (trust_pickle=True)"
        )
    try:
        return keras.saving.load_model(str(path), compile=False, safe_mode=not trust_pickle)
    except Exception as error:
        raise UntrustedSourceError(f"{path} {_told(error, keras.__version__)}") from error


def import_keras() -> Any:
    """Keras. Where it is not imported yet, on the backend that KERAS_BACKEND or keras.json names if that is installed,
    else on one that is.

    Raises MissingExtraError, or UsageError for a KERAS_BACKEND that there is none of.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    if find_spec("keras") is None:
        raise MissingExtraError("keras", "keras", "reading a Keras model")
    chosen, before = _backend(), os.environ.get("KERAS_BACKEND")
    if chosen == "tensorflow":
        start_tensorflow("reading a Keras model")
    os.environ["KERAS_BACKEND"] = chosen
    try:
        with needs(_EXTRAS.get(chosen, "keras"), chosen, "reading a Keras model"):
            import keras
    except ValueError as error:  # of Keras, for a name that it does not know
        raise UsageError(f"KERAS_BACKEND: expected {' or '.join(_EXPORTED)}, got {chosen!r:.80}") from error
    finally:
        if before is None:
            del os.environ["KERAS_BACKEND"]
        else:
            os.environ["KERAS_BACKEND"] = before
    return keras


def _backend() -> str:
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    usual = _configured()
    for name in (usual, *_EXPORTED):
        if name in _EXPORTED and find_spec(name) is not None:
            return name
    raise MissingExtraError("torch", "keras", "reading a Keras model, which needs PyTorch or TensorFlow")


def _configured() -> str:
    """The backend in keras.json, as Keras looks for it; TensorFlow is what it takes where there is none."""
    folder = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        with open(os.path.join(folder, "keras.json"), encoding="utf-8") as file:
            return str(json.load(file).get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):
        return "tensorflow"


def _told(error: Exception, version: str) -> str:
    """What is wrong with the file, and what to do."""
    line = " ".join(str(error).split())[:300]
    if "safe_mode" in line or "unsafe" in line.lower() or "enable_unsafe_deserialization" in str(error):
        return (
            f"holds code of its own, which runs when it is read: {line}\n"
            "If you made this file or trust who did, say so: --trust-pickle (trust_pickle=True). Next time, write that "
            "step as a layer of Keras (keras.ops, keras.layers.Rescaling …), not as a Lambda."
        )
    if "register_keras_serializable" in str(error) or "custom_objects" in str(error) or "Could not locate" in line:
        return (
            f"needs a class that Keras does not have: {line}\n"
            "Load it where that class is, and convert the model: "
            "convert(keras.saving.load_model(path, custom_objects={'Name': Name}), name=…). With --trust-pickle, a "
            "class in a module that can be imported (PYTHONPATH=FOLDER before the command) is found too."
        )
    return (
        f"cannot be read as a Keras model: {type(error).__name__}: {line}\n"
        f"It may be torn, hold weights alone, or be of a newer Keras than {version}, which is here."
    )
