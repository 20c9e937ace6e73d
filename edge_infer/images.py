"""Files of images as the tensor that a graph takes: uint8 [batch, height, width, channels].

Decoded by Pillow (extra `images`), which is imported by the first of them. Everything after decoding is done by the
graph (`image_spec`). Like other loaders of images (torchvision, Keras), this one drops alpha and passes over colour
profiles; of 16 bits it takes the upper eight.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge_infer.errors import InputError, Mismatch
from edge_infer.extras import needs
from edge_infer.image_spec import ImageSpec
from edge_infer.interface import TensorSpec
from edge_infer.limits import LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["IMAGE_FILES", "as_batches", "images_of", "is_encoded", "is_image_source"]

IMAGE_FILES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # few, since every decoder is code that strangers' bytes reach
_FRAMES: Final = ("PNG", "WEBP", "GIF")  # where several pictures are an animation; a camera's JPEG holds previews
_SIGNS: Final = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8")
#: What Pillow's decoders raise over bytes that are not as they should be; warnings where a program makes these errors.
_BROKEN: Final = (
    OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, AttributeError, EOFError, OverflowError, Warning,
    struct.error, zlib.error,
)  # fmt: skip


def is_image_source(value: Any) -> bool:
    """Whether it stands for an image, rather than being its pixels: a path, a file's bytes, a PIL image; or a list."""
    if isinstance(value, list | tuple):
        return bool(value) and is_image_source(value[0])
    if isinstance(value, str | os.PathLike | bytes | bytearray | memoryview):
        return True
    return any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__)


def is_encoded(data: bytes) -> bool:
    """Whether these are the first bytes of a file of a kind that is read."""
    return data.startswith(_SIGNS)


def images_of(value: Any, spec: TensorSpec, limits: Limits = LIMITS) -> NDArray[np.uint8]:
    """One image, or a list of images of the same size, as [batch, height, width, channels].

    Raises:
        InputError: one cannot be decoded, or has another size than the model takes; with its name.
        OSError: a file cannot be read.
        MissingExtraError: Pillow is not installed.
    """
    several = list(value) if isinstance(value, list | tuple) else [value]
    found = [_decoded(each, spec, limits) for each in several]
    if len({image.shape for image in found}) > 1:
        sizes = ", ".join(f"{name_of(each)} {_sized(image.shape)}" for each, image in zip(several, found, strict=True))
        raise _refused(spec, "images of one size in a call", f"{sizes:.300}; give each alone")
    return found[0][None] if len(found) == 1 else np.stack(found)


def as_batches(arrays: dict[str, NDArray[Any]], images: Mapping[str, TensorSpec]) -> dict[str, NDArray[Any]]:
    """Pixels of one image, [height, width, channels] or of grey [height, width], as a batch of one: views."""
    return {name: _as_batch(array, images[name]) if name in images else array for name, array in arrays.items()}


def _as_batch(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    if array.ndim == 3 and array.shape[2] == spec.shape[3]:
        return array[None]
    if array.ndim == 2 and spec.shape[3] == 1:
        return array[None, :, :, None]
    return array


def name_of(source: Any) -> str:
    """For messages."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    return "bytes" if isinstance(source, bytes | bytearray | memoryview) else "an image"


def _decoded(source: Any, spec: TensorSpec, limits: Limits) -> NDArray[np.uint8]:
    with needs("images", "PIL", "reading files of images"):
        from PIL import Image, ImageOps
    image = spec.image
    assert image is not None
    name = name_of(source)
    opened = source if isinstance(source, Image.Image) else None
    data = None if opened is not None else _bytes(source, spec, limits)
    try:
        opened = opened or Image.open(io.BytesIO(data or b""), formats=_FORMATS)
        wrong = _refusal(opened, image, limits)
        if wrong is None:
            pixels = _pixels(ImageOps.exif_transpose(opened), image.mode)
    except Image.DecompressionBombError:
        wrong = f"over {limits.image_pixels:,} pixels"
    except _BROKEN as error:
        wrong = _told(data, error)
    if wrong is not None:
        raise _refused(spec, "an image (PNG, JPEG, WebP, BMP, GIF)", f"{name}: {wrong}")
    wanted = spec.shape[1:3]
    if any(isinstance(want, int) and want != size for want, size in zip(wanted, pixels.shape, strict=False)):
        place = Mismatch(None, spec.name, f"an image {_sized(wanted)}", f"{name}: {_sized(pixels.shape)}", "input")
        raise InputError(
            [place], "Bring it to that size, or convert the model with a resize, which its graph then does."
        )
    return pixels


def _bytes(source: Any, spec: TensorSpec, limits: Limits) -> bytes:
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            data = file.read(limits.image_bytes + 1)
    elif isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    else:
        raise _refused(spec, "a path, bytes, or a PIL image", f"{type(source).__name__} {source!r:.60}")
    if len(data) > limits.image_bytes:
        raise _refused(spec, f"a file of at most {limits.image_bytes:,} bytes", f"{name_of(source)}, which is larger")
    return data


def _refusal(opened: Any, image: ImageSpec, limits: Limits) -> str | None:
    """Why it is not decoded, looked at before its pixels are: its header says how many there are."""
    width, height = opened.size
    if not width or not height:
        return "no pixels"
    if width * height > limits.image_pixels:
        return f"{height:,} × {width:,} pixels, and the limit is {limits.image_pixels:,} in all"
    if (
        isinstance(image.resize, int)
        and image.resize**2 * max(width, height) // min(width, height) > limits.image_pixels
    ):
        return f"{height:,} × {width:,} pixels, so narrow that its resized form would be too large"
    if opened.format in _FRAMES and getattr(opened, "is_animated", False):
        return f"an animation of {opened.n_frames} pictures; save the one that is meant"
    return None


def _pixels(image: Any, mode: str) -> NDArray[np.uint8]:
    """[height, width, channels]."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)[..., None]
        return grey if mode == "L" else np.repeat(grey, 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of the kind {image.mode!r}, which have no range")
    if image.mode == "P":  # of a palette with transparency, straight to RGB is not well defined
        image = image.convert("RGBA")
    found = np.asarray(image if image.mode == mode else image.convert(mode))
    return found if found.ndim == 3 else found[..., None]


def _told(data: bytes | None, error: Exception) -> str:
    if data == b"":
        return "an empty file"
    if type(error).__name__ == "UnidentifiedImageError":
        return "none of these, or broken at its beginning"
    return f"broken: {' '.join(str(error).split()):.200}" if str(error) else f"broken: {type(error).__name__}"


def _refused(spec: TensorSpec, expected: str, got: str) -> InputError:
    return InputError([Mismatch(None, spec.name, expected, got, "input")])


def _sized(shape: Sequence[int | str]) -> str:
    return f"{shape[0]} pixels high, {shape[1]} wide"
