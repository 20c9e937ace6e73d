"""What `edge-infer bench --tune` found: the options that suit one model on this device, read back by `load`.

A record is a JSON file for one model (by sha256) and one device (by versions, CPU and usable CPUs). Where there are no
records, a load pays for one look at a folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from edge_infer.artifact import Artifact
from edge_infer.errors import ArtifactError, FormatError, UsageError
from edge_infer.limits import LIMITS, Limits
from edge_infer.options import SessionOptions

__all__ = ["Record", "check_folder", "device", "folder", "options_for", "parse_record", "path_of", "remove", "save"]

_FORMAT: Final = 1
_DIGITS: Final = 16  # of a hash in a file's name


class Record(NamedTuple):
    """digest: sha256 of the model, in hex; name: the model's, for people; fingerprint: see `device`.

    rows: of the calls that were timed; default_seconds, seconds: the median call with the defaults, and as chosen.
    """

    digest: str
    name: str
    fingerprint: dict[str, str]
    rows: int
    default_seconds: float
    seconds: float
    options: SessionOptions


# --- where ------------------------------------------------------------------------------


def folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Where the records are: $EDGE_INFER_CONFIG/tuned, or tuned in edge-infer's folder of the user's configuration.

    Source: https://specifications.freedesktop.org/basedir-spec/latest, and what macOS and Windows say of theirs.
    """
    own = environment.get("EDGE_INFER_CONFIG")
    if own:
        return os.path.join(own, "tuned")
    if platform == "win32":
        base = environment.get("APPDATA") or os.path.expanduser("~\\AppData\\Roaming")
    elif platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = environment.get("XDG_CONFIG_HOME", "")
        base = base if os.path.isabs(base) else os.path.expanduser("~/.config")  # a relative one counts as none
    return os.path.join(base, "edge-infer", "tuned")


def device() -> dict[str, str]:
    """What a record holds for: versions, the machine, its CPU, and the CPUs that the process may use."""
    from edge_infer.machine import cpu_model, usable_cpus
    from edge_infer.session import fingerprint

    return {**fingerprint(), "cpu": cpu_model(), "cpus": str(usable_cpus())}


def path_of(digest: str, fingerprint: Mapping[str, str]) -> str:
    """The file of a model's record on a device."""
    import hashlib

    told = "\n".join(f"{name}={value}" for name, value in sorted(fingerprint.items()))
    return os.path.join(folder(), f"{digest[:_DIGITS]}-{hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]}.json")


# --- reading ----------------------------------------------------------------------------


def options_for(artifact: Artifact) -> SessionOptions:
    """Those of the environment; what it does not set, of this device's record; else the defaults.

    Raises:
        UsageError: an environment variable makes no sense. A record that cannot be used is passed over.
    """
    switch = os.environ.get("EDGE_INFER_TUNED", "")
    if switch not in ("", "0", "1"):
        raise UsageError(f"EDGE_INFER_TUNED: expected 0 (use no record of bench --tune) or 1, got {switch!r}")
    recorded = None if switch == "0" else _recorded(artifact)
    return SessionOptions.from_environment(otherwise=recorded)


def _recorded(artifact: Artifact) -> SessionOptions | None:
    """Dear steps (a hash of the model, the versions) only where the step before leaves a reason for them."""
    try:
        names = os.listdir(folder())
    except OSError:  # as a rule there is none
        return None
    if not names:
        return None
    digest = artifact.digest
    if not any(name.startswith(digest[:_DIGITS]) for name in names):
        return None
    fingerprint = device()
    path = path_of(digest, fingerprint)
    if os.path.basename(path) not in names:
        return None
    try:
        return _read(path, digest, fingerprint).options
    except (OSError, ArtifactError) as error:
        _pass_over(path, error)
        return None


def _read(path: str, digest: str, fingerprint: Mapping[str, str]) -> Record:
    if not os.path.isfile(path):  # to open a pipe would wait for a writer
        raise FormatError("expected a file")
    with open(path, "rb") as file:
        record = parse_record(file.read(LIMITS.tuned_bytes + 1))
    if (record.digest, record.fingerprint) != (digest, fingerprint):
        raise FormatError("it is of another model or device, whatever its name says")
    return record


def _pass_over(path: str, error: Exception) -> None:
    import logging

    logging.getLogger(__name__).warning("%s, recorded by bench --tune, is passed over: %s", path, error)


def parse_record(text: bytes, limits: Limits = LIMITS) -> Record:
    """Raises FormatError or LimitError with the JSON path of the first mistake."""
    from edge_infer.strict_json import parse

    root = parse(text, what="the record", most_bytes=limits.tuned_bytes, most_depth=limits.json_depth)
    number = root.get("format").integer(1)
    if number > _FORMAT:
        raise FormatError(f"$.format: {number} is of a later edge-infer; this one reads {_FORMAT}")
    fingerprint = {key: node.text() for key, node in root.get("fingerprint").fields()}
    return Record(
        digest=root.get("digest").text(),
        name=root.get("name").text(),
        fingerprint=fingerprint,
        rows=root.get("rows").integer(1),
        default_seconds=root.get("default_seconds").number(),
        seconds=root.get("seconds").number(),
        options=_options(dict(root.get("options").fields()), fingerprint),
    )


def _options(fields: dict[str, Any], fingerprint: Mapping[str, str]) -> SessionOptions:
    unknown = sorted(fields.keys() - set(SessionOptions._fields))
    if unknown:
        raise FormatError(f"$.options: {unknown[0]!r:.60} is no option of this version")
    try:
        options = SessionOptions(**{name: node.value for name, node in fields.items()}).checked()
    except UsageError as error:
        raise FormatError(f"$.options.{error}") from None
    if str(options.threads) not in ("1", "all") and not _within(options.threads, fingerprint.get("cpus", "")):
        raise FormatError(f"$.options.threads: expected at most the device's CPUs, got {options.threads!r:.60}")
    return options


def _within(threads: Any, cpus: str) -> bool:
    return cpus.isascii() and cpus.isdigit() and len(cpus) < 10 and threads <= int(cpus)


# --- writing ----------------------------------------------------------------------------


def check_folder() -> None:
    """Before a search: raises UsageError where no record could be written. Nothing is made."""
    wanted = present = os.path.abspath(folder())
    while not os.path.lexists(present):
        present = os.path.dirname(present)
    if not os.path.isdir(present):
        reason = f"{present} is no folder"
    elif not os.access(present, os.W_OK | os.X_OK):
        reason = f"{present} may not be written to"
    else:
        return
    raise UsageError(
        f"no record of a search can be written into {wanted}: {reason}.\n"
        "Name a folder of yours: EDGE_INFER_CONFIG=FOLDER in the environment"
    )


def save(record: Record) -> str:
    """Write it in place of an older one of the same model and device; the file's path. Raises OSError."""
    import json

    from edge_infer.files import write_atomically

    defaults = SessionOptions()._asdict()
    changed = {name: value for name, value in record.options._asdict().items() if value != defaults[name]}
    text = json.dumps({"format": _FORMAT, **record._asdict(), "options": changed}, ensure_ascii=False, indent=2)
    path = path_of(record.digest, record.fingerprint)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    write_atomically(path, text.encode() + b"\n")
    return path


def remove(digest: str, fingerprint: Mapping[str, str]) -> bool:
    """Whether there was a record. Raises OSError where there is one that cannot be removed."""
    try:
        os.remove(path_of(digest, fingerprint))
    except FileNotFoundError:
        return False
    return True
