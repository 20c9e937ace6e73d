"""An exported graph with less in it: constants folded, nodes merged and left out, by onnxslim (extra `simplify`).

What comes out is compared with the original as any graph is; a simplification that changes an answer is not written.
"""

from __future__ import annotations

from onnx import ModelProto

from edge_infer.errors import UnsupportedModelError
from edge_infer.extras import needs
from edge_infer_convert.deep.quieted import quieted

__all__ = ["simplified"]


def simplified(model: ModelProto) -> ModelProto:
    """A copy of it, simplified, with the same inputs and outputs.

    Raises:
        MissingExtraError: onnxslim is not installed.
        UnsupportedModelError: it cannot simplify this graph.
    """
    with needs("simplify", "onnxslim", "simplifying a graph"):
        import onnxslim
    copy = ModelProto()
    copy.CopyFrom(model)
    try:
        with quieted():
            found = onnxslim.slim(copy)
    except Exception as error:  # of no one class
        raise _failed(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(found, ModelProto) or _named(found) != _named(model):
        raise _failed("other inputs or outputs come out")
    return found


def _named(model: ModelProto) -> tuple[list[str], list[str]]:
    initial = {tensor.name for tensor in model.graph.initializer}
    return [v.name for v in model.graph.input if v.name not in initial], [v.name for v in model.graph.output]


def _failed(reason: str) -> UnsupportedModelError:
    return UnsupportedModelError(f"onnxslim cannot simplify the graph: {reason}\nConvert it without --simplify.")
