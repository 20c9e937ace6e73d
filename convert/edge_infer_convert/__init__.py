"""Turn a fitted model into one proven ONNX file. Needs the extra `convert`; never imported by the runtime.

from edge_infer_convert import convert

convert(pipeline, data=X_train, name="titanic", version="1.2.0", output="titanic-1.2.0.onnx")

Names are imported when they are first used, so that a wrong file or name is told before any framework is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_infer_convert.blockers import Preflight, preflight
    from edge_infer_convert.conversion import Conversion, convert, to_onnx
    from edge_infer_convert.deep.audio import Audio
    from edge_infer_convert.deep.images import Image
    from edge_infer_convert.graph.builder import GraphBuilder
    from edge_infer_convert.operators.registry import register_converter
    from edge_infer_convert.sources import load_estimator, read_sample

__all__ = [
    "Audio",
    "Conversion",
    "GraphBuilder",
    "Image",
    "Preflight",
    "convert",
    "load_estimator",
    "preflight",
    "read_sample",
    "register_converter",
    "to_onnx",
]

_HOMES = {
    "Audio": "deep.audio",
    "Conversion": "conversion",
    "GraphBuilder": "graph.builder",
    "Image": "deep.images",
    "Preflight": "blockers",
    "convert": "conversion",
    "load_estimator": "sources",
    "preflight": "blockers",
    "read_sample": "sources",
    "register_converter": "operators.registry",
    "to_onnx": "conversion",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'edge_infer_convert' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"edge_infer_convert.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
