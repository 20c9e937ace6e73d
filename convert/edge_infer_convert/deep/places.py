"""Operators that nobody has: which nodes they are, and where in the source model these come from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from onnx import ModelProto, NodeProto

from edge_infer.errors import Blocker, EdgeInferError, UnsupportedModelError
from edge_infer_convert.graph.builder import ML

__all__ = ["not_running"]

_OWN_DOMAINS: Final = frozenset({"", "ai.onnx", ML, "com.microsoft"})
_SCOPES: Final = "pkg.torch.onnx.name_scopes"  # torch.onnx.export: modules by name, outermost first


def not_running(graph: ModelProto, error: EdgeInferError) -> UnsupportedModelError:
    """graph: as it was exported, with the exporter's notes. error: why nothing runs it."""
    reason = " ".join(str(error).split())[:300]
    blockers = [
        Blocker(_place(node), f"{node.domain}:{node.op_type}", "onnxruntime has no such operator", _REMEDY)
        for node in _foreign(graph)
    ]
    if blockers:
        return UnsupportedModelError.of(blockers)
    return UnsupportedModelError(f"onnxruntime does not run the exported graph: {reason}\n{_REMEDY}")


_REMEDY: Final = "Write that step with operators of ONNX, or leave it out of the model and do it before or after."


def _foreign(graph: ModelProto) -> Iterator[NodeProto]:
    defined = {(function.domain, function.name) for function in graph.functions}
    for node in graph.graph.node:
        if node.domain not in _OWN_DOMAINS and (node.domain, node.op_type) not in defined:
            yield node


def _place(node: NodeProto) -> str:
    """The module of the source that the node is of, else the node's name, else the tensor that it makes."""
    notes = {entry.key: entry.value for entry in node.metadata_props}
    try:
        scopes = [scope for scope in ast.literal_eval(notes.get(_SCOPES, "[]")) if scope]
    except (SyntaxError, ValueError):
        scopes = []
    return str(scopes[-1]) if scopes else node.name or next(iter(node.output), "")
