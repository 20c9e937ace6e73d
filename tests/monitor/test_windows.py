"""Windows on disk: they merge, move from hours to days, and outlive clocks, crashes, full disks and other processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge_infer
from edge_infer import Monitor
from edge_infer.errors import UnsafePathError
from edge_infer.monitor.alerts import Event
from edge_infer.monitor.basis import Basis, ColumnBasis, read_basis
from edge_infer.monitor.counts import Counts
from edge_infer.monitor.looking import look
from edge_infer.monitor.profile import Profile
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.windows import BEFORE, DAYS, HOURS, Stamp, add, read_all, read_windows
from edge_infer.store.files import Files, Step
from edge_infer.strict_json import parse
from tests.store.full_disk import nothing_can_be_written
from tests.store.power import cuts, write_out
from tests.store.releases import ROW, X, artifact

ROOT = Path(__file__).parents[2]
EDGES = (0.0, 1.0)
BASIS = Basis(
    "pets", "1.0.0", "a" * 64, "regression", 100,
    (ColumnBasis("age", "number", Profile((10, 20, 70), edges=EDGES), (-1.0, 5.0)),),
    Profile((0,), edges=()), None, (),
)  # fmt: skip


def _summary(values: list[float], errors: int = 0) -> Summary:
    made = Summary()
    made.count_call("predict", len(values))
    made.rows = made.looked_at = len(values)
    made.latency.add_all(np.full(len(values), 1e-5))
    made.columns["age"] = Counts(3)
    made.columns["age"].add_numbers(np.array(values), np.array(EDGES), (-1.0, 5.0))
    if errors:
        made.count_error("InferenceError", errors)
    return made


def _at(hour: int, *, boot: str = "first", minute: int = 0) -> Stamp:
    day, hour_of_day = divmod(hour, 24)
    return Stamp(f"2026-11-{day + 1:02}T{hour_of_day:02}:{minute:02}:00+00:00", boot, hour * 3600.0 + minute * 60)


def _add(files: Files, stamp: Stamp, values: list[float], *, hours: int = 48, days: int = 90) -> None:
    add(files, BASIS, stamp, stamp, _summary(values), keep_hours=hours, keep_days=days)


# --- merging ----------------------------------------------------------------------------

numbers = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=20)


@given(numbers, numbers)
def test_parts_together_are_the_whole(first: list[float], second: list[float]) -> None:
    parts, whole = _summary(first, errors=1), _summary(first + second, errors=3)
    parts.merge(_summary(second, errors=2))
    mine, theirs = parts.plain(), whole.plain()
    for name in ("total", "squares"):
        assert mine["columns"]["age"].pop(name, 0.0) == pytest.approx(theirs["columns"]["age"].pop(name, 0.0), abs=1e-3)
    assert mine == theirs


@given(numbers)
def test_a_summary_is_read_as_it_was_written(values: list[float]) -> None:
    plain = _summary(values, errors=1).plain()
    text = json.dumps(plain).encode()
    read = Summary.parse(parse(text, what="summary", most_bytes=1 << 20, most_depth=8))
    assert read.plain() == json.loads(text)


def test_kinds_of_errors_are_bounded() -> None:
    made = Summary()
    for number in range(1000):
        made.count_error(f"kind {number}")
    assert len(made.errors) == 51
    assert made.failures == 1000


# --- the ring ---------------------------------------------------------------------------


def test_an_hour_is_one_window_and_the_next_hour_another(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for stamp in (_at(5), _at(5, minute=30), _at(6)):
        _add(files, stamp, [0.5])
    first, second = read_windows(files, "pets")
    assert (first.start, first.summary.rows, first.since[14:16], first.until[14:16]) == ("20261101T05", 2, "00", "30")
    assert (second.number, second.summary.rows) == (2, 1)
    assert read_basis(files, "pets", BASIS.digest) == BASIS


def test_hours_that_leave_the_ring_become_days_and_nothing_is_lost(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for hour in range(60):
        _add(files, _at(hour), [0.5, float(hour)], hours=5)
    hours, days = read_windows(files, "pets"), read_windows(files, "pets", DAYS)
    assert [window.number for window in hours] == list(range(56, 61))
    assert [window.start for window in days] == ["20261101", "20261102", "20261103"]
    assert sum(window.summary.rows for window in (*hours, *days)) == 120
    assert days[0].hours == tuple(range(1, 25))


def test_the_oldest_days_become_what_was_before(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for day in range(10):
        _add(files, _at(24 * day), [0.5], hours=1, days=3)
    assert [window.start for window in read_windows(files, "pets", DAYS)] == ["20261107", "20261108", "20261109"]
    (before,) = read_windows(files, "pets", BEFORE)
    assert (before.summary.rows, before.since[:10], before.until[:10]) == (6, "2026-11-01", "2026-11-06")
    assert sum(window.summary.rows for window in read_all(files, "pets")) == 10


def test_a_clock_that_goes_back_begins_a_window_of_its_own(tmp_path: Path) -> None:
    """A device without a clock: each start of the machine begins at the same time."""
    files = Files(tmp_path)
    for boot in ("first", "second", "third"):
        _add(files, _at(0, boot=boot, minute=5), [0.5])
        _add(files, _at(0, boot=boot, minute=50), [0.5])
    found = read_windows(files, "pets")
    assert [(window.summary.rows, [span.boot for span in window.spans]) for window in found] == [
        (2, ["first"]),
        (2, ["second"]),
        (2, ["third"]),
    ]


def test_a_restart_within_an_hour_goes_on_in_its_window(tmp_path: Path) -> None:
    files = Files(tmp_path)
    _add(files, _at(3, boot="first", minute=5), [0.5])
    _add(files, _at(3, boot="second", minute=20), [0.5])
    (window,) = read_windows(files, "pets")
    assert [span.boot for span in window.spans] == ["first", "second"]
    assert window.summary.rows == 2


def test_a_damaged_window_is_left_out_and_the_next_one_begins(tmp_path: Path) -> None:
    files = Files(tmp_path)
    _add(files, _at(3), [0.5])
    (file,) = (tmp_path / "pets" / HOURS).iterdir()
    whole = file.read_bytes()
    for broken in (b"", whole[:-20], whole.replace(b'"rows":1', b'"rows":-1'), b"\xff" + whole):
        file.write_bytes(broken)
        assert read_windows(files, "pets") == []
    _add(files, _at(3), [0.5, 0.5])
    assert [window.summary.rows for window in read_windows(files, "pets")] == [2]
    file.write_bytes(whole)
    assert [window.summary.rows for window in read_windows(files, "pets")] == [1, 2]


def test_the_power_may_be_cut_anywhere(tmp_path: Path) -> None:
    """Whatever a disk holds afterwards, what was written before is counted once: as it was, or with the next part."""
    steps: list[Step] = []
    files, ends = Files(tmp_path / "there", steps.append), []
    for hour in range(6):
        _add(files, _at(hour * 16), [0.5], hours=1, days=1)
        ends.append(len(steps))
    states = 0
    for number, (taken, state) in enumerate(cuts(steps, seeds=range(4))):
        there = tmp_path / f"after{number}"
        write_out(state, there)
        again = Files(there)
        counted = sum(window.summary.rows for window in read_all(again, "pets"))
        written = sum(end <= taken for end in ends)
        assert written <= counted <= written + 1
        _add(again, _at(200), [0.5], hours=1, days=1)
        assert sum(window.summary.rows for window in read_all(again, "pets")) == counted + 1
        states += 1
    assert states >= 200


# --- processes --------------------------------------------------------------------------


def _ask(folder: str, data: bytes, times: int) -> None:
    with Monitor(folder, write_seconds=0.05) as monitor:
        model = edge_infer.load(data, monitor=monitor)
        for _ in range(times):
            model.predict(ROW)


def test_processes_and_their_forks_lose_no_window(tmp_path: Path) -> None:
    data, context = artifact(), multiprocessing.get_context("fork")
    monitor = Monitor(tmp_path / "watched", write_seconds=0.05)
    model = edge_infer.load(data, monitor=monitor)
    model.predict(ROW)

    def forked() -> None:
        for _ in range(300):
            model.predict(ROW)

    others = [context.Process(target=_ask, args=(monitor.folder, data, 500)) for _ in range(3)]
    children = [context.Process(target=forked) for _ in range(3)]
    for process in (*others, *children):
        process.start()
    for _ in range(200):
        model.predict(ROW)
    for process in (*others, *children):
        process.join(60)
        assert process.exitcode == 0
    model.close()
    assert sum(window.summary.rows for window in monitor.windows("pets")) == 3 * 500 + 3 * 300 + 201


def test_a_killed_process_loses_at_most_what_it_has_not_written(tmp_path: Path) -> None:
    (tmp_path / "pets.onnx").write_bytes(artifact())
    script = (
        "import sys, time, edge_infer\n"
        "monitor = edge_infer.Monitor(sys.argv[2], write_seconds=3600)\n"
        "model = edge_infer.load(sys.argv[1], monitor=monitor)\n"
        "for _ in range(10): model.predict([[1.0, 2.0]] * 10)\n"
        "monitor.flush()\n"
        "for _ in range(5): model.predict([[1.0, 2.0]] * 10)\n"
        "print('asked', flush=True)\n"
        "time.sleep(60)\n"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "pets.onnx"), str(tmp_path / "watched")],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"asked\n"
        process.send_signal(signal.SIGKILL)
    assert [window.summary.rows for window in Monitor(tmp_path / "watched").windows("pets")] == [100]


def test_a_full_disk_loses_nothing_and_disturbs_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    monitor = Monitor(tmp_path / "watched", write_seconds=3600)
    model = edge_infer.load(artifact(), monitor=monitor)
    with nothing_can_be_written():
        for _ in range(3):
            model.predict(X)
            monitor.flush()
    assert [record.name for record in caplog.records] == ["edge_infer.monitor"]
    assert monitor.windows("pets") == []
    model.close()
    assert sum(window.summary.rows for window in monitor.windows("pets")) == 3 * len(X)


def test_writing_comes_by_itself(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path / "watched", write_seconds=0)
    model = edge_infer.load(artifact(), monitor=monitor)
    model.predict(ROW)
    until = time.monotonic() + 20
    while not monitor.windows("pets") and time.monotonic() < until:
        time.sleep(0.02)
    assert [window.summary.rows for window in monitor.windows("pets")] == [1]
    model.close()


def test_a_release_on_trial_is_watched_and_counted(tmp_path: Path) -> None:
    from edge_infer.store import Store
    from edge_infer.store.trial import Terms

    store = Store(tmp_path / "home")
    store.install(artifact("1.0.0"))
    store.install(artifact("1.1.0"), trial=Terms(answers=3))
    monitor = Monitor(tmp_path / "watched")
    with store.load("pets", monitor=monitor) as model:
        for _ in range(3):
            model.predict(ROW)
    assert store.state("pets").trial is None
    assert [window.summary.rows for window in monitor.windows("pets")] == [3]


def test_each_release_of_a_watched_model_has_windows_of_its_own(tmp_path: Path) -> None:
    from edge_infer.store import Store

    store, monitor = Store(tmp_path / "home"), Monitor(tmp_path / "watched")
    store.install(artifact("1.0.0"))
    with store.watch("pets", interval=0, monitor=monitor) as model:
        model.predict(ROW)
        store.install(artifact("1.1.0"))
        model.refresh()
        model.predict(ROW)
    monitor.close()  # the release before was let go of, and is written by the thread in a moment
    assert sorted((w.version, w.summary.rows) for w in monitor.windows("pets")) == [("1.0.0", 1), ("1.1.0", 1)]


def test_a_change_of_verdict_is_told_once(tmp_path: Path) -> None:
    """Judged when a window has ended, by whichever process begins the next one."""
    told: list[Event] = []
    monitors = [Monitor(tmp_path / "watched", write_seconds=3600, on_event=told.append) for _ in range(2)]
    hour = [0]
    models = []
    for monitor in monitors:
        monitor._worker._now = lambda: _at(hour[0])
        models.append(edge_infer.load(artifact(), monitor=monitor))
    for hour[0], shift in enumerate([0, 0, 0, 2, 2, 2]):
        for model, monitor in zip(models, monitors, strict=True):
            for record in (X + shift).to_dict("records") * 5:
                model.predict(record)
            monitor.flush()
    assert [(event.name, event.before, event.verdict) for event in told] == [("pets", "stable", "drifted")]
    assert told[0].reason.startswith(("a: ", "b: ", "labels: "))
    for model in models:
        model.close()


def test_what_a_function_raises_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("no mail server")

    monitor = Monitor(tmp_path / "watched", on_event=broken)
    hour = [0]
    monitor._worker._now = lambda: _at(hour[0])
    with edge_infer.load(artifact(), monitor=monitor) as model:
        for hour[0] in range(3):
            for record in (X + 2).to_dict("records") * 5:
                model.predict(record)
            monitor.flush()
    assert "no mail server" in caplog.text
    assert sum(window.summary.rows for window in monitor.windows("pets")) == 3 * 5 * len(X)


def test_what_is_counted_in_another_way_has_a_window_of_its_own(tmp_path: Path) -> None:
    """A later edge-infer may have other bins for a release: nothing is lost, and nothing is mixed."""
    files = Files(tmp_path)
    _add(files, _at(3), [0.5])
    other = Summary()
    other.count_call("predict")
    other.rows = other.looked_at = 1
    other.columns["age"] = Counts(5)
    later = BASIS._replace(columns=(BASIS.columns[0]._replace(profile=Profile((1,) * 5, edges=(0.0, 1.0, 2.0, 3.0))),))
    for _ in range(2):
        add(files, later, _at(3), _at(3), other, keep_hours=48, keep_days=90)
    assert [window.summary.rows for window in read_windows(files, "pets")] == [1, 2]
    assert read_basis(files, "pets", BASIS.digest) == later
    assert look(files, "pets").whole.summary.rows == 2


def test_the_environment_names_a_monitor_for_watched_models_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_infer.store import Store

    monkeypatch.setenv("EDGE_INFER_MONITOR", str(tmp_path / "watched"))
    store = Store(tmp_path / "home")
    store.install(artifact())
    with store.watch("pets") as model:
        model.predict(ROW)
    with store.load("pets") as model:
        model.predict(ROW)
    assert sum(window.summary.rows for window in Monitor(tmp_path / "watched").windows("pets")) == 2


def test_a_model_that_cannot_name_files_loads_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """NUL names a device on some systems. Whoever asks for a monitor is told; the environment breaks nothing."""
    data = artifact(name="nul")
    with pytest.raises(UnsafePathError):
        edge_infer.load(data, monitor=Monitor(tmp_path / "watched"))
    monkeypatch.setenv("EDGE_INFER_MONITOR", str(tmp_path / "watched"))
    with edge_infer.load(data) as model:
        assert model.predict(ROW) == edge_infer.load(artifact()).predict(ROW)
    assert "is not watched" in caplog.text
