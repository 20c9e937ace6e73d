"""Whom a device trusts: public keys in plain files, some perhaps revoked or with a last day.

A folder of trust holds `*.pub` (a public key in PEM each) and may hold two lists, of a line for each key:

    revoked      FINGERPRINT
    not_after    FINGERPRINT YYYY-MM-DD

Text after # is a comment. `artifacts/SIGNATURES.md` describes rotation and revocation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from edge_infer.errors import KeyFileError, UsageError
from edge_infer.limits import LIMITS
from edge_infer.signing.errors import ExpiredKeyError, RevokedKeyError
from edge_infer.signing.keys import PublicKey

__all__ = ["TrustedKeys"]

_REVOKED: Final = "revoked"
_NOT_AFTER: Final = "not_after"
_FINGERPRINT: Final = re.compile("[0-9a-f]{64}")
_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class TrustedKeys(NamedTuple):
    """Public keys, the fingerprints of those that are revoked, and the last day (UTC) of those that have one."""

    keys: tuple[PublicKey, ...]
    revoked: frozenset[str] = frozenset()
    not_after: Mapping[str, date] = {}

    @classmethod
    def read(cls, *paths: str | os.PathLike[str]) -> TrustedKeys:
        """From files of one public key each, and from folders of trust; all lists count for all keys.

        Raises:
            KeyFileError: no key at all, or a file that is not as described; the message names it.
            OSError: as the system says.
        """
        parts = [cls._of(os.fspath(path)) for path in paths]
        keys = tuple(dict.fromkeys(key for part in parts for key in part.keys))
        if len(keys) > LIMITS.trusted_keys:
            raise KeyFileError(f"{len(keys)} trusted keys, the limit is {LIMITS.trusted_keys}")
        days: dict[str, date] = {}
        for part in parts:
            for fingerprint, day in part.not_after.items():
                days[fingerprint] = min(day, days.get(fingerprint, day))
        return cls(keys, frozenset().union(*(part.revoked for part in parts)), days)

    @classmethod
    def of_files(cls, folder: str, files: Mapping[str, bytes]) -> TrustedKeys:
        """Those of a folder of trust, given what its files hold; `folder` is named in errors.

        Raises:
            KeyFileError: no key at all, or a file that is not as described.
        """
        public = [name for name in files if name.endswith(".pub")]
        for name, content in files.items():
            path = os.path.join(folder, name)
            if name not in (*public, _REVOKED, _NOT_AFTER):
                raise KeyFileError(f"{path}: a folder of trust holds *.pub, {_REVOKED} and {_NOT_AFTER}, nothing else")
            if len(content) > LIMITS.key_bytes:
                raise KeyFileError(f"{path}: more than {LIMITS.key_bytes:,} bytes")
        if not public:
            raise KeyFileError(f"{folder}: no public key here (*.pub)")
        keys = tuple(PublicKey.parse(files[name], os.path.join(folder, name)) for name in public)
        revoked = frozenset(_fingerprint(*line) for line in _lines(folder, _REVOKED, files, 1))
        days = {_fingerprint(*line): _day(*line) for line in _lines(folder, _NOT_AFTER, files, 2)}
        unknown = days.keys() - revoked - {key.fingerprint for key in keys}
        if unknown:
            raise KeyFileError(f"{os.path.join(folder, _NOT_AFTER)}: no key here has the fingerprint {min(unknown)}")
        return cls(keys, revoked, days)

    @classmethod
    def _of(cls, path: str) -> TrustedKeys:
        return _folder(path) if os.path.isdir(path) else cls((PublicKey.read(path),))

    def check(self, key: PublicKey, now: datetime | None) -> None:
        """Whether `key` still counts at `now`; None where there is no clock, and last days are not judged.

        Raises:
            RevokedKeyError, ExpiredKeyError: it does not.
            UsageError: a time without a zone.
        """
        if key.fingerprint in self.revoked:
            raise RevokedKeyError(f"it was made with a key that is revoked ({key.fingerprint}); sign with another")
        if now is not None and now.tzinfo is None:
            raise UsageError(f"now: expected a time with its zone (datetime.now(UTC)), got {now}")
        last = self.not_after.get(key.fingerprint)
        if now is not None and last is not None and now.astimezone(UTC).date() > last:
            raise ExpiredKeyError(
                f"it was made with a key whose last day was {last} ({key.fingerprint}), and it is "
                f"{now.astimezone(UTC).date()}; sign with another, or look at this machine's clock"
            )


def _folder(folder: str) -> TrustedKeys:
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    return TrustedKeys.of_files(folder, {name: _content(os.path.join(folder, name)) for name in names})


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(LIMITS.key_bytes + 1)


def _lines(folder: str, name: str, files: Mapping[str, bytes], words: int) -> Iterator[tuple[str, list[str]]]:
    """Where a line stands, and its words."""
    path = os.path.join(folder, name)
    for number, line in enumerate(files.get(name, b"").decode("utf-8", "replace").splitlines(), 1):
        found = line.partition("#")[0].split()
        if found and len(found) != words:
            raise KeyFileError(f"{path}, line {number}: expected {words} words, got {len(found)}: {line!r:.100}")
        if found:
            yield f"{path}, line {number}", found


def _fingerprint(where: str, words: list[str]) -> str:
    if not _FINGERPRINT.fullmatch(words[0].lower()):
        raise KeyFileError(f"{where}: expected a fingerprint (64 hex digits), got {words[0]!r:.80}")
    return words[0].lower()


def _day(where: str, words: list[str]) -> date:
    try:
        if _DAY.fullmatch(words[1]):
            return date.fromisoformat(words[1])
    except ValueError:
        pass
    raise KeyFileError(f"{where}: expected a day as 2027-12-31, got {words[1]!r:.40}")
