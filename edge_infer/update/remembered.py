"""How far a repository was published with a folder of keys: `published.json` there.

A repository that is older than that was put back, from a backup or by somebody who can write its folder. What is signed
on top of it would undo halts and releases, and devices would refuse it, which have seen higher versions.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import Final

from edge_infer.errors import FormatError, KeyFileError, LimitError, PublishError
from edge_infer.files import write_atomically
from edge_infer.limits import LIMITS
from edge_infer.strict_json import parse

__all__ = ["check_not_older", "remember"]

_FILE: Final = "published.json"


def check_not_older(keys: str, repository: str, first_root: bytes, version: int) -> None:
    """version: of the timestamp; first_root: the bytes of `1.root.json`, by which repositories are told apart.

    Raises:
        PublishError: a higher version was published before.
        KeyFileError: what is remembered cannot be read.
    """
    before = _read(keys).get(_id(first_root), 0)
    if version < before:
        raise PublishError(
            f"{repository}: this is version {version} of its timestamp, but version {before} was published with the "
            f"keys in {keys}: an older copy was put back. Bring the newest one (that of the server, if nobody else can "
            "write there): devices that have seen it refuse anything older. Nothing was written"
        )


def remember(keys: str, first_root: bytes, version: int) -> None:
    """This version was published; where the folder of keys cannot be written, nothing is remembered."""
    before, name = _read(keys), _id(first_root)
    if before.get(name) != version:
        with suppress(OSError):
            write_atomically(os.path.join(keys, _FILE), json.dumps(before | {name: version}, indent=1).encode())


def _read(keys: str) -> dict[str, int]:
    path = os.path.join(keys, _FILE)
    try:
        with open(path, "rb") as file:
            data = file.read(LIMITS.key_bytes + 1)
        root = parse(data, what="it", most_bytes=LIMITS.key_bytes, most_depth=LIMITS.json_depth)
        return {name: node.integer() for name, node in root.fields()}
    except FileNotFoundError:
        return {}
    except (FormatError, LimitError) as error:
        raise KeyFileError(f"{path}: {error}; remove it if you know that the repository is the newest") from error


def _id(first_root: bytes) -> str:
    return hashlib.sha256(first_root).hexdigest()
