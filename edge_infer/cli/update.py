"""`edge-infer update`: models of this device's store, from a repository."""

from __future__ import annotations

import math
import sys
from typing import Any

from edge_infer.cli.console import dumps, printable, say, wrapped, write
from edge_infer.cli.store import trial_note
from edge_infer.errors import UpdateError, UsageError
from edge_infer.store import Store
from edge_infer.store.trial import Terms
from edge_infer.update.client import Updated, update
from edge_infer.update.expiry import parse_expiry

__all__ = ["run"]


def run(
    *,
    source: str,
    names: list[str],
    root: str | None,
    channel: str,
    expiry: str,
    check: bool,
    seconds: float,
    allow_breaking: bool,
    trial: Terms | None,
    identity: str | None,
    json: bool,
) -> int:
    """1 where a model failed; the others are updated all the same."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"--seconds {seconds:g}: expected a number above 0")
    store = Store(identity=identity)
    about = {"store": store.folder, "from": source, "channel": channel, "checked": check}
    try:
        found = update(
            store,
            source,
            names,
            root=root,
            channel=channel,
            expiry=parse_expiry(expiry),
            check=check,
            seconds=seconds,
            allow_breaking=allow_breaking,
            trial=trial,
        )
    except UpdateError as error:
        if json:
            write(dumps(about | {"kind": error.kind, "reason": error.reason, "models": []}))
        raise
    if json:
        write(dumps(about | {"kind": None, "reason": None, "models": [_object(each) for each in found]}))
    else:
        _show(found, store, trial)
    return int(any(each.error is not None for each in found))


def _show(found: list[Updated], store: Store, trial: Terms | None) -> None:
    for each in found:
        if each.error is None:
            write(wrapped(f"{_named(each.name, each.version)}  {_what(each, trial)}", 2))
        else:
            sys.stdout.flush()
            say(f"error: {_named(each.name, each.version)}: {printable(each.reason)}")
        if each.halted:
            told = f"{each.before}, which is active, was halted by its publisher: edge-infer rollback {each.name}"
            write(f"  {wrapped(told, 2)}")
    if not found:
        write(wrapped(f"no model is installed in {store.folder}; edge-infer update NAME installs one", 2))


def _what(updated: Updated, trial: Terms | None) -> str:
    before = f" (before: {updated.before})" if updated.before else ""
    if updated.action == "installed":
        return f"active{before}{trial_note(updated.on_trial, wanted=trial)}"
    if updated.action == "available":
        return f"would be installed{before}"
    if updated.action == "absent":
        return updated.reason
    return f"nothing to do: {updated.reason}"


def _named(name: str, version: str | None) -> str:
    return f"{name}@{version}" if version else name


def _object(updated: Updated) -> dict[str, Any]:
    error = updated.error
    kind = None if error is None else getattr(error, "kind", type(error).__name__)
    told = {
        key: getattr(updated, key) for key in ("name", "action", "version", "before", "reason", "halted", "on_trial")
    }
    return told | {"reason": updated.reason or None, "kind": kind}
