"""The log of a model's calls: nothing that is logged changes what callers see, and nothing gets lost unseen."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edge_infer.artifact import parse_artifact
from edge_infer.errors import InputError, KeyFileError, Mismatch, UnsafePathError, UsageError
from edge_infer.model import Model
from edge_infer.monitor.log import PredictionLog
from edge_infer.monitor.log_ids import prediction_id
from edge_infer.monitor.log_lines import LoggedModel, row_hash
from edge_infer.monitor.log_settings import LogSettings
from edge_infer.store.files import Files, Step
from tests.monitor.logged import MODEL, ROW, answer, dies, ids, kinds, lines, log_of, names
from tests.store.full_disk import nothing_can_be_written
from tests.store.releases import artifact

ROOT = Path(__file__).parents[2]

WRONG: dict[str, Any] = {
    "share": 0, "share_above": {"share": 1.5}, "share_text": {"share": "all"}, "share_true": {"share": True},
    "inputs": "some", "inputs_list": {"inputs": ["age"]}, "inputs_empty": {"inputs": ()}, "flush": 0,
    "flush_word": {"flush": "row"}, "file_mib": 0, "file_mib_large": {"file_mib": 65}, "file_hours": float("nan"),
    "total_mib": 1, "keep_days": -1, "compress": 1, "probabilities": None, "secret": "key",
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_settings_that_make_no_sense_are_told(case: str, tmp_path: Path) -> None:
    settings = WRONG[case] if isinstance(WRONG[case], dict) else {case: WRONG[case]}
    with pytest.raises(UsageError, match=f"^{next(iter(settings))}: expected"):
        log_of(tmp_path, **settings)


def test_a_name_that_cannot_name_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError):
        log_of(tmp_path, model=MODEL._replace(name="../pets"))


def test_nothing_is_written_before_the_first_call(tmp_path: Path) -> None:
    log = log_of(tmp_path / "monitor")
    log.flush()
    log.closed()
    assert not (tmp_path / "monitor").exists()


def test_a_models_calls_are_logged(tmp_path: Path) -> None:
    parsed = parse_artifact(artifact("1.0.0"))
    log = PredictionLog(Files(tmp_path), LoggedModel.of(parsed), LogSettings())
    with Model(parsed, observer=log) as model:
        first = model.predict({"a": 0.5, "b": -1.25})
        both = model.predict(pd.DataFrame({"b": [1.0, np.nan], "a": [0.0, 2.0]}).fillna(3.0))
        with pytest.raises(InputError):
            model.predict({"a": "12-34-56", "b": 1.0})
        model.run({"numbers": np.zeros((1, 2), np.float32)})
    found = lines(tmp_path)
    assert [line["kind"] for line in found] == ["answer", "answer", "answer", "error", "answer"]
    assert [line["method"] for line in found] == ["predict"] * 4 + ["run"]
    assert found[0]["answer"] == first
    assert [line["answer"] for line in found[1:3]] == both.tolist()
    assert found[2]["inputs"] == {"a": 2.0, "b": 3.0}
    assert (found[3]["error"], found[3]["column"], "12-34-56" in found[3]["got"]) == ("InputError", "a", True)
    assert {line["digest"] for line in found} == {parsed.digest[:12]}
    assert all(0 < line["latency"] < 60 for line in found)


def test_the_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    log = log_of(tmp_path, file_mib=0.0001)
    for _ in range(5):
        answer(log)
        log.flush()
    log.flush()
    found = [path for path in (tmp_path / "pets" / "log").iterdir() if path.is_file()]
    assert {path.suffix for path in found} >= {".gz", ".jsonl", ".json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}


def test_what_the_caller_changes_afterwards_is_not_changed_in_the_log(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    record, rows, frame = dict(ROW), [dict(ROW)], pd.DataFrame([ROW])
    row, many, probabilities = [29, "female"], np.array([[29, 1]], object), np.array([0.25, 0.75])
    label = np.array(["cat"])
    log.answered("predict_proba", record, probabilities, 1e-5)
    for data in (rows, frame, many, [row]):
        log.answered("predict", data, label, 1e-5)
    record["age"], rows[0]["age"], row[0], many[0, 0], probabilities[:], label[:] = 0, 0, 0, 0, 0, "dog"
    frame.loc[0, "age"] = 0
    log.flush()
    found = lines(tmp_path)
    assert [line["inputs"]["age"] for line in found] == [29] * 5
    assert found[0]["probabilities"] == {"cat": 0.25, "dog": 0.75}
    assert {line["answer"] for line in found[1:]} == {"cat"}


def test_without_inputs_no_line_says_what_was_asked(tmp_path: Path) -> None:
    for inputs in ("none", "hash", ("sex",)):
        folder = tmp_path / str(inputs)
        log = log_of(folder, inputs=inputs)
        answer(log, {"age": 123456, "sex": "female"})
        error = InputError([Mismatch(None, "age", "a number", "'123456'")])
        log.failed("predict", {"age": "123456"}, error, 1e-5)
        log.failed("predict", {"age": "123456"}, ValueError("123456"), 1e-5)
        log.closed()
        text = b"".join(path.read_bytes() for path in (folder / "pets" / "log").glob("*.jsonl"))
        assert b"123456" not in text
        assert b'"expected":"a number"' in text


def test_hashes_need_the_secret_where_there_is_one(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"k" * 32)
    secret.chmod(0o600)
    log = log_of(tmp_path / "monitor", inputs="hash", secret=secret)
    answer(log)
    log.closed()
    assert [line["inputs_hash"] for line in lines(tmp_path / "monitor")] == [row_hash(ROW, b"k" * 32)]
    secret.write_bytes(b"short")
    with pytest.raises(KeyFileError, match="at least 16 bytes, got 5"):
        log_of(tmp_path, inputs="hash", secret=secret)
    secret.chmod(0o644)
    with pytest.raises(KeyFileError, match="others can read it"):
        log_of(tmp_path, inputs="hash", secret=secret)


# --- ids --------------------------------------------------------------------------------


def test_ids_are_short_and_unique_across_logs(tmp_path: Path) -> None:
    logs = [log_of(tmp_path) for _ in range(3)]
    for log in logs:
        for _ in range(20):
            answer(log)
        log.answered("predict", [ROW, ROW], np.array(["cat", "dog"]), 1e-5)
        log.flush()
    found = ids(tmp_path)
    assert len(set(found)) == len(found) == 66
    assert max(map(len, found)) <= 22


def test_the_last_id_is_of_the_last_call_of_this_thread(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert log.last_id() is None
    first = answer(log)
    thread = threading.Thread(target=answer, args=(log,))
    thread.start()
    thread.join()
    assert log.last_id() == first
    second = answer(log)
    assert second != first
    log.flush()
    assert {first, second} < set(ids(tmp_path))


def test_a_call_that_is_not_logged_has_no_id(tmp_path: Path) -> None:
    """Else its outcome would be taken for that of the call before."""
    log = log_of(tmp_path, share=0.5)
    found = [answer(log) for _ in range(200)]
    log.flush()
    assert [each for each in found if each is not None] == ids(tmp_path)
    assert 50 < len(ids(tmp_path)) < 150


def test_a_records_own_id_names_the_calls_within(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    with prediction_id("order-77"):
        assert answer(log) == "order-77"
        log.failed("predict", ROW, ValueError(), 1e-5)
        log.answered("predict", [ROW, ROW], np.array(["cat", "dog"]), 1e-5)
    with prediction_id(["a", "b"]):
        log.answered("predict", pd.DataFrame([ROW, ROW]), np.array(["cat", "dog"]), 1e-5)
    made = answer(log)
    log.flush()
    assert ids(tmp_path) == ["order-77", "order-77", "order-77.0", "order-77.1", "a", "b", made]


def test_ids_of_another_number_of_rows_are_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = log_of(tmp_path)
    with prediction_id(["a", "b"]), caplog.at_level(logging.WARNING):
        log.answered("predict", [ROW], np.array(["cat"]), 1e-5)
        answer(log)
    log.flush()
    assert not {"a", "b"} & set(ids(tmp_path))
    assert "2 ids were given for 1 rows" in caplog.text


def test_tasks_have_ids_of_their_own(tmp_path: Path) -> None:
    log = log_of(tmp_path)

    async def ask(name: str) -> str | None:
        with prediction_id(name):
            await asyncio.sleep(0.001)
            return answer(log)

    async def ask_all() -> list[str | None]:
        return await asyncio.gather(*map(ask, "abc"))

    assert asyncio.run(ask_all()) == ["a", "b", "c"]


@pytest.mark.parametrize("wrong", ["", "x" * 201, "a\nb", 7, ["a", ""]])
def test_what_is_no_id_is_refused(wrong: Any) -> None:
    with (
        pytest.raises(UsageError, match="prediction_id: expected printable text"),
        prediction_id([wrong] if isinstance(wrong, int) else wrong),
    ):
        pass


# --- memory and disk --------------------------------------------------------------------


def test_rows_beyond_the_limit_are_dropped_and_the_log_tells_how_many(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    rows = [ROW] * 7_000
    labels = np.array(["cat"] * 7_000)
    for _ in range(2):
        log.answered("predict", rows, labels, 1e-5)
    assert answer(log) is None
    log.flush()
    found = lines(tmp_path)
    assert len(found) == 10_001
    assert (found[-1]["kind"], found[-1]["rows"]) == ("dropped", 4_001)
    answer(log)
    log.flush()
    assert len(lines(tmp_path)) == 10_002, "told once"


def test_wide_rows_wait_in_smaller_numbers(tmp_path: Path) -> None:
    columns = tuple(f"c{place}" for place in range(1000))
    log = log_of(tmp_path, model=MODEL._replace(columns=columns, style="array"))
    log.answered("predict", np.zeros((2_000, 1000)), np.zeros(2_000), 1e-5)
    log.flush()
    found = lines(tmp_path)
    assert len(found) == 501
    assert found[-1]["rows"] == 1_500


def test_every_row_of_a_large_call_is_written_at_once_where_lines_have_to_last(tmp_path: Path) -> None:
    log = log_of(tmp_path, flush="line", inputs="none")
    log.answered("predict", [ROW] * 25_000, np.array(["cat"] * 25_000), 1e-5)
    assert len(set(ids(tmp_path))) == 25_000


def test_nothing_waits_where_every_line_has_to_last(tmp_path: Path) -> None:
    log = log_of(tmp_path, flush="line")
    for number in range(1, 6):
        answer(log)
        assert len(ids(tmp_path)) == number


def test_a_write_is_due_after_the_seconds_that_were_set(tmp_path: Path) -> None:
    log = log_of(tmp_path, flush=3600)
    answer(log)
    log.flush()
    answer(log)
    log.flush(only_if_due=True)
    assert len(ids(tmp_path)) == 1
    log.flush()
    assert len(ids(tmp_path)) == 2


@pytest.mark.parametrize("flush", ["line", 1.0])
def test_on_a_full_disk_callers_have_their_answers_and_rows_wait(
    tmp_path: Path, flush: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = log_of(tmp_path, flush=flush)
    first = answer(log)
    log.flush()
    size = next((tmp_path / "pets" / "log").glob("*.jsonl")).stat().st_size
    with nothing_can_be_written(size + 2000), caplog.at_level(logging.WARNING, "edge_infer"):
        waiting = [answer(log) for _ in range(50)]
        for _ in range(3):
            log.flush()
    assert caplog.text.count("the log is not written") == 1
    assert "the file is larger than" in caplog.text
    log.flush()
    assert ids(tmp_path) == [first, *waiting], "each once, and in order"
    assert None not in waiting


@pytest.mark.parametrize("short", range(3))
def test_a_line_that_fails_again_behind_a_torn_one_is_written_again(tmp_path: Path, short: int) -> None:
    """The second failure falls around the end of the line."""
    log = log_of(tmp_path)
    waiting = [answer(log) for _ in range(3)]
    with nothing_can_be_written(100):
        log.flush()
    with nothing_can_be_written(100 + len(b"\n") + len(log._lines[0]) - short):
        log.flush()
    assert len(log._lines) == 3 - (short <= 1), "a line is whole without the sign of its end"
    log.flush()
    assert ids(tmp_path) == waiting


def test_on_a_disk_that_stays_full_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    with nothing_can_be_written():
        for _ in range(3):
            log.answered("predict", [ROW] * 4_000, np.array(["cat"] * 4_000), 1e-5)
            log.flush()
    answer(log)
    log.flush()
    found = lines(tmp_path)
    assert len(found) == 10_001
    assert found[-1] == found[-1] | {"kind": "dropped", "rows": 2_001}
    assert len({line.get("id") for line in found}) == 10_001


def test_long_lines_wait_in_few_mebibytes(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    with nothing_can_be_written():
        for _ in range(50):
            for _ in range(10):
                answer(log, {"age": "x" * 100_000, "sex": "x"})
            log.flush()
        assert sum(map(len, log._lines)) <= 16 << 20
    log.flush()
    found = lines(tmp_path)
    assert found[-1]["rows"] + len(found) - 1 == 500


def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "monitor" / "pets").mkdir(parents=True)
    (tmp_path / "monitor" / "pets" / "log").symlink_to(tmp_path / "elsewhere")
    log = log_of(tmp_path / "monitor", flush="line")
    with caplog.at_level(logging.WARNING):
        assert answer(log)
    assert "symbolic link" in caplog.text
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_log_that_somebody_removes_begins_anew(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    answer(log)
    log.flush()
    for path in (tmp_path / "pets" / "log").iterdir():
        path.unlink()
    later = answer(log)
    log.flush()
    other = log_of(tmp_path)
    answer(other)
    other.flush()
    assert names(tmp_path)[0].endswith(".jsonl"), "its process is known to live"
    assert later in ids(tmp_path)


def test_data_that_cannot_be_copied_drops_its_rows_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Hostile(list):  # type: ignore[type-arg]
        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, slice):
                raise RuntimeError("no copy")
            return super().__getitem__(key)

    log = log_of(tmp_path)
    log.answered("predict", Hostile([ROW, ROW]), np.array(["cat", "dog"]), 1e-5)
    kept = answer(log)
    log.flush()
    assert ids(tmp_path) == [kept]
    assert lines(tmp_path)[-1]["rows"] == 2
    assert log._rows == 0


# --- processes --------------------------------------------------------------------------

FORKS = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def forks(test: Any) -> Any:
    for mark in FORKS:
        test = mark(test)
    return test


@forks
def test_a_child_that_is_forked_writes_its_own_and_nothing_of_its_parent(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    written = answer(log)
    log.flush()
    waiting = answer(log)
    child = os.fork()
    if child == 0:
        try:
            answer(log, label="dog")
            log.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    log.flush()
    found = lines(tmp_path)
    assert [line["id"] for line in found if line["answer"] == "cat"] == [written, waiting]
    assert len({line["id"] for line in found}) == len(found) == 3
    assert len(names(tmp_path)) == 2


@forks
def test_a_child_does_not_hold_its_parents_file(tmp_path: Path) -> None:
    """Once the parent is gone, its file is tended though the child lives on."""
    log = log_of(tmp_path)
    answer(log)
    log.flush()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    try:
        dies(log)
        other = log_of(tmp_path)
        answer(other)
        other.flush()
        assert names(tmp_path)[0].endswith(".gz")
        assert kinds(tmp_path) == ["answer", "answer", "repaired"]
    finally:
        os.close(write)
        os.waitpid(child, 0)


@forks
def test_a_parents_file_stays_its_own_when_a_child_writes(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    answer(log)
    log.flush()
    child = os.fork()
    if child == 0:
        try:
            answer(log)
            log.flush()
            log.closed()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    other = log_of(tmp_path)
    answer(other)
    other.flush()
    assert [name.endswith(".gz") for name in names(tmp_path)] == [False, True, False]
    answer(log)
    log.flush()
    assert len(set(ids(tmp_path))) == 4


def test_threads_share_a_log(tmp_path: Path) -> None:
    log = log_of(tmp_path, flush="line", file_mib=0.002)
    threads = [threading.Thread(target=lambda: [answer(log) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.flush()
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == 200


@pytest.mark.parametrize("flush", ["line", 1.0])
def test_a_handler_of_a_signal_may_call_in_the_middle_of_a_write(tmp_path: Path, flush: Any) -> None:
    """It runs in the thread that writes, between any two steps."""
    inner: list[str | None] = []

    def watch(step: Step) -> None:
        if step.kind in ("create", "write", "flush") and len(inner) < 10:
            inner.append(answer(log))

    log = log_of(tmp_path, watch=watch, flush=flush)
    outer = [answer(log) for _ in range(3)]
    log.flush()
    assert len(inner) == 10
    assert sorted(ids(tmp_path)) == sorted(map(str, [*outer, *inner]))


def test_the_log_needs_numpy_alone() -> None:
    program = (
        "import sys, edge_infer.monitor.log, edge_infer.monitor.export, edge_infer.monitor.outcomes\n"
        "print(sorted({'pandas', 'pyarrow', 'scipy', 'sklearn', 'onnx', 'typer'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
