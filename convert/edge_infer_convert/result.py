"""What a conversion gives, how long its stages took, and how metadata comes into the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import onnx

from edge_infer.manifest import Manifest
from edge_infer_convert.deep.parity import TensorParity
from edge_infer_convert.parity import Parity

if TYPE_CHECKING:
    from edge_infer_convert.quantize.choosing import Tried

__all__ = ["Clock", "Conversion", "Progress", "with_metadata"]

#: Called with a stage (schema, inputs, convert, probe, quantize, package) and a detail.
Progress = Callable[[str, str], None]


class Conversion(NamedTuple):
    """A proven artifact. `path` is None where no output was asked for."""

    data: bytes
    path: Path | None
    manifest: Manifest
    parity: Parity | TensorParity
    certificate: dict[str, Any]
    seconds: dict[str, float]
    variants: tuple[Tried, ...] = ()  # of a deep model, with `quantize`: all that was tried, float32 first

    @property
    def table(self) -> str:
        """The variants, for people; empty where nothing was quantized."""
        if not self.variants:
            return ""
        from edge_infer_convert.quantize.table import as_table

        return as_table(self.variants)

    def __repr__(self) -> str:
        """In a line: a notebook shows it when a cell ends with `convert(…)`."""
        quantized = self.manifest.quantization
        kind = self.manifest.precision if quantized is None else quantized.variant
        proof = self.parity.told() if quantized is None else f"{quantized.loss:.2f} points lost in {quantized.metric}"
        made = f"{self.manifest.name} {self.manifest.version}: {kind}, {proof}"
        return f"<Conversion {made}{'' if self.path is None else f' → {self.path}'}>"

    @property
    def size(self) -> int:
        """Bytes of the artifact."""
        return len(self.data)


class Clock:
    """Seconds by stage, and the caller's progress."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress or (lambda stage, detail: None)
        self._stage, self._started = "", 0.0

    def stage(self, name: str, detail: str) -> Clock:
        self._progress(name, detail)
        self._stage = name
        return self

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        spent = time.perf_counter() - self._started
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + spent  # stages may come twice


def with_metadata(model: onnx.ModelProto, metadata: dict[str, bytes]) -> bytes:
    """The model's bytes and its metadata's behind them: a message's fields may come apart, and nothing is copied."""
    entries = onnx.ModelProto()
    for key, value in sorted(metadata.items()):
        entries.metadata_props.add(key=key, value=value.decode())
    return bytes(model.SerializeToString(deterministic=True) + entries.SerializeToString(deterministic=True))
