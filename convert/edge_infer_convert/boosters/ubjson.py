"""Whether bytes are one whole UBJSON value, draft 12 (https://ubjson.org): XGBoost crashes on some torn ones."""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["check_whole"]

_SIZES: Final = {"Z": 0, "T": 0, "F": 0, "i": 1, "U": 1, "C": 1, "I": 2, "l": 4, "d": 4, "L": 8, "D": 8}
_WHOLE: Final = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q"}  # big-endian
_DEEPEST: Final = 64


def check_whole(data: bytes) -> None:
    """Walk over one value that takes all of `data`.

    Raises:
        ValueError: the bytes end early, go on behind the value, or are no UBJSON; with the place.
    """
    end = _Walk(data).value(0, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end:,} bytes behind the end of the model, at byte {end:,}")


class _Walk:
    """Each method takes the place where something begins and gives the place behind it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def value(self, at: int, depth: int) -> int:
        return self._body(self._marker(at), at + 1, depth)

    def _body(self, marker: str, at: int, depth: int) -> int:
        if marker in _SIZES:
            return self._skipped(at, _SIZES[marker])
        if marker in ("S", "H"):
            return self._text(at)
        if marker in ("[", "{") and depth < _DEEPEST:
            return self._container(at, depth + 1, named=marker == "{")
        raise ValueError(f"unexpected {marker!r} at byte {at - 1:,}")

    def _container(self, at: int, depth: int, *, named: bool) -> int:
        kind = None
        if self._marker(at) == "$":
            kind, at = self._marker(at + 1), at + 2
            if self._marker(at) != "#":
                raise ValueError(f"an array without its length at byte {at:,}")
        if self._marker(at) != "#":
            return self._until_closed(at, depth, "}" if named else "]", named=named)
        count, at = self._count(at + 1)
        if kind in _SIZES and not named:
            return self._skipped(at, count * _SIZES[kind])
        for _ in range(count):
            at = self._text(at) if named else at
            at = self.value(at, depth) if kind is None else self._body(kind, at, depth)
        return at

    def _until_closed(self, at: int, depth: int, closing: str, *, named: bool) -> int:
        while self._marker(at) != closing:
            at = self.value(self._text(at) if named else at, depth)
        return at + 1

    def _text(self, at: int) -> int:
        length, at = self._count(at)
        return self._skipped(at, length)

    def _count(self, at: int) -> tuple[int, int]:
        """A whole number and the place behind it."""
        marker = self._marker(at)
        if marker not in _WHOLE:
            raise ValueError(f"expected a length at byte {at:,}, got {marker!r}")
        end = self._skipped(at + 1, _SIZES[marker])
        (count,) = struct.unpack_from(_WHOLE[marker], self.data, at + 1)
        if count < 0:
            raise ValueError(f"a length of {count} at byte {at:,}")
        return count, end

    def _marker(self, at: int) -> str:
        return chr(self.data[self._skipped(at, 1) - 1])

    def _skipped(self, at: int, size: int) -> int:
        if at + size > len(self.data):
            raise ValueError(f"it ends early, at byte {len(self.data):,}")
        return at + size
