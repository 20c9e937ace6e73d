"""A release's file, in pieces that outlast whatever interrupts them: the next update goes on where this one ended."""

from __future__ import annotations

import warnings
from typing import Final

from edge_infer.errors import UpdateError
from edge_infer.limits import LIMITS
from edge_infer.store.files import Files
from edge_infer.store.store import StoreWarning
from edge_infer.store.updates import drop_partials, extend_partial, partial_size, read_partial
from edge_infer.update.remote import Target
from edge_infer.update.source import Deadline, Source

__all__ = ["download"]

_FLUSHED: Final = 4 << 20  # bytes that an interruption may cost


def download(files: Files, source: Source, deadline: Deadline, target: Target) -> bytes:
    """The bytes of a file, as long and with the hashes that the metadata says.

    What is there of it already is gone on with; where that turns out to be wrong it is removed, with a
    `StoreWarning`, and the download begins anew, once.

    Raises:
        UpdateError: "mixed", "endless", "oversized" or what the source says; what was got so far is kept, unless it is
            wrong.
        StoreWriteError: the disk is full.
    """
    where = f"{source.shown}/{target.path}"
    if target.info.length > LIMITS.model_bytes:
        told = f"{target.info.length:,} bytes, and a model has at most {LIMITS.model_bytes:,}"
        raise UpdateError("oversized", f"{where}: {told}; tell the publisher")
    resumed = partial_size(files, target.digest)
    data = _whole(files, source, deadline, target, where)
    if data is None and resumed:
        warnings.warn(
            f"{where}: the first {resumed:,} bytes, of an earlier update, were not what they should be: they were "
            "removed, and the download begins anew",
            StoreWarning,
            stacklevel=2,
        )
        data = _whole(files, source, deadline, target, where)
    if data is None:
        raise UpdateError(
            "mixed",
            f"{where}: expected the sha256 {target.digest}, got other bytes: the file was changed or damaged, or its "
            "upload is unfinished. They were removed; copy the repository anew, or try again later",
        )
    return data


def _whole(files: Files, source: Source, deadline: Deadline, target: Target, where: str) -> bytes | None:
    """None where it is wrong, and was removed."""
    length = target.info.length
    have = partial_size(files, target.digest)
    if have < length or not have:
        have = _fetch(files, source, deadline, target, have)
    if have < length:
        raise UpdateError(
            "mixed",
            f"{where}: expected {length:,} bytes, it ended after {have:,}: its upload or copy is unfinished, or the "
            "connection was cut. What came is kept, and the next update goes on there",
        )
    if have == length:
        data = read_partial(files, target.digest, most=length) if length else b""
        if target.fits(data):
            return data
    drop_partials(files, [target.digest])
    return None


def _fetch(files: Files, source: Source, deadline: Deadline, target: Target, have: int) -> int:
    """How many bytes are there now: what came is kept, even if the rest did not come."""
    buffer = bytearray()
    length = target.info.length
    try:
        for piece in deadline.pieces(source, target.path, have):
            if have + len(buffer) + len(piece) > length:
                buffer.clear()
                drop_partials(files, [target.digest])
                raise UpdateError(
                    "endless",
                    f"{source.shown}/{target.path}: expected {length:,} bytes, more came; all of them were removed",
                )
            buffer += piece
            if len(buffer) >= _FLUSHED:
                have = _keep(files, target.digest, buffer, have)
    finally:
        have = _keep(files, target.digest, buffer, have)
    return have


def _keep(files: Files, digest: str, buffer: bytearray, have: int) -> int:
    data = bytes(buffer)
    buffer.clear()  # so that a disk that is full is not tried again on the way out
    if data:
        extend_partial(files, digest, data, at=have)
    return have + len(data)
