"""Models of every kind that a reader in another language meets, each with records to ask it with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import edge_infer
from edge_infer.manifest import KEY_MANIFEST
from edge_infer_convert import convert
from edge_infer_convert.demo import load_penguins

SAMPLES = Path(__file__).parents[2] / "artifacts" / "samples" / "format-1"
PENGUINS, DIABETES, DIGITS = (SAMPLES / f"{name}-1.0.0.onnx" for name in ("penguins", "diabetes", "digits"))
ROWS = 80

#: A record: an object, a list of cells in the order of the columns, or one text.
Record = Any


def penguins_with_gaps(rows: int = 500) -> list[dict[str, Any]]:
    """Rows of penguins, a fifth of the cells missing, some texts unknown."""
    rng = np.random.default_rng(7)
    X = load_penguins()[0].sample(rows, replace=True, random_state=7).reset_index(drop=True)
    X.loc[rng.random(rows) < 0.1, "island"] = "Île de la Possession"
    return records(X.mask(rng.random(X.shape) < 0.2))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """As JSON holds them: None for missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): cell for name, cell in row.items()} for row in plain.to_dict("records")]


def goldens(path: Path) -> list[list[Any]]:
    """The golden rows of an artifact, in the order of its columns."""
    found = edge_infer.read_artifact(path).goldens()
    return [] if found is None else [list(row) for row in found.rows]


def mixed(path: Path) -> list[Record]:
    """Numbers with gaps, whole numbers, booleans, texts of any kind and of known kinds only; labels are booleans."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "größe": rng.normal(size=ROWS).round(3),
            "count": rng.integers(0, 9, ROWS),
            "member": rng.random(ROWS) > 0.5,
            "town": rng.choice(["Oslo", "Bergen", "Tromsø"], ROWS),
            "level": rng.choice(["low", "high"], ROWS),
        }
    )
    X.loc[::7, "größe"] = np.nan
    y = X["count"] + 3 * X["member"] + 2 * (X["level"] == "low") + (X["town"] == "Oslo") > 6
    encoded = make_column_transformer(
        (SimpleImputer(), ["größe"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
        (OrdinalEncoder(), ["level"]),
        remainder="passthrough",
    )
    card = {  # which readers pass over
        "description": 'Für "alle"\n\t\u2028 \\ <b>𝔘</b>',
        "units": {"größe": "m²"},
        "metrics": [{"type": "accuracy", "value": 1e-300, "dataset": "{[}]"}],
    }
    _convert(make_pipeline(encoded, DecisionTreeClassifier(max_depth=6, random_state=0)).fit(X, y), X, path, card)
    return records(X)


def categories_of_numbers(path: Path) -> list[Record]:
    X = pd.DataFrame({"count": np.arange(ROWS) % 9})
    _convert(make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X, X["count"] > 4), X, path)
    return records(X)


def texts(path: Path) -> list[Record]:
    X = [f"{a} {b}" for a in ("good", "bad", "fine", "Ärger") for b in ("bread", "wine", "fish")]
    _convert(make_pipeline(CountVectorizer(), LogisticRegression()).fit(X, ["oo" in x for x in X]), X, path)
    return [*X, "", "good good wine"]


def times(path: Path) -> list[Record]:
    """Times without a zone, in microseconds."""
    rng = np.random.default_rng(0)
    at = pd.Timestamp("1969-06-01") + pd.to_timedelta(rng.integers(0, 2000 * 86_400 * 10**6, ROWS), unit="us")
    X = pd.DataFrame({"at": at.astype("datetime64[us]"), "age": rng.normal(40, 9, ROWS).round(2)})
    _convert(_scaled("at").fit(X, _seconds(X)), X, path)
    return records(X.assign(at=[moment.isoformat() for moment in X["at"]]))


def zoned_times(path: Path) -> list[Record]:
    """Instants, in hours: what is finer is rounded down, before 1970 too."""
    at = pd.date_range("1969-12-30", periods=ROWS, freq="47min", tz="Europe/Berlin").astype(
        "datetime64[s, Europe/Berlin]"
    )
    X = pd.DataFrame({"at": at, "age": np.arange(ROWS) % 7.0})
    _convert(_scaled("at").fit(X, _seconds(X)), X, path)
    model = onnx.load(path)
    _edit(model, lambda manifest: manifest["inputs"]["columns"][0].update(dtype="datetime64[h, Europe/Berlin]"))
    model.metadata_props.remove(next(entry for entry in model.metadata_props if entry.key == "edge_infer.goldens"))
    onnx.save(model, path)
    return records(X.assign(at=[moment.isoformat() for moment in X["at"]]))


def nanoseconds(path: Path) -> list[Record]:
    """A millisecond around 1970, where each nanosecond counts."""
    rng = np.random.default_rng(0)
    at = pd.Timestamp("1969-12-31T23:59:59.9995") + pd.to_timedelta(rng.integers(0, 10**6, ROWS), unit="ns")
    X = pd.DataFrame({"at": at.astype("datetime64[ns]"), "age": rng.normal(40, 9, ROWS).round(2)})
    _convert(_scaled("at").fit(X, X["at"].astype("int64") / 1e3), X, path)
    return records(X.assign(at=[moment.isoformat() for moment in X["at"]]))


def _scaled(column: str) -> Any:
    prepare = make_column_transformer((StandardScaler(), [column]), remainder="passthrough")
    return make_pipeline(prepare, LinearRegression())


def _seconds(X: pd.DataFrame) -> pd.Series:
    return (X["at"] - X["at"].min()).dt.total_seconds() + X["age"]


def two_labels(path: Path) -> list[Record]:
    """Two label columns; the probabilities are a list of two arrays."""
    X = np.random.default_rng(0).normal(size=(ROWS, 3))
    y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0.5]).astype(int)
    _convert(RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, y), X, path)
    return [row.tolist() for row in X]


def large_labels(path: Path) -> list[Record]:
    """Labels that a float64 does not hold."""
    X = np.random.default_rng(0).normal(size=(ROWS, 2))
    y = np.where(X[:, 0] > 0, 2**53 + 1, -3)
    _convert(DecisionTreeClassifier(max_depth=2).fit(X, y), X, path)
    return [row.tolist() for row in X]


def whole_numbers(path: Path) -> list[Record]:
    """A graph of int64, made by hand: the converter writes floats."""
    model = onnx.load(DIABETES)
    column = {"kind": "integer", "dtype": "int64", "tensor": "whole", "missing": False, "infinite": False}

    def change(manifest: dict[str, Any]) -> None:
        columns = [column | {"name": name, "index": i, "unknown": True} for i, name in enumerate("ab")]
        tensors = [{"name": "whole", "dtype": "int64", "width": 2}]
        manifest["inputs"] = {"style": "columns", "columns": columns, "tensors": tensors}
        manifest["outputs"] = [manifest["outputs"][0] | {"dtype": "int64"}]

    _edit(model, change)
    entry = next(entry for entry in model.metadata_props if entry.key == KEY_MANIFEST)
    cells = [helper.make_node("Gather", ["whole", name], [f"cell {name}"], axis=1) for name in "01"]
    graph = helper.make_graph(
        [*cells, helper.make_node("Add", ["cell 0", "cell 1"], ["prediction"])],
        "sums",
        [helper.make_tensor_value_info("whole", TensorProto.INT64, ["rows", 2])],
        [helper.make_tensor_value_info("prediction", TensorProto.INT64, ["rows"])],
        [helper.make_tensor(name, TensorProto.INT64, [], [int(name)]) for name in "01"],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(made, {KEY_MANIFEST: entry.value})
    onnx.save(made, path)
    return [{"a": a, "b": b} for a, b in [(1, 2), (-(2**40), 3), (2**52, -1), (7.0, 1)]]


MADE: dict[str, Callable[[Path], list[Record]]] = {
    made.__name__: made
    for made in (
        mixed,
        categories_of_numbers,
        texts,
        times,
        zoned_times,
        nanoseconds,
        two_labels,
        large_labels,
        whole_numbers,
    )
}


#: What no reader may take: the model, the cell in place of a good one, and the column that is named.
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "text for a number": ("penguins", {"body_mass_g": "heavy"}, "body_mass_g"),
    "a number for text": ("penguins", {"sex": 1}, "sex"),
    "a number that float32 does not hold": ("penguins", {"body_mass_g": 1e300}, "body_mass_g"),
    "a list in a cell": ("penguins", {"body_mass_g": [1]}, "body_mass_g"),
    "a missing text where none was": ("mixed", {"level": None}, "level"),
    "a text that is none of the known": ("mixed", {"level": "middling"}, "level"),
    "a whole number that float32 does not hold": ("mixed", {"count": 2**24 + 1}, "count"),
    "a number that is none of the known": ("categories_of_numbers", {"count": 9}, "count"),
    "a fraction for a whole number": ("whole_numbers", {"a": 1.5}, "a"),
    "a missing whole number": ("whole_numbers", {"a": None}, "a"),
    "a date that does not exist": ("times", {"at": "2023-02-29"}, "at"),
    "a time zone too many": ("times", {"at": "2023-02-28T12:00+02:00"}, "at"),
    "a time zone too few": ("zoned_times", {"at": "2023-02-28T12:00"}, "at"),
    "a missing time": ("times", {"at": None}, "at"),
}


def _convert(estimator: Any, data: Any, path: Path, card: dict[str, Any] | None = None) -> None:
    convert(estimator, data=data, name=path.stem, output=path, card=card)


def _edit(model: onnx.ModelProto, change: Callable[[dict[str, Any]], object]) -> None:
    entry = next(entry for entry in model.metadata_props if entry.key == KEY_MANIFEST)
    manifest = json.loads(entry.value)
    change(manifest)
    entry.value = json.dumps(manifest, ensure_ascii=False)


def by_rows(answer: Any, rows: int) -> list[Any]:
    """Python's answer to many rows, plain, as one value or list a row; of a list of arrays, one list a row of each."""
    if isinstance(answer, list):
        parts = [part.tolist() for part in answer]
        return [[part[row] for part in parts] for row in range(rows)]
    return list(answer.tolist())


def assert_equal(got: Any, wanted: Any) -> None:
    """Texts and labels the same, numbers within a millionth: other releases of onnxruntime sum in another order."""
    if isinstance(wanted, Iterable) and not isinstance(wanted, str):
        assert len(got) == len(list(wanted))
        for one, other in zip(got, wanted, strict=True):
            assert_equal(one, other)
    elif isinstance(wanted, float):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
    else:
        assert got == wanted
        assert isinstance(got, bool) == isinstance(wanted, bool)
