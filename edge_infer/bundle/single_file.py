"""One executable file with edge-infer, all it needs and models: a PEX (https://docs.pex-tool.org), made by pex itself.

The device needs a Python of the same version, no pip, no network, and some 165 MiB in its cache, where the first start
unpacks it. pex was chosen of the well-kept tools: it takes wheels for another machine (zipapp and shiv know of this one
alone) and native libraries (which zipapp leaves in the archive, where they cannot be loaded).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.tags import compatible_tags, cpython_tags

from edge_infer.bundle.app import INDEX, PACKAGE
from edge_infer.bundle.making import Contents, contents_of, written_models
from edge_infer.bundle.sbom import ModelFile, write_sbom
from edge_infer.bundle.targets import Target
from edge_infer.bundle.wheels import collect, own_wheel
from edge_infer.errors import BundleError, MissingExtraError, UsageError
from edge_infer.files import flush_folder

__all__ = ["SingleFile", "make_single_file"]

_ENTRY: Final = "edge_infer.bundle.app:main"
_TOLD_LINES: Final = 6  # of what pex said


class SingleFile(NamedTuple):
    """What was made. names: what its commands call the models; size in bytes; digest: the file's sha256."""

    file: str
    target: Target
    version: str
    own: str
    extras: tuple[str, ...]
    names: tuple[str, ...]
    size: int
    digest: str


def make_single_file(
    output: str | os.PathLike[str],
    models: Sequence[str | os.PathLike[str]],
    target: Target,
    *,
    keys: Sequence[str | os.PathLike[str]] = (),
    extras: Sequence[str] = (),
    wheel: str | None = None,
    constraint: str | None = None,
    sbom: bool = True,
) -> SingleFile:
    """Make the file `output`, which may not be there yet. Arguments and errors as those of `make_bundle`.

    Raises MissingExtraError, too, where pex is not installed.
    """
    path = Path(output)
    if not path.parent.is_dir() or os.path.lexists(path):
        raise UsageError(
            f"--output: expected the name of a new file in a folder that is there, got {os.fspath(path)!r}"
        )
    _check_pex()
    contents = contents_of(models, keys, extras, sbom=sbom)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "wheels").mkdir()
        own = own_wheel(wheel, work)
        wheels = collect(own.path, contents.extras, target, constraint, work / "wheels")
        version = next(each.version for each in wheels if each.name == "edge-infer")
        inside = work / "sources" / PACKAGE
        inside.mkdir(parents=True)
        names = _write_models(inside, contents)
        if sbom:
            files = [ModelFile(each.name, each.data, each.manifest) for each in contents.models]
            write_sbom(inside, wheels, files, target, version)
        made = _made(work, contents.extras, target)
        digest, size = _put(made, path)
    return SingleFile(os.fspath(output), target, version, own.origin, contents.extras, names, size, digest)


def _check_pex() -> None:
    from importlib.util import find_spec

    if find_spec("pex") is None:
        raise MissingExtraError("pex", "bundle", "a single file (--single-file)")


def _write_models(inside: Path, contents: Contents) -> tuple[str, ...]:
    """Models, their signatures, and the index."""
    written_models(inside, contents.models)
    index: dict[str, str] = {}
    for model in contents.models:
        name = model.name.removesuffix(".age").removesuffix(".onnx")
        reference = name if model.reference is None else model.reference
        index |= {reference: model.name, reference.partition("@")[0]: model.name}
    (inside / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return tuple(index)


def _made(work: Path, extras: Sequence[str], target: Target) -> Path:
    """The PEX, of the wheels in `work`."""
    platform = work / "platform.json"
    platform.write_text(json.dumps(_platform(target)), encoding="utf-8")
    wanted = f"edge-infer[{','.join(extras)}]" if extras else "edge-infer"
    made = work / "made.pex"
    _pex(
        "--no-pypi", "--find-links", work / "wheels", "--complete-platform", platform, "--pex-root", work / "cache",
        "--sources-directory", work / "sources", "--entry-point", _ENTRY, "--venv", "prepend",
        "--python-shebang", f"/usr/bin/env python{target.python}", "--output-file", made, wanted,
    )  # fmt: skip
    return made


def _platform(target: Target) -> dict[str, Any]:
    """The device, as pex takes it: its markers, and the tags of wheels that fit it, the best first."""
    version = (3, target.minor)
    tags: Iterable[Any] = (
        *cpython_tags(version, platforms=target.tags),
        *compatible_tags(version, interpreter=f"cp3{target.minor}", platforms=target.tags),
    )
    return {"marker_environment": target.environment, "compatible_tags": [str(tag) for tag in tags]}


def _pex(*arguments: str | os.PathLike[str]) -> None:
    """Raises BundleError with the end of what it said."""
    command = [sys.executable, "-m", "pex", *(os.fspath(argument) for argument in arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PEX_")}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.strip()][-_TOLD_LINES:]
        raise BundleError("\n".join(["pex failed:", *(f"  {line}" for line in told)]))


def _put(made: Path, path: Path) -> tuple[str, int]:
    """Under its name, when it is whole and on the disk: its sha256 and its size."""
    import hashlib
    import shutil

    target = path.resolve()
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with open(made, "rb") as source, open(descriptor, "wb") as file:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o755)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    flush_folder(target.parent)
    with open(target, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), target.stat().st_size
