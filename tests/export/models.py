"""Small models of every kind, converted, and rows for them; and variants of the penguins that are up to no good."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from edge_infer_convert import convert
from tests.runtime.samples import PENGUINS, with_documents

HOSTILE = "</script><script>hacked = 1; alert(1)</script><img src=x onerror='hacked=1'>\"'&<!--"
_TEXTS = [
    "good fine Köln",
    "bad poor",
    "good, GOOD!",
    "poor thing",
    "日本 fine",
    "bad bad bad",
    "nothing of it",
    "",
] * 6


class Made(NamedTuple):
    """An artifact, and rows to ask it."""

    data: bytes
    rows: pd.DataFrame


def _converted(estimator: Any, data: Any, rows: pd.DataFrame | None = None) -> Made:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model-1.0.0.onnx"
        convert(estimator, data=data, name="model", output=path)
        return Made(path.read_bytes(), data if rows is None else rows)


def _people() -> Made:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.normal(40, 9, 120),
            "size": rng.normal(170, 9, 120),
            "visits": rng.integers(0, 9, 120),
            "town": rng.choice(["north", "south", "日本"], 120),
            "alive": rng.integers(0, 2, 120).astype(bool),
        }
    )
    y = (X["age"] + 9 * (X["town"] == "north") > 42).to_numpy()
    prepare = make_column_transformer(
        (StandardScaler(), ["age", "size"]), (OneHotEncoder(), ["town"]), remainder="passthrough"
    )
    return _converted(make_pipeline(prepare, LogisticRegression()).fit(X, y), X)


def _texts() -> Made:
    y = ["yes" if "good" in text.lower() or "fine" in text else "no" for text in _TEXTS]
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression()).fit(_TEXTS, y)
    # A blank line is no row of a CSV, and a text that is empty is one only beside others.
    rows = [text for text in _TEXTS[:8] if text]
    return _converted(model, _TEXTS, pd.DataFrame({"text": [*rows, 'with "quotes", and\na line']}))


def _several() -> Made:
    X, y = load_iris(return_X_y=True, as_frame=True)
    labels = np.stack([np.array(["a", "b", "c"])[y], np.where(X.iloc[:, 0] > 5.8, "long", "short")], axis=1)
    return _converted(RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, labels), X)


def _numbers() -> Made:
    X, _ = load_iris(return_X_y=True, as_frame=True)
    return _converted(LinearRegression().fit(X.iloc[:, :2], X.iloc[:, 2:]), X.iloc[:, :2])


def _months(X: pd.DataFrame) -> pd.DataFrame:
    days = X["day"].astype("int64") // 86_400_000_000
    return X.assign(day=days % 7)


def _dates() -> Made:
    rng = np.random.default_rng(1)
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, 90), unit="s")
    X = pd.DataFrame({"day": days.astype("datetime64[us]"), "load": rng.normal(5, 2, 90)})
    y = X["load"] + X["day"].dt.day_of_week
    return _converted(make_pipeline(FunctionTransformer(_months), LinearRegression()).fit(X, y), X)


def _outliers() -> Made:
    X, _ = load_iris(return_X_y=True, as_frame=True)
    return _converted(IsolationForest(n_estimators=10, random_state=0).fit(X), X)


def _transformed() -> Made:
    X, _ = load_iris(return_X_y=True, as_frame=True)
    return _converted(make_pipeline(StandardScaler(), PCA(2)).fit(X), X)


def _boosted() -> Made:
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"x": rng.normal(size=200), "kind": rng.choice(["a", "b", "c", "d"], 200)})
    X.loc[::9, "x"] = np.nan
    y = X["x"].fillna(3) + (X["kind"] == "b")
    prepare = make_column_transformer((OrdinalEncoder(), ["kind"]), remainder="passthrough")
    model = HistGradientBoostingRegressor(max_iter=20, categorical_features=[0])
    return _converted(make_pipeline(prepare, model).fit(X, y), X)


def _wholes() -> Made:
    X, y = load_iris(return_X_y=True)
    return _converted(LogisticRegression(max_iter=1000).fit(X, y * 10), X, pd.DataFrame(X, columns=list("abcd")))


MADE: dict[str, Callable[[], Made]] = {
    "people": _people,
    "texts": _texts,
    "several labels": _several,
    "several numbers": _numbers,
    "dates": _dates,
    "outliers": _outliers,
    "transformed": _transformed,
    "boosted with gaps": _boosted,
    "whole labels of a matrix": _wholes,
}


@cache
def made(name: str) -> Made:
    return MADE[name]()


def wide() -> bytes:
    """A plain ONNX file: the sum of 400 numbers."""
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=0)],
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 400])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def penguins_with_a_wrong_golden() -> bytes:
    def change(goldens: dict[str, Any]) -> None:
        answers = goldens["answers"]["predict"]
        answers[7] = "Gentoo" if answers[7] != "Gentoo" else "Adelie"

    return with_documents(PENGUINS, goldens=change)


TOLD = {
    "description": "For trying out.\n\nNot for research.",
    "license": "CC0-1.0",
    "metrics": [{"type": "accuracy", "value": 0.985, "dataset": "held-out 20 %"}],
}


def told_penguins(turning: str = "") -> bytes:
    """People are told of them; `turning` stands in every text."""

    def change(manifest: dict[str, Any]) -> None:
        manifest |= TOLD | {"license": TOLD["license"] + turning}
        for column in manifest["inputs"]["columns"]:
            if column["kind"] == "number":
                column["unit"] = turning + column["name"].rpartition("_")[2]
                column["description"] = f"The {column['name']}.{turning}"

    return with_documents(PENGUINS, manifest=change)


def hostile_penguins() -> bytes:
    """Every text that a manifest may choose is HTML."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["name"] = manifest["version"] = manifest["precision_reason"] = HOSTILE
        manifest["source"] = {"framework": HOSTILE, "estimator": HOSTILE, "versions": {HOSTILE: HOSTILE}}
        manifest["missing_methods"] = {HOSTILE: HOSTILE}
        manifest["description"] = manifest["license"] = HOSTILE
        manifest["metrics"] = [{"type": HOSTILE[:60], "value": 1, "dataset": HOSTILE}]
        for column in manifest["inputs"]["columns"]:
            column["unit"], column["description"] = HOSTILE[:60], HOSTILE
            if column["name"] == "island":
                column["name"] = HOSTILE

    return with_documents(PENGUINS, manifest=change)
