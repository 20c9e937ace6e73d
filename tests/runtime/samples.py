"""The sample artifacts, the originals that they were made from, and ways to make variants of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import pandas as pd
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_infer
from edge_infer.manifest import KEY_GOLDENS, KEY_MANIFEST
from edge_infer_convert.demo import train

SAMPLES = Path(__file__).parents[2] / "artifacts" / "samples"
FORMAT_1 = SAMPLES / "format-1"
PENGUINS, DIABETES, DIGITS = (FORMAT_1 / f"{name}-1.0.0.onnx" for name in ("penguins", "diabetes", "digits"))
RECORD: dict[str, Any] = json.loads((FORMAT_1 / "penguins-1.0.0.record.json").read_text(encoding="utf-8"))


@cache
def load(path: Path) -> edge_infer.Model:
    return edge_infer.load(path)


@cache
def penguins() -> tuple[Pipeline, pd.DataFrame]:
    """The fitted original of penguins and its training data."""
    pipeline, X, _ = train()
    return pipeline, X


@cache
def diabetes() -> tuple[Any, pd.DataFrame]:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, y), X


@cache
def digits() -> tuple[Any, Any]:
    X, y = load_digits(return_X_y=True)
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y), X


def manifest_of(path: Path) -> dict[str, Any]:
    text = edge_infer.read_artifact(path).facts.metadata[KEY_MANIFEST]
    document: dict[str, Any] = json.loads(text)
    return document


def with_documents(
    path: Path,
    manifest: Callable[[dict[str, Any]], object] | None = None,
    goldens: Callable[[dict[str, Any]], object] | None = None,
    graph: Callable[[onnx.ModelProto], object] | None = None,
) -> bytes:
    """The sample with changes made in place to its manifest, its goldens, or its graph."""
    model = onnx.load(path)
    for entry in model.metadata_props:
        change = {KEY_MANIFEST: manifest, KEY_GOLDENS: goldens}.get(entry.key)
        if change is not None:
            document = copy.deepcopy(json.loads(entry.value))
            change(document)
            entry.value = json.dumps(document, ensure_ascii=False)
    if graph is not None:
        graph(model)
    return bytes(model.SerializeToString())
