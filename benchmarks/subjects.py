"""The models that are measured: fitted, converted once into a folder, with the data that they are asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_infer_convert import convert
from edge_infer_convert.demo import train

__all__ = ["SUBJECTS", "Subject", "penguins", "prepare"]

MANY = 10_000


class Subject(NamedTuple):
    """An original, the path of its artifact, and its training data repeated to 10,000 rows."""

    title: str
    estimator: Any
    path: Path
    frame: pd.DataFrame


def prepare(name: str, title: str, fitted: tuple[Any, pd.DataFrame], folder: Path) -> Subject:
    """Convert a model, with its defaults throughout."""
    estimator, X = fitted
    path = folder / f"{name}-1.0.0.onnx"
    convert(estimator, data=X, name=name, output=path)
    frame = pd.concat([X] * (MANY // len(X) + 1), ignore_index=True).iloc[:MANY]
    return Subject(title, estimator, path, frame)


def penguins(folder: Path) -> Subject:
    """Impute, scale, encode, logistic regression: 4 numbers and 2 texts with gaps."""
    pipeline, X, _ = train()
    return prepare("penguins", "6 mixed columns + LR", (pipeline, X), folder)


def linear(folder: Path) -> Subject:
    """Scale, logistic regression: 30 numbers."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)
    return prepare("linear", "scaler + LR, 30 numbers", (model, X), folder)


def forest(folder: Path) -> Subject:
    """100 trees on 30 numbers."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(100, random_state=0).fit(X, y)
    return prepare("forest", "forest of 100, 30 numbers", (model, X), folder)


SUBJECTS: dict[str, Callable[[Path], Subject]] = {"linear": linear, "forest": forest, "penguins": penguins}
