"""May this release become active? What stands in its way is told, and kept with the model."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from edge_infer.artifact import Artifact
from edge_infer.errors import (
    DecryptionError,
    EdgeInferError,
    KeyFileError,
    RefusedError,
    SignatureError,
    StoreWriteError,
    UsageError,
)
from edge_infer.store import gate, here, schemas
from edge_infer.store.artifacts import Identity, read_artifact_of
from edge_infer.store.changes import check_order, kept_reason, refused
from edge_infer.store.files import Files
from edge_infer.store.gate import Limits
from edge_infer.store.records import commit, known_names, read_state
from edge_infer.store.state import Health, Refusal, Release, State

__all__ = [
    "Allowed",
    "check_follows",
    "circumstances_of",
    "health_of",
    "note_refusal",
    "note_unsigned",
    "refuse_again",
    "standing_refusal",
]


class Allowed(NamedTuple):
    """What the caller takes though it is usually refused."""

    breaking: bool
    older: bool


def check_follows(
    files: Files, state: State | None, artifact: Artifact, release: Release, allowed: Allowed, identity: Identity
) -> list[schemas.Change] | None:
    """How a release differs from the active one that it follows; None where that one cannot be read.

    Raises:
        RefusedError: it may not follow it.
        UsageError, KeyFileError, DecryptionError: the active one is encrypted, and not for this identity; where callers
            may break, nothing is compared.
    """
    if state is None:
        return []
    same = state.of_version(release.version)
    if same is not None and same.digest != release.digest:
        raise RefusedError(
            "other",
            f"{state.name}@{release.version} is installed with other content (sha256 {same.digest[:12]}…, this is "
            f"{release.digest[:12]}…): give the new model another version",
        )
    if not allowed.older and release.digest != state.active:
        check_order(state, release)
    active = state.of_digest(state.active)
    if active is None or active.digest == release.digest:
        return []
    try:
        manifest = read_artifact_of(files, active, identity).manifest
    except (UsageError, KeyFileError, DecryptionError):
        if not allowed.breaking:
            raise
        return None
    except (EdgeInferError, FileNotFoundError):  # a damaged one is no measure, and is to be replaced
        return None
    changes = schemas.compare(manifest, artifact.manifest)
    if not allowed.breaking and schemas.verdict(changes) == schemas.BREAKING:
        breaks = "\n".join(f"  {change.what}" for change in changes if change.kind == schemas.BREAKING)
        raise RefusedError(
            "breaking",
            f"{state.name}@{release.version} would break programs that call {active.version}:\n{breaks}\n"
            "If they are ready for it: --allow-breaking",
        )
    return changes


def refuse_again(files: Files, name: str, release: Release, limits: Limits | None) -> None:
    """Raises RefusedError where a release failed here before, and nothing has changed since."""
    state = read_state(files, name)
    refusal = standing_refusal(state, release.digest, limits) if state is not None else None
    if refusal is not None:
        raise RefusedError(
            refusal.kind,
            f"{name}@{release.version} was refused at {refusal.when}, and nothing has changed since: {refusal.reason}",
        )


def standing_refusal(state: State, digest: str, limits: Limits | None) -> Refusal | None:
    """Of a release that failed here, and nothing has changed since."""
    machine, known = here.machine_fingerprint(), state.of_digest(digest)
    now = {"trial": machine}
    if known is None or not known.works_on(machine):
        now["unhealthy"] = circumstances_of(limits)
    found = [each for each in state.refusals if each.digest == digest and now.get(each.kind) == each.circumstances]
    return found[-1] if found else None


def health_of(files: Files, name: str, release: Release, data: bytes, limits: Limits | None) -> Health:
    """What is known already, or found by replaying the goldens."""
    state, fingerprint = read_state(files, name), here.machine_fingerprint()
    known = state.of_digest(release.digest) if state else None
    healthy = [health for health in known.health if health.fingerprint == fingerprint] if known else []
    if healthy and limits in (None, Limits()):
        return healthy[-1]
    found = gate.check_health(data, limits)
    return Health(fingerprint, here.now(), found.seconds, found.resident)


def note_refusal(files: Files, name: str, release: Release, error: RefusedError, limits: Limits | None = None) -> None:
    """In the state and the journal of a model that is there; of others, nothing is kept."""
    try:
        with files.locked():
            state = read_state(files, name)
            if state is None:
                return
            state = refused(state, release, error, circumstances_of(limits))
            commit(files, state, "install", release, result="refused", detail=kept_reason(release, error))
    except StoreWriteError:
        pass  # the refusal itself is what the caller must see


def note_unsigned(files: Files, shown: str | None, data: bytes, error: SignatureError) -> None:
    """By the file's name alone, since nobody vouches for what is in it."""
    base = os.path.basename(shown or "").removesuffix(".onnx")
    name = max((name for name in known_names(files) if base.startswith(f"{name}-")), key=len, default=None)
    if name is not None:
        version = base.removeprefix(f"{name}-")
        release = Release(version, 0, hashlib.sha256(data).hexdigest(), len(data), here.now())
        note_refusal(files, name, release, RefusedError("unsigned", str(error)))


def circumstances_of(limits: Limits | None) -> str:
    """What must change before a release that failed is tried again."""
    return f"{here.machine_fingerprint()} {tuple(limits or Limits())}"
