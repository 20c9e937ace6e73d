"""What a store knows of one model: its releases, the active one and the one before, what was refused, its last event.

One JSON file holds it all and is replaced as a whole: that is the moment at which something becomes true.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from edge_infer.errors import DamagedStoreError, FormatError, LimitError
from edge_infer.store.trial import Moment, Start, Terms, Trial
from edge_infer.strict_json import Node, parse

__all__ = [
    "MOST_BYTES",
    "Event",
    "Health",
    "Refusal",
    "Release",
    "State",
    "brief",
    "parse_event",
    "parse_state",
    "plain",
    "render",
]

_FORMAT: Final = 1
MOST_BYTES: Final = 1 << 22
_MOST_DEPTH: Final = 8
_MOST_RELEASES: Final = 10_000
_MOST_REASON: Final = 2000  # characters
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_START: Final = re.compile(r"[0-9a-f]{16}")


class Health(NamedTuple):
    """That a release gave its goldens' answers on this machine, as it was then.

    fingerprint: of the machine, see `machine_fingerprint`; seconds: the median call of one row; resident: bytes of the
    process that ran it, at most.
    """

    fingerprint: str
    when: str
    seconds: float | None = None
    resident: int | None = None


class Release(NamedTuple):
    """An installed release.

    digest: sha256 of the model's bytes, in hex; release: its number, which only grows; encrypted: sha256 of the age
    file, which is what is kept of one that came encrypted.
    """

    version: str
    release: int
    digest: str
    size: int
    installed: str
    signed_by: str | None = None  # the key's fingerprint
    encrypted: str | None = None
    health: tuple[Health, ...] = ()

    def works_on(self, fingerprint: str) -> bool:
        """Whether it has been proven on such a machine."""
        return any(health.fingerprint == fingerprint for health in self.health)


class Refusal(NamedTuple):
    """What was not activated, or no longer is, and why; `circumstances`: what must change before it is tried again."""

    digest: str
    version: str
    kind: str
    reason: str
    when: str
    circumstances: str


class Event(NamedTuple):
    """What happened: who did what to which release, when (UTC), and how it went ("done" or "refused")."""

    number: int
    when: str
    who: str
    action: str
    version: str
    digest: str
    result: str
    detail: str = ""


class State(NamedTuple):
    """All that a store knows of one model.

    active: a digest; since: when it became active; history: digests of those that were active before, the last one at
    the end: that is where a rollback leads, and takes it away; trial: of the active release, until it is confirmed:
    there is one before it then.
    """

    name: str
    releases: tuple[Release, ...] = ()
    active: str | None = None
    since: str | None = None
    history: tuple[str, ...] = ()
    trial: Trial | None = None
    highest: int = 0  # the highest release number that was ever active
    highest_version: str | None = None  # … and the highest version of that number
    refusals: tuple[Refusal, ...] = ()
    event: Event | None = None  # the last one: the journal is completed from here

    @property
    def previous(self) -> str | None:
        return self.history[-1] if self.history else None

    def of_digest(self, digest: str | None) -> Release | None:
        return next((release for release in self.releases if release.digest == digest), None)

    def of_version(self, version: str) -> Release | None:
        return next((release for release in self.releases if release.version == version), None)


# --- reading ----------------------------------------------------------------------------


def parse_state(data: bytes, *, where: str) -> State:
    """Raises DamagedStoreError, with the place and the reason."""
    try:
        root = parse(data, what=where, most_bytes=MOST_BYTES, most_depth=_MOST_DEPTH)
        if root.get("format").integer(1) > _FORMAT:
            raise DamagedStoreError(f"{where}: written by a later edge-infer; update edge-infer to use this store")
        return _state(root)
    except (FormatError, LimitError) as error:
        raise DamagedStoreError(f"{where}: {error}") from error


def parse_event(line: bytes) -> Event:
    """Raises FormatError, LimitError."""
    return _event(parse(line, what="a line of the journal", most_bytes=1 << 16, most_depth=_MOST_DEPTH))


def _state(root: Node) -> State:
    event, trial = root.find("event"), root.find("trial")
    state = State(
        name=root.get("name").text(),
        releases=tuple(_release(item) for item in root.get("releases").list(_MOST_RELEASES)),
        active=_digest(root.find("active")),
        since=_text(root.find("since")),
        history=tuple(_needed_digest(item) for item in root.get("history").list(_MOST_RELEASES)),
        trial=None if trial is None else _trial(trial),
        highest=root.get("highest").integer(),
        highest_version=_text(root.find("highest_version")),
        refusals=tuple(_refusal(item) for item in root.get("refusals").list(_MOST_RELEASES)),
        event=None if event is None else _event(event),
    )
    for digest in (state.active, *state.history):
        if digest is not None and state.of_digest(digest) is None:
            raise DamagedStoreError(f"{state.name}: {digest} was active and is not installed")
    if state.trial is not None and (state.active is None or state.previous is None):
        raise DamagedStoreError(f"{state.name}: a trial without a release to go back to")
    return state


def _release(node: Node) -> Release:
    return Release(
        version=node.get("version").text(),
        release=node.get("release").integer(),
        digest=_needed_digest(node.get("digest")),
        size=node.get("size").integer(),
        installed=node.get("installed").text(),
        signed_by=_text(node.find("signed_by")),
        encrypted=_digest(node.find("encrypted")),
        health=tuple(_health(item) for item in node.get("health").list(_MOST_RELEASES)),
    )


def _health(node: Node) -> Health:
    seconds, resident = node.find("seconds"), node.find("resident")
    return Health(
        fingerprint=node.get("fingerprint").text(),
        when=node.get("when").text(),
        seconds=None if seconds is None else seconds.number(),
        resident=None if resident is None else resident.integer(),
    )


def _refusal(node: Node) -> Refusal:
    texts = {name: node.get(name).text() for name in Refusal._fields if name != "digest"}
    return Refusal(digest=_needed_digest(node.get("digest")), **texts)


def _trial(node: Node) -> Trial:
    terms = node.get("terms")
    answers, seconds, latency = (terms.find(name) for name in ("answers", "seconds", "latency"))
    counts = {name: node.get(name).integer() for name in ("answers", "errors", "slow", "crashed")}
    return Trial(
        terms=Terms(
            answers=None if answers is None else answers.integer(1),
            seconds=None if seconds is None else seconds.number(),
            errors=terms.get("errors").integer(),
            latency=None if latency is None else latency.number(),
            crashes=terms.get("crashes").integer(1),
        ),
        begun=node.get("begun").text(),
        at=_moment(node.get("at")),
        spent=node.get("spent").number(),
        last_error=node.get("last_error").text(),
        starts=tuple(_start(item) for item in node.get("starts").list(_MOST_RELEASES)),
        **counts,
    )


def _start(node: Node) -> Start:
    name, answered = node.get("name"), node.find("answered")
    if not _START.fullmatch(name.text()):  # it names a file
        raise name.fail("16 hex digits")
    return Start(name.text(), _moment(node.get("begun")), None if answered is None else answered.number())


def _moment(node: Node) -> Moment:
    return Moment(node.get("boot").text(), node.get("seconds").number())


def _event(node: Node) -> Event:
    texts = {name: node.get(name).text() for name in Event._fields if name != "number"}
    return Event(number=node.get("number").integer(1), **texts)


def _needed_digest(node: Node) -> str:
    if not _DIGEST.fullmatch(node.text()):
        raise node.fail("a sha256 in hex")
    return node.text()


def _digest(node: Node | None) -> str | None:
    return None if node is None else _needed_digest(node)


def _text(node: Node | None) -> str | None:
    return None if node is None else node.text()


# --- writing ----------------------------------------------------------------------------


def brief(text: str) -> str:
    """A reason as it is kept: whoever can make a reason long could fill the disk with it."""
    return text if len(text) <= _MOST_REASON else text[:_MOST_REASON] + "…"


def render(value: State | Event) -> bytes:
    """JSON of one line, with a line end."""
    head = {"format": _FORMAT} if isinstance(value, State) else {}
    text = json.dumps({**head, **plain(value)}, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace") + b"\n"  # of a file's name that is no UTF-8


def plain(value: Any) -> Any:
    """As JSON has it: a NamedTuple is an object."""
    if hasattr(value, "_asdict"):
        return {key: plain(item) for key, item in value._asdict().items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value
