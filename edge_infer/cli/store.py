"""`edge-infer install`, `list`, `status`, `activate`, `rollback`, `remove`, `prune`, `log`: models on this device."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from edge_infer.cli.console import Grid, dumps, printable, show_grid, wrapped, write
from edge_infer.cli.shadows import shadow_facts, shadow_objects
from edge_infer.errors import DamagedStoreError, UsageError
from edge_infer.store import Installed, Store
from edge_infer.store.gate import Limits
from edge_infer.store.here import machine_fingerprint, moment
from edge_infer.store.state import Event, Refusal, Release, State, plain
from edge_infer.store.trial import Terms, Trial, advanced, parse_terms
from edge_infer.store.updates import read_known

__all__ = [
    "activate",
    "install",
    "list_models",
    "log",
    "mark_good",
    "prune",
    "remove",
    "revoke",
    "rollback",
    "status",
    "terms_of",
    "trial_note",
    "trust",
]

_DONE = {
    "install": "active",
    "add": "installed; edge-infer activate makes it the active one",
    "repair": "repaired: its bytes had been damaged, or were encrypted otherwise",
    "none": "installed already; nothing to do",
}
_LEAD = 10  # the width of names
_SHOWN_REFUSALS = 3


def install(
    *,
    files: list[str],
    activate: bool,
    allow_breaking: bool,
    allow_older: bool,
    limits: Limits,
    signature: str | None,
    trial: Terms | None,
    identity: str | None,
    json: bool,
) -> int:
    """Each file in turn; the first that is refused ends it, and what was done before is told all the same."""
    if signature is not None and len(files) > 1:
        raise UsageError("--signature is of one file; install one at a time, or put each signature beside its file")
    store = Store(identity=identity)
    done: list[Installed] = []
    try:
        for file in files:
            found = store.install(
                file,
                activate=activate,
                allow_breaking=allow_breaking,
                allow_older=allow_older,
                limits=limits,
                signature=signature,
                trial=trial,
            )
            done.append(found)
            if not json:
                _installed(found, trial)
    finally:
        if json and done:
            write(dumps({"store": store.folder, "installed": [_installed_object(found) for found in done]}))
    return 0


def _installed(found: Installed, trial: Terms | None) -> None:
    what = _DONE[found.action] + (trial_note(found.on_trial, wanted=trial) if found.action == "install" else "")
    verdict = f" ({found.verdict} with the release before)" if found.verdict and found.changes else ""
    write(wrapped(f"{found.name}@{found.release.version}  {what}{verdict}", 2))
    for change in found.changes:
        write(f"  {wrapped(change.what, 2)}")


def _installed_object(found: Installed) -> dict[str, Any]:
    about = {
        "name": found.name,
        "action": found.action,
        "active": found.active,
        "on_trial": found.on_trial,
        "verdict": found.verdict,
    }
    return about | {"changes": [change.what for change in found.changes]} | _release_object(found.release)


def list_models(*, json: bool) -> int:
    store = Store()
    states, damaged = _all(store)
    if json:
        write(dumps(_store_object(store, states, damaged)))
        return int(bool(damaged))
    if not states and not damaged:
        write(f"no model is installed in {store.folder}; edge-infer install FILE")
        return 0
    rows = [(state.name, _active_version(state), _minute(state.since), _versions(state.releases)) for state in states]
    if rows:
        show_grid(Grid(("model", "active", "since (UTC)", "installed"), rows))
    return _show_damaged(damaged)


def status(*, name: str | None, json: bool) -> int:
    store = Store()
    states, damaged = ([store.state(name)], {}) if name else _all(store)
    if json:
        write(dumps(_store_object(store, states, damaged)))
        return int(bool(damaged))
    if not states and not damaged:
        write(f"no model is installed in {store.folder}; edge-infer install FILE")
    fingerprint = machine_fingerprint() if states else ""
    for position, state in enumerate(states):
        if position:
            write()
        _card(state, fingerprint, store.damage(state.name), shadow_facts(store, state.name))
    last = read_known(store.files).last
    if last is not None and not name:
        told = f"{_minute(last.when)} UTC ({_ago(last.when)}) from {last.source}, {last.channel}: {last.result}"
        write("\n" + wrapped(f"last update  {told}", 2))
    return _show_damaged(damaged)


def _all(store: Store) -> tuple[list[State], dict[str, str]]:
    """The models' states, and why those that are damaged cannot be read."""
    states: list[State] = []
    damaged: dict[str, str] = {}
    for name in store.names():
        try:
            states.append(store.state(name))
        except DamagedStoreError as error:
            damaged[name] = str(error)
    return states, damaged


def _show_damaged(damaged: dict[str, str]) -> int:
    """The exit code: 1 where there is any."""
    for name, reason in damaged.items():
        write(wrapped(f"{name}  damaged: {reason}", 2))
    if damaged:
        write("edge-infer remove NAME drops what cannot be read; then install the model again")
    return int(bool(damaged))


def activate(
    *, reference: str, allow_breaking: bool, allow_older: bool, trial: Terms | None, identity: str | None, json: bool
) -> int:
    store, name = Store(identity=identity), reference.partition("@")[0]
    release = store.activate(reference, allow_breaking=allow_breaking, allow_older=allow_older, trial=trial)
    return _told(name, release, "active" + trial_note(store.state(name).trial is not None, wanted=trial), json)


def mark_good(*, name: str, json: bool) -> int:
    return _told(name, Store().mark_good(name), "confirmed", json)


def terms_of(trial: str | None, errors: int, latency: float | None) -> Terms | None:
    """Of the options --trial, --trial-errors and --trial-latency (milliseconds). Raises UsageError."""
    if trial is None:
        if errors or latency is not None:
            raise UsageError("--trial-errors and --trial-latency need --trial")
        return None
    seconds = None if latency is None else latency / 1000
    return parse_terms(trial)._replace(errors=errors, latency=seconds).checked()


def rollback(*, name: str, identity: str | None, json: bool) -> int:
    return _told(name, Store(identity=identity).rollback(name), "active again", json)


def remove(*, reference: str, json: bool) -> int:
    gone = Store().remove(reference)
    if json:
        write(dumps({"removed": [_release_object(release) for release in gone]}))
    else:
        name = reference.partition("@")[0]
        write("\n".join(f"{name}@{release.version}  removed" for release in gone) or f"{name}  removed what there was")
    return 0


def prune(*, keep: int, json: bool) -> int:
    freed = Store().prune(keep)
    write(dumps({"freed_bytes": freed}) if json else f"{freed:,} bytes freed")
    return 0


def log(*, name: str, json: bool) -> int:
    events = Store().log(name)
    if json:
        write(dumps({"name": name, "events": [event._asdict() for event in events]}))
        return 0
    for event in events:
        _event(event)
    return 0


def trust(*, keys: list[str], json: bool) -> int:
    """Add keys, or show those that are there."""
    store = Store()
    for key in keys:
        store.trust(key)
    found = store.trusted()
    fingerprints = [key.fingerprint for key in found.keys] if found else []
    revoked = sorted(found.revoked) if found else []
    if json:
        write(dumps({"trusted": [each for each in fingerprints if each not in revoked], "revoked": revoked}))
        return 0
    for each in fingerprints:
        write(f"{'revoked' if each in revoked else 'trusted'}  {each}")
    if not fingerprints:
        write("no key is trusted: signatures are not looked at; edge-infer trust KEY.pub")
    return 0


def revoke(*, fingerprint: str, json: bool) -> int:
    models = Store().revoke(fingerprint)
    if json:
        write(dumps({"revoked": fingerprint, "models": models}))
    else:
        write(f"revoked; {'models that changed: ' + ', '.join(models) if models else 'no model changed'}")
    return 0


# --- what is shown ----------------------------------------------------------------------


def trial_note(on_trial: bool, *, wanted: Terms | None) -> str:
    if on_trial:
        return " on trial; edge-infer mark-good confirms it"
    return "" if wanted is None else " without a trial: there is no release before it to go back to"


def _told(name: str, release: Release, what: str, json: bool) -> int:
    if json:
        write(dumps({"name": name} | _release_object(release)))
    else:
        write(wrapped(f"{name}@{release.version}  {what}", 2))
    return 0


def _card(state: State, fingerprint: str, damage: str | None, shadows: list[str]) -> None:
    """What runs, since when, what runs beside it, what came before, what was refused and why."""
    write(f"{state.name} {_active_version(state)}")
    release, before = state.of_digest(state.active), state.of_digest(state.previous)
    if release is not None:
        _fact("active", f"since {_minute(state.since)} UTC ({_ago(state.since)})")
        if damage is not None:
            _fact("DAMAGED", damage)
        _fact("proven", _proof(release, fingerprint))
        _fact("signed", f"by the key {release.signed_by}" if release.signed_by else "no signature was checked")
        _fact("sha256", release.digest)
        if release.encrypted is not None:
            _fact("kept", "encrypted (age); decrypted in memory only")
    if state.trial is not None:
        _fact("on trial", _trial(state.trial))
    for shadow in shadows:
        _fact("shadow", shadow)
    _fact("before", before.version if before else "none: there is nothing to roll back to")
    others = [each for each in state.releases if each.digest not in (state.active, state.previous)]
    if others:
        _fact("installed", _versions(others))
    for refusal in state.refusals[-_SHOWN_REFUSALS:]:
        _fact("refused", _refusal(refusal))


def _fact(name: str, text: str) -> None:
    write(f"  {name:<{_LEAD}}{wrapped(text, _LEAD + 2)}")


def _proof(release: Release, fingerprint: str) -> str:
    health = next((each for each in release.health if each.fingerprint == fingerprint), None)
    if health is None:
        return "not on this machine as it is now; the next load replays its golden rows"
    speed = f", {health.seconds * 1e6:,.0f} µs a call" if health.seconds is not None else ""
    return f"on this machine, {_minute(health.when)} UTC{speed}"


def _trial(trial: Trial) -> str:
    """What it has done, and what decides."""
    terms, calls = trial.terms, f"{trial.answers:,}"
    wanted = f"{calls} of {terms.answers:,} calls answered" if terms.answers else f"{calls} calls answered"
    facts = [wanted, f"{trial.errors:,} failed", f"{trial.crashed} crashed"]
    if terms.seconds is not None:
        left = terms.seconds - advanced(trial, moment()).spent
        facts.append(f"{_duration(left)} left" if left > 0 else "time is over: the next load goes back")
    return ", ".join(facts) + "; edge-infer mark-good confirms it"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _refusal(refusal: Refusal) -> str:
    return f"{refusal.version}, {_minute(refusal.when)} UTC: {refusal.reason}"


def _event(event: Event) -> None:
    lead = f"{event.number:>4}  {_minute(event.when)}  {printable(event.who):<8}  "
    detail = f": {event.detail}" if event.detail else ""
    result = "" if event.result == "done" else f" {event.result}"
    write(lead + wrapped(f"{event.action} {event.version}{result}{detail}", len(lead)))


def _active_version(state: State) -> str:
    release = state.of_digest(state.active)
    return release.version if release else "(none active)"


def _versions(releases: Sequence[Release]) -> str:
    return ", ".join(release.version for release in releases)


def _minute(when: str | None) -> str:
    return "" if when is None else when[:16].replace("T", " ")


def _ago(when: str | None) -> str:
    """By the clock of now, which may be wrong on a device."""
    if when is None:
        return "unknown"
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds()
    except (ValueError, TypeError):
        return "unknown"
    if seconds < 0:
        return "by a clock that was ahead"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'s'[: count != 1]} ago"
    return "just now"


def _release_object(release: Release) -> dict[str, Any]:
    return release._asdict() | {"health": [health._asdict() for health in release.health]}


def _store_object(store: Store, states: list[State], damaged: dict[str, str]) -> dict[str, Any]:
    last = read_known(store.files).last
    models = [_state_object(state) | shadow_objects(store, state.name) for state in states]
    return {"store": store.folder, "models": models, "damaged": damaged, "update": last._asdict() if last else None}


def _state_object(state: State) -> dict[str, Any]:
    previous = state.of_digest(state.previous)
    return {
        "name": state.name,
        "active": None if state.active is None else _active_version(state),
        "digest": state.active,
        "since": state.since,
        "previous": previous.version if previous else None,
        "trial": plain(state.trial),
        "releases": [_release_object(release) for release in state.releases],
        "refusals": [refusal._asdict() for refusal in state.refusals],
    }
