"""What a monitor counts is what was asked and answered: compared with pandas' own counting, over all kinds of input."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import edge_infer
from edge_infer import InputError, Model, Monitor
from edge_infer.errors import UsageError
from edge_infer.monitor.folding import Folder, Kept
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.windows import Window
from edge_infer_convert import convert
from edge_infer_convert.demo import train

ROOT = Path(__file__).parents[2]
PIPELINE, X, Y = train()
NUMBERS = [name for name in X.columns if X[name].dtype.kind == "f"]


@pytest.fixture(scope="module")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "penguins-1.0.0.onnx"
    convert(PIPELINE, data=X, name="penguins", version="1.0.0", output=file)
    return file


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    return Monitor(tmp_path / "watched", write_seconds=3600, rows_per_second=100_000)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]


def _all(windows: list[Window]) -> Summary:
    whole = Summary()
    for window in windows:
        whole.merge(window.summary)
    return whole


ASKED: dict[str, Callable[[Model, pd.DataFrame], object]] = {
    "records": lambda model, frame: [model.predict(record) for record in _records(frame)],
    "lists": lambda model, frame: [model.predict(list(record.values())) for record in _records(frame)],
    "frame": lambda model, frame: model.predict(frame),
    "polars": lambda model, frame: model.predict(pl.from_pandas(frame)),
    "arrow": lambda model, frame: model.predict(pa.Table.from_pandas(frame)),
    "list of records": lambda model, frame: model.predict(_records(frame)),
}


@pytest.mark.parametrize("kind", ASKED)
def test_columns_and_labels_are_counted_as_pandas_counts_them(kind: str, penguins: Path, monitor: Monitor) -> None:
    frame = X.head(200)
    with edge_infer.load(penguins, monitor=monitor) as model:
        ASKED[kind](model, frame)
    (window,) = monitor.windows("penguins")
    summary = window.summary
    assert (summary.rows, summary.looked_at, summary.skipped) == (200, 200, 0)
    assert sum(summary.calls.values()) == (200 if kind in ("records", "lists") else 1)
    basis = {column.name: column.profile for column in monitor.basis(window).columns}
    for name in NUMBERS:
        counted, present = summary.columns[name], frame[name].dropna()
        edges = [-np.inf, *(basis[name].edges or ()), np.inf]
        assert counted.counts.tolist() == pd.cut(present, edges, right=False).value_counts(sort=False).tolist()
        assert counted.missing == frame[name].isna().sum()
        assert counted.mean == pytest.approx(present.mean(), rel=1e-12)
        assert (counted.least, counted.most) == (present.min(), present.max())
    for name in ("island", "sex"):
        expected = frame[name].value_counts()
        assert dict(zip(basis[name].categories or (), summary.columns[name].counts, strict=True)) == {
            category: expected.get(category, 0) for category in basis[name].categories or ()
        }
        assert summary.columns[name].missing == frame[name].isna().sum()
    labels = pd.Series(PIPELINE.predict(frame)).value_counts()
    assert summary.labels is not None
    assert summary.labels.counts.tolist() == [labels.get(label, 0) for label in PIPELINE.classes_]


def test_scores_are_counted_by_class(penguins: Path, monitor: Monitor) -> None:
    with edge_infer.load(penguins, monitor=monitor) as model:
        probabilities = model.predict_proba(X.head(100))
        for record in _records(X.iloc[100:150]):
            probabilities = np.vstack([probabilities, model.predict_proba(record)])
    summary = _all(monitor.windows("penguins"))
    assert len(summary.scores) == 3
    for counts, values in zip(summary.scores, probabilities.T, strict=True):
        assert counts.mean == pytest.approx(values.mean(), rel=1e-9)
    largest = probabilities.max(axis=1)
    assert summary.confident == 150
    assert summary.confidence == pytest.approx(largest.sum())
    assert summary.doubt == pytest.approx((largest * (1 - largest)).sum())


def test_unseen_missing_and_out_of_range_are_told_apart(penguins: Path, monitor: Monitor) -> None:
    record = _records(X.head(1))[0]
    with edge_infer.load(penguins, monitor=monitor) as model:
        for changed in ({"island": "Atlantis"}, {"island": None}, {"body_mass_g": 1e6}, {"body_mass_g": 1.0}):
            model.predict(record | changed)
    columns = _all(monitor.windows("penguins")).columns
    assert (columns["island"].unseen, columns["island"].other, columns["island"].missing) == (1, 1, 1)
    assert (columns["body_mass_g"].below, columns["body_mass_g"].above) == (1, 1)


def test_errors_are_counted_by_what_was_expected_and_hold_no_value(penguins: Path, monitor: Monitor) -> None:
    record = _records(X.head(1))[0]
    with edge_infer.load(penguins, monitor=monitor) as model:
        for _ in range(3):
            with pytest.raises(InputError):
                model.predict(record | {"bill_length_mm": "secret"})
        with pytest.raises(InputError):
            model.predict({})
    (window,) = monitor.windows("penguins")
    assert window.summary.errors["column 'bill_length_mm': expected a number"] == 3
    assert window.summary.failures == 4
    assert not any(b"secret" in file.read_bytes() for file in Path(monitor.folder).rglob("*.json"))


def test_what_the_caller_changes_afterwards_does_not_matter(penguins: Path, monitor: Monitor) -> None:
    record, frame = _records(X.head(1))[0], X.head(100).copy()
    with edge_infer.load(penguins, monitor=monitor) as model:
        model.predict(record)
        record["island"] = "Atlantis"
        answers = model.predict(frame)
        frame["island"] = "Atlantis"
        answers[:] = "Dodo"
    summary = _all(monitor.windows("penguins"))
    assert summary.columns["island"].unseen == 0
    assert summary.labels is not None
    assert summary.labels.other == 0


def test_more_than_can_be_looked_at_is_sampled_and_the_rest_is_counted(penguins: Path, tmp_path: Path) -> None:
    monitor = Monitor(tmp_path / "watched", write_seconds=3600, rows_per_second=100)
    with edge_infer.load(penguins, monitor=monitor) as model:
        for record in _records(X) * 6:
            model.predict(record)
        model.predict(X)
    summary = _all(monitor.windows("penguins"))
    assert summary.calls == {"predict": 6 * len(X) + 1}
    assert summary.rows == 7 * len(X)
    assert 0 < summary.looked_at < summary.rows
    assert summary.skipped == summary.rows - summary.looked_at
    assert summary.latency.count == 6 * len(X)


def test_a_large_batch_is_looked_at_in_all_its_parts(penguins: Path, monitor: Monitor) -> None:
    frame = X.sort_values("bill_length_mm")
    frame = pd.concat([frame] * 30).sort_values("bill_length_mm")
    with edge_infer.load(penguins, monitor=monitor) as model:
        model.predict(frame)
    summary = _all(monitor.windows("penguins"))
    assert summary.rows == len(frame)
    assert 200 <= summary.looked_at <= 256
    counts = summary.columns["bill_length_mm"].counts
    assert counts.min() > 0.05 * counts.sum()  # deciles of training: each has about a tenth


def test_what_the_thread_is_counting_when_a_model_is_closed_is_written_too(
    penguins: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    fold = Folder.fold

    def slowly(self: Folder, kept: Sequence[Kept], summary: Summary) -> None:
        begun.set()
        time.sleep(0.5)
        fold(self, kept, summary)

    monkeypatch.setattr(Folder, "fold", slowly)
    with edge_infer.load(penguins, monitor=monitor) as model:
        model.predict(X)
        assert begun.wait(10)
    assert _all(monitor.windows("penguins")).looked_at == len(X) // 2


def _threads(wanted: int) -> int:
    """How many threads of monitors there are, once there are so many, or after ten seconds."""
    until = time.monotonic() + 10
    while (count := sum(each.name == "edge-infer monitor" for each in threading.enumerate())) != wanted:
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    return count


def test_no_thread_is_left_when_models_are_gone(penguins: Path, monitor: Monitor) -> None:
    assert _threads(0) == 0  # those of the tests before end by themselves
    first, second = (edge_infer.load(penguins, monitor=monitor) for _ in range(2))
    for model in (first, second):
        model.predict(X.head(1))
    assert _threads(1) == 1
    first.close()
    first.close()
    assert _threads(1) == 1
    del model, second
    gc.collect()
    assert _threads(0) == 0
    assert _all(monitor.windows("penguins")).rows == 2


def test_a_monitor_begins_again_with_the_next_model(penguins: Path, monitor: Monitor) -> None:
    for _ in range(3):
        with edge_infer.load(penguins, monitor=monitor) as model:
            model.predict(X.head(5))
    assert _all(monitor.windows("penguins")).rows == 15


def test_closing_the_monitor_leaves_the_model(penguins: Path, monitor: Monitor) -> None:
    with edge_infer.load(penguins, monitor=monitor) as model:
        model.predict(X.head(5))
        monitor.close()
        assert _all(monitor.windows("penguins")).rows == 5
        assert len(model.predict(X.head(5))) == 5


def test_a_process_writes_at_its_end_and_the_environment_names_the_folder(penguins: Path, tmp_path: Path) -> None:
    script = (
        "import sys, edge_infer\n"
        "model = edge_infer.load(sys.argv[1])\n"
        "model.predict([['Biscoe', None, 46.5, 14.5, 213, 4400]] * 7)\n"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    environment = {**os.environ, "EDGE_INFER_MONITOR": str(tmp_path / "watched"), "PYTHONPATH": paths}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, str(penguins)], env=environment, check=True, timeout=60)
    (window,) = Monitor(tmp_path / "watched").windows("penguins")
    assert window.summary.rows == 14


@pytest.mark.parametrize(
    "setting",
    [
        {"rows_per_second": 0},
        {"write_seconds": -1},
        {"keep_hours": "48"},
        {"keep_days": True},
        {"write_seconds": np.nan},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_told_by_name(setting: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=next(iter(setting))):
        Monitor(tmp_path, **setting)
