"""Lists of whole numbers as protobuf writes them, made and read by numpy, without a Python object for each.

Seven bits to a byte, the lowest first; the top bit of a byte says that more follow.
https://protobuf.dev/programming-guides/encoding/#varints
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_varints", "varints"]

_BITS: Final = 7  # of a number, in each byte
_LONGEST: Final = 10  # bytes of a number


def varints(values: NDArray[Any]) -> bytes:
    """Whole numbers ≥ 0, one after the other. A million take milliseconds."""
    values = np.asarray(values).astype(np.uint64)
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


def read_varints(data: bytes) -> NDArray[np.int64]:
    """The whole numbers that fill `data`, as int64. Raises ValueError where the last is cut off, or one is too long."""
    read = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(read < 0x80)
    if len(read) and (not len(ends) or ends[-1] != len(read) - 1):
        raise ValueError("a number is cut off")
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends
    sizes = ends - starts + 1
    if len(sizes) and sizes.max() > _LONGEST:
        raise ValueError("a number is longer than 64 bits")
    values = np.zeros(len(ends), np.uint64)
    for place in range(int(sizes.max(initial=0))):
        longer = sizes > place
        part = (read[starts[longer] + place] & 0x7F).astype(np.uint64)
        values[longer] |= part << np.uint64(_BITS * place)
    return values.view(np.int64)
