"""New metadata of a repository, signed in memory; nothing is written here.

A role's lifetime, in seconds, stands in its own metadata (`x-edge-infer-lifetime`; readers of TUF pass over fields
that they do not know), so that a role is signed again for as long as it was the first time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from edge_infer.errors import PublishError, UsageError
from edge_infer.extras import needs
from edge_infer.store.files import Path
from edge_infer.update.keyring import Keyring, RoleKey
from edge_infer.update.layout import (
    METADATA,
    ROLES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    metadata_name,
    pattern_of,
)
from edge_infer.update.repository import Repository

with needs("update", "tuf", "publishing updates"):
    from tuf.api.metadata import (
        DelegatedRole,
        Delegations,
        Metadata,
        MetaFile,
        Root,
        Snapshot,
        TargetFile,
        Targets,
        Timestamp,
    )

__all__ = ["LIFETIMES", "Draft", "Settings", "Threshold", "first_repository", "is_near_end"]

_DAY: Final = timedelta(days=1)
#: How long each role holds; a channel holds as long as "targets". Devices may be offline for long.
LIFETIMES: Final = {ROOT: 3 * 365 * _DAY, TARGETS: 365 * _DAY, SNAPSHOT: 90 * _DAY, TIMESTAMP: 30 * _DAY}
_LIFETIME: Final = "x-edge-infer-lifetime"


class Threshold(NamedTuple):
    """How many of a role's keys must sign, of how many."""

    needed: int = 1
    keys: int = 1


class Settings(NamedTuple):
    """What the caller asks of roles, by their names; of others, what holds stays."""

    thresholds: Mapping[str, Threshold] = {}
    lifetimes: Mapping[str, timedelta] = {}

    def check(self, roles: Collection[str]) -> None:
        """Raises UsageError for a role that there is not."""
        for name in [*self.thresholds, *self.lifetimes]:
            if name not in roles:
                raise UsageError(f"there is no role {name!r}; expected one of {', '.join(roles)}")


def first_repository(keyring: Keyring, channels: Iterable[str], settings: Settings) -> tuple[Repository, list[RoleKey]]:
    """A repository without releases that nothing is signed of yet, and its keys."""
    channels = list(channels)
    named = {channel: DelegatedRole(channel, [], 1, True, [pattern_of(channel)]) for channel in channels}
    targets = Targets(delegations=Delegations({}, named))
    root, keys = Root(), []
    for role in (*ROLES, *channels):
        threshold = settings.thresholds.get(role, Threshold())
        made = keyring.first(role, threshold.keys)
        _name_keys(root if role in ROLES else targets, role, made, threshold.needed)
        keys += made
    repository = Repository(
        Metadata(root),
        Metadata(Timestamp()),
        Metadata(Snapshot()),
        Metadata(targets),
        {channel: Metadata(Targets()) for channel in channels},
    )
    return repository, keys


def is_near_end(signed: Any, now: datetime) -> bool:
    """Whether less than a third of a role's lifetime is left."""
    return bool(signed.expires - now < lifetime_of(signed) / 3)


def lifetime_of(signed: Any) -> timedelta:
    """How long a role's metadata holds from its signature on."""
    told = signed.unrecognized_fields.get(_LIFETIME)
    return timedelta(seconds=told) if type(told) is int else LIFETIMES.get(signed.type, LIFETIMES[TARGETS])


def _name_keys(delegator: Root | Targets, role: str, keys: Iterable[RoleKey], threshold: int) -> None:
    """The role has these keys from now on, and no others."""
    named = delegator.roles[role] if isinstance(delegator, Root) else _roles(delegator)[role]
    for keyid in list(named.keyids):
        delegator.revoke_key(keyid, role)
    for key in keys:
        delegator.add_key(key.signer.public_key, role)
    named.threshold = threshold


def _roles(targets: Targets) -> dict[str, DelegatedRole]:
    assert targets.delegations is not None and targets.delegations.roles is not None  # noqa: PT018 - as read or made
    return targets.delegations.roles


class Draft:
    """Changes to a repository: roles are marked as changed, then signed together, each after what it depends on.

    The signed files are put in an order in which each state of the folder is a valid repository: the channels,
    targets, snapshot, timestamp, and then the root, for which the others are signed by old and new keys.
    """

    def __init__(self, repository: Repository, keyring: Keyring, settings: Settings, now: datetime) -> None:
        self.repository = repository
        self.new_keys: list[RoleKey] = []
        self._keyring, self._settings, self._now = keyring, settings, now
        self._root_before = deepcopy(repository.root)
        self._changed: set[str] = set(settings.lifetimes)

    def change(self, *roles: str) -> None:
        """These are signed anew."""
        self._changed |= set(roles)

    # --- what changes ---

    def put_target(self, channel: str, target: TargetFile) -> None:
        """A channel lists a target, in the place of one of its path."""
        self.repository.channels[channel].signed.targets[target.path] = target
        self.change(channel)

    def add_channel(self, channel: str) -> None:
        """One more, with keys of its own."""
        threshold = self._settings.thresholds.get(channel, Threshold())
        made = self._keyring.first(channel, threshold.keys)
        targets = self.repository.targets.signed
        _roles(targets)[channel] = DelegatedRole(channel, [], 1, True, [pattern_of(channel)])
        _name_keys(targets, channel, made, threshold.needed)
        first = Targets()
        first.version = 0  # which the first signature makes 1
        self.repository.channels[channel] = Metadata(first)
        self.new_keys += made
        self.change(TARGETS, channel)

    def rotate(self, role: str) -> None:
        """New keys for a role, as many as before or as the settings say."""
        ids, needed = self.repository.keys_of(role)
        threshold = self._settings.thresholds.get(role, Threshold(needed, len(ids)))
        made = self._keyring.next(role, threshold.keys)
        top = role in ROLES
        _name_keys(self.repository.root.signed if top else self.repository.targets.signed, role, made, threshold.needed)
        self.new_keys += made
        self.change(role, ROOT if top else TARGETS)

    # --- signing ---

    def sign_first(self) -> list[tuple[Path, bytes]]:
        """All roles of a new repository, in version 1."""
        for role in self.repository.roles():
            self.repository.metadata(role).signed.version = 0
        self.change(*self.repository.roles())
        return self.sign()

    def sign(self) -> list[tuple[Path, bytes]]:
        """The files to write, in this order.

        Raises:
            KeyFileError: a role's keys are not here.
        """
        roots = self._authorities()
        written = [self._channel(channel) for channel in self.repository.channels if channel in self._changed]
        if TARGETS in self._changed:
            written.append(self._listed(TARGETS, roots))
        if written or SNAPSHOT in self._changed:
            written += [self._snapshot(roots), self._timestamp(roots)]
        elif TIMESTAMP in self._changed:
            written.append(self._timestamp(roots))
        if ROOT not in self._changed:
            return written
        root = self._root()
        return [*written, root] if len(roots) > 1 else [root, *written]

    def _authorities(self) -> list[Root]:
        """The roots by which top-level roles must hold: a device may still have the one before.

        Where the keys of a rotated role are lost, the new root alone.
        """
        before, after = self._root_before.signed, self.repository.root.signed
        if before.roles == after.roles:
            return [after]
        for role in (TARGETS, SNAPSHOT, TIMESTAMP):
            named = before.roles[role]
            if named != after.roles[role] and len(self._keyring.of(role, named.keyids)) < named.threshold:
                return [after]
        return [before, after]

    def _channel(self, channel: str) -> tuple[Path, bytes]:
        return self._listed(channel, [self.repository.targets.signed])

    def _listed(self, role: str, authorities: list[Root] | list[Targets]) -> tuple[Path, bytes]:
        """A role that the snapshot lists."""
        path, data = self._signed(role, authorities)
        version = self.repository.metadata(role).signed.version
        self.repository.snapshot.signed.meta[f"{role}.json"] = MetaFile.from_data(version, data, ["sha256"])
        return path, data

    def _snapshot(self, roots: list[Root]) -> tuple[Path, bytes]:
        path, data = self._signed(SNAPSHOT, roots)
        version = self.repository.snapshot.signed.version
        self.repository.timestamp.signed.snapshot_meta = MetaFile.from_data(version, data, ["sha256"])
        return path, data

    def _timestamp(self, roots: list[Root]) -> tuple[Path, bytes]:
        return self._signed(TIMESTAMP, roots)

    def _root(self) -> tuple[Path, bytes]:
        """By the keys of the root before, and its own (specification, 6.1)."""
        return self._signed(ROOT, [self._root_before.signed, self.repository.root.signed])

    def _signed(self, role: str, authorities: list[Root] | list[Targets]) -> tuple[Path, bytes]:
        """A version more, signed by as many keys as each of the authorities asks for."""
        metadata = self.repository.metadata(role)
        signed = metadata.signed
        lifetime = self._settings.lifetimes.get(role) or lifetime_of(signed)
        signed.unrecognized_fields[_LIFETIME] = round(lifetime.total_seconds())
        signed.version += 1
        signed.expires = self._now.replace(microsecond=0) + lifetime
        metadata.signatures.clear()
        for key in self._signers(role, authorities):
            metadata.sign(key.signer, append=True)
        for authority in authorities:
            authority.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        return (METADATA, metadata_name(role, signed.version)), metadata.to_bytes()

    def _signers(self, role: str, authorities: list[Root] | list[Targets]) -> list[RoleKey]:
        new = {key.id: key for key in self.new_keys}
        signers: dict[str, RoleKey] = {}
        for authority in authorities:
            named = authority.roles[role] if isinstance(authority, Root) else _roles(authority)[role]
            made = [new[keyid] for keyid in named.keyids if keyid in new]
            found = made or self._keyring.enough(role, named.keyids, named.threshold)
            signers |= {key.id: key for key in found}
        if not signers:
            raise PublishError(f"the role {role!r} has no keys")
        return list(signers.values())
