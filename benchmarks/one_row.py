"""One record: scikit-learn itself, skl2onnx and onnxruntime as they are documented, and edge_infer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnxruntime
import pandas as pd

import edge_infer
from benchmarks.documented import Documented
from benchmarks.measure import QUICK, Settings, side_by_side
from benchmarks.results import Part, plain, spent
from benchmarks.subjects import Subject, each

__all__ = ["ARRAY", "CASES", "DICT", "DOCUMENTED", "METHODS", "READY", "SKLEARN", "check_equal", "run"]

#: Targets, as shares of the other side's time.
MOST_OF_READY: Final = 0.70  # an array, of `session.run` with a feed that is ready
MOST_OF_DOCUMENTED: Final = 0.60  # a dict of numbers, of what the documentation does with it
MOST_OF_DOCUMENTED_MIXED: Final = 0.45
LEAST_OF_SKLEARN: Final = 200  # times as fast for mixed columns

METHODS: Final = ("predict", "predict_proba")
SKLEARN, DOCUMENTED, READY = "scikit-learn", "documented", "ready feed"
DICT, ARRAY = "edge_infer, dict", "edge_infer, array"
CASES: Final = (SKLEARN, DOCUMENTED, READY, DICT, ARRAY)
_NOTE: Final = (
    "One record, answered as an array of probabilities or a label. scikit-learn: a DataFrame made of the dict. "
    "Documented: the pipeline converted by skl2onnx (an input for each column where some are texts, zipmap off), a "
    "default session, arrays made of the dict, `session.run`; nothing is checked. Ready feed: the same call alone, its "
    "arrays made before. edge_infer: one thread, every value checked. ÷: edge_infer's share of the other side's time, "
    "from the dict, of the ready feed's from the array. Answers are compared before they are timed."
)

Case = Callable[[], Any]


def run(settings: Settings) -> Part:
    """Raises AssertionError if answers differ."""
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    for subject in each():
        for method in METHODS:
            times = side_by_side(_cases(subject, method), settings)
            target = "" if settings == QUICK or method == "predict" else _target(subject, times)
            rows.append(_row(subject, method, times, target))
            measured += plain(times, model=subject.title, method=method, rows=1)
    headers = (
        "model, method",
        SKLEARN,
        DOCUMENTED,
        READY,
        DICT,
        ARRAY,
        "÷ scikit-learn",
        "÷ documented",
        "÷ ready",
        "target",
    )
    return Part("one_row", "One record", _NOTE, headers, rows, measured)


def _row(subject: Subject, method: str, times: dict[str, float], target: str) -> tuple[str, ...]:
    cells = [spent(times[case]) if case in times else "" for case in CASES]
    best = times.get(ARRAY, times[DICT])
    shares = [
        f"1/{times[SKLEARN] / times[DICT]:,.0f}",
        f"{times[DICT] / times[DOCUMENTED]:.2f}",
        f"{best / times[READY]:.2f}",
    ]
    return (f"{subject.title}, {method}", *cells, *shares, target)


def _target(subject: Subject, times: dict[str, float]) -> str:
    dict_share = times[DICT] / times[DOCUMENTED]
    if subject.numeric:
        met = times[ARRAY] / times[READY] <= MOST_OF_READY and dict_share <= MOST_OF_DOCUMENTED
        return f"≤ {MOST_OF_READY:.2f} ready, ≤ {MOST_OF_DOCUMENTED:.2f} documented: {'met' if met else 'MISSED'}"
    met = dict_share <= MOST_OF_DOCUMENTED_MIXED and times[SKLEARN] / times[DICT] >= LEAST_OF_SKLEARN
    return (
        f"≤ {MOST_OF_DOCUMENTED_MIXED:.2f} documented, 1/{LEAST_OF_SKLEARN} scikit-learn: {'met' if met else 'MISSED'}"
    )


def _cases(subject: Subject, method: str) -> dict[str, Case]:
    model = edge_infer.load(subject.path)
    documented = Documented(subject.estimator, subject.frame, onnxruntime.SessionOptions())
    original, ours = getattr(subject.estimator, method), getattr(model, method)
    record = {str(name): value for name, value in subject.frame.iloc[0].items()}
    ready = documented.feeds(record)
    cases: dict[str, Case] = {
        SKLEARN: lambda: original(pd.DataFrame([record]))[0],
        DOCUMENTED: lambda: documented.answer(method, documented.feeds(record))[0],
        READY: lambda: documented.answer(method, ready)[0],
        DICT: lambda: ours(record),
    }
    if subject.numeric:
        row = subject.frame.iloc[0].to_numpy()
        cases[ARRAY] = lambda: ours(row)
    check_equal({name: call() for name, call in cases.items()})
    return cases


def check_equal(answers: dict[str, Any]) -> None:
    """Raises AssertionError where a side's answer is not scikit-learn's."""
    wanted = np.asarray(answers[SKLEARN])
    for case, answer in answers.items():
        got = np.asarray(answer)
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5, err_msg=case)
        else:
            np.testing.assert_array_equal(got.astype(wanted.dtype), wanted, err_msg=case)
