"""A manifest for an ONNX file that has none: what its graph says, and nothing more."""

from __future__ import annotations

from typing import Final

from edge_infer.manifest import Column, Inputs, Manifest, Needs, Output, Source, Tensor
from edge_infer.wire import ModelFacts, TensorInfo

__all__ = ["manifest_from_graph"]

_DTYPES: Final = {1: "float32", 7: "int64", 11: "float64"}
_KINDS: Final = {"float32": "number", "float64": "number", "int64": "integer"}
_OUTPUT_DTYPES: Final = {1: "float32", 6: "int32", 7: "int64", 8: "object", 9: "bool", 11: "float64"}


def manifest_from_graph(facts: ModelFacts) -> Manifest:
    """Columns where the inputs are numeric and of shape [rows, width]; the first output as `predict`.

    Other graphs (images, strings, sequences) get no columns: they run through `Model.run`.
    """
    inputs = _inputs(facts.inputs)
    return Manifest(
        name="unnamed",
        version="0",
        release=0,
        task="other",
        precision="float32",
        precision_reason="a plain ONNX file",
        inputs=inputs,
        outputs=_outputs(facts) if inputs.columns else (),
        source=Source(facts.producer or "unknown", "unknown", {}),
        needs=Needs(
            facts.ir_version,
            facts.opsets,
            tuple(sorted(f"{d}:{o}" if d else o for d, o in facts.operators)),
            "0",
        ),
        missing_methods={},
    )


def _inputs(infos: tuple[TensorInfo, ...]) -> Inputs:
    tensors, columns = [], []
    for info in infos:
        dtype = _DTYPES.get(info.elem_type)
        if dtype is None or info.shape is None or len(info.shape) != 2 or not isinstance(info.shape[1], int):
            return Inputs("array", (), ())
        width = info.shape[1]
        tensors.append(Tensor(info.name, dtype, width))
        columns += [_column(info.name if width == 1 else f"{info.name}{i}", info.name, i, dtype) for i in range(width)]
    style = "array" if len(tensors) == 1 and tensors[0].width > 1 else "columns"
    return Inputs(style, tuple(columns), tuple(tensors))


def _column(name: str, tensor: str, index: int, dtype: str) -> Column:
    floating = dtype != "int64"
    return Column(name, _KINDS[dtype], dtype, tensor, index, missing=floating, infinite=floating)


def _outputs(facts: ModelFacts) -> tuple[Output, ...]:
    if not facts.outputs:
        return ()
    first = facts.outputs[0]
    dtype = _OUTPUT_DTYPES.get(first.elem_type)
    if dtype is None or first.shape is None or not first.shape:
        return ()
    widths = tuple(size for size in first.shape[1:] if isinstance(size, int))
    return (Output("predict", (first.name,), dtype, widths),) if len(widths) == len(first.shape) - 1 else ()
