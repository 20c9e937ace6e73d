"""Files that are to be published: read and checked before a repository is looked at."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from edge_infer.artifact import decrypted, parse_artifact, read_model_file
from edge_infer.errors import FormatError, LimitError, PublishError, UsageError
from edge_infer.signing import NotSignedError, SignatureError, read_signature, signature_path
from edge_infer.signing.bundle import parse_bundle
from edge_infer.signing.statement import Statement, parse_statement
from edge_infer.update.layout import ENCRYPTED_SUFFIX, file_name

__all__ = ["Submission", "read_again", "read_submission"]


class Submission(NamedTuple):
    """An artifact that was checked, without its bytes, which may be many.

    file: what it is called in the repository; digest: sha256 of its bytes, in hex, and model: of the model within, the
    same unless it is encrypted; signature: the content of the signature file beside it, None where there is none.
    Nobody judged by whom it was signed: that is for devices.
    """

    source: str
    name: str
    version: str
    release: int
    file: str
    digest: str
    model: str
    length: int
    signature: bytes | None

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def encrypted(self) -> bool:
        return self.model != self.digest


def read_submission(path: str | os.PathLike[str], identity: str | os.PathLike[str] | None = None) -> Submission:
    """Check an artifact, and the signature beside it where there is one.

    identity: the file of a secret that opens it where it is encrypted, to read what it is; it is published as it is.

    Raises:
        UsageError, KeyFileError: it is encrypted, and there is no identity.
        UsageError: a plain ONNX file without a manifest.
        ArtifactError, SignatureError, OSError: it cannot be read, or the signature is not of it.
        UnsafePathError: its name and version cannot stand in file names.
    """
    source = os.fspath(path)
    data = read_model_file(source)
    artifact = parse_artifact(decrypted(data, identity, source=source), source=source)
    if not artifact.described:
        raise UsageError(
            f"{source}: a plain ONNX file has no name, no version and no release number; convert the model with "
            "edge-infer"
        )
    manifest = artifact.manifest
    file, digest = file_name(manifest.name, manifest.version), artifact.digest
    if artifact.data is not data:
        file, digest = file + ENCRYPTED_SUFFIX, hashlib.sha256(data).hexdigest()
    signature = _signature_beside(source)
    release = (manifest.name, manifest.version, manifest.release)
    found = Submission(source, *release, file, digest, artifact.digest, len(data), signature)
    if signature is not None:
        _check_signature(found, signature)
    return found


def read_again(submission: Submission) -> bytes:
    """Its bytes. Raises PublishError where they are no more those that were checked."""
    data = read_model_file(submission.source)
    if hashlib.sha256(data).hexdigest() != submission.digest:
        raise PublishError(f"{submission.source}: it was changed while it was being published; publish it again")
    return data


def _signature_beside(source: str) -> bytes | None:
    try:
        return read_signature(signature_path(source.removesuffix(ENCRYPTED_SUFFIX)))
    except NotSignedError:
        return None


def _check_signature(submission: Submission, signature: bytes) -> None:
    """Whether it is of these bytes under the name that devices will know them by."""
    where = signature_path(submission.source.removesuffix(ENCRYPTED_SUFFIX))
    signed = submission.file.removesuffix(ENCRYPTED_SUFFIX)
    statement = _statement(where, signature)
    if statement.digest != submission.model:
        within = "the model in " if submission.encrypted else ""
        raise SignatureError(f"it is of another file than {within}{submission.source}; sign that one again", where)
    if statement.name != signed:
        raise SignatureError(
            f"the file was signed as {statement.name!r:.200}; it is published as {signed}: name it so, and "
            "sign it again",
            where,
        )


def _statement(where: str, signature: bytes) -> Statement:
    try:
        return parse_statement(parse_bundle(signature).payload)
    except SignatureError as error:
        raise error.at(where) from None
    except (FormatError, LimitError) as error:
        raise SignatureError(str(error), where) from error
