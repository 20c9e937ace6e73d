"""10,000 rows of a DataFrame: scikit-learn itself, skl2onnx and onnxruntime as documented, and edge_infer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnxruntime

import edge_infer
from benchmarks.documented import Documented
from benchmarks.measure import Settings, side_by_side
from benchmarks.one_row import SKLEARN, check_equal
from benchmarks.results import Part, plain, spent
from benchmarks.subjects import Subject, each

__all__ = ["run"]

_DOCUMENTED, _EDGE = "documented, 1 thread", "edge_infer, 1 thread"
_NOTE: Final = (
    "`predict_proba` of 10,000 rows of a pandas DataFrame. scikit-learn: as it is. Documented: as above, arrays "
    "made of the frame's columns, one thread. edge_infer: one thread, every value checked. Answers are compared "
    "with scikit-learn's before; of the documented way those that differ by more than 1e-5 are counted."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if answers differ."""
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    for subject in each():
        cases = _cases(subject)
        differing = _differing(cases)
        times = side_by_side(cases, settings)
        shares = [f"{times[_EDGE] / times[case]:.2f}" for case in (SKLEARN, _DOCUMENTED)]
        rows.append((subject.title, *(spent(seconds) for seconds in times.values()), *shares, f"{differing:,}"))
        measured += plain(
            times, model=subject.title, method="predict_proba", rows=len(subject.frame), differing=differing
        )
    headers = ("model", SKLEARN, _DOCUMENTED, _EDGE, "÷ scikit-learn", "÷ documented", "documented: rows that differ")
    return Part("many_rows", "10,000 rows", _NOTE, headers, rows, measured)


def _cases(subject: Subject) -> dict[str, Callable[[], Any]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model, frame = edge_infer.load(subject.path), subject.frame
    documented = Documented(subject.estimator, frame, options)
    original, ours = subject.estimator.predict_proba, model.predict_proba
    return {
        SKLEARN: lambda: original(frame),
        _DOCUMENTED: lambda: documented.answer("predict_proba", documented.feeds_of(frame)),
        _EDGE: lambda: ours(frame),
    }


def _differing(cases: dict[str, Callable[[], Any]]) -> int:
    """Rows that the documented way answers by more than 1e-5 otherwise than scikit-learn; ours must have none."""
    wanted, other = cases[SKLEARN](), cases[_DOCUMENTED]()
    check_equal({SKLEARN: wanted, _EDGE: cases[_EDGE]()})
    return int((np.abs(other - wanted) > 1e-5).any(axis=1).sum())
