"""10,000 rows of a DataFrame: scikit-learn itself, skl2onnx and onnxruntime as documented, and edge_infer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import onnxruntime

import edge_infer
from benchmarks.documented import Documented
from benchmarks.measure import Settings, side_by_side
from benchmarks.one_row import SKLEARN, check_equal
from benchmarks.results import Part, spent
from benchmarks.subjects import SUBJECTS, Subject

__all__ = ["run"]

_DOCUMENTED, _EDGE = "documented, 1 thread", "edge_infer, 1 thread"
_NOTE: Final = (
    "`predict_proba` of 10,000 rows of a pandas DataFrame. scikit-learn: as it is. Documented: as above, arrays "
    "made of the frame's columns, one thread. edge_infer: one thread, every value checked. Labels are compared before."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if labels differ."""
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for make in SUBJECTS.values():
            subject = make(Path(folder))
            times = side_by_side(_cases(subject), settings)
            shares = [f"{times[_EDGE] / times[case]:.2f}" for case in (SKLEARN, _DOCUMENTED)]
            rows.append((subject.title, *(spent(seconds) for seconds in times.values()), *shares))
            about = {"model": subject.title, "method": "predict_proba", "rows": len(subject.frame)}
            measured += [about | {"case": case, "seconds": seconds} for case, seconds in times.items()]
    headers = ("model", SKLEARN, _DOCUMENTED, _EDGE, "÷ scikit-learn", "÷ documented")
    return Part("many_rows", "10,000 rows", _NOTE, headers, rows, measured)


def _cases(subject: Subject) -> dict[str, Callable[[], Any]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model, frame = edge_infer.load(subject.path), subject.frame
    documented = Documented(subject.estimator, frame, options)
    original, ours = subject.estimator.predict_proba, model.predict_proba
    check_equal({SKLEARN: subject.estimator.predict(frame), _EDGE: model.predict(frame)})
    return {
        SKLEARN: lambda: original(frame),
        _DOCUMENTED: lambda: documented.answer("predict_proba", documented.feeds_of(frame)),
        _EDGE: lambda: ours(frame),
    }
