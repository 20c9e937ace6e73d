"""What a model file is, told without reading it into objects: of a library's own, or a pickle that must be trusted.

Imports no framework, so that a wrong file is told at once.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Final

from edge_infer.errors import UntrustedSourceError
from edge_infer_convert.boosters import is_booster_file

__all__ = ["SEPARATORS", "check_model_file", "deep_kind", "is_skops"]

SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_TABLES: Final = frozenset({*SEPARATORS, ".parquet", ".jsonl", ".ndjson", ".npy"})
_SAVED_MODEL: Final = "saved_model.pb"
_MODELS: Final = (
    "a model: a .joblib, .pkl or .skops file, a booster's own (.ubj, .json, .txt, .cbm), PyTorch's (.pt2, .pt), "
    "Keras's (.keras), a SavedModel folder, or .onnx"
)


def check_model_file(path: str | os.PathLike[str], *, trust_pickle: bool = False) -> None:
    """That the file may be read as a fitted model.

    Raises:
        OSError: there is no such file, or it is a folder that is no SavedModel.
        UntrustedSourceError: it is empty, a table, or a pickle without `trust_pickle`.
    """
    file = Path(path)
    if file.is_dir():
        if deep_kind(file) is not None:
            return
        raise IsADirectoryError(f"{file} is a folder; a model file is expected, or a SavedModel (with {_SAVED_MODEL})")
    if not file.stat().st_size:
        raise UntrustedSourceError(f"{file} is empty; expected {_MODELS}")
    if file.suffix.lower() in _TABLES:
        raise UntrustedSourceError(f"{file} is a table of data by its name; expected {_MODELS}")
    if deep_kind(file) in ("onnx", "torchscript", "keras"):
        return
    if not trust_pickle and not is_booster_file(file) and not is_skops(file):
        raise UntrustedSourceError(
            f"{file}: reading a pickle runs the code in it, which can do anything that you can do.\n"
            "If you made this file or trust who did, say so: --trust-pickle (trust_pickle=True).\n"
            f"A safe way for next time: {_safe_way(file)}."
        )


def _safe_way(file: Path) -> str:
    if deep_kind(file) is not None:
        return "torch.onnx.export(module, example, 'model.onnx', dynamo=True)"
    return "skops.io.dump(model, 'model.skops')"


def deep_kind(file: Path) -> str | None:
    """Of a deep model's file: "onnx", "keras", "saved_model" (a folder), "torchscript", "pt2" or "pickle" (of
    torch.save); None for others. The last two run code when they are read: torch.export.load unpickles weights,
    constants and sample inputs that say so. What Keras and TensorFlow would run is looked for when they are read."""
    if file.is_dir():
        return "saved_model" if (file / _SAVED_MODEL).is_file() else None
    suffix = file.suffix.lower()
    if suffix in (".onnx", ".pt2", ".keras"):
        return suffix[1:]
    if suffix in (".h5", ".hdf5"):
        return "keras"
    if suffix not in (".pt", ".pth", ".ts", ".torchscript"):
        return None
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
        if any(name.endswith("/models/model.json") for name in names):
            return "pt2"
        if any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names):
            return "torchscript"
    return "pickle"


def is_skops(file: Path) -> bool:
    """Whether it is a zip that holds skops' `schema.json`."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return "schema.json" in archive.namelist()
