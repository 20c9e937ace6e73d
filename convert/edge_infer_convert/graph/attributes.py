"""Node attributes made from numpy arrays, without a Python object for each element."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto

from edge_infer.varints import varints

__all__ = ["add_ints"]

_INTS: Final = 8 << 3 | 2  # the tag of AttributeProto.ints, packed


def add_ints(node: NodeProto, name: str, values: NDArray[Any]) -> None:
    """Give `node` a list of whole numbers ≥ 0. A million take milliseconds; helper.make_attribute takes seconds.

    It is made inside the node, since what is appended to a message is copied. Protobuf reads repeated numbers packed
    and unpacked: https://protobuf.dev/programming-guides/encoding/#packed
    """
    attribute = node.attribute.add(name=name, type=AttributeProto.INTS)
    payload = varints(np.asarray(values).astype(np.uint64))
    attribute.MergeFromString(varints(np.array([_INTS, len(payload)], np.uint64)) + payload)
