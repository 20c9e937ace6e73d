"""No row of the support matrix is worse than recorded; and the matrix notices when one is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from matrix import record, report
from matrix.__main__ import chosen_cases
from matrix.case import Case, Fitted
from matrix.data import DATASETS, load
from matrix.fresh import fresh_rows, taken
from matrix.judge import QUICK, compare, judge

_ROOT = Path(__file__).parent.parent.parent


def _python(*arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'convert'}", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


@pytest.mark.slow
def test_no_estimator_is_worse_than_recorded() -> None:
    """In a process of its own, from which each case is forked: this one has threads already."""
    ran = _python("-m", "matrix", "--quick", "--check", seconds=900)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr[-2000:]}"


# --- the judge sees what is wrong -------------------------------------------------------------


def _case(fit: Any) -> Case:
    return Case("estimators", "Some", "case", fit)


def test_a_different_answer_is_wrong() -> None:
    X, y = load("regression")

    def other() -> Fitted:
        model = Ridge().fit(X, y)
        return Fitted(model, X, {"predict": lambda rows: model.predict(rows) + 0.01})

    assert judge(_case(other), Fitted(Ridge().fit(X, y), X), QUICK)["outcome"] == "equal"
    result = judge(_case(other), other(), QUICK)
    assert result["outcome"] == "wrong"
    assert "rows differ" in result["reason"]


def test_what_cannot_be_converted_is_refused_with_its_reason() -> None:
    case = next(case for case in chosen_cases(["TSNE"]))
    result = judge(case, case.fit(), QUICK)
    assert (result["outcome"], result["methods"]) == ("refused", [])
    assert "cannot answer new rows" in result["reason"]


def test_a_label_may_differ_only_where_the_original_is_undecided() -> None:
    want, got = np.array([0, 1, 0, 1]), np.array([0, 0, 0, 0])
    near, ties = np.ones(4, bool), np.array([False, True, False, False])
    found = compare(want, got, near, 1e-5, ties, probability=False)
    assert (found.differing, found.borderline) == (1, 1)


def test_numbers_are_measured_by_their_size_in_range() -> None:
    want = np.array([100.0, 1e-3, np.nan, np.inf])
    near, ties = np.array([True, False, False, False]), np.zeros(4, bool)
    close = compare(want, want + np.array([0, 5e-4, 0, 0]), near, 1e-5, ties, probability=False)
    assert (close.differing, close.worst) == (0, 5e-6)
    assert compare(want, want + np.array([0, 5e-3, 0, 0]), near, 1e-5, ties, probability=False).differing == 1
    assert compare(want, np.zeros(4), near, 1e-5, ties, probability=False).differing == 3


def test_another_shape_or_a_list_is_a_difference() -> None:
    want, near = np.zeros((3, 1)), np.ones(3, bool)
    assert "shape" in compare(want, np.zeros(3), near, 1e-5, near, probability=False).note
    assert "list" in compare([want], want, near, 1e-5, near, probability=False).note


# --- the processes ----------------------------------------------------------------------------


_CHILDREN = """
import json, os, time
from sklearn.linear_model import Ridge
from matrix.case import Case, Fitted
from matrix.data import load
from matrix.run import Settings, run

def hangs():
    time.sleep(600)

def raises():
    raise KeyError("no such key")

def fine():
    X, y = load("regression")
    return Fitted(Ridge().fit(X, y), X)

if __name__ == "__main__":
    cases = [Case("estimators", f.__name__, "", f) for f in (os.abort, hangs, raises, fine)]
    found = run(cases, Settings(300, seconds=8.0, documented=False))
    print(json.dumps({case.subject: [result["outcome"], result.get("reason", "")] for case, result in found}))
"""


def test_a_crash_and_a_hang_are_rows() -> None:
    """Neither takes the others down."""
    ran = _python("-c", _CHILDREN, seconds=120)
    found = json.loads(ran.stdout)
    assert {name: outcome for name, (outcome, _) in found.items()} == {
        "abort": "crash",
        "hangs": "timeout",
        "raises": "crash",
        "fine": "equal",
    }
    assert "KeyError" in found["raises"][1]


# --- the rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_fresh_rows_are_of_the_datas_kind_and_the_same_each_time(name: str) -> None:
    X, _ = load(name)
    rows, near = fresh_rows(X, lambda rows: True, 100)
    again, _ = fresh_rows(X, lambda rows: True, 100)
    assert type(rows) is type(X)
    assert (len(rows), near.sum()) == (100, 70)
    assert repr(rows) == repr(again)
    if isinstance(X, np.ndarray):
        assert (rows.dtype, rows.shape[1:]) == (X.dtype, X.shape[1:])


def test_rows_that_the_original_refuses_are_left_out() -> None:
    rows = np.arange(50.0).reshape(-1, 1)
    assert taken(rows, lambda some: bool((some % 7 != 3).all())).tolist() == [i for i in range(50) if i % 7 != 3]


# --- the record -------------------------------------------------------------------------------


def _entry(outcome: str, subject: str = "Ridge") -> dict[str, Any]:
    return {"group": "estimators", "subject": subject, "case": "regression", "outcome": outcome, "methods": ["predict"]}


@pytest.mark.parametrize(
    ("before", "now", "is_worse"),
    [
        ("equal", "equal", False),
        ("equal", "partial", True),
        ("equal", "refused", True),
        ("equal", "wrong", True),
        ("partial", "refused", True),
        ("refused", "wrong", True),
        ("refused", "timeout", True),
        ("refused", "equal", False),
        ("wrong", "wrong", False),
        ("wrong", "refused", False),
    ],
)
def test_worse_than_recorded(before: str, now: str, is_worse: bool) -> None:
    assert bool(record.worse({"cases": [_entry(before)]}, [_entry(now)])) is is_worse


def test_a_new_case_may_be_refused_but_not_wrong() -> None:
    assert record.worse({"cases": []}, [_entry("refused")]) == []
    assert len(record.worse({"cases": []}, [_entry("crash")])) == 1


def test_an_estimator_is_equal_only_when_all_its_cases_are() -> None:
    entries = [_entry("equal"), _entry("refused") | {"case": "other", "reason": "so"}, _entry("equal", "Tree")]
    lines = report.summary(entries).splitlines()
    assert lines[2] == "| estimators | 2 | 2 | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 2 | 0 |"
    assert lines[3] == "| … their cases | 3 | 2 | 2 | 0 | 1 | 0 | 0 | 0 | 0 | 3 | 0 |"


def test_a_reason_of_many_lines_or_bars_stays_in_its_cell() -> None:
    entry = _entry("refused") | {"reason": "a|b " + "long " * 200}
    row = report.markdown({"versions": {}, "cases": [entry]}).splitlines()[-1]
    assert row.count("|") == 8
    assert len(row) < 300


def test_names_of_cases_are_unique() -> None:
    keys = [case.key for case in chosen_cases()]
    assert len(keys) == len(set(keys))
