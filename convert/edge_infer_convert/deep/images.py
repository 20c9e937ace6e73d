"""Images as a deep model's input: what is made of one before the network sees it, told in Python or as a text.

A text such as "image[224, 224] resize=256 mean=0.485,0.456,0.406 std=0.229,0.224,0.225": the height and width that the
network is given, then NAME=VALUE of the fields of `Image`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import UsageError
from edge_infer.image_spec import CHANNELS, INTERPOLATIONS, LAYOUTS, ImageSpec
from edge_infer.interface import TensorSpec

__all__ = ["Image", "image_of_text", "image_spec", "is_image_text", "network_spec", "pixel_range"]


@dataclasses.dataclass(frozen=True, eq=False)  # a tuple would be taken for several inputs
class Image:
    """An input that is an image: uint8 pixels [batch, height, width, channels], or files.

    Args:
        size: height and width that the network is given.
        resize: what an image is brought to first: the shorter edge to one number, the longer one in proportion, or
            (height, width). Then the middle `size` is cut out. None: images have that size already.
        mean, std: of each channel, or one number for all. A value v of 0 … 255 becomes (v × scale − mean) ÷ std.
        scale: 1/255 makes 0 … 1 of them.
        layout: "NCHW" as PyTorch has it, or "NHWC" as Keras has it.
        channels: "RGB", "BGR", or "L" for grey.
        interpolation: "bilinear" or "bicubic".
        antialias: as Pillow and torchvision do it when they make an image smaller; False: as OpenCV and tf.image do.
        examples: images, uint8 [count, height, width, channels], that are asked too; none is stored.
    """

    size: tuple[int, int]
    resize: int | tuple[int, int] | None = None
    mean: float | Sequence[float] = 0.0
    std: float | Sequence[float] = 1.0
    scale: float = 1 / 255
    layout: str = "NCHW"
    channels: str = "RGB"
    interpolation: str = "bilinear"
    antialias: bool = True
    examples: NDArray[Any] | None = None


# --- as the manifest has it -------------------------------------------------------------


def image_spec(name: str, image: Image) -> ImageSpec:
    """Raises UsageError for fields that make no sense, with the input's name."""
    for field, allowed in (("channels", tuple(CHANNELS)), ("layout", LAYOUTS), ("interpolation", INTERPOLATIONS)):
        if getattr(image, field) not in allowed:
            raise _wrong(name, field, f"one of {', '.join(allowed)}", getattr(image, field))
    size = _size(name, "size", image.size)
    resize = image.resize
    if resize is not None:
        resize = _pixels(name, "resize", resize) if isinstance(resize, int) else _size(name, "resize", resize)
        _check_cut(name, resize, size)
    if image.interpolation == "bicubic" and not image.antialias:
        raise UsageError(
            f"input {name!r}: bicubic without antialias is not one thing (frameworks take other coefficients for it); "
            "leave antialias on, or resize bilinearly"
        )
    if not (_is_number(image.scale) and image.scale != 0):
        raise _wrong(name, "scale", "a number that is not 0, such as 1/255", image.scale)
    std = _channels(name, "std", image.std, image.channels)
    if not all(std):
        raise _wrong(name, "std", "numbers that are not 0", image.std)
    spec = ImageSpec(image.channels, size, image.layout, scale=float(image.scale), std=std)
    spec = spec._replace(mean=_channels(name, "mean", image.mean, image.channels))
    if resize is None:
        return spec
    return spec._replace(resize=resize, interpolation=image.interpolation, antialias=bool(image.antialias))


def network_spec(name: str, spec: ImageSpec, batch: int | str) -> TensorSpec:
    """The tensor that the network is given."""
    channels = CHANNELS[spec.channels]
    sizes = (channels, *spec.size) if spec.layout == "NCHW" else (*spec.size, channels)
    return TensorSpec(name, "float32", (batch, *sizes))


def pixel_range(spec: ImageSpec) -> tuple[float, float]:
    """The least and the largest number that the network can be given."""
    ends = [(v * spec.scale - mean) / std for v in (0.0, 255.0) for mean, std in zip(spec.mean, spec.std, strict=True)]
    return min(ends), max(ends)


def _check_cut(name: str, resize: int | tuple[int, int], size: tuple[int, int]) -> None:
    short = (resize, resize) if isinstance(resize, int) else resize
    if short[0] < size[0] or short[1] < size[1]:
        raise UsageError(
            f"input {name!r}: nothing can be cut out of what is smaller: expected a resize of at least {list(size)}, "
            f"got {resize}"
        )


def _size(name: str, field: str, value: Any) -> tuple[int, int]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise _wrong(name, field, "(height, width)", value)
    return _pixels(name, field, value[0]), _pixels(name, field, value[1])


def _pixels(name: str, field: str, value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not 1 <= value <= _LARGEST:
        raise _wrong(name, field, f"whole numbers of pixels from 1 to {_LARGEST:,}", value)
    return int(value)


def _channels(name: str, field: str, value: Any, channels: str) -> tuple[float, ...]:
    count = CHANNELS[channels]
    values = [value] * count if np.ndim(value) == 0 else list(value)
    if len(values) != count or not all(_is_number(each) for each in values):
        raise _wrong(name, field, f"a number, or {count} for {channels}", value)
    return tuple(float(each) for each in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(name: str, field: str, expected: str, got: Any) -> UsageError:
    return UsageError(f"input {name!r}: {field}: expected {expected}, got {got!r:.80}")


_LARGEST: Final = 65535

# --- as a text --------------------------------------------------------------------------

_TEXT: Final = re.compile(r"\s*image\s*\[\s*([0-9]+)\s*,\s*([0-9]+)\s*\]\s*(.*)", re.DOTALL)


def is_image_text(text: str) -> bool:
    """Whether it is meant to be one."""
    return re.match(r"\s*image\b", text) is not None


def image_of_text(name: str, text: str) -> Image:
    """Such as "image[8, 8] channels=L scale=1/16". Raises UsageError."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise UsageError(
            f"input {name!r}: expected the height and width that the network is given, then NAME=VALUE, such as "
            f"'image[224, 224] resize=256 mean=0.5 std=0.5', got {text!r:.100}"
        )
    told: dict[str, Any] = {}
    for part in found[3].split():
        field, separator, value = part.partition("=")
        if not separator or field not in _READ or field in told:
            raise UsageError(
                f"input {name!r}: expected any of {', '.join(f'{each}=…' for each in _READ)} behind the size, each "
                f"once and without blanks in it, got {part!r:.60}"
            )
        try:
            told[field] = _READ[field](value)
        except (ValueError, ZeroDivisionError):
            raise _wrong(name, field, _FORMS[field], value) from None
    return Image((int(found[1]), int(found[2])), **told)


def _number(text: str) -> float:
    """Such as "0.5" or "1/255"."""
    return float(Fraction(text))


def _numbers(text: str) -> tuple[float, ...] | float:
    numbers = tuple(_number(part) for part in text.split(","))
    return numbers if len(numbers) > 1 else numbers[0]


def _resize_of(text: str) -> int | tuple[int, int]:
    height, separator, width = text.partition("x")
    return (int(height), int(width)) if separator else int(height)


def _switch(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(text)
    return text == "yes"


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "resize": _resize_of, "mean": _numbers, "std": _numbers, "scale": _number, "layout": str, "channels": str,
    "interpolation": str, "antialias": _switch,
}  # fmt: skip
_EACH: Final = "a number, or one for each channel: 0.5,0.5,0.5"
_FORMS: Final = {
    "resize": "a number for the shorter edge, or HEIGHTxWIDTH", "mean": _EACH, "std": _EACH,
    "scale": "a number such as 1/255", "antialias": "yes or no",
}  # fmt: skip
