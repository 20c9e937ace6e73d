"""Small artifacts of one name, each with answers of its own."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_infer.verification import verify
from edge_infer_convert import convert

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(60, 2)), columns=["a", "b"])
ROW = {"a": 0.5, "b": -1.25}


@cache
def artifact(version: str = "1.0.0", *, name: str = "pets", release: int | None = None, columns: int = 2) -> bytes:
    """Its answers for `ROW` are `answer(version)`."""
    data = X.iloc[:, :columns]
    data = data.assign(c=RNG.normal(size=len(X))) if columns > 2 else data
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(data, _target(version))
    return convert(model, data=data, name=name, version=version, release=release or 1).data


def _target(version: str) -> Any:
    return X["a"] + 10 * sum(map(int, version.split("-", maxsplit=1)[0].split(".")))


def answer(version: str) -> float:
    return ROW["a"] + 10 * sum(map(int, version.split("-", maxsplit=1)[0].split(".")))


def is_sound(data: bytes) -> bool:
    return all(check.status != "failed" for check in verify(data))


def brittle(version: str) -> bytes:
    """The same, but onnxruntime fails for an "a" of 200 or more: an index leaves its table."""
    model = onnx.load_from_string(artifact(version))
    add = model.graph.initializer.append
    add(onnx.numpy_helper.from_array(np.zeros((200, 1), np.float32), "table"))
    add(onnx.numpy_helper.from_array(np.array([0]), "first"))
    model.graph.node[0].input[0] = "same"
    for node in reversed(
        [
            onnx.helper.make_node("Gather", ["numbers", "first"], ["a"], axis=1),
            onnx.helper.make_node("Cast", ["a"], ["index"], to=onnx.TensorProto.INT64),
            onnx.helper.make_node("GatherND", ["table", "index"], ["zero"]),
            onnx.helper.make_node("Add", ["numbers", "zero"], ["same"]),
        ]
    ):
        model.graph.node.insert(0, node)
    data: bytes = model.SerializeToString()
    return data
