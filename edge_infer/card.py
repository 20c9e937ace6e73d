"""What an artifact tells people: texts of bounded length, and metrics. None of it changes an answer, or is checked.

The words are those of Hugging Face's model cards (https://huggingface.co/docs/hub/model-cards, `model-index`) and of
the Model Card Toolkit: a metric has a type, a value, and the data that it was measured on.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from edge_infer.errors import LimitError
from edge_infer.limits import Limits
from edge_infer.strict_json import Node

__all__ = ["Metric", "metric_of", "text_of"]


class Metric(NamedTuple):
    """A figure as the model's author states it."""

    type: str  # such as accuracy, f1, rmse
    value: float
    dataset: str  # what it was measured on, in words


def text_of(node: Node, most_bytes: int) -> str:
    """Text with something to read in it.

    Raises:
        FormatError: no text, nothing but spaces, or a lone surrogate, which UTF-8 cannot write.
        LimitError: more than `most_bytes` bytes in UTF-8.
    """
    text = node.text()
    if not text.strip():
        raise node.fail("text that is not empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise node.fail("text that UTF-8 can write") from None
    if size > most_bytes:
        raise LimitError(f"{node.path}: {size:,} bytes of text, the limit is {most_bytes:,}")
    return text


def metric_of(node: Node, limits: Limits) -> Metric:
    """A metric of an object. Raises FormatError and LimitError as `text_of`, and for a value that is not finite."""
    value = node.get("value").number()
    if not math.isfinite(value):  # JSON has none, a card's file may
        raise node.get("value").fail("a finite number")
    return Metric(
        type=text_of(node.get("type"), limits.unit_bytes),
        value=value,
        dataset=text_of(node.get("dataset"), limits.description_bytes),
    )
