"""Run trained models locally: one ONNX file, microseconds a call, no server and no network.

    import edge_infer

    model = edge_infer.load("penguins-1.0.0.onnx")
    model.predict({"island": "Biscoe", "bill_length_mm": 46.5, ...})

Names are imported when they are first used, so that `import edge_infer` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from edge_infer.artifact import Artifact, read_artifact
    from edge_infer.errors import EdgeInferError, InputError
    from edge_infer.model import Model, load
    from edge_infer.monitor import Monitor
    from edge_infer.options import SessionOptions
    from edge_infer.store.watched import Watched, watch
    from edge_infer.verification import Check, verify

__all__ = [
    "Artifact",
    "Check",
    "EdgeInferError",
    "InputError",
    "Model",
    "Monitor",
    "SessionOptions",
    "Watched",
    "__version__",
    "load",
    "read_artifact",
    "verify",
    "watch",
]

_HOMES = {
    "Artifact": "artifact",
    "Check": "verification",
    "EdgeInferError": "errors",
    "InputError": "errors",
    "Model": "model",
    "Monitor": "monitor",
    "SessionOptions": "options",
    "Watched": "store.watched",
    "load": "model",
    "read_artifact": "artifact",
    "verify": "verification",
    "watch": "store.watched",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'edge_infer' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"edge_infer.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
