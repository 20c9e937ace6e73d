"""Outcomes by id: recorded safely, read from files with the line of each mistake, and joined with the log."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import StoreWriteError, UsageError
from edge_infer.monitor import outcomes
from edge_infer.monitor.log import PredictionLog
from edge_infer.monitor.log_ids import prediction_id
from edge_infer.monitor.log_settings import LogSettings
from edge_infer.monitor.outcomes import Outcome, pairs, read_outcomes, record_outcomes
from edge_infer.store.files import Files, Step
from tests.monitor.logged import DAY, MODEL, NOON, ROW, answer, at, log_of
from tests.store.full_disk import nothing_can_be_written
from tests.store.power import cuts, write_out

ROOT = Path(__file__).parents[2]


def recorded(files: Files) -> dict[str, Any]:
    return {each.id: each.value for each in outcomes._recorded(files, "pets")}


# --- recording --------------------------------------------------------------------------


def test_outcomes_are_kept_with_their_types(tmp_path: Path) -> None:
    files = Files(tmp_path)
    values = {"a": "cat", "b": 1, "c": 2.5, "d": True, "e": ["cat", 1], "f": np.int64(7), "g": np.array([1.5, 2.0])}
    assert record_outcomes(files, "pets", values.items()) == 7
    assert recorded(files) == {"a": "cat", "b": 1, "c": 2.5, "d": True, "e": ["cat", 1], "f": 7, "g": [1.5, 2.0]}
    line = json.loads((tmp_path / "pets" / "outcomes" / "000001.jsonl").read_bytes().splitlines()[0])
    assert line.keys() == {"id", "value", "utc"}


@pytest.mark.parametrize(
    "wrong",
    [("", 1), ("x" * 201, 1), (7, 1), ("a\nb", 1), ("a", None), ("a", float("nan")), ("a", float("inf")), ("a", ""),
     ("a", "x" * 1001), ("a", []), ("a", [None]), ("a", [[1]]), ("a", {"b": 1})],
)  # fmt: skip
def test_what_is_no_outcome_is_refused(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"expected an (id|outcome)"):
        record_outcomes(Files(tmp_path), "pets", [("good", 1), wrong])
    assert recorded(Files(tmp_path)) == {}


def test_a_torn_line_is_ended_and_passed_over(tmp_path: Path) -> None:
    files = Files(tmp_path)
    record_outcomes(files, "pets", [("a", 1)])
    with open(tmp_path / "pets" / "outcomes" / "000001.jsonl", "ab") as file:
        file.write(b'{"id":"b","val')
    record_outcomes(files, "pets", [("c", 3)])
    assert recorded(files) == {"a": 1, "c": 3}


def test_the_latest_outcomes_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "_MOST_FILE", 2000)
    monkeypatch.setattr(outcomes, "_MOST_FILES", 3)
    files = Files(tmp_path)
    for number in range(200):
        record_outcomes(files, "pets", [(f"id-{number}", number)])
    sizes = [path.stat().st_size for path in (tmp_path / "pets" / "outcomes").glob("*.jsonl")]
    assert len(sizes) == 3
    assert max(sizes) <= 2000
    found = list(recorded(files))
    assert found == [f"id-{number}" for number in range(200)][-len(found) :]


def test_on_a_full_disk_it_is_told_and_can_be_repeated(tmp_path: Path) -> None:
    files = Files(tmp_path)
    record_outcomes(files, "pets", [("a", 1)])
    given = [(f"id-{number}", number) for number in range(50)]
    with nothing_can_be_written(1000), pytest.raises(StoreWriteError, match="cannot be written"):
        record_outcomes(files, "pets", given)
    record_outcomes(files, "pets", given)
    assert recorded(files) == {"a": 1, **dict(given)}


def test_after_a_cut_what_was_recorded_is_there(tmp_path: Path) -> None:
    steps: list[Step] = []
    files, ends = Files(tmp_path / "whole", steps.append), []
    for number in range(4):
        record_outcomes(files, "pets", [(f"id-{number}", number)])
        ends.append(len(steps))
    for place, (taken, state) in enumerate(cuts(steps, range(4))):
        where = tmp_path / str(place)
        write_out(state, where)
        record_outcomes(Files(where), "pets", [("after", 0)])
        lasting = {f"id-{number}" for number, end in enumerate(ends) if end <= taken}
        assert lasting | {"after"} <= recorded(Files(where)).keys()


_RECORDER = """
import sys
from edge_infer.monitor.outcomes import record_outcomes
from edge_infer.store.files import Files
files = Files(sys.argv[1])
for number in range(100_000):
    record_outcomes(files, "pets", [(f"{sys.argv[2]}-{number}-{row}", row) for row in range(3)])
    print(number, flush=True)
"""


def test_processes_record_at_the_same_time_and_some_are_killed(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _RECORDER, str(tmp_path), str(place)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for place in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    time.sleep(0.5)
    for process in processes:
        process.send_signal(signal.SIGKILL)
    told = [process.communicate()[0].split() for process in processes]
    found = recorded(Files(tmp_path))
    for place, numbers in enumerate(told):
        assert {f"{place}-{number}-{row}" for number in range(int(numbers[-1])) for row in range(3)} <= found.keys()


# --- files ------------------------------------------------------------------------------


def written(tmp_path: Path, text: str | bytes, name: str = "outcomes.csv") -> str:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return os.fspath(path)


@pytest.mark.parametrize("header", ["id,outcome", "prediction_id,label", "Value , ID", "note,actual,id", "id,target"])
def test_a_csv_is_known_by_its_columns(tmp_path: Path, header: str) -> None:
    cells = {"id": "order-77", "prediction_id": "order-77", "note": "x"}
    row = ",".join(cells.get(name.strip().lower(), "cat") for name in header.split(","))
    path = written(tmp_path, f"\ufeff{header}\r\n{row}\r\n\r\n")
    assert list(read_outcomes(path)) == [Outcome("order-77", "cat")]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1", 1), ("-2.5", -2.5), ("true", True), ("007", "007"), ("NaN", "NaN"), ("null", "null"), ("1e2", 100.0),
     ('"a,b"', "a,b"), ("日本", "日本"), ("[1]", "[1]")],
)  # fmt: skip
def test_a_cell_is_a_number_where_json_would_write_it_so(tmp_path: Path, cell: str, value: Any) -> None:
    (found,) = read_outcomes(written(tmp_path, f"id,outcome\na,{cell}\n"))
    assert found == Outcome("a", value)
    assert type(found.value) is type(value)


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    text = '{"id":"a","outcome":1}\n\n{"prediction_id":"b","label":"1","x":0}\n{"id":"c","value":[1,"x"]}'
    expected = [Outcome("a", 1), Outcome("b", "1"), Outcome("c", [1, "x"])]
    assert list(read_outcomes(written(tmp_path, text, "outcomes.jsonl"))) == expected


BAD_CSV = {
    "empty": ("", "line 1: expected one column named id or prediction_id, got nothing"),
    "no id": ("a,outcome\n1,2\n", "line 1: expected one column named id or prediction_id, got a, outcome"),
    "no outcome": ("id,b\n1,2\n", "line 1: expected one column named outcome or value or label"),
    "two outcomes": ("id,value,label\n1,2,3\n", "line 1: expected one column named outcome"),
    "a cell too many": (
        "id,outcome\na,1\nb,1,2\n",
        "1 of 2 outcomes cannot be read:\n  line 3: expected 2 cells, got 3",
    ),
    "no outcome yet": ("id,outcome\na,1\nb,\n", "line 3: expected an outcome"),
    "no id in a row": ("id,outcome\n,1\n", "line 2: expected an id"),
    "endless": ("id,outcome\na,1e999\n", "line 2: expected an outcome .* got inf"),
    "not UTF-8": (b"id,outcome\na,\xff\n", "expected UTF-8"),
    "a huge cell": ("id,outcome\na," + "x" * 200_000 + "\n", "field larger than"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_mistakes_in_a_csv_are_told_by_line(tmp_path: Path, case: str) -> None:
    text, told = BAD_CSV[case]
    with pytest.raises(UsageError, match=told):
        read_outcomes(written(tmp_path, text))


def test_mistakes_in_json_lines_are_told_by_line_and_all_at_once(tmp_path: Path) -> None:
    lines = [
        '{"id":"a","outcome":1}',
        "[1]",
        '{"id":"b"}',
        '{"id":"c","outcome":NaN}',
        "\x00",
        "[" * 100_000,
        "{}",
        "{}",
    ]
    with pytest.raises(UsageError) as error:
        read_outcomes(written(tmp_path, "\n".join(lines), "outcomes.jsonl"))
    told = str(error.value).splitlines()
    assert told[0].endswith("7 of 8 outcomes cannot be read:")
    assert [line.split(":")[0].strip() for line in told[1:6]] == [f"line {number}" for number in range(2, 7)]
    assert told[6] == "  … and 2 more"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_outcomes(tmp_path / "outcomes.csv")


@given(st.dictionaries(st.text(st.characters(categories=["L", "N"]), min_size=1), st.integers() | st.booleans()))
def test_any_outcomes_survive_a_file(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("outcomes")
    text = "\n".join(json.dumps({"id": name, "outcome": value}) for name, value in values.items())
    files = Files(folder)
    record_outcomes(files, "pets", read_outcomes(written(folder, text, "outcomes.jsonl")))
    assert recorded(files) == values


# --- pairs ------------------------------------------------------------------------------


def test_answers_are_joined_with_their_last_outcome(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    first, second, third = (str(answer(log)) for _ in range(3))
    with prediction_id("order-77"):
        log.answered("predict_proba", ROW, np.array([0.25, 0.75]), 1e-5)
        log.failed("predict", ROW, ValueError(), 1e-5)
    log.answered("predict", [ROW, ROW], np.array(["cat", "dog"]), 1e-5)
    row = f"{log.last_id()}.1"
    log.flush()
    given = [(third, "cat"), (first, "cat"), ("elsewhere", "cat"), ("order-77", "dog"), (row, "cat"), (first, "dog")]
    record_outcomes(log._files, "pets", given)
    found = list(pairs(log._files, "pets"))
    assert [(each.id, each.answer, each.outcome, each.method) for each in found] == [
        (first, "cat", "dog", "predict"),
        (third, "cat", "cat", "predict"),
        ("order-77", "dog", "dog", "predict_proba"),
        (row, "dog", "cat", "predict"),
    ]
    assert second not in {each.id for each in found}
    assert {each.version for each in found} == {"1.0.0"}


def test_pairs_of_a_time_are_of_its_predictions(tmp_path: Path) -> None:
    given = []
    for day in range(3):
        log = PredictionLog(Files(tmp_path), MODEL, LogSettings(), at(NOON + day * DAY))
        given.append((str(answer(log)), "cat"))
        log.closed()
    record_outcomes(Files(tmp_path), "pets", given)
    since = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
    assert [each.utc[:10] for each in pairs(Files(tmp_path), "pets", since)] == ["2026-11-29", "2026-11-30"]


def test_more_outcomes_than_memory_takes_are_joined_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "_MOST_KNOWN", 10)
    log = log_of(tmp_path)
    given = [(str(answer(log)), "cat" if number % 2 else "dog") for number in range(95)]
    log.flush()
    record_outcomes(log._files, "pets", [*((name, "wrong") for name, _ in given), *given])
    found = list(pairs(log._files, "pets"))
    assert sorted((each.id, each.outcome) for each in found) == sorted(given)


def test_without_outcomes_or_a_log_there_are_no_pairs(tmp_path: Path) -> None:
    assert list(pairs(Files(tmp_path), "pets")) == []
    record_outcomes(Files(tmp_path), "pets", [("a", 1)])
    assert list(pairs(Files(tmp_path), "pets")) == []


def test_hostile_files_of_outcomes_are_passed_over(tmp_path: Path) -> None:
    files = Files(tmp_path)
    record_outcomes(files, "pets", [("a", 1)])
    folder = tmp_path / "pets" / "outcomes"
    (folder / "000000.jsonl").symlink_to("/etc/passwd")
    (folder / "000002.jsonl").write_bytes(
        b"\xff\x00\n" + b"x" * (9 << 20) + b'\n{"id":"b","value":{}}\n{"id":"c","value":3}\n'
    )
    assert recorded(files) == {"a": 1, "c": 3}
