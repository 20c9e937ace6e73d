"""skl2onnx and onnxruntime as their documentation shows them: convert, open a session, make arrays, run."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from numpy.typing import NDArray
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

__all__ = ["Documented"]


class Documented:
    """A classifier's pipeline: one float input of all columns, or an input for each where some are texts."""

    def __init__(self, estimator: Any, frame: pd.DataFrame, options: onnxruntime.SessionOptions) -> None:
        """https://onnx.ai/sklearn-onnx/auto_examples/plot_complex_pipeline.html"""
        self._texts = {str(name): frame[name].dtype.kind != "f" for name in frame.columns}
        self._apart = any(self._texts.values())
        initial: list[tuple[str, Any]] = [("X", FloatTensorType([None, frame.shape[1]]))]
        if self._apart:
            kinds = {True: StringTensorType, False: FloatTensorType}
            initial = [(name, kinds[text]([None, 1])) for name, text in self._texts.items()]
        model = convert_sklearn(estimator, initial_types=initial, options={id(estimator): {"zipmap": False}})
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._names = {"predict": ["label"], "predict_proba": ["probabilities"]}

    def feeds(self, record: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Arrays made of one record."""
        if not self._apart:
            return {"X": np.array([[record[name] for name in self._texts]], dtype=np.float32)}
        return {
            name: np.array([[record[name]]], dtype=object if text else np.float32) for name, text in self._texts.items()
        }

    def feeds_of(self, frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
        """Arrays made of many rows."""
        if not self._apart:
            return {"X": frame.to_numpy(dtype=np.float32)}
        return {
            name: frame[[name]].to_numpy(dtype=object if text else np.float32) for name, text in self._texts.items()
        }

    def answer(self, method: str, feeds: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """`label` or `probabilities`, a row for each."""
        answer: NDArray[Any] = self._session.run(self._names[method], feeds)[0]
        return answer
