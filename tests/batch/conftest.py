"""A model of every kind of column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import edge_infer
from edge_infer import Model
from edge_infer_convert import convert
from tests.batch.passengers import NUMBERS, TEXTS, passengers


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = passengers(400).drop(columns="id")
    pipeline = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), [*NUMBERS, "siblings", "alone"]),
                ("texts", OneHotEncoder(handle_unknown="ignore"), TEXTS),
            ]
        ),
        LogisticRegression(),
    )
    survived = np.where(frame["age"].fillna(30) + 20 * frame["alone"] > 40, "no", "yes, saved")
    pipeline.fit(frame, survived)
    file = tmp_path_factory.mktemp("model") / "titanic-1.0.0.onnx"
    convert(pipeline, data=frame, name="titanic", version="1.0.0", output=file)
    return file


@pytest.fixture(scope="session")
def model(path: Path) -> Model:
    return edge_infer.load(path)
