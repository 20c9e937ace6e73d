"""Names of models and versions: they become names of files, so that they are few and plain."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from edge_infer.errors import UnsafePathError, UsageError

__all__ = ["Reference", "check_name", "check_version", "is_name", "order_of", "parse_reference"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
#: Windows takes these for devices, whatever follows the first dot.
_DEVICES: Final = frozenset({"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))})
_PLAIN: Final = "letters, digits, '.', '_' and '-', at most 100, the first a letter or digit"


class Reference(NamedTuple):
    """A model by name, and maybe one of its releases: "titanic", "titanic@1.2.0"."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


def parse_reference(text: str) -> Reference:
    """Raises UsageError where it is neither NAME nor NAME@VERSION."""
    name, at, version = text.partition("@")
    try:
        check_name(name)
        if at:
            check_version(version)
    except UnsafePathError as error:
        raise UsageError(f"{text!r}: expected NAME or NAME@VERSION; {error}") from None
    return Reference(name, version if at else None)


def check_name(name: str) -> str:
    """Itself. Raises UnsafePathError: it could stand for another file than the model's, on some system."""
    if not is_name(name):
        raise UnsafePathError(f"the model's name {name!r:.120} cannot name files in a store: it takes {_PLAIN}")
    return name


def is_name(text: str) -> bool:
    """Whether it may name a model's files."""
    return (
        bool(_NAME.fullmatch(text))
        and not text.endswith(".")
        and text.split(".", maxsplit=1)[0].lower() not in _DEVICES
    )


def check_version(version: str) -> str:
    """Itself. Raises UnsafePathError as `check_name` does."""
    if not _VERSION.fullmatch(version):
        raise UnsafePathError(f"the version {version!r:.120} cannot stand in a store: it takes {_PLAIN} and '+'")
    return version


def order_of(version: str) -> tuple[tuple[int, int, str], ...]:
    """What versions are sorted by: their numbers as numbers; "1.10" is above "1.9", "2.0-rc1" below "2.0".

    Semantic versioning's order of usual versions (https://semver.org, 11), made total for any other text.
    """
    main, dash, before = version.partition("+")[0].partition("-")
    parts = [_part(part, 1) for part in main.split(".")]
    while parts and parts[-1] == (1, 0, ""):  # 1.2 is 1.2.0
        parts.pop()
    if not dash:
        return (*parts, (0, 1, ""))
    return (*parts, (0, 0, ""), *(_part(part, 0) for part in before.split(".")))


def _part(text: str, kind: int) -> tuple[int, int, str]:
    if text.isascii() and text.isdigit():
        return kind, int(text), ""
    return kind + 1, 0, text
