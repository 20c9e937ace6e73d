"""What a prediction log keeps, of how many calls, and for how long."""

from __future__ import annotations

import os
from typing import Any, Final, Literal, NamedTuple

from edge_infer.errors import KeyFileError, UsageError

__all__ = ["LogSettings"]

_KEPT: Final = ("all", "hash", "none")
_LEAST_SECRET: Final = 16  # bytes: fewer could be guessed
_MOST_SECRET: Final = 4096


class LogSettings(NamedTuple):
    """See each field; the defaults keep all of every call for 90 days in at most 64 MiB.

    share: of the calls that are logged, above 0 and at most 1, chosen by chance.
    inputs: "all"; "none"; the names of the columns that are kept; or "hash": the SHA-256 of each row as canonical JSON
        (`log_lines.row_hash`). Rows of few possible values can be found from a plain hash by trying them all.
    secret: with "hash", a file of 16 bytes or more that its owner alone can read: the key of an HMAC-SHA-256, so that
        rows can be recognised only with it.
    probabilities: of `predict_proba`, all of them beside the most probable label; False: that label alone.
    flush: "line": every line is on the disk before the caller has its answer; or seconds between two writes: a crash
        loses the lines since the last one.
    file_mib, file_hours: a file is closed at this size and age, and with the day (UTC); then it is compressed.
    total_mib: of all files together: the oldest go.
    keep_days: older files go, by the device's clock; what was written before the clock was ever set counts as old as
        what came next.
    compress: closed files, by gzip.
    """

    share: float = 1.0
    inputs: Literal["all", "hash", "none"] | tuple[str, ...] = "all"
    secret: str | os.PathLike[str] | None = None
    probabilities: bool = True
    flush: Literal["line"] | float = 1.0
    file_mib: float = 4.0
    file_hours: float = 24.0
    total_mib: float = 64.0
    keep_days: float = 90.0
    compress: bool = True

    def checked(self) -> LogSettings:
        """Itself. Raises UsageError for a value that makes no sense."""
        _check_inputs(self.inputs)
        if self.secret is not None and self.inputs != "hash":
            raise UsageError('secret: expected with inputs="hash" alone: nothing else uses it')
        if not _is_number(self.share) or not 0 < self.share <= 1:
            raise _wrong("share", "a share of the calls, above 0 and at most 1", self.share)
        if self.flush != "line" and (not _is_number(self.flush) or not 0 < self.flush <= 3600):
            raise _wrong("flush", '"line", or seconds above 0 and at most 3600', self.flush)
        _check_range("file_mib", self.file_mib, "MiB", 64)
        _check_range("file_hours", self.file_hours, "hours", 24 * 366)
        _check_range("total_mib", self.total_mib, "MiB", 1 << 20)
        _check_range("keep_days", self.keep_days, "days", 36600)
        if self.total_mib < self.file_mib:
            raise UsageError(f"total_mib: expected at least file_mib ({self.file_mib:g}), got {self.total_mib:g}")
        for name in ("probabilities", "compress"):
            if not isinstance(getattr(self, name), bool):
                raise _wrong(name, "True or False", getattr(self, name))
        return self

    def key(self) -> bytes | None:
        """What the secret file holds. Raises KeyFileError, OSError."""
        if self.secret is None:
            return None
        from edge_infer.private_files import read_private

        path = os.fspath(self.secret)
        key = read_private(path, _MOST_SECRET)
        if len(key) < _LEAST_SECRET:
            raise KeyFileError(
                f"{path}: expected at least {_LEAST_SECRET} bytes, got {len(key)}; "
                "make one with: (umask 077; head -c 32 /dev/urandom > FILE)"
            )
        return key


def _check_inputs(inputs: Any) -> None:
    if isinstance(inputs, tuple) and inputs and all(isinstance(name, str) for name in inputs):
        return
    if not isinstance(inputs, str) or inputs not in _KEPT:
        raise _wrong("inputs", '"all", "hash", "none" or a tuple of names of columns', inputs)


def _check_range(name: str, value: Any, unit: str, most: int) -> None:
    if not _is_number(value) or not 0 < value <= most:
        raise _wrong(name, f"{unit}, above 0 and at most {most:,}", value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(name: str, expected: str, got: Any) -> UsageError:
    return UsageError(f"{name}: expected {expected}, got {got!r:.60}")
