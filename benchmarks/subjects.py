"""The models that are measured: fitted, converted once into a folder, with the data that they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from edge_infer_convert import convert
from edge_infer_convert.demo import train

__all__ = ["SUBJECTS", "Subject", "each", "penguins", "prepare"]

MANY = 10_000


class Subject(NamedTuple):
    """An original, the path of its artifact, and its training data repeated to 10,000 rows.

    Its first row has no gap, so that every side takes it as it is.
    """

    title: str
    estimator: Any
    path: Path
    frame: pd.DataFrame

    @property
    def numeric(self) -> bool:
        """Whether a row of an array is a row of the model's numbers."""
        return all(kind.kind == "f" for kind in self.frame.dtypes)


def prepare(name: str, title: str, fitted: tuple[Any, pd.DataFrame], folder: Path) -> Subject:
    """Convert a model, with its defaults throughout."""
    estimator, X = fitted
    path = folder / f"{name}-1.0.0.onnx"
    convert(estimator, data=X, name=name, output=path)
    frame = pd.concat([X] * (MANY // len(X) + 1), ignore_index=True).iloc[:MANY]
    return Subject(title, estimator, path, frame)


def _once(make: Callable[[Path], Subject]) -> Callable[[Path], Subject]:
    """Fitted and converted once, since several parts measure the same model; the file is in the folder of each."""
    made: list[tuple[Subject, bytes]] = []

    @wraps(make)
    def subject(folder: Path) -> Subject:
        if not made:
            first = make(folder)
            made.append((first, first.path.read_bytes()))
        kept, data = made[0]
        path = folder / kept.path.name
        path.write_bytes(data)
        return kept._replace(path=path)

    return subject


@_once
def penguins(folder: Path) -> Subject:
    """Impute, scale, encode, logistic regression: 4 numbers and 2 texts with gaps."""
    pipeline, X, _ = train()
    return prepare("penguins", "6 mixed columns + LR", (pipeline, X), folder)


@_once
def linear(folder: Path) -> Subject:
    """Scale, logistic regression: 30 numbers."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)
    return prepare("linear", "scaler + LR, 30 numbers", (model, X), folder)


@_once
def forest(folder: Path) -> Subject:
    """100 trees on 30 numbers."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(100, random_state=0).fit(X, y)
    return prepare("forest", "forest of 100, 30 numbers", (model, X), folder)


def _mixed(name: str, title: str, final: Any, folder: Path, *, dense: bool = False) -> Subject:
    """6 numbers with gaps, imputed and scaled, and 8 texts of 6 categories, one-hot, before a model."""
    rng, rows = np.random.default_rng(0), 2000
    numbers, texts = [f"number{i}" for i in range(6)], [f"text{i}" for i in range(8)]
    X = pd.DataFrame({name: np.round(rng.normal(10, 5, rows), 2) for name in numbers})
    X = X.assign(**{name: rng.choice([f"value {i}" for i in range(6)], rows) for name in texts})
    y = (X["number0"] > 10) ^ (X["text0"] == "value 1") ^ (rng.random(rows) < 0.1)
    X[numbers] = X[numbers].mask((rng.random((rows, 6)) < 0.05) & (np.arange(rows) > 0)[:, None])
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=not dense)
    prepared = make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), numbers), (encoder, texts))
    return prepare(name, title, (make_pipeline(prepared, final).fit(X, y), X), folder)


@_once
def mixed_linear(folder: Path) -> Subject:
    return _mixed("mixed-linear", "14 mixed columns + LR", LogisticRegression(max_iter=1000), folder)


@_once
def mixed_forest(folder: Path) -> Subject:
    return _mixed(
        "mixed-forest", "14 mixed columns + forest of 100", RandomForestClassifier(100, random_state=0), folder
    )


@_once
def mixed_boosting(folder: Path) -> Subject:
    model = GradientBoostingClassifier(random_state=0)
    return _mixed("mixed-boosting", "14 mixed columns + boosting", model, folder, dense=True)


def each() -> Iterator[Subject]:
    """All of them, one after the other; their files go at the end."""
    with TemporaryDirectory() as folder:
        for make in SUBJECTS.values():
            yield make(Path(folder))


SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "linear": linear,
    "forest": forest,
    "mixed_linear": mixed_linear,
    "mixed_forest": mixed_forest,
    "mixed_boosting": mixed_boosting,
}
