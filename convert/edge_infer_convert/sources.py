"""Files → a fitted estimator, and a data sample. A pickle runs code when it is read, and is asked for twice."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from edge_infer.errors import MissingExtraError, SchemaError, UntrustedSourceError
from edge_infer_convert.boosters import is_booster_file, load_booster

__all__ = ["load_estimator", "read_sample"]

_PICKLES = (".pkl", ".pickle", ".joblib", ".sav", ".model")
#: Types that skops does not list as trusted though they run nothing: encoders hold dtypes.
_HARMLESS = frozenset({"numpy.dtype"})
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_TABLES = frozenset({*_SEPARATORS, ".parquet", ".jsonl", ".ndjson"})
_MODELS = "a fitted model: a .joblib, .pkl or .skops file, or a booster's own (.ubj, .json, .txt, .cbm)"


def load_estimator(path: str | os.PathLike[str], *, trust_pickle: bool = False) -> Any:
    """A fitted estimator from a joblib, pickle or skops file, or a booster from a file of its own library.

    Args:
        path: .ubj, .json, .txt and .cbm are boosters; else the content tells: a zip holding `schema.json` is skops,
            all else a pickle.
        trust_pickle: whether reading may run the code that a pickle holds.

    Raises:
        FileNotFoundError: there is no such file.
        UntrustedSourceError: a pickle without `trust_pickle`, or a skops file with types not trusted.
        UntrustedSourceError: also where the file is a table or an ONNX model, or cannot be read, with the reason.
    """
    file = Path(path)
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder; a model file is expected")
    if not file.stat().st_size:
        raise UntrustedSourceError(f"{file} is empty; expected {_MODELS}")
    if file.suffix.lower() in _TABLES:
        raise UntrustedSourceError(f"{file} is a table of data by its name; expected {_MODELS}")
    if file.suffix.lower() == ".onnx":
        raise UntrustedSourceError(f"{file} is an ONNX model by its name; expected {_MODELS}")
    if is_booster_file(file):
        return load_booster(file)
    if _is_skops(file):
        return _load_skops(file)
    if not trust_pickle:
        raise UntrustedSourceError(
            f"{file}: reading a pickle runs the code in it, which can do anything that you can do.\n"
            "If you made this file or trust who did, say so: --trust-pickle (trust_pickle=True).\n"
            "A safe way for next time: skops.io.dump(model, 'model.skops')."
        )
    return _load_pickle(file)


def _is_skops(file: Path) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return "schema.json" in archive.namelist()


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
            f"{file} refers to the module {error.name!r}, which is not importable here. "
            "Install it, or define it in an importable module rather than in a notebook or script."
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


def read_sample(
    path: str | os.PathLike[str], target_column: str | None = None, date_columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Training data or a sample of it: CSV, TSV, Parquet or JSON Lines; the target column is left out.

    date_columns: read as times, as pandas.to_datetime reads them. CSV and JSON have texts in their place.

    Raises:
        FileNotFoundError: there is no such file.
        SchemaError: the file cannot be read as a table, has no such column, or no dates in one of `date_columns`.
    """
    file = Path(path)
    frame = _read_table(file)
    for name, purpose in ((target_column, "to leave out"), *((name, "of dates") for name in date_columns)):
        if name is not None and name not in frame.columns:
            names = ", ".join(map(repr, frame.columns[:20]))
            raise SchemaError(f"{file} has no column {name!r} {purpose}; it has {names}")
    for name in date_columns:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the format was not given
                frame[name] = pd.to_datetime(frame[name])
        except (ValueError, TypeError) as error:
            raise SchemaError(f"{file}, column {name!r}: expected dates or times; {error}") from error
    return frame if target_column is None else frame.drop(columns=target_column)


def _read_table(file: Path) -> pd.DataFrame:
    kind = file.suffix.lower()
    if not file.is_file():
        raise FileNotFoundError(f"no such data file: {file}")
    try:
        if kind in _SEPARATORS:
            return pd.read_csv(file, sep=_SEPARATORS[kind])
        if kind == ".parquet":
            return pd.read_parquet(file)
        if kind in (".jsonl", ".ndjson"):
            return pd.read_json(file, lines=True)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise SchemaError(f"{file} cannot be read as {kind[1:]}: {error}") from error
    except ImportError as error:
        raise MissingExtraError("pyarrow", "convert", f"reading {file}") from error
    raise SchemaError(f"{file}: expected a .csv, .tsv, .parquet or .jsonl file, got {kind or 'no suffix'}")
