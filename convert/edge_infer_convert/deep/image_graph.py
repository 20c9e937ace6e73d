"""What is made of images before the network sees them, as standard ONNX nodes in front of the exported graph.

The graph's input becomes uint8 [batch, height, width, channels]: channels in the network's order → NCHW → float32 →
Resize → the middle → scale, mean and std → the network's layout. Any runtime of ONNX computes it; a device needs no
code for it. `image_reference` says what these nodes shall compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edge_infer.errors import UnsupportedModelError, UsageError
from edge_infer.image_spec import CHANNELS, ImageSpec
from edge_infer.interface import TensorSpec, shown
from edge_infer_convert.deep.image_reference import cut_at, prepared
from edge_infer_convert.deep.inputs import TensorInput

__all__ = ["OPSET", "prepared_feeds", "prepend_images", "whole_inputs"]

OPSET: Final = 18  # the first whose Resize has antialias; a graph with images is brought to it
_CUBIC: Final = -0.5  # as Pillow, and PyTorch with antialias


#: Of images that are made up, to what they are resized to: wider, higher, smaller, equal, much larger.
_HEIGHTS: Final = (1.3, 2.2, 0.7, 1.0, 3.1, 1.05)
_WIDTHS: Final = (1.8, 1.1, 0.9, 1.0, 1.5, 2.6)


def whole_inputs(told: Sequence[TensorInput]) -> list[TensorInput]:
    """The inputs of the whole graph: images where the network is given what is made of them.

    Raises:
        UsageError: examples of another size than the images have.
    """
    several = sum(each.image is not None and each.image.resize is not None for each in told) > 1
    taken = {size for each in told for size in each.spec.shape}
    return [
        each if each.image is None else _image_input(each, f"{each.name}_" if several or taken & _SIZES else "")
        for each in told
    ]


_SIZES: Final = {"height", "width"}


def _image_input(each: TensorInput, own: str) -> TensorInput:
    """own: before the names of sizes that vary, where others have them too."""
    image = each.image
    assert image is not None
    height, width = image.size if image.resize is None else (f"{own}height", f"{own}width")
    spec = TensorSpec(each.name, "uint8", (each.spec.shape[0], height, width, CHANNELS[image.channels]), image=image)
    sizes: dict[str, int | tuple[int, ...]] = {}
    if image.resize is not None:
        to = (image.resize, image.resize) if isinstance(image.resize, int) else image.resize
        sizes[str(height)] = tuple(max(1, round(to[0] * factor)) for factor in _HEIGHTS)
        sizes[str(width)] = tuple(max(1, round(to[1] * factor)) for factor in _WIDTHS)
    shape = () if each.pictures is None else each.pictures.shape
    if shape and not all(isinstance(want, str) or want == size for want, size in zip(spec.shape, shape, strict=True)):
        raise UsageError(f"input {each.name!r}: examples: expected images {shown(spec)}, got the shape {list(shape)}")
    return TensorInput(spec, 0.0, 255.0, sizes, each.pictures)


def prepared_feeds(feeds: Mapping[str, NDArray[Any]], images: Mapping[str, ImageSpec]) -> dict[str, NDArray[Any]]:
    """What the original is given, where the whole graph is given these: images as `image_reference` prepares them."""
    return {name: prepared(array, images[name]) if name in images else array for name, array in feeds.items()}


def prepend_images(model: ModelProto, images: Mapping[str, TensorSpec]) -> None:
    """images: of `whole_inputs` those that are images, by name. The model is changed in place, at least at `OPSET`.

    Raises:
        UnsupportedModelError: the graph gives its own input as an output.
    """
    graph = model.graph
    taken = _names(graph)
    nodes: list[NodeProto] = []
    for name, spec in images.items():
        assert spec.image is not None
        if any(output.name == name for output in graph.output):
            raise UnsupportedModelError(f"{name!r} is an input and an output at once, so that it cannot be an image")
        steps = _Steps(_free(f"{name}_image", taken), name, spec.image)
        last = steps.written()
        _rename(graph, name, last)
        nodes += steps.nodes
        graph.initializer.extend(steps.initializers)
        _retype(graph, spec)
    inner = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *inner])


class _Steps:
    """Nodes of one image, one after the other. prefix: of the names of tensors and nodes."""

    def __init__(self, prefix: str, name: str, image: ImageSpec) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self._prefix, self._now, self._image = prefix, name, image

    def written(self) -> str:
        """The tensor that the network is given."""
        image = self._image
        planes = image.layout == "NCHW" or image.resize is not None  # Resize takes the last two dimensions
        if image.channels == "BGR":
            self._step("Gather", "bgr", self._constant("order", np.array([2, 1, 0])), axis=3)
        if planes:
            self._step("Transpose", "planes", perm=[0, 3, 1, 2])
        self._step("Cast", "float", to=TensorProto.FLOAT)
        if image.resize is not None:
            self._resize(image, image.resize)
        self._normalise(image, planes)
        if planes and image.layout == "NHWC":
            self._step("Transpose", "nhwc", perm=[0, 2, 3, 1])
        return self._now

    def _resize(self, image: ImageSpec, to: int | tuple[int, int]) -> None:
        size = self._edges(to) if isinstance(to, int) else self._constant("to", to)
        if image.interpolation == "bicubic":  # it overshoots, and Pillow cuts off what is beyond a byte in each pass
            self._resized("wide", 3, self._node("Gather", "width_to", [size, self._constant("last", [1])]), image)
            self._clip("wide")
        self._resized("resized", 2, size, image)
        if image.interpolation == "bicubic":
            self._clip("resized")
        if isinstance(to, int):
            self._cut(size, image)
        elif to != image.size:
            start = [cut_at(room - part) for room, part in zip(to, image.size, strict=True)]
            stop = [at + part for at, part in zip(start, image.size, strict=True)]
            self._slice(self._constant("start", start), self._constant("stop", stop))

    def _resized(self, word: str, axis: int, size: str, image: ImageSpec) -> None:
        """To `size` from this axis on. What is outside the image does not count, which Resize says by a flag, and of
        "linear" without antialias by itself. All four sizes are given, and no `axes`: where transposes are moved
        through Resize, onnxruntime 1.32 puts `axes` in other places, and loses the sizes."""
        antialias = int(bool(image.antialias))
        before = self._node("Shape", f"{word}_before", [self._now], start=0, end=axis)
        sizes = self._node("Concat", f"{word}_to", [before, size], axis=0)
        self._step(
            "Resize", word, "", "", sizes, mode="cubic" if image.interpolation == "bicubic" else "linear",
            coordinate_transformation_mode="half_pixel", antialias=antialias, exclude_outside=antialias,
            cubic_coeff_a=_CUBIC,
        )  # fmt: skip

    def _clip(self, word: str) -> None:
        """To 0 … 255."""
        limits = [self._constant(f"{word}_{end}", np.float32(at)) for end, at in (("least", 0), ("most", 255))]
        self._step("Clip", f"{word}_clipped", *limits)

    def _edges(self, short: int | Any) -> str:
        """int64 [2]: height and width, × the new shorter edge ÷ the shorter edge, rounded down."""
        edges = self._node("Shape", "edges", [self._now], start=2, end=4)
        shorter = self._node("ReduceMin", "shorter", [edges], keepdims=1)
        longer = self._node("Mul", "times", [edges, self._constant("short", [short])])
        return self._node("Div", "to", [longer, shorter])

    def _cut(self, size: str, image: ImageSpec) -> None:
        """The middle: half of what is left over, a half rounded to even: (r + (r ÷ 2) mod 2) ÷ 2 in whole numbers."""
        two = self._constant("two", [2])
        part = self._constant("part", image.size)
        room = self._node("Sub", "room", [size, part])
        half = self._node("Div", "half", [room, two])
        odd = self._node("Mod", "odd", [half, two])
        start = self._node("Div", "start", [self._node("Add", "even", [room, odd]), two])
        self._slice(start, self._node("Add", "stop", [start, part]))

    def _slice(self, start: str, stop: str) -> None:
        self._step("Slice", "middle", start, stop, self._constant("axes", [2, 3]))

    def _normalise(self, image: ImageSpec, planes: bool) -> None:
        """(v × scale − mean) ÷ std as one product and one sum."""
        shape = (1, -1, 1, 1) if planes else (1, 1, 1, -1)
        std = np.array(image.std).reshape(shape)
        factor, shift = image.scale / std, -np.array(image.mean).reshape(shape) / std
        if np.any(factor != 1):
            self._step("Mul", "scaled", self._constant("factor", factor.astype(np.float32)))
        if np.any(shift != 0):
            self._step("Add", "shifted", self._constant("shift", shift.astype(np.float32)))

    def _step(self, kind: str, word: str, *more: str, **attributes: Any) -> None:
        self._now = self._node(kind, word, [self._now, *more], **attributes)

    def _node(self, kind: str, word: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = f"{self._prefix}_{word}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def _constant(self, word: str, value: Any) -> str:
        """Whole numbers as int64."""
        name = f"{self._prefix}_{word}"
        array = np.asarray(value)
        array = array if array.dtype.kind == "f" else array.astype(np.int64)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name


# --- the graph behind -------------------------------------------------------------------


def _retype(graph: GraphProto, spec: TensorSpec) -> None:
    value = next(value for value in graph.input if value.name == spec.name)
    value.CopyFrom(helper.make_tensor_value_info(spec.name, TensorProto.UINT8, list(spec.shape)))


def _rename(graph: GraphProto, old: str, new: str) -> None:
    """Wherever nodes take the tensor, those of inner graphs too: no inner graph may use the name for another."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                _rename(inner, old, new)


def _names(graph: GraphProto) -> set[str]:
    """Of all tensors and nodes; inner graphs' too."""
    found = {value.name for value in [*graph.input, *graph.output, *graph.initializer]}
    for node in graph.node:
        found |= {node.name, *node.input, *node.output}
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                found |= _names(inner)
    return found


def _free(prefix: str, taken: set[str]) -> str:
    """A beginning that no name has."""
    while any(name.startswith(prefix) for name in taken):
        prefix += "_"
    return prefix
