"""A manifest for an ONNX file that has none: what its graph says, and nothing more."""

from __future__ import annotations

from typing import Final

from edge_infer.limits import LIMITS, Limits
from edge_infer.manifest import METHODS, Column, Inputs, Manifest, Needs, Output, Source, Tensor
from edge_infer.scan import ModelFacts, TensorInfo

__all__ = ["manifest_from_graph"]

_DTYPES: Final = {1: "float32", 7: "int64", 11: "float64"}
_NO_METHOD: Final = "a plain ONNX file says too little for it; use run() with the graph's own tensors"
_KINDS: Final = {"float32": "number", "float64": "number", "int64": "integer"}
_OUTPUT_DTYPES: Final = {1: "float32", 6: "int32", 7: "int64", 8: "object", 9: "bool", 11: "float64"}


def manifest_from_graph(facts: ModelFacts, limits: Limits = LIMITS) -> Manifest:
    """Columns where the inputs are numeric and of shape [rows, width]; the first output as `predict`.

    Other graphs (images, strings, sequences) get no columns: they run through `Model.run`.
    """
    inputs = _inputs(facts.inputs, limits)
    outputs = _outputs(facts) if inputs.columns else ()
    return Manifest(
        name="unnamed",
        version="0",
        release=0,
        task="other",
        precision="float32",
        precision_reason="a plain ONNX file",
        inputs=inputs,
        outputs=outputs,
        source=Source(facts.producer or "unknown", "unknown", {}),
        needs=Needs(
            facts.ir_version,
            facts.opsets,
            tuple(sorted(f"{d}:{o}" if d else o for d, o in facts.operators)),
            "0",
        ),
        missing_methods=dict.fromkeys(METHODS if not outputs else METHODS[1:], _NO_METHOD),
    )


def _inputs(infos: tuple[TensorInfo, ...], limits: Limits) -> Inputs:
    tensors: list[Tensor] = []
    columns: list[Column] = []
    taken: set[str] = set()
    for info in infos:
        dtype = _DTYPES.get(info.elem_type)
        if dtype is None or info.shape is None or len(info.shape) != 2 or not isinstance(info.shape[1], int):
            return Inputs("array", (), ())
        width = info.shape[1]
        if not 0 < width <= limits.columns - len(columns):
            return Inputs("array", (), ())
        tensors.append(Tensor(info.name, dtype, width))
        for i in range(width):
            name = _free_name(info.name if width == 1 else f"{info.name}{i}", taken)
            columns.append(_column(name, info.name, i, dtype))
    style = "array" if len(tensors) == 1 and tensors[0].width > 1 else "columns"
    return Inputs(style, tuple(columns), tuple(tensors))


def _free_name(name: str, taken: set[str]) -> str:
    """Tensors "x" (12 columns) and "x1" (one) would give two columns "x1"."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


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
