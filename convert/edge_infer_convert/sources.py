"""Files → a fitted estimator, and a data sample. A pickle runs code when it is read, and is asked for twice."""

from __future__ import annotations

import difflib
import errno
import os
import pickle
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_infer.errors import MissingExtraError, SchemaError, UntrustedSourceError
from edge_infer_convert.boosters import is_booster_file, load_booster
from edge_infer_convert.model_files import SEPARATORS, check_model_file, deep_kind, is_skops

__all__ = ["has_only_numbers", "load_estimator", "read_sample"]

#: Types that skops does not list as trusted though they run nothing: encoders hold dtypes.
_HARMLESS = frozenset({"numpy.dtype"})


def load_estimator(path: str | os.PathLike[str], *, trust_pickle: bool = False) -> Any:
    """A fitted estimator from a joblib, pickle or skops file, a booster or a deep model from a file of its own library.

    Args:
        path: .ubj, .json, .txt and .cbm are boosters, .onnx, .pt2, .pt, .pth, .keras, .h5 and a folder with
            saved_model.pb deep models; else the content tells: a zip holding `schema.json` is skops, all else a pickle.
        trust_pickle: whether reading may run the code that a pickle holds.

    Raises:
        FileNotFoundError: there is no such file.
        UntrustedSourceError: a pickle without `trust_pickle`, or a skops file with types not trusted.
        UntrustedSourceError: also where the file is a table, or cannot be read, with the reason.
    """
    check_model_file(path, trust_pickle=trust_pickle)
    file = Path(path)
    deep = deep_kind(file)
    if deep is not None:
        return _load_deep(file, deep, trust_pickle)
    if is_booster_file(file):
        return load_booster(file)
    if is_skops(file):
        return _load_skops(file)
    return _load_pickle(file)


def _load_deep(file: Path, kind: str, trust_pickle: bool) -> Any:
    if kind == "onnx":
        from edge_infer_convert.frontends.onnx_file import read_onnx

        return read_onnx(file)
    if kind == "keras":
        from edge_infer_convert.frontends.keras_files import read_keras

        return read_keras(file, trust_pickle=trust_pickle)
    if kind == "saved_model":
        from edge_infer_convert.frontends.tensorflow_start import start_tensorflow

        start_tensorflow(f"reading {file}")
        from edge_infer_convert.frontends.saved_model import read_saved_model

        return read_saved_model(file, trust_pickle=trust_pickle)
    try:
        from edge_infer_convert.frontends.torch_program import read_torch
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "onnxscript"):
            raise
        raise MissingExtraError(error.name, "torch", f"reading {file}") from error
    return read_torch(file, kind)


def _load_skops(file: Path) -> Any:
    try:
        from skops import io
    except ModuleNotFoundError as error:
        if error.name != "skops":
            raise
        raise MissingExtraError("skops", "skops", f"reading {file}") from error
    try:
        untrusted = sorted(set(io.get_untrusted_types(file=file)) - _HARMLESS)
        if untrusted:
            raise _untrusted(file, untrusted)
        return io.load(file, trusted=sorted(_HARMLESS))
    except (ValueError, KeyError, TypeError, AttributeError, ImportError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, UntrustedSourceError | FileNotFoundError | PermissionError):
            raise
        raise UntrustedSourceError(
            f"{file} cannot be read as a skops file: {type(error).__name__}: {error!s:.300}\n"
            "It may be torn, or made with other versions of skops or scikit-learn."
        ) from error


def _untrusted(file: Path, types: list[str]) -> UntrustedSourceError:
    listed = "\n".join(f"  {name}" for name in types[:20])
    return UntrustedSourceError(
        f"{file} needs types that are not known to be safe:\n{listed}\n"
        "Load it yourself with skops.io.load(..., trusted=[…]) after looking at them, and call "
        "edge_infer_convert.convert() with the model."
    )


def _load_pickle(file: Path) -> Any:
    import joblib

    try:
        return joblib.load(file)
    except ModuleNotFoundError as error:
        raise UntrustedSourceError(
            f"{file} refers to the module {error.name!r}, which is not importable here.\n"
            f"{_how_to_import(file, error.name)}"
        ) from error
    except AttributeError as error:
        raise UntrustedSourceError(
            f"{file} refers to something that is not here: {error}. It was pickled with other versions, or from a "
            "notebook or script: move the class or function to an importable module and save the model again."
        ) from error
    except (
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        IndexError,
        ValueError,
        ImportError,
        zipfile.BadZipFile,
    ) as error:
        raise UntrustedSourceError(
            f"{file} is not a joblib, pickle or skops file that can be read here: {type(error).__name__}: {error}"
        ) from error


def _how_to_import(file: Path, module: str | None) -> str:
    """A module that lies beside the model only needs its folder named."""
    top = (module or "").partition(".")[0]
    for folder in dict.fromkeys([file.parent, Path()]):
        if top and ((folder / f"{top}.py").is_file() or (folder / top).is_dir()):
            return f"It lies in {str(folder)!r}: say PYTHONPATH={folder} before the command."
    if top in ("tensorflow", "jax"):
        return "Install it; or, if Keras asks for it and ran on PyTorch: say KERAS_BACKEND=torch before the command."
    return "Install it, or name the folder of your own module: PYTHONPATH=FOLDER before the command."


def read_sample(
    path: str | os.PathLike[str],
    target_column: str | None = None,
    date_columns: Sequence[str] = (),
    *,
    header: bool = True,
) -> Any:
    """Training data or a sample of it: a DataFrame from CSV, TSV, Parquet or JSON Lines, an array from .npy.

    target_column: is left out.
    date_columns: read as times, as pandas.to_datetime reads them. CSV and JSON have texts in their place.
    header: whether the first line of a CSV or TSV names the columns; see `has_only_numbers`.

    Raises:
        FileNotFoundError: there is no such file.
        SchemaError: the file cannot be read as a table, has no such column, or no dates in one of `date_columns`.
    """
    file = Path(path)
    if file.suffix.lower() == ".npy":
        return _read_array(file, [*([] if target_column is None else [target_column]), *date_columns])
    frame = _read_table(file, header=header)
    for name, purpose in ((target_column, "to leave out"), *((name, "of dates") for name in date_columns)):
        if name is not None and name not in frame.columns:
            raise SchemaError(
                f"{file} has no column {name!r} {purpose}; {_instead(name, list(map(str, frame.columns)))}"
            )
    for name in date_columns:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the format was not given
                frame[name] = pd.to_datetime(frame[name])
        except (ValueError, TypeError) as error:
            raise SchemaError(f"{file}, column {name!r}: expected dates or times; {error}") from error
    return frame if target_column is None else frame.drop(columns=target_column)


def _instead(name: str, names: list[str]) -> str:
    """A column of nearly that name, else the columns that there are."""
    plain = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(name.casefold(), plain, 1)
    if near:
        return f"did you mean {plain[near[0]]!r}?"
    return f"it has {', '.join(map(repr, names[:20]))}{', …' if len(names) > 20 else ''}"


def has_only_numbers(path: str | os.PathLike[str]) -> bool:
    """Whether the first line of a CSV or TSV holds numbers alone: of a model that knows no names, it is a row."""
    separator = SEPARATORS.get(Path(path).suffix.lower())
    if separator is None:
        return False
    first = pd.read_csv(path, sep=separator, header=None, nrows=1)
    return all(dtype.kind in "iuf" for dtype in first.dtypes)


def _read_array(file: Path, named: list[str]) -> NDArray[Any]:
    if named:
        raise SchemaError(f"{file} has no columns by name, such as {named[0]!r}: give an array without the target")
    try:
        array: NDArray[Any] = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise SchemaError(f"{file} cannot be read as an array of numbers: {error}") from error
    return array


def _read_table(file: Path, *, header: bool) -> pd.DataFrame:
    kind = file.suffix.lower()
    if not file.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such data file", str(file))
    try:
        if kind in SEPARATORS:
            return pd.read_csv(file, sep=SEPARATORS[kind], header="infer" if header else None)
        if kind == ".parquet":
            return pd.read_parquet(file)
        if kind in (".jsonl", ".ndjson"):
            return pd.read_json(file, lines=True)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise SchemaError(f"{file} cannot be read as {kind[1:]}: {error}") from error
    except ImportError as error:
        raise MissingExtraError("pyarrow", "convert", f"reading {file}") from error
    raise SchemaError(f"{file}: expected a .csv, .tsv, .parquet, .jsonl or .npy file, got {kind or 'no suffix'}")
