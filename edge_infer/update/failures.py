"""python-tuf's exceptions → `UpdateError`: expected, got, where, and what to do. The one place for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from edge_infer.errors import UpdateError
from edge_infer.extras import needs

with needs("update", "tuf", "updating models"):
    from tuf.api.exceptions import (
        BadVersionNumberError,
        DownloadError,
        DownloadHTTPError,
        DownloadLengthMismatchError,
        ExpiredMetadataError,
        LengthOrHashMismatchError,
        RepositoryError,
        SlowRetrievalError,
        UnsignedMetadataError,
    )

__all__ = ["telling"]

#: python-tuf has one class for two attacks; the text tells a version below one that was trusted (5.4.4, 5.5.5 of the
#: specification) from one that is not the version that the metadata before it names.
_BELOW_TRUSTED: Final = re.compile(r"must be >=|^Expected (root version|\S+\.json version) ")

_REMEDIES: Final = {
    "signature": "The file was changed, or signed with other keys. Get the repository anew from its publisher; if it "
    "has new keys, its newer root metadata must be there too, signed with the old ones",
    "older": "This is an older state of the repository than the last update saw: a stale copy, or one that is "
    "replayed. Get the repository anew",
    "mixed": "The repository is a mixture of several states, or damaged: an upload or copy may be unfinished. Copy "
    "it anew, or try again later",
    "oversized": "It is longer than it may be: changed, of another state than the others, or made to fill this device. "
    "Get the repository anew",
    "endless": "Try again later",
    "absent": "Is this a repository of edge-infer publish, and whole?",
    "unreachable": "Try again later",
}

_KINDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (UnsignedMetadataError, "signature"),
    (ExpiredMetadataError, "expired"),
    (LengthOrHashMismatchError, "mixed"),
    (DownloadLengthMismatchError, "oversized"),
    (SlowRetrievalError, "endless"),
    (DownloadHTTPError, "absent"),
    (DownloadError, "unreachable"),
)


@contextmanager
def telling(where: Callable[[], str], expired: Callable[[], str]) -> Iterator[None]:
    """Around calls of python-tuf.

    where: the file that was looked at last; expired: which metadata has, when, and what the time is.

    Raises:
        UpdateError: in place of each exception of python-tuf.
    """
    try:
        yield
    except (RepositoryError, DownloadError) as error:
        kind = _kind(error)
        if kind == "expired":
            reason = (
                f"{where()}: {expired()}. The repository is kept at an old state (frozen), or its publisher has not "
                "renewed it. If this device's clock is right, ask the publisher to renew it; --expiry 30d takes what "
                "expired up to 30 days ago"
            )
        else:
            reason = f"{where()}: {_plain(error)}. {_REMEDIES[kind]}"
        raise UpdateError(kind, reason) from error


def _kind(error: Exception) -> str:
    if isinstance(error, BadVersionNumberError):
        return "older" if _BELOW_TRUSTED.search(str(error)) else "mixed"
    return next((kind for known, kind in _KINDS if isinstance(error, known)), "mixed")


def _plain(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text if len(text) <= 300 else text[:300] + "…"
