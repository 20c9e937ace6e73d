"""An artifact: the bytes of an ONNX file, scanned and checked before any session exists. No I/O but `read_artifact`."""

from __future__ import annotations

import os
from typing import NamedTuple

from edge_infer import wire
from edge_infer.errors import ArtifactError, GraphMismatchError, LimitError
from edge_infer.goldens import Goldens, parse_goldens
from edge_infer.limits import LIMITS, Limits
from edge_infer.manifest import (
    KEY_GOLDENS,
    KEY_MANIFEST,
    KEY_PARITY,
    KEY_REFERENCE,
    Manifest,
    Tensor,
    parse_manifest,
)
from edge_infer.plain_onnx import manifest_from_graph
from edge_infer.strict_json import parse
from edge_infer.wire import ModelFacts, TensorInfo

__all__ = ["Artifact", "parse_artifact", "read_artifact"]

_ELEM_TYPES = {"float32": 1, "int64": 7, "string": 8, "float64": 11}


class Artifact(NamedTuple):
    """Checked bytes and what they say of themselves.

    `described` tells whether the file has a manifest; a plain ONNX file gets one from its graph.
    """

    data: bytes
    facts: ModelFacts
    manifest: Manifest
    described: bool
    source: str | None = None

    @property
    def digest(self) -> str:
        """sha256 of the bytes, in hex."""
        import hashlib  # loads OpenSSL: only when asked for

        return hashlib.sha256(self.data).hexdigest()

    def goldens(self, limits: Limits = LIMITS) -> Goldens | None:
        """The golden rows, parsed and checked; None where the file has none."""
        text = self.facts.metadata.get(KEY_GOLDENS)
        return None if text is None or not self.described else parse_goldens(text, self.manifest, limits)

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
        root = parse(text, what=key, most_bytes=most_bytes, most_depth=limits.json_depth)
        if not isinstance(root.value, dict):
            raise root.fail("an object")
        return root.value


def read_artifact(path: str | os.PathLike[str], limits: Limits = LIMITS) -> Artifact:
    """Read and check a file.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: as `open` does.
        ArtifactError: with the file's name and the reason.
    """
    source = os.fspath(path)
    size = os.stat(source).st_size
    if size > limits.model_bytes:
        raise LimitError(f"the file has {size:,} bytes, the limit is {limits.model_bytes:,}", source)
    with open(source, "rb") as file:
        data = file.read(limits.model_bytes + 1)
    return parse_artifact(data, source=source, limits=limits)


def parse_artifact(data: bytes, *, source: str | None = None, limits: Limits = LIMITS) -> Artifact:
    """Check bytes: structure, limits, contents, the manifest, and that manifest and graph agree.

    Raises:
        ArtifactError: with the reason, and `source` where it is given.
    """
    try:
        facts = wire.scan(data, limits)
        wire.check_contents(facts)
        text = facts.metadata.get(KEY_MANIFEST)
        manifest = manifest_from_graph(facts) if text is None else parse_manifest(text, limits)
        if text is not None:
            _check_agreement(manifest, facts)
    except ArtifactError as error:
        raise (error.at(source) if source else error) from error.__cause__
    return Artifact(data, facts, manifest, text is not None, source)


def _check_agreement(manifest: Manifest, facts: ModelFacts) -> None:
    inputs = {info.name: info for info in facts.inputs}
    declared = {tensor.name: tensor for tensor in manifest.inputs.tensors}
    if inputs.keys() != declared.keys():
        raise GraphMismatchError(f"the graph's inputs are {sorted(inputs)}, the manifest's are {sorted(declared)}")
    for name, tensor in declared.items():
        _check_input(tensor, inputs[name])
    outputs = {info.name for info in facts.outputs}
    for output in manifest.outputs:
        absent = set(output.tensors) - outputs
        if absent:
            raise GraphMismatchError(
                f"the manifest's {output.method} needs outputs that the graph lacks: {sorted(absent)}"
            )


def _check_input(tensor: Tensor, info: TensorInfo) -> None:
    if info.elem_type != _ELEM_TYPES[tensor.dtype]:
        raise GraphMismatchError(f"input {tensor.name!r}: the manifest says {tensor.dtype}, the graph another type")
    if info.shape is None or len(info.shape) != 2 or info.shape[1] != tensor.width:
        raise GraphMismatchError(
            f"input {tensor.name!r}: the manifest says a width of {tensor.width}, the graph has the shape {info.shape}"
        )
