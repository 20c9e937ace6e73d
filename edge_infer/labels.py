"""Class labels, and the dtypes of answers: labels in their original type, each one that its dtype holds."""

from __future__ import annotations

import re
import sys
from typing import Any

from edge_infer.errors import LimitError
from edge_infer.limits import Limits
from edge_infer.strict_json import Node

__all__ = ["DTYPES", "Label", "dtype_of", "labels_of"]

#: What numpy calls the answers of one method; texts have a width, such as "<U9".
DTYPES = (
    *("object", "bool", "float16", "float32", "float64"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
_TEXT_DTYPE = re.compile("<U([1-9][0-9]{0,4})")
_LARGEST_FLOAT = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": sys.float_info.max}

#: A class label in its original type; a category of a column.
Label = str | int | float | bool


def dtype_of(node: Node, limits: Limits) -> str:
    """What numpy calls the answers. Raises FormatError for any other text."""
    name = node.text()
    text = _TEXT_DTYPE.fullmatch(name)
    if name not in DTYPES and not (text and int(text[1]) <= limits.name_bytes):
        raise node.fail("a numpy dtype of labels or numbers")
    return name


def labels_of(node: Node, dtype: str, limits: Limits) -> tuple[Label, ...]:
    """The labels of a list, in order.

    Raises:
        FormatError: none, or one that is not of the dtype.
        LimitError: more of them, or more bytes, than `limits` allows.
    """
    labels: list[Label] = []
    for item in node.list(limits.classes):
        if not _fits(item.value, dtype):
            raise item.fail("text, a number or true/false" if dtype == "object" else f"a label of the dtype {dtype}")
        labels.append(item.value)
    if not labels:
        raise node.fail("at least one label")
    if dtype.startswith("<U") and 4 * int(dtype[2:]) * len(labels) > limits.metadata_bytes:
        raise LimitError(
            f"{node.path}: {len(labels):,} labels of {dtype} take more than {limits.metadata_bytes:,} bytes"
        )
    return tuple(labels)


def _fits(label: Any, dtype: str) -> bool:
    """Whether a label is one of its dtype, rather than one that numpy would bend into it."""
    if dtype == "object":
        return isinstance(label, str | int | float)
    if dtype.startswith("<U"):
        return isinstance(label, str) and len(label) <= int(dtype[2:])
    if dtype == "bool":
        return isinstance(label, bool)
    if dtype.startswith("float"):
        return type(label) in (int, float) and abs(label) <= _LARGEST_FLOAT[dtype]
    bits = int(dtype.removeprefix("u").removeprefix("int"))
    lowest, highest = (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return type(label) is int and lowest <= label <= highest
