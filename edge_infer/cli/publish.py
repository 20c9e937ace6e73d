"""`edge-infer publish`: a repository of updates, made and extended."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from edge_infer.artifact import is_bare_name
from edge_infer.cli.console import Grid, dumps, show_grid, wrapped, write
from edge_infer.errors import UsageError
from edge_infer.extras import needs

if TYPE_CHECKING:
    from edge_infer.update.publisher import Change, Publication, Publisher, RoleState, Threshold

__all__ = ["Asked", "run"]

_HOURS: Final = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}
_MOST_YEARS: Final = 100
_MOST_KEYS: Final = 10
_OFFLINE: Final = ("root", "targets")

V = TypeVar("V")


class Asked(NamedTuple):
    """What one call asks for: releases, or one of the other things."""

    releases: tuple[str, ...]
    halt: tuple[str, ...]
    resume: tuple[str, ...]
    refresh: bool
    rotate: tuple[str, ...]
    channel: str
    new_channel: bool
    share: str | None
    identity: str | None = None


def run(*, folder: str, keys: str, asked: Asked, thresholds: list[str], lifetimes: list[str], json: bool) -> int:
    """The command; its exit code: 1 where devices will refuse something all the same."""
    _check_one_thing(asked)
    with needs("update", "tuf", "publishing updates"):
        import tuf  # noqa: F401  # before others of its extra are missed under another name
    from edge_infer.update.publisher import Publisher, Settings

    settings = Settings(_pairs("--threshold", thresholds, _threshold), _pairs("--expires", lifetimes, _lifetime))
    publisher = Publisher(folder, keys, settings=settings)
    done = _done(publisher, asked)
    if json:
        write(dumps(_object(done)))
    else:
        _show(done, folder, keys, roles=asked.refresh or bool(asked.rotate))
    return int(bool(done.damaged) or any(role.expired for role in done.roles))


def _check_one_thing(asked: Asked) -> None:
    given = {
        "FILE or NAME@VERSION": asked.releases,
        "--halt": asked.halt,
        "--resume": asked.resume,
        "--refresh": asked.refresh,
        "--rotate": asked.rotate,
    }
    found = [name for name, value in given.items() if value]
    if len(found) != 1:
        one = f"{' and '.join(found)} are given" if found else "nothing to publish is given"
        raise UsageError(f"expected one of {', '.join(given)}; {one}")
    if asked.share is not None and not (asked.releases or asked.resume):
        raise UsageError("--share goes with a FILE, with a published NAME@VERSION, or with --resume")
    if asked.new_channel and not asked.releases:
        raise UsageError("--new-channel goes with the first FILE of the channel")


def _done(publisher: Publisher, asked: Asked) -> Publication:
    if asked.refresh:
        return publisher.refresh()
    if asked.rotate:
        return publisher.rotate(asked.rotate)
    share = None if asked.share is None else _share(asked.share)
    if asked.halt:
        return publisher.change(asked.halt, channel=asked.channel, halted=True)
    if asked.resume:
        return publisher.change(asked.resume, channel=asked.channel, halted=False, share=share)
    references = [each for each in asked.releases if is_bare_name(each) and not os.path.exists(each)]
    if not references:
        return publisher.publish(
            asked.releases, channel=asked.channel, share=share, new_channel=asked.new_channel, identity=asked.identity
        )
    if len(references) < len(asked.releases):
        raise UsageError("expected files, or published releases as NAME@VERSION, not both in one call")
    if share is None:
        raise UsageError(f"{references[0]}: a published release; expected --share with it, or a file to publish")
    return publisher.change(references, channel=asked.channel, share=share)


# --- values -----------------------------------------------------------------------------


def _share(text: str) -> float:
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)%", text.strip())
    if match is None or float(match[1]) > 100:
        raise UsageError(f"--share: expected a percentage from 0% to 100%, such as 10%, got {text!r:.60}")
    return float(match[1]) / 100


def _pairs(option: str, texts: Sequence[str], read: Callable[[str, str], V]) -> dict[str, V]:
    pairs: dict[str, V] = {}
    for text in texts:
        role, equals, value = text.partition("=")
        if not equals or not role or role in pairs:
            raise UsageError(f"{option}: expected ROLE=VALUE, each role once, got {text!r:.60}")
        pairs[role] = read(f"{option} {role}", value)
    return pairs


def _threshold(option: str, text: str) -> Threshold:
    from edge_infer.update.publisher import Threshold

    match = re.fullmatch(r"(\d{1,3})(?:/(\d{1,3}))?", text)
    found = Threshold(int(match[1]), int(match[2] or match[1])) if match else Threshold(0, 0)
    if not 1 <= found.needed <= found.keys <= _MOST_KEYS:
        raise UsageError(
            f"{option}: expected how many keys must sign, as 2, or of how many, as 2/3, at most {_MOST_KEYS}; "
            f"got {text!r:.60}"
        )
    return found


def _lifetime(option: str, text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([hdwy])", text)
    hours = int(match[1]) * _HOURS[match[2]] if match else 0
    if not 0 < hours <= _MOST_YEARS * _HOURS["y"]:
        raise UsageError(
            f"{option}: expected a time such as 12h, 7d, 4w or 3y, at most {_MOST_YEARS}y; got {text!r:.60}"
        )
    return timedelta(hours=hours)


# --- what is shown ----------------------------------------------------------------------


def _show(done: Publication, folder: str, keys: str, *, roles: bool) -> None:
    if done.created:
        _show_made(done, folder, keys)
    elif done.new_keys:
        new = ", ".join(os.path.join(keys, os.path.basename(key)) for key in done.new_keys)
        write(f"new keys: {wrapped(new, 2)}")
    for change in done.changes:
        write(wrapped(f"{change.name}@{change.release.version}  {_told(change)}", 2))
    if done.signed and not done.changes:
        write(f"signed: {', '.join(done.signed)}")
    if roles or done.created:
        write()
        show_grid(Grid(("role", "version", "expires (UTC)", "keys"), [_row(role) for role in done.roles]))
    for role in done.roles:
        if role.near_end:
            write(wrapped(f"{role.name}: {_near_end(role)}", 2))
    for path in done.damaged:
        write(wrapped(f"{path}: missing or torn; publish the release again, from its file", 2))


def _show_made(done: Publication, folder: str, keys: str) -> None:
    channels = ", ".join(role.name for role in done.roles[4:])
    lines = (
        f"{folder}  made, with the channels {channels}",
        f"  keys: in {keys}; keep them secret, and a copy of each",
        f"  offline: {' and '.join(f'{role}*.key' for role in _OFFLINE)}; needed for --rotate, new channels, and "
        "before they expire",
        "  here: the other keys; whoever publishes needs those of the channel, of snapshot and of timestamp",
        f"  devices: {_root(folder)}, once and by a way that you trust: edge-infer update --root",
    )
    for line in lines:
        write(wrapped(line, 4))


def _told(change: Change) -> str:
    release = change.release
    devices = "all devices" if release.share == 1 else f"{release.share * 100:g}% of the devices"
    told = {
        "published": f"published in {change.channel}, for {devices}",
        "changed": f"now for {devices} of {change.channel}",
        "signed": f"published in {change.channel} with its new signature",
        "halted": f"halted in {change.channel}: no further device takes it; those that have it keep it until "
        "edge-infer rollback, or a higher release",
        "resumed": f"resumed in {change.channel}, for {devices}",
        "none": "nothing to do: it is so already",
    }[change.action]
    if release.halted and change.action != "halted":
        told += "; it is halted: --resume ends that"
    if change.action == "published" and release.signature is None:
        told += "; not signed, so that devices which trust keys refuse it (edge-infer sign, and publish it again)"
    return told


def _row(role: RoleState) -> tuple[str, str, str, str]:
    needed, keys = role.threshold
    return (
        role.name,
        str(role.version),
        f"{role.expires:%Y-%m-%d %H:%M}",
        "1" if keys == 1 else f"{needed} of {keys}",
    )


def _near_end(role: RoleState) -> str:
    when = f"{role.expires:%Y-%m-%d}"
    if role.expired:
        return f"expired on {when}: devices refuse what it signs. Bring its keys, and run --refresh"
    return f"expires on {when}; bring its keys before, and run --refresh"


def _root(folder: str) -> str:
    return os.path.join(folder, "metadata", "1.root.json")


def _object(done: Publication) -> dict[str, Any]:
    return {
        "folder": done.folder,
        "root": _root(done.folder),
        "created": done.created,
        "changes": [
            {"name": change.name, "channel": change.channel, "action": change.action} | change.release._asdict()
            for change in done.changes
        ],
        "signed": list(done.signed),
        "new_keys": list(done.new_keys),
        "roles": [_role_object(role) for role in done.roles],
        "damaged": list(done.damaged),
    }


def _role_object(role: RoleState) -> dict[str, Any]:
    told = role._asdict() | {"expires": role.expires.isoformat(), "threshold": role.threshold.needed}
    return told | {"keys": role.threshold.keys}
