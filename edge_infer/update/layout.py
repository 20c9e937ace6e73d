"""What the files of a repository are called: roles, channels, metadata and targets. Pure; no I/O.

    metadata/  1.root.json … timestamp.json N.snapshot.json N.targets.json N.stable.json N.beta.json
    targets/   stable/<sha256>.titanic.json  stable/<sha256>.titanic-1.2.0.onnx  stable/<sha256>.titanic-1.2.0.onnx.sig

An encrypted release is titanic-1.2.0.onnx.age in place of titanic-1.2.0.onnx.

Each channel is a role that the role "targets" delegates to, for the target paths "CHANNEL/*"; names with a version or
a hash are those of TUF's consistent snapshots (specification, 6.2).
"""

from __future__ import annotations

import re
from typing import Final

from edge_infer.errors import UnsafePathError, UsageError
from edge_infer.store.names import check_name, check_version, is_name

__all__ = [
    "DEFAULT_CHANNEL",
    "DEFAULT_CHANNELS",
    "ENCRYPTED_SUFFIX",
    "METADATA",
    "ROLES",
    "ROOT",
    "SIGNATURE_SUFFIX",
    "SNAPSHOT",
    "TARGETS",
    "TIMESTAMP",
    "check_channel",
    "check_file",
    "file_name",
    "index_path",
    "is_channel",
    "metadata_name",
    "pattern_of",
    "signature_name",
    "stored_path",
    "target_path",
]

#: The top-level roles.
ROOT: Final = "root"
TARGETS: Final = "targets"
SNAPSHOT: Final = "snapshot"
TIMESTAMP: Final = "timestamp"
ROLES: Final = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)

#: The folder of metadata; that of targets is named as their role is.
METADATA: Final = "metadata"

DEFAULT_CHANNEL: Final = "stable"
DEFAULT_CHANNELS: Final = (DEFAULT_CHANNEL, "beta")
SIGNATURE_SUFFIX: Final = ".sig"
ENCRYPTED_SUFFIX: Final = ".age"

_CHANNEL: Final = re.compile(r"(?=.{1,32}$)[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
#: With the sha256 before it, and the number behind it while it is written, a name stays below 255 bytes.
_LONGEST: Final = 160


def is_channel(text: str) -> bool:
    """Whether it may name a channel."""
    return bool(_CHANNEL.fullmatch(text)) and text not in ROLES and is_name(text)


def check_channel(channel: str) -> str:
    """Itself. Raises UsageError where it cannot name a channel."""
    if not is_channel(channel):
        raise UsageError(
            f"{channel!r:.60} cannot name a channel: it takes words of small letters and digits with '-' between "
            f"them, at most 32 characters, and is none of {', '.join(ROLES)}"
        )
    return channel


def file_name(name: str, version: str) -> str:
    """The file of a release: "titanic-1.2.0.onnx".

    Raises:
        UnsafePathError: name or version cannot stand in a file's name, or are too long together.
    """
    return check_file(f"{check_name(name)}-{check_version(version)}.onnx")


def signature_name(file: str) -> str:
    """The file of a release's signature, which is of the model within an encrypted one: "titanic-1.2.0.onnx.sig"."""
    return file.removesuffix(ENCRYPTED_SUFFIX) + SIGNATURE_SUFFIX


def check_file(file: str) -> str:
    """Itself. Raises UnsafePathError where it is not the plain name of a release's file, or of its signature."""
    suffix = next((each for each in (SIGNATURE_SUFFIX, ENCRYPTED_SUFFIX) if file.endswith(each)), "")
    model = file.removesuffix(suffix)
    stem = model.removesuffix(".onnx")
    if not model.endswith(".onnx") or not is_name(stem.replace("+", "_")[:100]) or not _is_plain(stem):
        raise UnsafePathError(f"{file!r:.200}: expected the plain name of a release's file, as NAME-VERSION.onnx")
    if len(model + SIGNATURE_SUFFIX) > _LONGEST:
        raise UnsafePathError(f"{file!r:.200}: name and version are too long together for a file's name")
    return file


def _is_plain(stem: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", stem))


def index_path(channel: str, name: str) -> str:
    """The target path of a model's index. Raises UsageError, UnsafePathError."""
    return f"{check_channel(channel)}/{check_name(name)}.json"


def target_path(channel: str, file: str) -> str:
    """The target path of a release's file or signature. Raises UsageError, UnsafePathError."""
    return f"{check_channel(channel)}/{check_file(file)}"


def pattern_of(channel: str) -> str:
    """The target paths that a channel's role answers for."""
    return f"{check_channel(channel)}/*"


def stored_path(path: str, sha256: str) -> tuple[str, str, str]:
    """Where a target stands below the repository's folder; sha256: of its bytes, in hex."""
    channel, _, file = path.partition("/")
    return TARGETS, channel, f"{sha256}.{file}"


def metadata_name(role: str, version: int) -> str:
    """The name of a role's file; the timestamp's has no version."""
    return f"{role}.json" if role == TIMESTAMP else f"{version}.{role}.json"
