"""Turn a fitted model into one proven ONNX file. Needs the extra `convert`; never imported by the runtime.

from edge_infer_convert import convert

convert(pipeline, data=X_train, name="titanic", version="1.2.0", output="titanic-1.2.0.onnx")
"""

from edge_infer_convert.blockers import Preflight, preflight
from edge_infer_convert.conversion import Conversion, convert, to_onnx
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.registry import register_converter
from edge_infer_convert.sources import load_estimator, read_sample

__all__ = [
    "Conversion",
    "GraphBuilder",
    "Preflight",
    "convert",
    "load_estimator",
    "preflight",
    "read_sample",
    "register_converter",
    "to_onnx",
]
