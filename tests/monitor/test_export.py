"""The log as a table: every call once, each value in its type, and the file whole or not there."""

from __future__ import annotations

import csv
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_infer.errors import InputError, Mismatch, UsageError
from edge_infer.monitor import export
from edge_infer.monitor.export import export_log
from edge_infer.monitor.log import PredictionLog
from edge_infer.monitor.log_settings import LogSettings
from edge_infer.store.files import Files
from tests.monitor.logged import DAY, MODEL, NOON, ROW, answer, at, ids, log_of
from tests.store.full_disk import nothing_can_be_written

ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Answers of each kind, an error, and rows that were dropped."""
    log = log_of(tmp_path / "monitor", file_mib=0.0005)
    log.answered("predict_proba", {"age": 29, "sex": "female"}, np.array([0.25, 0.75]), 1e-5)
    log.flush()
    log.answered("predict", {"age": 29.5, "sex": None}, np.str_("cat"), 1e-5)
    log.flush()
    log.answered("predict", [{"age": float("inf"), "sex": '=1+1,"x"\n'}], np.array(["dog"]), 1e-5)
    log.failed("predict", {"age": "x"}, InputError([Mismatch(None, "age", "a number", "'x'")]), 1e-5)
    log._dropped = 7
    log.closed()
    return log._files


def test_parquet_has_a_typed_column_for_each_field_input_and_label(files: Files, tmp_path: Path) -> None:
    done = export_log(files, "pets", tmp_path / "log.parquet")
    table = pq.read_table(tmp_path / "log.parquet")
    assert (done.rows, done.dropped, done.skipped, done.columns) == (4, 7, 0, table.num_columns)
    types = dict(zip(table.schema.names, table.schema.types, strict=True))
    assert types["utc"] == pa.timestamp("us", tz="UTC")
    assert (types["input.age"], types["input.sex"], types["probability.dog"], types["row"]) == (
        pa.float64(), pa.string(), pa.float64(), pa.int64(),
    )  # fmt: skip
    assert table["input.age"].to_pylist() == [29.0, 29.5, float("inf"), None]
    assert table["input.sex"].to_pylist() == ["female", None, '=1+1,"x"\n', None]
    assert table["answer"].to_pylist() == ["dog", "cat", "dog", None]
    assert table["probability.cat"].to_pylist() == [0.25, None, None, None]
    assert table["error"].to_pylist() == [None, None, None, "InputError"]
    assert table["id"].to_pylist() == ids(Path(files.root))
    assert table["utc"][0].as_py().tzinfo is not None


def test_csv_and_json_lines_hold_the_same(files: Files, tmp_path: Path) -> None:
    for kind in ("csv", "jsonl"):
        assert export_log(files, "pets", tmp_path / f"log.{kind}", kind).rows == 4
    with open(tmp_path / "log.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [json.loads(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
    assert [row["id"] for row in rows] == [line["id"] for line in found] == ids(Path(files.root))
    assert [row["input.age"] for row in rows] == ["29.0", "29.5", "inf", ""]
    assert rows[2]["input.sex"] == '=1+1,"x"\n'
    assert found[0]["probability.dog"] == 0.75
    assert found[2]["input.age"] == "Infinity"


def exported(tmp_path: Path, values: list[Any]) -> tuple[Any, list[Any]]:
    """The type of the column "age" with these values, and what it holds."""
    log = log_of(tmp_path / "monitor")
    for value in values:
        answer(log, {"age": value, "sex": "x"})
    log.closed()
    export_log(log._files, "pets", tmp_path / "log.parquet")
    column = pq.read_table(tmp_path / "log.parquet")["input.age"]
    return column.type, column.to_pylist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None, 3], pa.int64(), [1, None, 3]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["NaN", "x"], pa.string(), ["NaN", "x"]),
        (["Infinity"], pa.string(), ["Infinity"]),
        ([2**63], pa.string(), [str(2**63)]),
        ([[1, 2], {"a": None}], pa.string(), ["[1, 2]", '{"a": null}']),
        ([None], pa.string(), [None]),
        (["\ud800"], pa.string(), ["\\ud800"]),
        (["日本"], pa.string(), ["日本"]),
    ],
)
def test_a_columns_type_is_that_of_all_its_values(tmp_path: Path, values: Any, kind: Any, expected: Any) -> None:
    assert exported(tmp_path, values) == (kind, expected)


def test_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_ROWS", 10)
    log = log_of(tmp_path / "monitor", inputs="none")
    log.answered("predict", [ROW] * 95, np.array(["cat"] * 95), 1e-5)
    log.closed()
    export_log(log._files, "pets", tmp_path / "log.parquet")
    found = pq.ParquetFile(tmp_path / "log.parquet")
    assert (found.num_row_groups, found.metadata.num_rows) == (10, 95)


def test_what_is_logged_meanwhile_is_left_for_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two readings a row comes with a column that is not known yet, into a file in the middle."""
    logs = [log_of(tmp_path / "monitor") for _ in range(2)]
    for log in logs:
        answer(log)
        log.flush()
    real = export._Seen.columns

    def columns(self: Any) -> dict[str, str]:
        for log in logs:
            answer(log, {"age": "late", "sex": "x"})
            log.flush()
        return real(self)

    monkeypatch.setattr(export._Seen, "columns", columns)
    assert export_log(logs[0]._files, "pets", tmp_path / "log.parquet").rows == 2
    assert pq.read_table(tmp_path / "log.parquet")["input.age"].to_pylist() == [29, 29]


def test_a_time_can_be_chosen(tmp_path: Path) -> None:
    for day in range(3):
        log = PredictionLog(Files(tmp_path / "monitor"), MODEL, LogSettings(), at(NOON + day * DAY))
        answer(log)
        log.closed()
    since, until = (datetime.datetime(2026, 11, day, tzinfo=datetime.UTC) for day in (29, 30))
    done = export_log(log._files, "pets", tmp_path / "log.jsonl", "jsonl", since, until)
    assert done.rows == 1
    assert json.loads((tmp_path / "log.jsonl").read_bytes())["utc"].startswith("2026-11-29")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_no_call_in_that_time_is_an_empty_table(files: Files, tmp_path: Path, kind: str) -> None:
    since = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
    assert export_log(files, "pets", tmp_path / "log", kind, since).rows == 0
    assert (tmp_path / "log").exists()


def test_what_makes_no_sense_is_told(files: Files, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kind: expected csv, jsonl, parquet, got 'xlsx'"):
        export_log(files, "pets", tmp_path / "log", "xlsx")
    with pytest.raises(UsageError, match="there is no log of 'dogs' in this folder"):
        export_log(files, "dogs", tmp_path / "log")
    with pytest.raises(FileNotFoundError):
        export_log(files, "pets", tmp_path / "nowhere" / "log")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_on_a_full_disk_the_file_of_before_stays_and_nothing_else(files: Files, tmp_path: Path, kind: str) -> None:
    output = tmp_path / "out" / "log"
    output.parent.mkdir()
    output.write_bytes(b"before")
    with nothing_can_be_written(), pytest.raises(OSError, match="large"):
        export_log(files, "pets", output, kind)
    assert output.read_bytes() == b"before"
    assert list(output.parent.iterdir()) == [output]


def test_without_pyarrow_parquet_says_what_to_install(files: Files, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from edge_infer.monitor.export import export_log; from edge_infer.store.files import Files\n"
        "from edge_infer.errors import MissingExtraError\n"
        f"files = Files({files.root!r}); print(export_log(files, 'pets', 'log.csv', 'csv').rows)\n"
        "try:\n    export_log(files, 'pets', 'log.parquet')\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("4\n")
    assert '"edge-infer[monitor]"' in done.stdout
    assert not (tmp_path / "log.parquet").exists()
