"""The private keys of a repository's roles: ECDSA P-256 in PEM files, in a folder that is never published.

`ROLE.key`, or `ROLE-1.key`, `ROLE-2.key` … where a role has several. While a role gets new keys they stand in
`ROLE.key.new`; an old key is kept as `ROLE.key.old-` and the first digits of its id. Which key is which is told by
the keys themselves, so that a rotation may be stopped anywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from edge_infer.errors import KeyFileError, UsageError
from edge_infer.extras import needs
from edge_infer.files import flush_folder
from edge_infer.private_files import write_new
from edge_infer.signing.keys import PrivateKey
from edge_infer.update.layout import ROOT

with needs("update", "securesystemslib", "publishing updates"):
    from securesystemslib.signer import CryptoSigner

__all__ = ["Keyring", "RoleKey", "settled_name"]

_NEW: Final = ".new"
_CURVE: Final = "secp256r1"
_PRIVATE: Final = 0o600


class RoleKey(NamedTuple):
    """A key that signs, and the file it stands in; `is_new` where that file is not written yet."""

    file: str
    signer: CryptoSigner
    is_new: bool = False

    @property
    def id(self) -> str:
        keyid: str = self.signer.public_key.keyid
        return keyid


class Keyring:
    """The keys in a folder. Files are opened only for the roles that are asked for."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.path.abspath(os.fspath(folder))

    def check_apart(self, published: str) -> None:
        """Raises UsageError where the folder, or what it leads to, is part of a folder that is published."""
        for keys, public in ((self.folder, published), (os.path.realpath(self.folder), os.path.realpath(published))):
            if keys == public or keys.startswith(os.path.join(public, "")):
                raise UsageError(
                    f"--keys {self.folder}: it is part of {published}, which is published; private keys must never be: "
                    "choose a folder beside it"
                )

    # --- keys that are there ---

    def of(self, role: str, ids: Iterable[str]) -> list[RoleKey]:
        """Those of a role's keys that are here.

        Raises:
            KeyFileError: a file is no such key, or others can read it.
        """
        found = {key.id: key for key in self._read(role)}
        return [found[keyid] for keyid in ids if keyid in found]

    def enough(self, role: str, ids: Sequence[str], threshold: int) -> list[RoleKey]:
        """All of a role's keys that are here. Raises KeyFileError where they are fewer than `threshold`."""
        found = self.of(role, ids)
        if len(found) < threshold:
            names = " or ".join(os.path.join(self.folder, name) for name in _names(role, len(ids)))
            wanted = "the key" if len(ids) == 1 else f"{threshold} of the {len(ids)} keys"
            raise KeyFileError(
                f"{names}: {wanted} of the role {role!r} {'is' if threshold == 1 else 'are'} needed to sign it, "
                f"{len(found) or 'none'} found (key id {', '.join(keyid[:8] + '…' for keyid in ids)}); "
                f"bring it here for this command{'' if role == ROOT else f', or, where it is lost, --rotate {role}'}"
            )
        return found

    def _read(self, role: str) -> list[RoleKey]:
        return [self._key(name) for name in self._files(role)]

    def _files(self, role: str) -> list[str]:
        wanted = re.compile(rf"{re.escape(role)}(-[1-9][0-9]*)?\.key({re.escape(_NEW)})?")
        try:
            return sorted(name for name in os.listdir(self.folder) if wanted.fullmatch(name))
        except FileNotFoundError:
            return []

    def _key(self, name: str) -> RoleKey:
        path = os.path.join(self.folder, name)
        key = PrivateKey.read(path).elliptic
        if key.curve.name != _CURVE:
            raise KeyFileError(f"{path}: expected a key on the elliptic curve P-256, as edge-infer publish makes it")
        return RoleKey(name, CryptoSigner(key))

    # --- new keys ---

    def first(self, role: str, count: int) -> list[RoleKey]:
        """Keys for a role that has none; those in its files are taken, so that a first run may be repeated."""
        return self._made(_names(role, count))

    def next(self, role: str, count: int) -> list[RoleKey]:
        """New keys for a role; those that a rotation made before it was stopped are taken."""
        return self._made([name + _NEW for name in _names(role, count)])

    def _made(self, names: list[str]) -> list[RoleKey]:
        present = {name for name in names if os.path.lexists(os.path.join(self.folder, name))}
        return [self._key(name) if name in present else _generated(name) for name in names]

    def write(self, keys: Iterable[RoleKey]) -> list[str]:
        """Write those that are not yet; their paths."""
        new = [key for key in keys if key.is_new]
        if not new:
            return []
        os.makedirs(self.folder, 0o700, exist_ok=True)
        for key in new:
            write_new(os.path.join(self.folder, key.file), key.signer.private_bytes, _PRIVATE)
        flush_folder(Path(self.folder))
        return [os.path.join(self.folder, key.file) for key in new]

    def settle(self, role: str, ids: Iterable[str]) -> None:
        """Give a role's new keys their usual names, and the old ones theirs, once the role has the keys `ids`."""
        if not any(name.endswith(_NEW) for name in self._files(role)):
            return
        current = set(ids)
        keys = self._read(role)
        new = [key for key in keys if key.file.endswith(_NEW) and key.id in current]
        if not new:
            return
        for key in keys:
            if not key.file.endswith(_NEW) and key.id not in current:
                self._rename(key.file, f"{key.file}.old-{key.id[:8]}")
        for key in new:
            self._rename(key.file, key.file.removesuffix(_NEW))
        flush_folder(Path(self.folder))

    def _rename(self, name: str, target: str) -> None:
        os.rename(os.path.join(self.folder, name), os.path.join(self.folder, target))


def settled_name(path: str) -> str:
    """The file of a new key once it has its usual name."""
    return path.removesuffix(_NEW)


def _names(role: str, count: int) -> list[str]:
    return [f"{role}.key"] if count == 1 else [f"{role}-{number}.key" for number in range(1, count + 1)]


def _generated(name: str) -> RoleKey:
    return RoleKey(name, CryptoSigner.generate_ecdsa(), is_new=True)
