"""The path that skl2onnx's documentation shows, judged in the same way: float32 rows, float32 tolerance."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

from matrix.case import Fitted
from matrix.fresh import fresh_rows
from matrix.judge import FULL, Compared, answering, asked, borderline, compare

__all__ = ["judge_documented"]

_RELATIVE = 1e-5
_BOOSTERS = ("XGB", "LGBM", "CatBoost")


def judge_documented(fitted: Fitted, count: int = FULL) -> dict[str, Any]:
    """Whether it converts, runs, and answers as the original does on the same float32 rows."""
    try:
        content = _converted(fitted.model, _narrow(fitted.data))
        session = _session(content)
    except Exception as error:  # noqa: BLE001  # of any library below
        return {"outcome": "fails", "reason": f"{type(error).__name__}: {_line(error)}"}
    rows, near = fresh_rows(fitted.data, lambda rows: _takes(fitted, rows), count, known=fitted.known)
    rows, near = _without_missing_texts(fitted.data, _narrow(rows), near)
    try:
        outputs = _run(session, rows)
        return _judged(fitted, rows, near, outputs)
    except Exception as error:  # noqa: BLE001
        return {"outcome": "fails", "reason": f"{type(error).__name__}: {_line(error)}"}


def _takes(fitted: Fitted, rows: Any) -> bool:
    try:
        _asked(next(iter(fitted.methods().values())), _narrow(rows))
    except Exception:  # noqa: BLE001
        return False
    return True


def _asked(method: Any, rows: Any) -> Any:
    """Some originals (KMeans) refuse float32 rows when they were fitted on float64: the same numbers as float64."""
    try:
        return asked(method, rows)
    except ValueError:
        if not isinstance(rows, np.ndarray) or rows.dtype != np.float32:
            raise
        return asked(method, rows.astype(np.float64))


def _without_missing_texts(data: Any, rows: Any, near: Any) -> tuple[Any, Any]:
    """Its string tensors hold no missing values; rows with one are left out where training had none either."""
    if _missing_texts(data).any() or not _missing_texts(rows).any():
        return rows, near
    keep = ~_missing_texts(rows)
    return (rows[keep].reset_index(drop=True) if isinstance(rows, pd.DataFrame) else rows[keep]), near[keep]


def _missing_texts(data: Any) -> Any:
    """[rows]"""
    if isinstance(data, list):
        return np.zeros(len(data), bool)
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data.reshape(len(data), -1))
    texts = [name for name in frame.columns if frame[name].dtype.kind not in "fiub"]
    return frame[texts].isna().any(axis=1).to_numpy()


def _run(session: Any, rows: Any) -> list[Any]:
    """All rows at once; dicts one by one, as onnxruntime takes them."""
    if not (isinstance(rows, list) and isinstance(rows[0], dict)):
        return list(session.run(None, _feeds(session, rows)))
    name = session.get_inputs()[0].name
    answers = [session.run(None, {name: row}) for row in rows]
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def _line(error: Exception) -> str:
    """In one line, without the time of day that XGBoost puts in front: a record changes with the answers only."""
    return re.sub(r"^\[\d\d:\d\d:\d\d\] ", "", " ".join(str(error).split()))[:160]


def _narrow(data: Any) -> Any:
    """float64 as float32, as the documentation does."""
    if isinstance(data, pd.DataFrame):
        return data.astype({name: np.float32 for name in data.columns if data[name].dtype == np.float64})
    if isinstance(data, np.ndarray) and (data.dtype.kind == "f" or (data.dtype.kind in "iu" and data.shape[1] > 1)):
        return data.astype(np.float32)  # whole labels stay whole
    return data


def _converted(model: Any, data: Any) -> bytes:
    if type(model).__module__.split(".")[0] in ("xgboost", "lightgbm", "catboost"):
        return _booster(model, data)
    import skl2onnx

    _register_boosters(model)
    final = model[-1] if hasattr(model, "steps") else model
    options: Any = {"zipmap": False} if is_classifier(final) else None
    if isinstance(data, list):
        types = [("X", _type_of(data[0]))]
        return bytes(skl2onnx.convert_sklearn(model, initial_types=types).SerializeToString())
    if isinstance(data, np.ndarray) and data.dtype == object:
        data = data.astype(str)
    try:
        return _exported(model, data[:1], options)
    except Exception:
        if not isinstance(data, pd.DataFrame) or any(kind != np.float32 for kind in data.dtypes):
            raise
        return _exported(model, data[:1].to_numpy(), options)  # a frame of numbers may also come as a matrix


def _exported(model: Any, data: Any, options: Any) -> bytes:
    import skl2onnx

    targets = {"": 18, "ai.onnx.ml": 3}
    return bytes(skl2onnx.to_onnx(model, data, options=options, target_opset=targets).SerializeToString())


def _type_of(first: Any) -> Any:
    from skl2onnx.common.data_types import DictionaryType, FloatTensorType, StringTensorType

    if isinstance(first, dict):
        return DictionaryType(StringTensorType([1]), FloatTensorType([1]))
    return StringTensorType([None, 1])


def _booster(model: Any, data: Any) -> bytes:
    """onnxmltools' own converters; CatBoost writes ONNX itself."""
    library = type(model).__module__.split(".")[0]
    if library == "catboost":
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            model.save_model(f"{folder}/model.onnx", format="onnx")
            return (Path(folder) / "model.onnx").read_bytes()
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    convert = onnxmltools.convert_xgboost if library == "xgboost" else onnxmltools.convert_lightgbm
    extra = {"zipmap": False} if library == "lightgbm" else {}
    width = np.shape(data)[1]
    return bytes(convert(model, initial_types=[("X", FloatTensorType([None, width]))], **extra).SerializeToString())


def _register_boosters(model: Any) -> None:
    """As onnxmltools' documentation says, where the pipeline ends in a booster."""
    final = model[-1] if hasattr(model, "steps") else None
    if not type(final).__name__.startswith(_BOOSTERS):
        return
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    shapes = (
        calculate_linear_classifier_output_shapes if is_classifier(final) else calculate_linear_regressor_output_shapes
    )
    convert = _onnxmltools_converter(type(final).__name__)
    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]} if is_classifier(final) else None
    update_registered_converter(type(final), f"Edge{type(final).__name__}", shapes, convert, options=options)


def _onnxmltools_converter(name: str) -> Any:
    if name.startswith("XGB"):
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

        return convert_xgboost
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    return convert_lightgbm


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def _feeds(session: Any, rows: Any) -> dict[str, Any]:
    inputs = session.get_inputs()
    if isinstance(rows, pd.DataFrame) and len(inputs) > 1:
        return {each.name: _cast(rows.iloc[:, [i]].to_numpy(), each.type) for i, each in enumerate(inputs)}
    table = rows.to_numpy() if isinstance(rows, pd.DataFrame) else rows
    if isinstance(rows, list):
        table = np.array(rows, dtype=object).reshape(-1, 1)
    return {inputs[0].name: _cast(table, inputs[0].type)}


def _cast(values: Any, kind: str) -> Any:
    return np.asarray(values).astype(_DTYPES.get(kind, object))


def _judged(fitted: Fitted, rows: Any, near: Any, outputs: list[Any]) -> dict[str, Any]:
    answers = {name: _asked(method, rows) for name, method in answering(fitted).items()}
    ties = borderline(answers, len(rows), _RELATIVE)
    compared = {}
    for name, output in zip(_promised(fitted, len(outputs)), outputs, strict=False):
        if name not in answers:
            continue
        want = answers[name]
        got = _alike(want, output)
        compared[name] = compare(want, got, near, _RELATIVE, ties, probability=name == "predict_proba")
    wrong = {name: each for name, each in compared.items() if each.differing}
    if not wrong:
        return {"outcome": "equal", "rows": len(ties)}
    return {
        "outcome": "wrong",
        "rows": len(ties),
        "reason": "; ".join(_told(name, each) for name, each in wrong.items()),
    }


def _told(name: str, compared: Compared) -> str:
    return f"{name}: {compared.note or f'{compared.differing} rows differ'}"


def _promised(fitted: Fitted, count: int) -> list[str]:
    """What the outputs are by the documentation, in their order."""
    model = fitted.model
    if fitted.asked is not None:  # a raw booster: a regressor's output, or a classifier's two
        return ["label", "predict"] if count > 1 else ["predict"]
    if is_classifier(model):
        return ["predict", "predict_proba"][:count] if hasattr(model, "predict_proba") else ["predict"]
    if is_clusterer(model):
        return ["predict", "transform"][:count]
    if is_outlier_detector(model):
        return ["predict", "decision_function"][:count]
    return ["predict"] if is_regressor(model) or "predict" in fitted.methods() else ["transform"]


def _alike(want: Any, got: Any) -> Any:
    """One trailing dimension more or less is a matter of taste, and so is one array for a list of them."""
    if isinstance(want, list):
        return [np.asarray(part) for part in got]
    if isinstance(got, list) and got and isinstance(got[0], dict):  # ZipMap, which CatBoost always writes
        got = np.array([list(row.values()) for row in got])
    if want.ndim == 1 and np.shape(got) == (len(want), 2):  # a raw booster gives the second class
        got = np.asarray(got)[:, 1]
    got = np.asarray(got.toarray() if hasattr(got, "toarray") else got)
    if want.ndim != got.ndim and want.size == got.size and got.shape[:1] == want.shape[:1]:
        return got.reshape(want.shape)
    return got
