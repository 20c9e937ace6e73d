"""Model files and data files: what may run code is asked for, what is broken is named."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from edge_infer.errors import EdgeInferError, MissingExtraError, SchemaError, UntrustedSourceError
from edge_infer_convert import convert, load_estimator, preflight, read_sample
from edge_infer_convert.demo import load_penguins, train


class _Touch:
    """Pickled, it makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_pickle_without_trust_is_refused_with_advice_and_runs_nothing(tmp_path: Path) -> None:
    trace, file = tmp_path / "trace", tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(_Touch(trace)))
    with pytest.raises(UntrustedSourceError, match="--trust-pickle") as caught:
        load_estimator(file)
    assert "skops.io.dump" in str(caught.value)
    assert not trace.exists()
    load_estimator(file, trust_pickle=True)
    assert trace.exists(), "the pickle has no effect: the test proves nothing"


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2", "model.ts", "model.pt", "model.pth"])
def test_a_pickle_by_the_name_of_a_deep_model_is_not_unpickled(tmp_path: Path, name: str) -> None:
    trace, file = tmp_path / "trace", tmp_path / name
    file.write_bytes(pickle.dumps(_Touch(trace)))
    with pytest.raises((UntrustedSourceError, MissingExtraError)):
        load_estimator(file)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["train.csv", "train.TSV", "train.parquet", "rows.jsonl"])
def test_a_file_that_is_no_fitted_model_by_its_name_is_not_unpickled(tmp_path: Path, name: str) -> None:
    trace, file = tmp_path / "trace", tmp_path / name
    file.write_bytes(pickle.dumps(_Touch(trace)))
    with pytest.raises(UntrustedSourceError, match=r"expected a model: a \.joblib, \.pkl or \.skops file"):
        load_estimator(file, trust_pickle=True)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pkl", ".joblib", ".whatever"])
def test_trusted_pickle_gives_the_model_whatever_its_suffix(tmp_path: Path, suffix: str) -> None:
    estimator, X, _ = train()
    file = tmp_path / f"model{suffix}"
    if suffix == ".pkl":
        file.write_bytes(pickle.dumps(estimator))
    else:
        joblib.dump(estimator, file, compress=3)
    loaded = load_estimator(file, trust_pickle=True)
    assert (loaded.predict(X) == estimator.predict(X)).all()


def test_skops_file_needs_no_trust_and_converts(tmp_path: Path) -> None:
    estimator, X, _ = train()
    skops.io.dump(estimator, tmp_path / "model.skops")
    loaded = load_estimator(tmp_path / "model.skops")
    assert convert(loaded, data=X, name="p").data == convert(estimator, data=X, name="p").data


def test_skops_file_with_untrusted_types_is_refused_and_they_are_listed(tmp_path: Path) -> None:
    skops.io.dump(FunctionTransformer(load_penguins), tmp_path / "model.skops")
    with pytest.raises(UntrustedSourceError, match="load_penguins"):
        load_estimator(tmp_path / "model.skops")


def _torn(file: Path) -> None:
    file.write_bytes(pickle.dumps(LogisticRegression())[:-40])


def _torn_zip(file: Path) -> None:
    skops.io.dump(LogisticRegression(), file)
    file.write_bytes(file.read_bytes()[:-30])


def _broken_skops(file: Path) -> None:
    import zipfile

    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", "{not json")


_BROKEN = {
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("bill_length_mm,species\n1,2\n"),
    "zeros": lambda file: file.write_bytes(bytes(100)),
    "torn pickle": _torn,
    "torn skops": _torn_zip,
    "broken skops": _broken_skops,
    "missing module": lambda file: file.write_bytes(b"cno_such_module\nModel\n."),
    "missing class": lambda file: file.write_bytes(b"csklearn.linear_model\nNoSuchModel\n."),
}


@pytest.mark.parametrize("kind", _BROKEN)
def test_broken_model_file_gives_a_typed_error_that_names_it(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "model.bin"
    _BROKEN[kind](file)
    with pytest.raises(UntrustedSourceError, match=r"model\.bin"):
        load_estimator(file, trust_pickle=True)


def test_missing_module_is_named_with_a_remedy(tmp_path: Path) -> None:
    _BROKEN["missing module"](tmp_path / "m.pkl")
    with pytest.raises(UntrustedSourceError, match=r"'no_such_module'.*\s.*Install it|'no_such_module'"):
        load_estimator(tmp_path / "m.pkl", trust_pickle=True)


def test_a_backend_of_keras_that_is_not_here_is_told_with_the_one_that_may_be_meant(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"ctensorflow.none\nNothing\n.")
    with pytest.raises(UntrustedSourceError, match="KERAS_BACKEND=torch before the command"):
        load_estimator(tmp_path / "model.pkl", trust_pickle=True)


def test_a_module_beside_the_model_is_named_with_the_way_to_import_it(tmp_path: Path) -> None:
    _BROKEN["missing module"](tmp_path / "m.pkl")
    with pytest.raises(UntrustedSourceError, match="Install it, or name the folder of your own module"):
        load_estimator(tmp_path / "m.pkl", trust_pickle=True)
    (tmp_path / "no_such_module.py").write_text("")
    with pytest.raises(UntrustedSourceError, match=re.escape(f"say PYTHONPATH={tmp_path} before")):
        load_estimator(tmp_path / "m.pkl", trust_pickle=True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"model": LogisticRegression(), "columns": ["a"]},
            r"got a dict that holds one as 'model'.*the_dict\['model'\]",
        ),
        ({"weights": [1.0]}, "got a dict that holds none"),
        ([LogisticRegression()], "got a list"),
        (pd.DataFrame({"a": [1]}), "got a DataFrame"),
    ],
    ids=["dict with a model", "dict", "list", "frame"],
)
def test_what_is_no_estimator_is_told_as_what_it_is(given: Any, told: str) -> None:
    for ask in (preflight, lambda given: convert(given, name="x")):
        with pytest.raises(SchemaError, match=told):
            ask(given)


def test_folder_and_absent_file_are_os_errors_that_name_them(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="folder"):
        load_estimator(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        load_estimator(tmp_path / "absent.pkl")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl", ".CSV"])
def test_sample_is_the_same_from_every_format(tmp_path: Path, suffix: str) -> None:
    X, y = load_penguins()
    frame = X.assign(species=y)
    file = tmp_path / f"data{suffix}"
    {
        ".csv": lambda: frame.to_csv(file, index=False),
        ".tsv": lambda: frame.to_csv(file, index=False, sep="\t"),
        ".parquet": lambda: frame.to_parquet(file),
        ".jsonl": lambda: frame.to_json(file, orient="records", lines=True),
    }[suffix.lower()]()
    sample = read_sample(file, "species")
    pd.testing.assert_frame_equal(sample, X, check_dtype=False)


def test_absent_column_is_told_with_the_one_of_nearly_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Survived,Age\n1,2\n")
    with pytest.raises(SchemaError, match=r"no column 'survived' to leave out; did you mean 'Survived'\?"):
        read_sample(tmp_path / "a.csv", "survived")
    with pytest.raises(SchemaError, match=r"no column 'age' of dates; did you mean 'Age'\?"):
        read_sample(tmp_path / "a.csv", None, ["age"])


def test_absent_target_column_is_told_with_the_columns_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(SchemaError, match=r"no column 'z'.*'x', 'y'"):
        read_sample(tmp_path / "a.csv", "z")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"not parquet"),
        ("a.csv", b""),
        ("a.csv", b'a,b\n"1,2\n3'),
        ("a.jsonl", b"{"),
        ("a.xlsx", b"x"),
        ("a.npy", b"x"),
    ],
)
def test_broken_data_file_gives_a_typed_error_that_names_it(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EdgeInferError, match=name):
        read_sample(tmp_path / name)


def test_csv_that_is_not_utf8_gives_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("Größe\n1\n".encode("latin-1"))
    with pytest.raises(SchemaError, match=r"a\.csv"):
        read_sample(tmp_path / "a.csv")


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    import numpy as np

    trace = tmp_path / "trace"
    np.save(tmp_path / "a.npy", np.array([[_Touch(trace)]], dtype=object), allow_pickle=True)
    with pytest.raises(SchemaError, match=r"a\.npy cannot be read as an array of numbers"):
        read_sample(tmp_path / "a.npy")
    assert not trace.exists()
    np.save(tmp_path / "b.npy", np.ones((2, 3), np.float32))
    assert read_sample(tmp_path / "b.npy").dtype == np.float32
    with pytest.raises(SchemaError, match=r"b\.npy has no columns by name, such as 'y'"):
        read_sample(tmp_path / "b.npy", "y")
