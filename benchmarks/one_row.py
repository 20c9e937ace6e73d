"""One record and many rows: scikit-learn itself, onnxruntime as documented, and edge_infer, on the same model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import pandas as pd
from numpy.typing import NDArray

import edge_infer
from benchmarks.measure import Settings, side_by_side
from benchmarks.results import Part, spent
from benchmarks.subjects import SUBJECTS, Subject
from edge_infer.manifest import Manifest

__all__ = ["run"]

METHODS: Final = ("predict", "predict_proba")
_SKLEARN, _FRAME_READY, _ORT, _EDGE = "scikit-learn", "scikit-learn, frame ready", "onnxruntime", "edge_infer"
_NOTE: Final = (
    "One record is a dict, many rows are a pandas DataFrame; each side makes of it what it needs, and gives its "
    "answer as an array. onnxruntime: the same file, `session.run` as its documentation shows, default options (all "
    "cores), nothing checked. edge_infer: one thread, every value checked. A ratio above 1: edge_infer is faster. "
    "Answers are compared before they are timed."
)

Case = Callable[[], Any]


def run(settings: Settings) -> Part:
    """Raises AssertionError if answers differ."""
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for make in SUBJECTS.values():
            subject = make(Path(folder))
            for method in METHODS:
                for count in (1, len(subject.frame)):
                    times = side_by_side(_cases(subject, method, count), settings)
                    rows.append(_row(subject, method, count, times))
                    measured += _plain(subject, method, count, times)
    headers = (
        "model, method, rows",
        _SKLEARN,
        _FRAME_READY,
        _ORT,
        _EDGE,
        "scikit-learn ÷ edge_infer",
        "onnxruntime ÷ edge_infer",
    )
    return Part("one_row", "One record and 10,000 rows", _NOTE, headers, rows, measured)


def _row(subject: Subject, method: str, count: int, times: dict[str, float]) -> tuple[str, ...]:
    cells = [spent(times[case]) if case in times else "" for case in (_SKLEARN, _FRAME_READY, _ORT, _EDGE)]
    ratios = [f"{times[case] / times[_EDGE]:.3g} ×" for case in (_SKLEARN, _ORT)]
    return (f"{subject.title}, {method}, {count:,}", *cells, *ratios)


def _plain(subject: Subject, method: str, count: int, times: dict[str, float]) -> list[dict[str, Any]]:
    about = {"model": subject.title, "method": method, "rows": count}
    return [about | {"case": case, "seconds": seconds} for case, seconds in times.items()]


def _cases(subject: Subject, method: str, count: int) -> dict[str, Case]:
    model = edge_infer.load(subject.path)
    session = onnxruntime.InferenceSession(str(subject.path), providers=["CPUExecutionProvider"])
    original, ours = getattr(subject.estimator, method), getattr(model, method)
    output = [next(o.tensors[0] for o in model.manifest.outputs if o.method == method)]
    frame, manifest = subject.frame.iloc[:count], model.manifest
    if count > 1:
        cases: dict[str, Case] = {
            _SKLEARN: lambda: original(frame),
            _ORT: lambda: session.run(output, _feeds_of_frame(manifest, frame))[0],
            _EDGE: lambda: ours(frame),
        }
    else:
        record = {str(name): value for name, value in frame.iloc[0].items()}
        feeds = _record_feeds(manifest)
        cases = {
            _SKLEARN: lambda: original(pd.DataFrame([record]))[0],
            _FRAME_READY: lambda: original(frame)[0],
            _ORT: lambda: session.run(output, feeds(record))[0][0],
            _EDGE: lambda: ours(record),
        }
    _check({name: call() for name, call in cases.items()})
    return cases


def _record_feeds(manifest: Manifest) -> Callable[[dict[str, Any]], dict[str, NDArray[Any]]]:
    """Feeds from a dict, as one would write them by hand for this model; no gaps in the record that is measured."""
    places = [
        (tensor.name, object if tensor.dtype == "string" else tensor.dtype, _names(manifest, tensor.name))
        for tensor in manifest.inputs.tensors
    ]
    return lambda record: {name: np.array([[record[c] for c in columns]], dtype) for name, dtype, columns in places}


def _feeds_of_frame(manifest: Manifest, frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    feeds: dict[str, NDArray[Any]] = {}
    for tensor in manifest.inputs.tensors:
        part = frame[_names(manifest, tensor.name)]
        if tensor.dtype == "string":
            feeds[tensor.name] = part.astype(object).fillna(tensor.missing).to_numpy()
        else:
            feeds[tensor.name] = part.to_numpy(tensor.dtype)
    return feeds


def _names(manifest: Manifest, tensor: str) -> list[str]:
    columns = sorted((c for c in manifest.inputs.columns if c.tensor == tensor), key=lambda column: column.index)
    return [column.name for column in columns]


def _check(answers: dict[str, Any]) -> None:
    wanted = np.asarray(answers[_SKLEARN])
    for case, answer in answers.items():
        got = np.asarray(answer)
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5, err_msg=case)
        else:
            np.testing.assert_array_equal(got, wanted.astype(got.dtype), err_msg=case)
