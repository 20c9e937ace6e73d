"""What a manifest tells of an input that is an image: pure data.

The graph itself does all of it, from the image's bytes [batch, height, width, channels] on: whoever runs the graph has
only to decode files.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from edge_infer.errors import FormatError
from edge_infer.strict_json import Node

__all__ = ["CHANNELS", "INTERPOLATIONS", "LAYOUTS", "ImageSpec", "image_of", "told"]

#: What the network is given → how many numbers a pixel of the file has: an RGB file is turned to BGR by the graph.
CHANNELS: Final = {"RGB": 3, "BGR": 3, "L": 1}
LAYOUTS: Final = ("NCHW", "NHWC")
INTERPOLATIONS: Final = ("bilinear", "bicubic")
_LARGEST: Final = 65535  # of a size in pixels: no file of the usual formats has more


class ImageSpec(NamedTuple):
    """size: height and width that the network is given. resize: what an image is brought to before, the shorter edge
    (one number) or height and width; then its middle is cut out. None: an image has that size already.

    interpolation, antialias: of the resize. A value v of 0 … 255 becomes (v × scale − mean) ÷ std, by channel.
    """

    channels: str  # one of CHANNELS
    size: tuple[int, int]
    layout: str  # one of LAYOUTS
    resize: int | tuple[int, int] | None = None
    interpolation: str | None = None
    antialias: bool | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def mode(self) -> str:
        """What a file is decoded to, as Pillow calls it."""
        return "L" if self.channels == "L" else "RGB"


def image_of(node: Node, dtype: str, shape: tuple[int | str, ...]) -> ImageSpec:
    """dtype, shape: of the input. Raises FormatError with the JSON path of the first mistake."""
    channels = node.get("channels").one_of(tuple(CHANNELS))
    resize, interpolation, antialias = node.find("resize"), node.find("interpolation"), node.find("antialias")
    spec = ImageSpec(
        channels=channels,
        size=_pair(node.get("size")),
        layout=node.get("layout").one_of(LAYOUTS),
        resize=None if resize is None else _resize(resize),
        interpolation=None if interpolation is None else interpolation.one_of(INTERPOLATIONS),
        antialias=None if antialias is None else antialias.boolean(),
        scale=node.get("scale").number(),
        mean=_numbers(node.get("mean"), CHANNELS[channels]),
        std=_numbers(node.get("std"), CHANNELS[channels]),
    )
    if (resize is None) != (interpolation is None) or (resize is None) != (antialias is None):
        raise FormatError(f"{node.path}: 'resize', 'interpolation' and 'antialias' go together")
    if dtype != "uint8" or len(shape) != 4 or shape[3] != CHANNELS[channels]:
        raise node.fail(f"an input uint8 [batch, height, width, {CHANNELS[channels]}], not {dtype} {list(shape)}")
    if resize is None and shape[1:3] != spec.size:
        raise node.get("size").fail(f"the input's own sizes, {list(shape[1:3])}, since nothing is resized")
    return spec


def told(spec: ImageSpec) -> str:
    """In words, such as "an image, RGB: the shorter edge to 256, the middle 224 × 224, …"."""
    height, width = spec.size
    steps = []
    if isinstance(spec.resize, int):
        steps.append(f"the shorter edge to {spec.resize}")
    elif spec.resize is not None:
        steps.append(f"resized to {spec.resize[0]} × {spec.resize[1]}")
    if spec.resize is not None:
        steps[-1] += f" ({spec.interpolation}{', antialias' if spec.antialias else ''})"
    cut = spec.resize is not None and spec.resize != spec.size
    steps.append(f"{'the middle ' if cut else ''}{height} × {width} pixels")
    steps.append(f"× {spec.scale:.6g}")
    if any(spec.mean):
        steps.append(f"− {_listed(spec.mean)}")
    if any(each != 1 for each in spec.std):
        steps.append(f"÷ {_listed(spec.std)}")
    colours = "grey" if spec.channels == "L" else spec.channels
    return f"an image, {colours}: {', '.join(steps)}; {spec.layout}"


def _listed(numbers: tuple[float, ...]) -> str:
    values = [f"{each:.6g}" for each in numbers]
    return values[0] if len(set(values)) == 1 else f"({', '.join(values)})"


def _resize(node: Node) -> int | tuple[int, int]:
    return _pair(node) if isinstance(node.value, list) else _pixels(node)


def _pair(node: Node) -> tuple[int, int]:
    sizes = tuple(_pixels(item) for item in node.list(2))
    if len(sizes) != 2:
        raise node.fail("height and width")
    return sizes[0], sizes[1]


def _pixels(node: Node) -> int:
    size = node.integer(1)
    if size > _LARGEST:
        raise node.fail(f"a size ≤ {_LARGEST}")
    return size


def _numbers(node: Node, count: int) -> tuple[float, ...]:
    numbers = tuple(item.number() for item in node.list(count))
    if len(numbers) != count:
        raise node.fail(f"{count} number{'s'[: count != 1]}, one for each channel")
    return numbers
