"""Writing protobuf's fields. https://protobuf.dev/programming-guides/encoding/"""

from __future__ import annotations

from typing import Final

from edge_infer import wire

__all__ = ["header", "message", "number"]

_SIGN: Final = 2**64  # a negative number is its 64-bit two's complement


def message(field: int, payload: bytes) -> bytes:
    """A field of bytes, a text or a message."""
    return header(field, len(payload)) + payload


def header(field: int, size: int) -> bytes:
    """What stands before `size` bytes of such a field."""
    return _varint(field << 3 | wire.LENGTH) + _varint(size)


def number(field: int, value: int) -> bytes:
    """A field of one whole number."""
    return _varint(field << 3 | wire.VARINT) + _varint(value % _SIGN)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
