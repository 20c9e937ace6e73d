"""onnxruntime-web for exported web apps: found on this machine, and checked against the release that is pinned.

`web_runtime.json` names the release of the npm package and, of each file that is taken from it, its size and sha256.
Of the package's builds it is the smallest that runs our operators: WebAssembly on the CPU, without WebGPU and WebGL.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from edge_infer.errors import UsageError

__all__ = ["PINNED", "Runtime", "cache_folder", "find_runtime"]

#: Names a folder or a .tgz, where --runtime is left out.
VARIABLE: Final = "EDGE_INFER_WEB_RUNTIME"
_FETCH_SECONDS: Final = 600


class _File(NamedTuple):
    name: str
    size: int  # bytes
    sha256: str


class _Pinned(NamedTuple):
    package: str
    version: str
    script: _File
    wasm: _File

    @property
    def spec(self) -> str:
        """As npm takes it."""
        return f"{self.package}@{self.version}"

    @property
    def tgz(self) -> str:
        """The file that `npm pack` writes."""
        return f"{self.package}-{self.version}.tgz"


class Runtime(NamedTuple):
    """The files of the pinned release: an ES module, and the WebAssembly that it runs."""

    script: bytes
    wasm: bytes


def _pinned() -> _Pinned:
    told = json.loads(Path(__file__).with_name("web_runtime.json").read_bytes())
    files = {name: _File(name, file["bytes"], file["sha256"]) for name, file in told["files"].items()}
    return _Pinned(told["package"], told["version"], files[told["script"]], files[told["wasm"]])


PINNED: Final = _pinned()


def find_runtime(given: str | os.PathLike[str] | None = None, *, fetch: bool = False) -> Runtime:
    """The pinned release: from `given`, else from $EDGE_INFER_WEB_RUNTIME, else from where npm puts it.

    given: the .tgz of `npm pack`, or a folder with it, with the unpacked package, or with its node_modules.
    fetch: where nothing is given and nothing found, have npm bring it: the only step that uses a network.

    Raises:
        UsageError: it is not there, or not what is pinned; or npm is not there, or fails.
    """
    named = given or os.environ.get(VARIABLE)
    if named:
        return _read(_named(Path(named)))
    found = _first(Path(), cache_folder())
    if found is None and fetch:
        _fetch()
        found = _first(cache_folder())
    if found is None:
        raise UsageError(f"{PINNED.spec} is not on this machine, and a web app needs it once.\n{_how_to_get()}")
    return _read(found)


def _named(place: Path) -> _Found:
    if not place.exists():
        raise UsageError(f"--runtime: {str(place)!r} is not there\n{_how_to_get()}")
    found = _first(place)
    if found is None:
        raise UsageError(
            f"--runtime: expected {PINNED.tgz}, or a folder that holds it or the unpacked package; {str(place)!r} has "
            f"neither\n{_how_to_get()}"
        )
    return found


def _first(*places: Path) -> _Found | None:
    return next((found for place in places for found in _candidates(place)), None)


def _fetch() -> None:
    """`npm pack` into the cache folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(f"--fetch: there is no npm on this machine\n{_how_to_get()}")
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", PINNED.spec, "--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        raise UsageError(f"--fetch: npm did not end within {_FETCH_SECONDS} seconds") from None
    if done.returncode:
        raise UsageError(f"--fetch: npm failed: {' '.join(done.stderr.split())[:400] or 'it does not say why'}")


def cache_folder() -> Path:
    """Where --fetch puts the package: edge-infer's folder of the user's cache, as this system names it."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("edge-infer", appauthor=False)) / "web"


def _how_to_get() -> str:
    return (
        f"Get it with npm, on any machine:  npm pack {PINNED.spec}\n"
        f"then export again in the folder with {PINNED.tgz}, or name it by --runtime; or let --fetch run npm."
    )


class _Found(NamedTuple):
    """`at`: a .tgz, or the folder of the two files."""

    at: Path
    packed: bool


def _candidates(place: Path) -> Iterator[_Found]:
    if place.is_file():
        yield _Found(place, packed=True)
        return
    if (place / PINNED.tgz).is_file():
        yield _Found(place / PINNED.tgz, packed=True)
    package = Path(PINNED.package)
    for folder in (Path(), Path("dist"), Path("package", "dist"), package / "dist", "node_modules" / package / "dist"):
        if (place / folder / PINNED.script.name).is_file():
            yield _Found(place / folder, packed=False)


def _read(found: _Found) -> Runtime:
    return Runtime(_checked(found, PINNED.script), _checked(found, PINNED.wasm))


def _checked(found: _Found, file: _File) -> bytes:
    data = _from_tgz(found.at, file) if found.packed else _from_folder(found.at, file)
    if len(data) != file.size:
        size = f"more than {file.size:,}" if len(data) > file.size else f"{len(data):,}"
        raise _wrong(found.at, f"{file.name} has {size} bytes, expected {file.size:,}")
    digest = hashlib.sha256(data).hexdigest()
    if digest != file.sha256:
        raise _wrong(found.at, f"{file.name} has the sha256 {digest[:12]}…, expected {file.sha256[:12]}…")
    return data


def _from_folder(folder: Path, file: _File) -> bytes:
    try:
        with open(folder / file.name, "rb") as opened:
            return opened.read(file.size + 1)
    except FileNotFoundError:
        raise _wrong(folder, f"there is no {file.name}") from None


def _from_tgz(tgz: Path, file: _File) -> bytes:
    """One member of npm's archive, not more of it than is pinned; nothing is unpacked to disk."""
    try:
        with tarfile.open(tgz, "r:gz") as archive:
            member = archive.extractfile(f"package/dist/{file.name}")
            if member is None:
                raise KeyError(file.name)
            return member.read(file.size + 1)
    except KeyError:
        raise _wrong(tgz, f"there is no {file.name}") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise _wrong(tgz, f"it cannot be read as a .tgz ({error})") from None


def _wrong(at: Path, reason: str) -> UsageError:
    return UsageError(f"{at}: this is not {PINNED.spec}: {reason}\n{_how_to_get()}")
