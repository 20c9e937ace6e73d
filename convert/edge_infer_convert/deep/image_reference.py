"""What the nodes before the network shall compute of an image, in float64: the converter asks the original by it.

Resampling is Pillow's (src/libImaging/Resample.c): a triangle, or the cubic of Keys (1981) with a = −0.5, stretched by
the factor that the image is made smaller by; what lies outside the image does not count. ONNX's Resize-18 says the same
by `antialias` and `exclude_outside`. Two things are otherwise than in Pillow. Places in the image are float32, as
Resize's scales are; and between and after the two passes nothing is rounded to whole numbers, only kept in 0 … 255.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.image_spec import ImageSpec

__all__ = ["cut_at", "edges", "prepared", "resized"]


def prepared(images: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.float32]:
    """images: uint8 [batch, height, width, channels] → float32 in the network's layout."""
    found = np.stack([_prepared(image, spec) for image in images]) if len(images) else np.empty(_nothing(spec))
    ordered = found if spec.layout == "NHWC" else found.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(ordered, np.float32)


def resized(image: NDArray[Any], spec: ImageSpec, size: tuple[int, int]) -> NDArray[np.float64]:
    """[height, width, channels] of 0 … 255 → the same of another size."""
    planes = image.astype(np.float64).transpose(2, 0, 1)
    wide = np.clip(planes @ _weights(image.shape[1], size[1], spec).T, 0, 255)
    return np.clip(_weights(image.shape[0], size[0], spec) @ wide, 0, 255).transpose(1, 2, 0)


def edges(height: int, width: int, resize: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width after the resize; the longer edge is rounded down, as torchvision does."""
    if not isinstance(resize, int):
        return resize
    short = min(height, width)
    return height * resize // short, width * resize // short


def cut_at(room: int) -> int:
    """Where the middle begins that leaves so many pixels over: a half is rounded to even, as torchvision does."""
    return round(room / 2)


def _prepared(image: NDArray[Any], spec: ImageSpec) -> NDArray[np.float64]:
    pixels = image[..., ::-1] if spec.channels == "BGR" else image
    if spec.resize is not None:
        pixels = resized(pixels, spec, edges(image.shape[0], image.shape[1], spec.resize))
        top, left = (cut_at(size - part) for size, part in zip(pixels.shape, spec.size, strict=False))
        pixels = pixels[top : top + spec.size[0], left : left + spec.size[1]]
    return (pixels.astype(np.float64) * spec.scale - spec.mean) / spec.std


def _nothing(spec: ImageSpec) -> tuple[int, ...]:
    return (0, *spec.size, len(spec.mean))


def _weights(size: int, wanted: int, spec: ImageSpec) -> NDArray[np.float64]:
    """[wanted, size]: what each pixel adds to each new one."""
    scale = np.float32(wanted) / np.float32(size)
    centres = ((np.arange(wanted, dtype=np.float32) + np.float32(0.5)) / scale).astype(np.float64)
    stretch = max(1.0, float(np.float32(1) / scale)) if spec.antialias else 1.0
    distance = np.abs(np.arange(size) + 0.5 - centres[:, None]) / stretch
    weights = _cubic(distance) if spec.interpolation == "bicubic" else np.maximum(0.0, 1.0 - distance)
    found: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return found


def _cubic(x: NDArray[np.float64], a: float = -0.5) -> NDArray[np.float64]:
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
