"""An artifact: the bytes of an ONNX file, scanned and checked before any session exists. No I/O but `read_artifact`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from edge_infer.errors import ArtifactError, GraphMismatchError, LimitError, RuntimeFitError
from edge_infer.interface import TENSOR_TYPES, Interface
from edge_infer.limits import LIMITS, Limits
from edge_infer.manifest import (
    KEY_GOLDENS,
    KEY_MANIFEST,
    KEY_PARITY,
    KEY_REFERENCE,
    KEY_TENSOR_GOLDENS,
    Manifest,
    Output,
    Tensor,
    parse_manifest,
)
from edge_infer.scan import ModelFacts, TensorInfo, check_contents, scan
from edge_infer.strict_json import parse

if TYPE_CHECKING:
    from edge_infer.goldens import Goldens
    from edge_infer.tensor_goldens import TensorGoldens

__all__ = [
    "Artifact",
    "decrypted",
    "is_bare_name",
    "is_encrypted",
    "naming",
    "parse_artifact",
    "read_artifact",
    "read_model_file",
]

_AGE = b"age-encryption.org/v1\n"
_ELEM_TYPES = {"float32": 1, "int64": 7, "string": 8, "float64": 11}


class Artifact(NamedTuple):
    """Checked bytes and what they say of themselves.

    `described` tells whether the file has a manifest; a plain ONNX file gets one from its graph.
    `identity` is the file of the secret that decrypted `data`, where one was given.
    """

    data: bytes
    facts: ModelFacts
    manifest: Manifest
    described: bool
    source: str | None = None
    identity: str | None = None

    @property
    def digest(self) -> str:
        """sha256 of the bytes, in hex."""
        import hashlib  # loads OpenSSL: only when asked for

        return hashlib.sha256(self.data).hexdigest()

    def goldens(self, limits: Limits = LIMITS) -> Goldens | None:
        """The golden rows, parsed and checked; None where the file has none."""
        text = self.facts.metadata.get(KEY_GOLDENS)
        if text is None or not self.described:
            return None
        from edge_infer.goldens import parse_goldens  # to verify only

        with naming(self.source):
            return parse_goldens(text, self.manifest, limits)

    def tensor_goldens(self, limits: Limits = LIMITS) -> TensorGoldens | None:
        """The golden tensors of a deep model, parsed and checked; None where the file has none."""
        text, interface = self.facts.metadata.get(KEY_TENSOR_GOLDENS), self.manifest.interface
        if text is None or interface is None:
            return None
        from edge_infer.tensor_goldens import parse_tensor_goldens  # to verify only

        with naming(self.source):
            return parse_tensor_goldens(text, interface, limits)

    def parity(self, limits: Limits = LIMITS) -> dict[str, object] | None:
        """The parity certificate as FORMAT.md describes it; None where the file has none."""
        return self._document(KEY_PARITY, limits.parity_bytes, limits)

    def reference(self, limits: Limits = LIMITS) -> dict[str, object] | None:
        """The training data's profile as FORMAT.md describes it; None where the file has none."""
        return self._document(KEY_REFERENCE, limits.reference_bytes, limits)

    def _document(self, key: str, most_bytes: int, limits: Limits) -> dict[str, object] | None:
        text = self.facts.metadata.get(key)
        if text is None:
            return None
        with naming(self.source):
            root = parse(text, what=key, most_bytes=most_bytes, most_depth=limits.json_depth)
            if not isinstance(root.value, dict):
                raise root.fail("an object")
            return root.value


def read_artifact(
    path: str | os.PathLike[str], limits: Limits = LIMITS, identity: str | os.PathLike[str] | None = None
) -> Artifact:
    """Read and check a file; an encrypted one is decrypted in memory with the secret in the file `identity`.

    Raises:
        UsageError: the file is encrypted, and no identity is given.
        FileNotFoundError, IsADirectoryError, PermissionError: as `open` does.
        ArtifactError: with the file's name and the reason.
    """
    source = os.fspath(path)
    data = decrypted(read_model_file(path, limits), identity, source=source, limits=limits)
    return parse_artifact(data, source=source, limits=limits)._replace(identity=_absolute(identity))


def is_bare_name(source: str) -> bool:
    """Whether a text names a model in the store rather than a file: "titanic", "titanic@1.2.0"."""
    if os.path.dirname(source) or source.endswith((".onnx", ".age")):
        return False
    return "@" in source or not os.path.splitext(source)[1]


def _absolute(identity: str | os.PathLike[str] | None) -> str | None:
    return None if identity is None else os.path.abspath(identity)


def is_encrypted(data: bytes) -> bool:
    """Whether it is an age file."""
    return data.startswith(_AGE)


def decrypted(
    data: bytes,
    identity: str | os.PathLike[str] | None,
    *,
    source: str | None = None,
    limits: Limits = LIMITS,
) -> bytes:
    """`data` itself, or what it encrypts where it is an age file; see `edge_infer.encryption.decrypt`."""
    if not is_encrypted(data):
        return data
    from edge_infer.encryption import decrypt

    with naming(source):
        return decrypt(data, identity, limits)


def read_model_file(path: str | os.PathLike[str], limits: Limits = LIMITS) -> bytes:
    """A file's bytes, unchecked but for their number.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: as `open` does.
        LimitError: a file above the limit.
    """
    source = os.fspath(path)
    with open(source, "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size > limits.model_bytes:
            raise LimitError(f"the file has {status.st_size:,} bytes, the limit is {limits.model_bytes:,}", source)
        # Python takes the memory that is asked for: no more than the file has, where that is known.
        return file.read(status.st_size if stat.S_ISREG(status.st_mode) else limits.model_bytes + 1)


def parse_artifact(data: bytes, *, source: str | None = None, limits: Limits = LIMITS) -> Artifact:
    """Check bytes: structure, limits, contents, the manifest, and that manifest and graph agree.

    Raises:
        ArtifactError: with the reason, and `source` where it is given.
    """
    with naming(source):
        facts = scan(data, limits)
        check_contents(facts)
        text = facts.metadata.get(KEY_MANIFEST)
        manifest = _of_graph(facts, limits) if text is None else parse_manifest(text, limits)
        if text is not None:
            _check_agreement(manifest, facts)
    return Artifact(data, facts, manifest, text is not None, source)


def _of_graph(facts: ModelFacts, limits: Limits) -> Manifest:
    from edge_infer.plain_onnx import manifest_from_graph

    return manifest_from_graph(facts, limits)


@contextmanager
def naming(source: str | None) -> Iterator[None]:
    """Errors about an artifact name its file."""
    try:
        yield
    except (ArtifactError, RuntimeFitError) as error:
        if source is None or error.source is not None:
            raise
        raise error.at(source) from error.__cause__


def _check_agreement(manifest: Manifest, facts: ModelFacts) -> None:
    if manifest.interface is not None:
        _check_interface(manifest.interface, facts)
        return
    inputs = {info.name: info for info in facts.inputs}
    declared = {tensor.name: tensor for tensor in manifest.inputs.tensors}
    if inputs.keys() != declared.keys():
        raise GraphMismatchError(f"the graph's inputs are {sorted(inputs)}, the manifest's are {sorted(declared)}")
    for name, tensor in declared.items():
        _check_input(tensor, inputs[name])
    outputs = {info.name: info for info in facts.outputs}
    for output in manifest.outputs:
        absent = tuple(name for name in output.tensors if name not in outputs)
        if absent:
            raise GraphMismatchError(
                f"the manifest's {output.method} needs outputs that the graph lacks: {sorted(absent)}"
            )
        for name in output.tensors:
            _check_output(output, outputs[name])


def _check_interface(interface: Interface, facts: ModelFacts) -> None:
    """Of the inputs all are told, of the outputs those that somebody may want."""
    inputs = {info.name: info for info in facts.inputs}
    declared = {spec.name for spec in interface.inputs}
    if inputs.keys() != declared:
        raise GraphMismatchError(f"the graph's inputs are {sorted(inputs)}, the manifest's are {sorted(declared)}")
    outputs = {info.name: info for info in facts.outputs}
    absent = sorted({spec.name for spec in interface.outputs} - outputs.keys())
    if absent:
        raise GraphMismatchError(f"the manifest tells of outputs that the graph lacks: {absent}")
    for specs, infos in ((interface.inputs, inputs), (interface.outputs, outputs)):
        for spec in specs:
            info = infos[spec.name]
            if info.elem_type and info.elem_type != TENSOR_TYPES[spec.dtype]:
                raise GraphMismatchError(f"{spec.name!r}: the manifest says {spec.dtype}, the graph another type")
            sizes = tuple(size if isinstance(size, int) else None for size in spec.shape)
            if info.shape is not None and not _may_be(info.shape, sizes):
                raise GraphMismatchError(
                    f"{spec.name!r}: the manifest says {list(spec.shape)}, the graph has the shape {info.shape}"
                )


def _check_output(output: Output, info: TensorInfo) -> None:
    """What a graph leaves open is checked when it answers."""
    text = output.dtype == "object" or output.dtype.startswith("<U")
    if info.elem_type and text != (info.elem_type == _ELEM_TYPES["string"]):
        raise GraphMismatchError(
            f"output {info.name!r}: the manifest says {output.dtype}, the graph gives {'numbers' if text else 'text'}"
        )
    wanted = (None, *(output.shape if not output.listed else (None,) * len(output.shape)))
    if info.shape is not None and not _may_be(info.shape, wanted):
        raise GraphMismatchError(
            f"output {info.name!r}: the manifest says a row's answer has the shape {output.shape}, "
            f"the graph gives {info.shape}"
        )


def _may_be(shape: tuple[int | str | None, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether sizes that both know are equal."""
    if len(shape) != len(wanted):
        return False
    pairs = zip(shape, wanted, strict=True)
    return all(size == want for size, want in pairs if isinstance(size, int) and want is not None)


def _check_input(tensor: Tensor, info: TensorInfo) -> None:
    if info.elem_type != _ELEM_TYPES[tensor.dtype]:
        raise GraphMismatchError(f"input {tensor.name!r}: the manifest says {tensor.dtype}, the graph another type")
    if info.shape is None or len(info.shape) != 2 or info.shape[1] != tensor.width:
        raise GraphMismatchError(
            f"input {tensor.name!r}: the manifest says a width of {tensor.width}, the graph has the shape {info.shape}"
        )
