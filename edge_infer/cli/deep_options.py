"""`convert`'s options for deep models: what the model is given, its labels, and its states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from edge_infer.cli.array_file import ARRAY_FILES, read_arrays
from edge_infer.errors import UsageError

__all__ = ["DeepOptions", "Shrinking"]


class Shrinking(NamedTuple):
    """What makes a file smaller or faster. calibration, targets: files of arrays."""

    quantize: tuple[str, ...] = ()
    calibration: str | None = None
    targets: str | None = None
    max_loss: float | None = None
    simplify: bool = False

    @property
    def files(self) -> tuple[str | None, ...]:
        return self.calibration, self.targets

    def arguments(self) -> dict[str, Any]:
        """Raises UsageError, InputTextError, OSError."""
        return {
            "quantize": self.quantize or None,
            "calibration": None if self.calibration is None else _arrays("--calibration", self.calibration),
            "targets": None if self.targets is None else _only("--targets", self.targets),
            "max_loss": self.max_loss,
            "simplify": self.simplify,
        }


class DeepOptions(NamedTuple):
    """inputs: by name a text or an example, or one example alone; None where nothing is said. files: that are read."""

    inputs: Any = None
    labels: tuple[str, ...] | None = None
    states: dict[str, str] | None = None
    shrinking: Shrinking | None = None
    files: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, inputs: Sequence[str], labels: str | None, states: Sequence[str], shrinking: Shrinking | None = None
    ) -> DeepOptions:
        """Raises UsageError, InputTextError, OSError."""
        files = [text for text in inputs if text.lower().endswith(ARRAY_FILES)]
        if files and len(inputs) > 1:
            raise UsageError("--inputs: expected one file of examples, or NAME=TYPE[SIZES] for each input, got both")
        told: Any = read_arrays(files[0]) if files else dict(_named("--inputs", text) for text in inputs) or None
        return cls(
            told,
            None if labels is None else _lines(labels),
            dict(_named("--state", text) for text in states) or None,
            shrinking,
            tuple(path for path in (*files, *(shrinking.files if shrinking else ())) if path is not None),
        )

    def arguments(self) -> dict[str, Any]:
        """As `edge_infer_convert.convert` takes them."""
        told = {"inputs": self.inputs, "labels": self.labels, "states": self.states}
        return told | (self.shrinking.arguments() if self.shrinking else {})


def _arrays(option: str, path: str) -> Any:
    if not path.lower().endswith(ARRAY_FILES):
        raise UsageError(f"{option}: expected a file of arrays ({', '.join(ARRAY_FILES)}), got {path!r:.100}")
    return read_arrays(path)


def _only(option: str, path: str) -> Any:
    """The array of a .npy file, or the one of a .npz file."""
    found = _arrays(option, path)
    arrays = list(found.values()) if isinstance(found, dict) else [found]
    if len(arrays) != 1:
        raise UsageError(f"{option}: expected one array in {path}, got {len(arrays)}")
    return arrays[0]


def _named(option: str, text: str) -> tuple[str, str]:
    name, separator, told = text.partition("=")
    if not (name and separator and told):
        example = "'image=float32[batch, 3, 224, 224]'" if option == "--inputs" else "hidden=hidden_out"
        raise UsageError(f"{option}: expected NAME=…, such as {example}, got {text!r:.100}")
    return name.strip(), told.strip()


def _lines(path: str) -> tuple[str, ...]:
    """A label a line."""
    with open(path, encoding="utf-8-sig") as file:
        try:
            labels = tuple(line.rstrip("\r\n") for line in file)
        except UnicodeDecodeError as error:
            raise UsageError(f"--labels: {path} is not UTF-8: {error}") from None
    if not labels or not all(label.strip() for label in labels):
        raise UsageError(f"--labels: expected a label a line in {path}, none empty")
    return labels
