"""What a publication did, and how the roles stand after it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from edge_infer.update.drafting import Threshold
from edge_infer.update.index import IndexedRelease

__all__ = ["Change", "Publication", "RoleState"]


class Change(NamedTuple):
    """What was done to a release.

    action: "published", "changed" (its share), "signed" (another signature), "halted", "resumed", or "none".
    """

    name: str
    channel: str
    release: IndexedRelease
    action: str


class RoleState(NamedTuple):
    """A role after a publication. expires: UTC; near_end: less than a third of its lifetime is left."""

    name: str
    version: int
    expires: datetime
    near_end: bool
    expired: bool
    threshold: Threshold


class Publication(NamedTuple):
    """What a publication did.

    created: the repository was made; signed: the roles that were signed; new_keys: files of keys that were made;
    damaged: files in the channel that are missing or torn, by their paths.
    """

    folder: str
    created: bool
    changes: tuple[Change, ...]
    signed: tuple[str, ...]
    new_keys: tuple[str, ...]
    roles: tuple[RoleState, ...]
    damaged: tuple[str, ...] = ()
