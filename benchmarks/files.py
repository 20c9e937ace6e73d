"""Files: scored by edge_infer, by pandas and the original in chunks, and only read by pyarrow."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from benchmarks.measure import QUICK, Settings, run_process
from benchmarks.results import Part, spent
from benchmarks.subjects import Subject, mixed_forest, mixed_linear
from edge_infer.machine import usable_cpus

__all__ = ["run"]

#: Targets: rows a second, as a multiple of pandas with the original and of pyarrow that only reads; peak memory in
#: bytes, and how much it may grow with a file of four times the size; two threads over one.
LEAST_OF_PANDAS: Final = 3.0
LEAST_OF_READING: Final = 0.3
MOST_PEAK: Final = 400 << 20
MOST_GROWTH: Final = 1.15
LEAST_OF_TWO_THREADS: Final = 1.7
_GIGABYTE: Final = 1_000_000_000
_FEWER: Final = 10  # pandas is asked a file of so many times fewer rows
_FOREST_ROWS: Final = 1_000_000
_NOTE: Final = (
    "14 columns, 6 numbers and 8 texts, with gaps: the rows of the model's data, again and again. Each side in a fresh "
    "process (benchmarks/scoring_files.py), one run of each. edge_infer: `Model.predict_file` into a file of the same "
    "kind. pandas: `read_csv` (of Parquet, `iter_batches`) in chunks of 100,000 rows, the original's `predict` and "
    "`predict_proba`, written as CSV, of a tenth of the rows. pyarrow: `open_csv` and `iter_batches`, which read in "
    "constant memory and do nothing else. Answers of edge_infer and pandas are compared. Targets: "
    f"{LEAST_OF_PANDAS:g} × the rows a second of pandas, {LEAST_OF_READING:g} × those of reading; "
    f"{MOST_PEAK >> 20} MiB at the peak, and at most {MOST_GROWTH:g} × that for four times the file; two threads "
    f"{LEAST_OF_TWO_THREADS:g} × one."
)


class _Files(NamedTuple):
    """whole: the file; less: of fewer rows; more: four times the whole, where there is one."""

    whole: Path
    less: Path
    more: Path | None


def run(settings: Settings) -> Part:
    """Raises AssertionError if answers differ."""
    quick = settings == QUICK
    size = 2_000_000 if quick else _GIGABYTE
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subject = mixed_linear(folder)
        joblib.dump(subject.estimator, folder / "original.joblib")
        for files in (_csv_files(subject, folder, size), _parquet_files(subject, folder, size)):
            measured += _of_kind(subject, files, folder)
        measured += _of_threads(mixed_forest(folder), folder, 20_000 if quick else _FOREST_ROWS)
    headers = ("file, side", "rows", "seconds", "rows a second", "÷ pandas", "÷ reading", "peak memory", "target")
    return Part("files", "Files", _NOTE, headers, [_row(each) for each in measured], measured)


# --- files ------------------------------------------------------------------------------


def _csv_files(subject: Subject, folder: Path, size: int) -> _Files:
    header, body = subject.frame.to_csv(index=False).split("\n", 1)
    times = max(1, size // len(body))
    found = []
    for name, count in (("whole", times), ("less", max(1, times // _FEWER)), ("more", 4 * times)):
        path = folder / f"{name}.csv"
        with open(path, "w", encoding="utf-8") as file:
            file.write(header + "\n")
            for _ in range(count):
                file.write(body)
        found.append(path)
    return _Files(*found)


def _parquet_files(subject: Subject, folder: Path, size: int) -> _Files:
    """As many rows as the CSV has."""
    table = pa.Table.from_pandas(subject.frame, preserve_index=False)
    times = max(1, size // len(subject.frame.to_csv(index=False)))
    group = pa.concat_tables([table] * min(times, 10)).combine_chunks()
    found = []
    for name, count in (("whole", times), ("less", max(1, times // _FEWER))):
        path = folder / f"{name}.parquet"
        with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
            for start in range(0, count, 10):
                writer.write_table(group.slice(0, min(10, count - start) * table.num_rows))
        found.append(path)
    return _Files(*found, None)


# --- sides ------------------------------------------------------------------------------


def _told(side: str, file: Path, model: Path, folder: Path, threads: int) -> dict[str, Any]:
    out = folder / f"{side}{'.csv' if side == 'pandas' else file.suffix}"
    command = [sys.executable, "-m", "benchmarks.scoring_files", side, file, model, out, threads]
    told = json.loads(run_process([str(each) for each in command])[1])
    return {"kind": file.suffix[1:], "case": side, "threads": threads, **told}


def _of_kind(subject: Subject, files: _Files, folder: Path) -> list[dict[str, Any]]:
    threads = usable_cpus()
    original = folder / "original.joblib"
    reading = _told("pyarrow", files.whole, subject.path, folder, threads)
    pandas = _told("pandas", files.less, original, folder, threads)
    ours = _told("edge_infer", files.less, subject.path, folder, threads)
    _compare(folder / f"edge_infer{files.less.suffix}", folder / "pandas.csv")
    ours = _told("edge_infer", files.whole, subject.path, folder, threads)
    ours |= {"of_pandas": _speed(ours) / _speed(pandas), "of_reading": _speed(ours) / _speed(reading)}
    met = ours["of_pandas"] >= LEAST_OF_PANDAS and ours["of_reading"] >= LEAST_OF_READING
    ours["target_met"] = met and ours["peak_bytes"] <= MOST_PEAK
    found = [reading, pandas, ours]
    if files.more is not None:
        more = _told("edge_infer", files.more, subject.path, folder, threads) | {"case": "edge_infer, 4 × the file"}
        most = min(MOST_PEAK, MOST_GROWTH * ours["peak_bytes"])
        found.append(more | {"target_met": more["peak_bytes"] <= most})
    return found


def _of_threads(subject: Subject, folder: Path, rows: int) -> list[dict[str, Any]]:
    """Of a model that takes longer than reading its rows."""
    path = folder / "forest.parquet"
    frame = pd.concat([subject.frame] * (rows // len(subject.frame)), ignore_index=True)
    frame.to_parquet(path, index=False)
    one, two = (_told("edge_infer", path, subject.path, folder, threads) for threads in (1, 2))
    one["case"], two["case"] = "forest of 100, 1 thread", "forest of 100, 2 threads"
    two["of_one_thread"] = _speed(two) / _speed(one)
    return [one, two | {"target_met": two["of_one_thread"] >= LEAST_OF_TWO_THREADS}]


def _compare(ours: Path, theirs: Path) -> None:
    found = pd.read_csv(ours) if ours.suffix == ".csv" else pd.read_parquet(ours)
    wanted = pd.read_csv(theirs)
    if not (found["prediction"] == wanted["prediction"]).all():
        raise AssertionError(f"{ours.name}: other labels than the original's")
    ours_of, theirs_of = (table.drop(columns="prediction").to_numpy() for table in (found, wanted))
    np.testing.assert_allclose(ours_of, theirs_of, rtol=0, atol=1e-6)


def _speed(told: dict[str, Any]) -> float:
    return float(told["rows"] / told["seconds"])


def _row(told: dict[str, Any]) -> tuple[str, ...]:
    def times(name: str) -> str:
        return f"{told[name]:.2f} ×" if name in told else ""

    threads = times("of_one_thread")
    met = {True: "met", False: "MISSED", None: ""}[told.get("target_met")]
    return (
        f"{told['kind']}: {told['case']}", f"{told['rows']:,}", spent(told["seconds"]), f"{_speed(told):,.0f}",
        times("of_pandas"), times("of_reading"), f"{told['peak_bytes'] >> 20} MiB",
        f"{threads} one thread: {met}" if threads else met,
    )  # fmt: skip
