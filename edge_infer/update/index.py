"""A model's index in a channel: its releases, their files, and which share of the devices takes each. Pure."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NamedTuple

from edge_infer.errors import FormatError
from edge_infer.limits import LIMITS
from edge_infer.store.names import check_name, check_version, order_of
from edge_infer.strict_json import Node, parse
from edge_infer.update.layout import ENCRYPTED_SUFFIX, check_channel, check_file, file_name, signature_name

__all__ = ["INDEX_BYTES", "MOST_RELEASES", "Index", "IndexedRelease", "parse_index", "render_index"]

INDEX_BYTES: Final = 1 << 20
MOST_RELEASES: Final = 1_000
_FORMAT: Final = 1


class IndexedRelease(NamedTuple):
    """A published release.

    file: "titanic-1.2.0.onnx", or "titanic-1.2.0.onnx.age" where it is encrypted; signature: that of its signature,
    None where it has none; share: of the devices that take it, 0 to 1; halted: no device takes it any more;
    published: UTC, ISO 8601.
    """

    version: str
    release: int
    file: str
    signature: str | None
    share: float
    halted: bool
    published: str

    @property
    def order(self) -> tuple[int, Any]:
        """What releases are compared by."""
        return self.release, order_of(self.version)


class Index(NamedTuple):
    """The releases of a model in a channel, the highest last."""

    name: str
    channel: str
    releases: tuple[IndexedRelease, ...] = ()

    def of_version(self, version: str) -> IndexedRelease | None:
        return next((release for release in self.releases if release.version == version), None)

    def having(self, release: IndexedRelease) -> Index:
        """With this release, in the place of one of its version."""
        others = [each for each in self.releases if each.version != release.version]
        return self._replace(releases=tuple(sorted([*others, release], key=lambda each: each.order)))


def render_index(index: Index) -> bytes:
    """The index as JSON; the same index gives the same bytes."""
    head = {"format": _FORMAT, "name": index.name, "channel": index.channel}
    root = head | {"releases": [release._asdict() for release in index.releases]}
    return json.dumps(root, ensure_ascii=False, indent=1).encode() + b"\n"


def parse_index(data: bytes) -> Index:
    """Read an index strictly; unknown fields are passed over.

    Raises:
        FormatError, LimitError: not as REPOSITORY.md describes it, or above a limit.
        UnsafePathError, UsageError: a name in it is none.
    """
    root = parse(data, what="the index", most_bytes=INDEX_BYTES, most_depth=LIMITS.json_depth)
    form = root.get("format")
    if form.integer() != _FORMAT:
        raise form.fail(f"{_FORMAT}, which this version of edge-infer reads")
    name = check_name(root.get("name").text())
    releases = tuple(_release(node, name) for node in root.get("releases").list(MOST_RELEASES))
    orders = [release.order for release in releases]
    if orders != sorted(orders) or len({release.version for release in releases}) != len(releases):
        raise FormatError("$.releases: expected each version once, the highest release last")
    return Index(name, check_channel(root.get("channel").text()), releases)


def _release(node: Node, name: str) -> IndexedRelease:
    version = check_version(node.get("version").text())
    file, signature = node.get("file"), node.find("signature")
    plain = file_name(name, version)
    if check_file(file.text()) not in (plain, plain + ENCRYPTED_SUFFIX):
        raise file.fail(f"{plain!r}, or that and {ENCRYPTED_SUFFIX!r}")
    if signature is not None and signature.text() != signature_name(plain):
        raise signature.fail(repr(signature_name(plain)))
    return IndexedRelease(
        version,
        node.get("release").integer(),
        file.text(),
        signature.text() if signature else None,
        _share(node.get("share")),
        node.get("halted").boolean(),
        node.get("published").text(),
    )


def _share(node: Node) -> float:
    share = node.number()
    if not (math.isfinite(share) and 0 <= share <= 1):
        raise node.fail("a number from 0 to 1")
    return share
