"""A bundle, from the paths of models to a folder that is there as a whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_infer.artifact import Artifact, is_encrypted, parse_artifact, read_model_file
from edge_infer.bundle.sbom import ModelFile, check_library, write_sbom
from edge_infer.bundle.targets import OLDEST_GLIBC, Target
from edge_infer.bundle.wheels import Wheel, collect, own_wheel
from edge_infer.errors import UsageError
from edge_infer.files import flush_folder
from edge_infer.manifest import Manifest
from edge_infer.store.names import check_name, check_version

if TYPE_CHECKING:
    from edge_infer.signing import PublicKey

__all__ = ["Bundle", "Contents", "contents_of", "make_bundle", "written_models"]

_SUMS: Final = "SHA256SUMS"
_EXTRAS: Final = ("batch", "secure", "update")
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")  # what a file's name may be, for any stick and shell


class Bundle(NamedTuple):
    """What was made. `sizes` are bytes by file, `size` all of them; `digest` is the sha256 of SHA256SUMS, which names
    every other file: whoever has it from another place than the stick can tell that the stick is whole."""

    folder: str
    target: Target
    version: str
    own: str
    extras: tuple[str, ...]
    models: tuple[str, ...]
    keys: tuple[str, ...]
    sizes: dict[str, int]
    digest: str

    @property
    def size(self) -> int:
        return sum(self.sizes.values())


class _Model(NamedTuple):
    """A model as it goes into the bundle: what its file is named, its bytes, its signature, and a row to ask it."""

    name: str
    data: bytes
    signature: bytes | None
    reference: str | None  # NAME@VERSION; None where it is encrypted
    row: bytes | None
    manifest: Manifest | None


def make_bundle(
    output: str | os.PathLike[str],
    models: Sequence[str | os.PathLike[str]],
    target: Target,
    *,
    keys: Sequence[str | os.PathLike[str]] = (),
    extras: Sequence[str] = (),
    wheel: str | None = None,
    constraint: str | None = None,
    sbom: bool = True,
) -> Bundle:
    """Make the folder `output`, which may not be there yet, or must be empty.

    keys: public keys that the device shall trust; each model must be signed by one of them then. extras: "secure" is
    added where there are keys, signatures or encrypted models; wheel: edge-infer's own, see `wheels.own_wheel`;
    constraint: a file of versions, as pip takes it; sbom: write the bill of materials, `sbom.cdx.json`.

    Raises:
        UsageError: there is something at `output`, or an argument does not serve.
        ArtifactError, SignatureError, KeyFileError: a device would refuse the model, or the key.
        BundleError: pip could not bring a wheel that fits.
        MissingExtraError: the library that writes the bill of materials is not installed.
    """
    folder = Path(output)
    _check_free(folder)
    contents = contents_of(models, keys, extras, sbom=sbom)
    read, trusted, needed = contents
    with _new_folder(folder) as made, tempfile.TemporaryDirectory() as built:
        own = own_wheel(wheel, Path(built))
        (made / "wheels").mkdir()
        wheels = collect(own.path, needed, target, constraint, made / "wheels")
        _write_contents(made, read, trusted)
        version = next(each.version for each in wheels if each.name == "edge-infer")
        _write_texts(made, wheels, needed, target, version)
        if sbom:
            write_sbom(made, wheels, [ModelFile(each.name, each.data, each.manifest) for each in read], target, version)
        digest = _write_sums(made)
        sizes = {name: (made / name).stat().st_size for name in _files(made)}
        _flush(made)
    fingerprints = tuple(key.fingerprint for key in trusted)
    told = tuple(model.name for model in read)
    return Bundle(os.fspath(output), target, version, own.origin, needed, told, fingerprints, sizes, digest)


# --- what goes in -----------------------------------------------------------------------


class Contents(NamedTuple):
    """Models as they go in, the keys that the device shall trust, and edge-infer's extras."""

    models: list[_Model]
    keys: list[PublicKey]
    extras: tuple[str, ...]


def contents_of(
    models: Sequence[str | os.PathLike[str]],
    keys: Sequence[str | os.PathLike[str]],
    extras: Sequence[str],
    *,
    sbom: bool,
) -> Contents:
    """Read and judged. Raises as `make_bundle`."""
    if sbom:
        check_library()
    if not models:
        raise UsageError("expected at least one model: edge-infer bundle MODEL...")
    trusted = _keys(keys)
    read = [_model(os.fspath(model), trusted) for model in models]
    _check_different(read)
    encrypted = any(is_encrypted(model.data) for model in read)
    return Contents(read, trusted, _extras(extras, secure=bool(trusted) or encrypted))


def _keys(paths: Sequence[str | os.PathLike[str]]) -> list[PublicKey]:
    if not paths:
        return []
    from edge_infer.signing import PublicKey

    return list(dict.fromkeys(PublicKey.read(path) for path in paths))


def _model(path: str, trusted: Sequence[PublicKey]) -> _Model:
    """Read and judged as the device will; an encrypted one can only be opened there."""
    data, name = read_model_file(path), os.path.basename(path)
    if not _PLAIN.fullmatch(name):
        raise UsageError(f"{path}: a file in a bundle is named by letters, digits, '.', '_', '+' and '-'; rename it")
    signed = path.removesuffix(".age") if is_encrypted(data) else path
    signature = _signature(signed, data, trusted)
    if is_encrypted(data):
        return _Model(name, data, signature, None, None, None)
    artifact = parse_artifact(data, source=path)
    if not artifact.described:
        raise UsageError(f"{path}: a plain ONNX file has no name and no golden rows; convert the model with edge-infer")
    reference = f"{check_name(artifact.manifest.name)}@{check_version(artifact.manifest.version)}"
    return _Model(name, data, signature, reference, _golden_row(artifact), artifact.manifest)


def _signature(model: str, data: bytes, trusted: Sequence[PublicKey]) -> bytes | None:
    """The file beside the model; where keys are trusted, one of them must have made it."""
    path = f"{model}.sig"
    if not trusted:
        return Path(path).read_bytes() if os.path.exists(path) else None
    from edge_infer.signing import SignatureError, read_signature, verify

    try:
        signature = read_signature(path)
        if not is_encrypted(data):
            verify(data, signature, list(trusted), name=os.path.basename(model))
    except SignatureError as error:
        raise error.at(model) from None
    return signature


def _golden_row(artifact: Artifact) -> bytes | None:
    """The first golden row as `predict` takes it; None where the file has none."""
    goldens = artifact.goldens()
    if goldens is None:
        return None
    names = (column.name for column in artifact.manifest.inputs.columns)
    return json.dumps(dict(zip(names, goldens.rows[0], strict=True))).encode()


def _check_different(models: Sequence[_Model]) -> None:
    """One release of each model, since the order of two would decide which is active."""
    seen: set[str] = set()
    for model in models:
        name = model.name if model.reference is None else model.reference.partition("@")[0]
        if name in seen:
            raise UsageError(f"{model.name}: the bundle has a release of {name} already; give one of each model")
        seen.add(name)


def _extras(wanted: Sequence[str], *, secure: bool) -> tuple[str, ...]:
    for extra in wanted:
        if extra not in _EXTRAS:
            raise UsageError(f"--extra: expected one of {', '.join(_EXTRAS)}, got {extra!r:.100}")
    return tuple(extra for extra in _EXTRAS if extra in wanted or (secure and extra == "secure"))


# --- what is written --------------------------------------------------------------------


def _write_contents(made: Path, models: Sequence[_Model], keys: Iterable[PublicKey]) -> None:
    for name in ("models", "rows", "keys"):
        (made / name).mkdir()
    written_models(made / "models", models)
    for model in models:
        if model.row is not None:
            (made / "rows" / f"{model.reference}.json").write_bytes(model.row)
    for key in keys:
        (made / "keys" / f"{key.fingerprint[:16]}.pub").write_bytes(key.pem)


def written_models(folder: Path, models: Iterable[_Model]) -> None:
    """Each beside its signature."""
    for model in models:
        (folder / model.name).write_bytes(model.data)
        if model.signature is not None:
            (folder / f"{model.name.removesuffix('.age')}.sig").write_bytes(model.signature)


def _write_texts(made: Path, wheels: Sequence[Wheel], extras: Sequence[str], target: Target, version: str) -> None:
    """The versions with their hashes, so that pip takes no other wheel, and the texts of this package, filled in."""
    pinned = (_pinned(wheel, extras) for wheel in wheels if wheel.name != "pip")
    (made / "requirements.txt").write_text("".join(pinned), encoding="ascii")
    facts = {"VERSION": version, "PYTHON": target.python, "MACHINE": target.machine, "GLIBC": f"2.{OLDEST_GLIBC}"}
    for name in ("install.sh", "README.txt"):
        text = Path(__file__).with_name(name).read_text(encoding="utf-8")
        for word, fact in facts.items():
            text = text.replace(f"@{word}@", fact)
        (made / name).write_text(text, encoding="utf-8")
    (made / "install.sh").chmod(0o755)


def _pinned(wheel: Wheel, extras: Sequence[str]) -> str:
    chosen = f"[{','.join(extras)}]" if wheel.name == "edge-infer" and extras else ""
    return f"{wheel.name}{chosen}=={wheel.version} --hash=sha256:{_digest(wheel.path)}\n"


def _write_sums(made: Path) -> str:
    """SHA256SUMS as `sha256sum -c` reads it; its own sha256."""
    lines = [f"{_digest(made / name)}  {name}\n" for name in _files(made)]
    (made / _SUMS).write_text("".join(lines), encoding="ascii")
    return _digest(made / _SUMS)


def _files(made: Path) -> list[str]:
    return sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- the folder -------------------------------------------------------------------------


def _check_free(folder: Path) -> None:
    if not folder.parent.is_dir():
        raise UsageError(f"--output: expected an existing folder to make it in, got {os.fspath(folder.parent)!r}")
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"--output: {os.fspath(folder)!r} is there already; choose another name, or remove it first")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder`, which takes its name at the end; nothing is left where that is not reached."""
    target = folder.resolve()
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        yield made
        made.chmod(0o755)
        os.replace(made, target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    flush_folder(target.parent)


def _flush(made: Path) -> None:
    """All of it onto the disk, so that the new name never stands for a part."""
    for path in [*made.rglob("*"), made]:
        if path.is_dir():
            flush_folder(path)
        else:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
