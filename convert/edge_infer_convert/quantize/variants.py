"""What quantization makes of a float32 graph, by onnxruntime's own tools. The inputs and outputs stay float32.

No variant saturates on any CPU. x86 processors without VNNI add two products of unsigned activations and signed weights
in 16 bits; weights of 7 bits (`reduce_range`) leave room for that. Pairs of the same sign have kernels that need none.
See `onnxruntime.quantization.quantize_static` and
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html ("When and why do I need to try U8U8?").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import onnx
from numpy.typing import NDArray
from onnx import ModelProto, version_converter

from edge_infer.errors import MissingExtraError
from edge_infer_convert.deep.quieted import quieted

__all__ = ["KINDS", "VARIANTS", "Variant", "check_extras", "prepared", "quantizes"]

Feeds = Mapping[str, NDArray[Any]]

_PER_CHANNEL_OPSET: Final = 13  # the first in which scales may differ by channel
_BLOCK: Final = 32  # weights that share a scale, of weights-int4
_HISTOGRAM_CALLS: Final = 64  # their activations are held in memory, all of them


class Variant(NamedTuple):
    """make: of a prepared graph, and calls that calibrate. calibrated: whether it needs these. instead: by other ways
    to set the ranges, tried where this one loses too much."""

    name: str
    kind: str
    make: Callable[[ModelProto, Sequence[Feeds]], ModelProto]
    calibrated: bool = False
    instead: tuple[str, ...] = ()


# --- each kind --------------------------------------------------------------------------


def _static(
    graph: ModelProto, calls: Sequence[Feeds], *, activations: str, weights: str, method: str = "MinMax"
) -> ModelProto:
    """QuantizeLinear and DequantizeLinear around each operator, with ranges of activations from calls (QDQ)."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    some = calls if method == "MinMax" else calls[:: -(-len(calls) // _HISTOGRAM_CALLS)]
    return _by_files(
        partial(
            quantize_static,
            calibration_data_reader=_reader(some),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=(activations, weights) == ("QUInt8", "QInt8"),
            activation_type=QuantType[activations],
            weight_type=QuantType[weights],
            calibrate_method=CalibrationMethod[method],
            extra_options={"ActivationSymmetric": activations == "QInt8"},
        ),
        graph,
    )


def _reader(calls: Sequence[Feeds]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped
        """The calls, one after the other."""

        def __init__(self) -> None:
            self._left: Iterator[Feeds] = iter(calls)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            found = next(self._left, None)
            return None if found is None else dict(found)

    return Reader()


def _dynamic(graph: ModelProto, calls: Sequence[Feeds], *, weights: str) -> ModelProto:
    """Whole-number weights; ranges of activations are found in each call."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    signed = weights == "QInt8"  # activations are always unsigned
    make = partial(quantize_dynamic, per_channel=signed, reduce_range=signed, weight_type=QuantType[weights])
    return _by_files(make, graph)


def _half(graph: ModelProto, calls: Sequence[Feeds]) -> ModelProto:
    """float16 within, by the converter of onnxruntime.transformers."""
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half = ONNXModel(convert_float_to_float16(graph, keep_io_types=True))
    half.topological_sort()  # the casts of the inputs come behind the nodes that take them
    return _proto(half.model)


def _four_bits(graph: ModelProto, calls: Sequence[Feeds]) -> ModelProto:
    """Weights of matrix products in blocks of 4-bit numbers, symmetric; all else stays float32."""
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    products = ONNXModel(graph)
    products.replace_gemm_with_matmul()
    quantizer = MatMulNBitsQuantizer(
        products.model, algo_config=DefaultWeightOnlyQuantConfig(block_size=_BLOCK, is_symmetric=True)
    )
    quantizer.process()
    return _proto(quantizer.model.model)


#: In the order in which they are tried. Of equal ones the first is kept.
VARIANTS: Final = (
    Variant(
        "int8-static", "int8", partial(_static, activations="QInt8", weights="QInt8"), True, ("Percentile", "Entropy")
    ),
    Variant(
        "int8-static-u8", "int8", partial(_static, activations="QUInt8", weights="QInt8"), True,
        ("Percentile", "Entropy"),
    ),
    Variant("int8-dynamic", "int8", partial(_dynamic, weights="QInt8")),
    Variant(
        "uint8-static", "uint8", partial(_static, activations="QUInt8", weights="QUInt8"), True,
        ("Percentile", "Entropy"),
    ),
    Variant("uint8-dynamic", "uint8", partial(_dynamic, weights="QUInt8")),
    Variant("fp16", "fp16", _half),
    Variant("weights-int4", "weights-int4", _four_bits),
)  # fmt: skip
KINDS: Final = tuple(dict.fromkeys(variant.kind for variant in VARIANTS))


def check_extras(variants: Sequence[Variant]) -> None:
    """Raises MissingExtraError."""
    if any(variant.kind == "weights-int4" for variant in variants):
        try:
            with quieted():
                import onnxruntime.quantization.matmul_nbits_quantizer  # noqa: F401  # it imports onnx_ir
        except ModuleNotFoundError as error:  # of onnxruntime: before 1.22 it is not there
            if (error.name or "").partition(".")[0] not in ("onnx_ir", "onnxruntime"):
                raise
            raise MissingExtraError("onnx_ir", "quantize", "--quantize weights-int4") from error


# --- before and after -------------------------------------------------------------------


def prepared(graph: ModelProto) -> ModelProto:
    """As quantization takes it: constants folded and normalisation merged into convolutions by onnxruntime's basic
    optimizations, shapes inferred, and of an opset in which each channel may have a scale."""
    from onnxruntime.quantization import quant_pre_process

    copy = ModelProto()
    copy.CopyFrom(graph)
    if next((entry.version for entry in copy.opset_import if not entry.domain), 0) < _PER_CHANNEL_OPSET:
        copy = version_converter.convert_version(copy, _PER_CHANNEL_OPSET)
    return _by_files(partial(quant_pre_process, skip_symbolic_shape=True), copy)  # symbolic shapes need sympy


def quantizes(made: ModelProto, graph: ModelProto) -> bool:
    """Whether anything in the graph has become smaller numbers."""
    return {node.op_type for node in made.graph.node} - {node.op_type for node in graph.graph.node} != set()


def _by_files(make: Callable[..., object], graph: ModelProto) -> ModelProto:
    """The tools change a model that is given in memory, and write files anyway."""
    with TemporaryDirectory(prefix="edge-infer-") as folder:
        given, made = Path(folder) / "given.onnx", Path(folder) / "made.onnx"
        onnx.save(graph, given)
        make(str(given), str(made))
        return onnx.load(made)


def _proto(made: Any) -> ModelProto:
    if not isinstance(made, ModelProto):
        raise TypeError(f"expected a ModelProto, got {type(made).__name__}")
    return made
