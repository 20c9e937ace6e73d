"""Node attributes made from numpy arrays, without a Python object for each element."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto

__all__ = ["add_ints"]

_INTS: Final = 8 << 3 | 2  # the tag of AttributeProto.ints, packed
_BITS: Final = 7  # of a number, in each byte of a varint


def add_ints(node: NodeProto, name: str, values: NDArray[Any]) -> None:
    """Give `node` a list of whole numbers ≥ 0. A million take milliseconds; helper.make_attribute takes seconds.

    It is made inside the node, since what is appended to a message is copied. Protobuf reads repeated numbers packed
    and unpacked: https://protobuf.dev/programming-guides/encoding/#packed
    """
    attribute = node.attribute.add(name=name, type=AttributeProto.INTS)
    payload = _varints(np.asarray(values).astype(np.uint64))
    attribute.MergeFromString(_varints(np.array([_INTS, len(payload)], np.uint64)) + payload)


def _varints(values: NDArray[np.uint64]) -> bytes:
    """Seven bits to a byte, the lowest first; the top bit of a byte says that more follow."""
    most = max(1, -(-int(values.max(initial=0)).bit_length() // _BITS))
    limits = np.uint64(1) << np.uint64(_BITS) * np.arange(1, most, dtype=np.uint64)
    sizes = np.ones(len(values), np.int64)
    for limit in limits:
        sizes += values >= limit
    ends = np.cumsum(sizes)
    written = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    for place in range(most):
        longer = sizes > place
        part = (values[longer] >> np.uint64(_BITS * place)).astype(np.uint8) & 0x7F
        written[(ends - sizes)[longer] + place] = part | (0x80 * (sizes[longer] > place + 1)).astype(np.uint8)
    return written.tobytes()
