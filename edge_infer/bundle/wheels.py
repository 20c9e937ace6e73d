"""The wheels of a bundle, brought by pip: for another machine than this one, and none that would not fit it."""

from __future__ import annotations

import email
import email.message
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlparse

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from edge_infer import __version__
from edge_infer.bundle.targets import Target
from edge_infer.errors import BundleError, UsageError

__all__ = ["Own", "Wheel", "collect", "own_wheel", "requirements_of"]

_NAME = "edge-infer"
_TOLD_LINES = 6  # of what pip said
_ROUNDS = 10  # of wheels that ask for wheels that this machine's markers hid


class Own(NamedTuple):
    """edge-infer's own wheel, and where it is from, for people."""

    path: Path
    origin: str


class Wheel(NamedTuple):
    """A wheel by its file; `requires` are its requirements with their markers, `metadata` its METADATA."""

    path: Path
    name: str
    version: str
    requires: tuple[Requirement, ...]
    metadata: email.message.Message

    @classmethod
    def read(cls, path: Path) -> Wheel:
        """Raises UsageError: no wheel."""
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
            with zipfile.ZipFile(path) as archive:
                inner = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
                headers = email.message_from_bytes(archive.read(inner))
            requires = tuple(Requirement(text) for text in headers.get_all("Requires-Dist") or ())
        except (InvalidWheelFilename, zipfile.BadZipFile, StopIteration, InvalidRequirement) as error:
            reason = str(error) or "a file without METADATA"
            raise UsageError(f"{path}: expected a wheel (NAME-VERSION-….whl), got {reason}") from None
        return cls(path, name, str(version), requires, headers)


def own_wheel(given: str | None, folder: Path) -> Own:
    """The wheel `given`; else that of the running installation: built from its checkout, the file that it was installed
    from, or its version from the index. A wheel that is made or brought is put into `folder`.

    Raises:
        UsageError: `given` is no wheel of edge-infer.
        BundleError: pip could not make or bring it.
    """
    if given is not None:
        if Wheel.read(Path(given)).name != _NAME:
            raise UsageError(f"--wheel: expected a wheel of {_NAME}, got {given}")
        return Own(Path(given), "the file that you gave")
    installed_from = _installed_from()
    if installed_from is not None and installed_from.is_dir():
        isolation = ["--no-build-isolation"] if find_spec("hatchling") else []  # a pinned one builds the same each time
        _pip("wheel", "--no-deps", *isolation, "--wheel-dir", folder, installed_from)
        return Own(_only(folder), f"built from {installed_from}")
    if installed_from is not None and installed_from.suffix == ".whl" and installed_from.is_file():
        return Own(installed_from, "the file that the running edge-infer was installed from")
    try:
        _pip("download", "--no-deps", "--only-binary=:all:", "--dest", folder, f"{_NAME}=={__version__}")
    except BundleError as error:
        raise BundleError(
            f"{error}\nGive the wheel of edge-infer {__version__} as --wheel FILE (make wheel builds one)"
        ) from None
    return Own(_only(folder), f"version {__version__} from the package index")


def _installed_from() -> Path | None:
    """The folder or file that the running edge-infer was installed from; None where it came from an index (PEP 610)."""
    try:
        text = metadata.distribution(_NAME).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    url = urlparse(json.loads(text)["url"]) if text else None
    return Path(unquote(url.path)) if url is not None and url.scheme == "file" else None


def _only(folder: Path) -> Path:
    return next(folder.glob("*.whl"))


def collect(own: Path, extras: Sequence[str], target: Target, constraint: str | None, folder: Path) -> list[Wheel]:
    """edge-infer with all it needs on the target, and pip, in `folder`; sorted by name.

    pip judges environment markers by this machine and Python, whatever --platform says: so the requirements are
    followed once more as the target judges them; what is missing is brought, and what is needless removed.

    Raises:
        BundleError: pip cannot bring them, or `own` does not fit the target.
    """
    bring = partial(_download, target=target, constraint=constraint, folder=folder)
    wanted = f"{own.resolve()}[{','.join(extras)}]" if extras else str(own.resolve())
    bring([wanted, "pip"])
    root = Requirement(f"{_NAME}[{','.join(extras)}]" if extras else _NAME)
    for _ in range(_ROUNDS):
        wheels = {wheel.name: wheel for wheel in map(Wheel.read, folder.glob("*.whl"))}
        needed, missing = _followed(root, wheels, target)
        if not missing:
            return _kept(wheels, needed | {"pip"})
        bring(missing)
    raise BundleError(f"after {_ROUNDS} rounds there is still no wheel for: {', '.join(missing)}")


def _download(wanted: Iterable[str], *, target: Target, constraint: str | None, folder: Path) -> None:
    platforms = [f"--platform={tag}" for tag in target.tags]
    pins = ["--constraint", constraint] if constraint else []
    version = f"--python-version={target.python}"
    _pip(
        "download", "--only-binary=:all:", *platforms, version, "--implementation=cp", *pins, "--dest", folder, *wanted
    )


def _followed(root: Requirement, wheels: dict[str, Wheel], target: Target) -> tuple[set[str], list[str]]:
    """The names of what `root` needs on the target, and requirements that no wheel meets."""
    needed, missing, todo = set[tuple[str, frozenset[str]]](), list[str](), [root]
    while todo:
        wanted = todo.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in needed:
            continue
        needed.add((name, extras))
        if name in wheels:
            todo += [each for each in wheels[name].requires if _applies(each, extras, target)]
        else:
            wanted.marker = None
            missing.append(str(wanted))
    return {name for name, _ in needed}, missing


def requirements_of(wheel: Wheel, target: Target) -> list[str]:
    """The names of what a wheel needs on the target, its extras among them, sorted."""
    extras = frozenset(wheel.metadata.get_all("Provides-Extra") or ())
    return sorted({canonicalize_name(each.name) for each in wheel.requires if _applies(each, extras, target)})


def _applies(requirement: Requirement, extras: frozenset[str], target: Target) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**target.environment, "extra": extra}) for extra in extras or {""})


def _kept(wheels: dict[str, Wheel], needed: set[str]) -> list[Wheel]:
    """Those that are needed; the files of the others are removed."""
    for name in wheels.keys() - needed:
        wheels[name].path.unlink()
    return sorted(wheels[name] for name in needed)


def _pip(*arguments: str | os.PathLike[str]) -> None:
    """Raises BundleError with the end of what pip said."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        *(os.fspath(argument) for argument in arguments),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return
    if find_spec("pip") is None:
        raise BundleError(f"{sys.executable} has no pip, which brings the wheels; install it: python -m ensurepip")
    told = [line for line in done.stderr.splitlines() if line.strip()][-_TOLD_LINES:]
    raise BundleError("\n".join([f"pip {arguments[0]} failed:", *(f"  {line}" for line in told)]))
