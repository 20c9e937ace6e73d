"""What shadows have found, a file for each candidate: `models/NAME/shadow-DIGEST.json`, of all processes together.

It holds against one active release: when another one is active, it begins anew.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from edge_infer.errors import DamagedStoreError, FormatError, LimitError, UnsafePathError
from edge_infer.events import report_event
from edge_infer.histogram import Histogram
from edge_infer.store.agreement import Agreement
from edge_infer.store.files import Files, Path
from edge_infer.store.here import now
from edge_infer.store.names import check_name
from edge_infer.store.records import read_state
from edge_infer.store.state import State, brief
from edge_infer.strict_json import Node, parse

__all__ = ["Shadow", "add", "forget_shadows", "plain_shadow", "read_shadows"]

_FORMAT: Final = 1
_MOST_BYTES: Final = 1 << 17
_MOST_DEPTH: Final = 6
_MOST_COUNT: Final = 1 << 62
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_DIGITS: Final = 12  # of the digest, in the file's name
_FILE: Final = re.compile(rf"shadow-[0-9a-f]{{{_DIGITS}}}\.json")
_WHOLE: Final = ("rows", "agreeing", "numbers", "errors", "dropped")


class Shadow(NamedTuple):
    """How a candidate did beside the active release.

    digest, against: of the candidate, and of the release that was active; since, until: UTC, by the device's clock.
    """

    digest: str
    version: str
    against: str
    since: str
    until: str
    agreement: Agreement


def read_shadows(files: Files, state: State) -> list[Shadow]:
    """Of installed candidates, against the release that is active now. Raises DamagedStoreError, with the file."""
    found = [(release, _read(files, _path(state.name, release.digest))) for release in state.releases]
    return [
        shadow._replace(version=release.version)
        for release, shadow in found
        if shadow is not None and shadow.digest == release.digest and _holds(state, shadow)
    ]


def _holds(state: State, shadow: Shadow) -> bool:
    return shadow.against == state.active and state.of_digest(shadow.digest) is not None


def add(files: Files, name: str, digest: str, against: str, agreement: Agreement) -> None:
    """What one process has found; nothing where the candidate is gone, or another release is active. Takes the lock.

    Raises StoreWriteError.
    """
    with files.locked():
        state = read_state(files, name)
        release = None if state is None else state.of_digest(digest)
        if state is None or release is None or state.active != against:
            return
        path = _path(name, digest)
        try:
            known = _read(files, path)
        except (DamagedStoreError, UnsafePathError) as error:
            report_event("store", f"a shadow's record begins anew: {error}")
            known = None
        if known is None or not _holds(state, known) or known.digest != digest:
            known = Shadow(digest, release.version, against, now(), now(), Agreement())
        files.replace(path, _render(known._replace(until=now(), agreement=known.agreement.plus(agreement))))


def forget_shadows(files: Files, state: State) -> None:
    """Remove the records that hold no more, and those that cannot be read. For writers."""
    for file in files.names("models", state.name):
        path = ("models", state.name, file)
        if not _FILE.fullmatch(file):
            continue
        try:
            known = _read(files, path)
        except (DamagedStoreError, UnsafePathError):
            known = None
        if known is None or not _holds(state, known) or path != _path(state.name, known.digest):
            files.remove(*path)


def plain_shadow(shadow: Shadow) -> dict[str, Any]:
    """For people's programs: quantiles rather than buckets."""
    agreement = shadow.agreement
    facts = {key: value for key, value in agreement._asdict().items() if key not in ("active", "candidate", "total")}
    about = {key: value for key, value in shadow._asdict().items() if key != "agreement"}
    latency = {side: _quantiles(getattr(agreement, side)) for side in ("active", "candidate")}
    return about | facts | {"share": agreement.share, "mean": agreement.mean, "seconds": latency}


def _quantiles(histogram: Histogram) -> dict[str, float | None]:
    return {"p50": histogram.quantile(0.5), "p99": histogram.quantile(0.99), "max": histogram.quantile(1.0)}


def _path(name: str, digest: str) -> Path:
    return "models", check_name(name), f"shadow-{digest[:_DIGITS]}.json"


# --- reading and writing ----------------------------------------------------------------


def _read(files: Files, path: Path) -> Shadow | None:
    """None where there is none. Raises DamagedStoreError, UnsafePathError."""
    where = files.shown(path)
    try:
        return _shadow(
            parse(files.read(*path, most=_MOST_BYTES), what=where, most_bytes=_MOST_BYTES, most_depth=_MOST_DEPTH)
        )
    except FileNotFoundError:
        return None
    except (FormatError, LimitError) as error:
        raise DamagedStoreError(f"{where}: {error}; edge-infer prune removes it") from error


def _shadow(root: Node) -> Shadow:
    if root.get("format").integer(1) > _FORMAT:
        raise root.get("format").fail(f"at most {_FORMAT}: it was written by a later edge-infer")
    return Shadow(
        digest=_digest(root.get("digest")),
        version=root.get("version").text(),
        against=_digest(root.get("against")),
        since=root.get("since").text(),
        until=root.get("until").text(),
        agreement=_agreement(root.get("agreement")),
    )


def _agreement(node: Node) -> Agreement:
    counts = {name: _count(node.get(name)) for name in _WHOLE}
    if counts["agreeing"] > counts["rows"]:
        raise node.get("agreeing").fail("at most as many as rows")
    real = {name: _size(node.get(name)) for name in ("total", "largest")}
    sides = {name: Histogram.parse(node.get(name)) for name in ("active", "candidate")}
    return Agreement(**counts, **real, **sides, last_error=brief(node.get("last_error").text()))  # type: ignore[arg-type]


def _count(node: Node) -> int:
    if node.integer() > _MOST_COUNT:
        raise node.fail(f"at most {_MOST_COUNT}")
    return node.integer()


def _size(node: Node) -> float:
    if node.number() < 0:
        raise node.fail("a number ≥ 0")
    return node.number()


def _digest(node: Node) -> str:
    if not _DIGEST.fullmatch(node.text()):
        raise node.fail("a sha256 in hex")
    return node.text()


def _render(shadow: Shadow) -> bytes:
    agreement = shadow.agreement._asdict()
    sides = {name: agreement[name].plain() for name in ("active", "candidate")}
    document = {"format": _FORMAT, **shadow._asdict(), "agreement": agreement | sides}
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace") + b"\n"
