"""Which step is most likely to blame for a difference: each is fed the graph's own intermediate values."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray

from edge_infer.errors import EdgeInferError
from edge_infer.session import Session
from edge_infer_convert.boosters import native_codes
from edge_infer_convert.graph.assemble import Assembled, with_foreign_types
from edge_infer_convert.graph.emit import Trace
from edge_infer_convert.networks import find_network
from edge_infer_convert.parity import RELATIVE, Parity

__all__ = ["blame"]


def blame(assembled: Assembled, feeds: dict[str, NDArray[Any]], parity: Parity, relative: float) -> str | None:
    """The first step whose own answers to what the graph feeds it differ on the rows that differ.

    None where every step is right by itself: then it is the rounding of the inputs to the graph's precision.
    """
    rows = np.flatnonzero(np.any([comparison.differs for comparison in parity.comparisons], axis=0))
    tensors = {name for trace in assembled.emitted.trace for name in _names(trace)}
    try:
        values = _inner_values(assembled, feeds, sorted(tensors))
        for trace in assembled.emitted.trace:
            if _differs(trace, values, rows, relative):
                return f"{trace.path} ({type(trace.estimator).__name__})"
    except (EdgeInferError, ValueError, onnx.checker.ValidationError):
        return None
    return "rounding of the inputs to float32 (try --precision float64)" if relative > 1e-8 else None


def _names(trace: Trace) -> list[str]:
    return [trace.reads, *(tensor for tensors in trace.writes.values() for tensor in tensors)]


def _inner_values(assembled: Assembled, feeds: dict[str, NDArray[Any]], tensors: list[str]) -> dict[str, NDArray[Any]]:
    inputs = {value.name for value in assembled.model.graph.input}
    inner = [name for name in tensors if name not in inputs]
    infos = [onnx.ValueInfoProto(name=name) for name in inner]
    model = assembled.builder.model(list(assembled.model.graph.input), infos, assembled.model.ir_version)
    typed = onnx.shape_inference.infer_shapes(with_foreign_types(model))
    session = Session(typed.SerializeToString())
    found = dict(zip(inner, session.run(inner, {k: v for k, v in feeds.items() if k in session.inputs}), strict=True))
    return found | {name: feeds[name] for name in tensors if name in inputs}


def _differs(trace: Trace, values: dict[str, NDArray[Any]], rows: NDArray[np.int64], relative: float) -> bool:
    if native_codes(trace.estimator) is not None:  # it reads categories, the graph feeds codes
        return False
    read: Any = values[trace.reads][rows]
    read = read[:, 0].tolist() if read.dtype == object else read.astype(np.float64)  # texts, or a matrix
    network = find_network(trace.estimator)
    if network is not None:
        read, relative = read.astype(network.taken(trace.estimator)), max(relative, RELATIVE["float32"])
    names = getattr(trace.estimator, "feature_names_in_", None)
    if names is not None and np.shape(read)[1:] == (len(names),):
        read = pd.DataFrame(read, columns=names)
    for method in ("transform", "predict_proba", "decision_function", "predict"):
        if method not in trace.writes or not hasattr(trace.estimator, method):
            continue
        got = values[trace.writes[method][0]][rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = getattr(trace.estimator, method)(read)
        wanted = np.asarray(wanted.toarray() if hasattr(wanted, "toarray") else wanted)
        if wanted.dtype.kind not in "fiu" or wanted.size != got.size:
            continue
        wanted = wanted.reshape(got.shape)
        wanted, got = wanted.astype(np.float64), got.astype(np.float64)
        finite = np.abs(wanted[np.isfinite(wanted)])
        size = np.maximum(np.abs(wanted), finite.max(initial=0.0) * 1e-3)
        close = (np.abs(got - wanted) <= relative * size) | (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        return not close.all()
    return False
