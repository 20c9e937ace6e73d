"""Pictures that tests make, and networks that give what they are given."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

import edge_infer
from edge_infer_convert import Image, convert
from tests.deep.graphs import FLOAT, model_of, value


def through(shape: list[Any]) -> Any:
    """A network that gives what it is given."""
    node = helper.make_node("Identity", ["x"], ["y"])
    return model_of([node], [value("x", FLOAT, shape)], [value("y", FLOAT, shape)], {})


def model_with(image: Image, channels: int = 3) -> edge_infer.Model:
    """What an image is made to, as a model."""
    sizes = [channels, *image.size] if image.layout == "NCHW" else [*image.size, channels]
    return edge_infer.load(convert(through(["N", *sizes]), inputs={"x": image}, name="through").data)


def photo(height: int, width: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Edges, waves and noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 120 * np.sin(x / (3 + c) + y / 11) for c in range(channels)]
    noise = np.random.default_rng(seed).normal(0, 15, (height, width, channels))
    return np.clip(np.stack(waves, -1) + noise + 90 * (x > y)[..., None], 0, 255).astype(np.uint8)


def encoded(picture: Any, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
