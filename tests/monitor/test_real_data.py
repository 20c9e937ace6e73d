"""Drift on real data, by the reference that the converter writes: no false alarms, and found where it is put."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_infer
from edge_infer.artifact import parse_artifact
from edge_infer.manifest import KEY_REFERENCE
from edge_infer.model import Model
from edge_infer.monitor.basis import Basis, basis_of
from edge_infer.monitor.folding import Folder, Kept
from edge_infer.monitor.profile import parse_reference
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.verdict import DRIFTED, Drift, judge
from edge_infer_convert import convert
from edge_infer_convert.demo import train

RNG = np.random.default_rng(3)


class Subject(NamedTuple):
    """A model, its rows, and what counts them."""

    model: Model
    rows: pd.DataFrame
    basis: Basis
    folder: Folder

    def judged(self, rows: pd.DataFrame) -> Drift:
        """A window of these rows."""
        summary = Summary()
        summary.rows = len(rows)
        self.folder.fold([Kept("predict", rows, self.model.predict(rows), len(rows))], summary)
        return judge(self.basis, summary)


def _subject(name: str) -> Subject:
    if name == "penguins":
        estimator, rows, _ = train()
    else:
        load = {"cancer": load_breast_cancer, "wine": load_wine, "diabetes": load_diabetes}[name]
        rows, y = load(return_X_y=True, as_frame=True)
        final = Ridge() if name == "diabetes" else LogisticRegression(max_iter=1000)
        estimator = make_pipeline(StandardScaler(), final).fit(rows, y)
    artifact = parse_artifact(convert(estimator, data=rows, name=name).data)
    basis = basis_of(artifact, parse_reference(artifact.facts.metadata[KEY_REFERENCE]))
    return Subject(edge_infer.load(artifact.data), rows, basis, Folder(artifact, basis))


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    return {name: _subject(name) for name in ("penguins", "cancer", "wine", "diabetes")}


def _resampled(subject: Subject, rows: int) -> pd.DataFrame:
    return subject.rows.iloc[RNG.integers(0, len(subject.rows), rows)].reset_index(drop=True)


def test_of_a_thousand_windows_without_drift_at_most_one_in_a_hundred_is_called_drifted(
    subjects: dict[str, Subject],
) -> None:
    alarms = sum(
        subject.judged(_resampled(subject, rows)).verdict == DRIFTED
        for subject in subjects.values()
        for rows in (200, 1000)
        for _ in range(125)
    )
    assert alarms <= 10


SHIFTS: dict[str, tuple[str, str, Callable[[pd.DataFrame], Any]]] = {
    "mean": ("cancer", "mean radius", lambda rows: rows["mean radius"] + 0.5 * rows["mean radius"].std()),
    "mean of few": ("diabetes", "bmi", lambda rows: rows["bmi"] + 0.5 * rows["bmi"].std()),
    "spread": ("wine", "alcohol", lambda rows: 13 + 1.5 * (rows["alcohol"] - 13)),
    "categories": ("penguins", "island", lambda rows: rows["island"].mask(RNG.random(len(rows)) < 0.3, "Torgersen")),
    "unseen": ("penguins", "island", lambda rows: rows["island"].mask(RNG.random(len(rows)) < 0.05, "Anvers")),
    "missing": ("penguins", "sex", lambda rows: rows["sex"].mask(RNG.random(len(rows)) < 0.2)),
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_is_found_within_a_thousand_rows(subjects: dict[str, Subject], shift: str) -> None:
    name, column, change = SHIFTS[shift]
    found = 0
    for _ in range(20):
        rows = _resampled(subjects[name], 1000)
        drift = subjects[name].judged(rows.assign(**{column: change(rows)}))
        found += column in [part.name for part in drift.parts if part.verdict == DRIFTED]
    assert found >= 19
