"""A watched model follows the store between two calls."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import edge_infer
from edge_infer import SessionOptions
from edge_infer.errors import InferenceError, MethodError, NotInstalledError, UsageError
from edge_infer.store import Store
from edge_infer.store.trial import Terms
from edge_infer.store.watched import Watched
from edge_infer_convert import convert
from tests.store.releases import RNG, ROW, answer, artifact

ROOT = Path(__file__).parents[2]
VERSIONS = ("1.0.0", "1.1.0")
ROWS = pd.DataFrame(RNG.normal(size=(7, 2)), columns=["a", "b"])
PATIENCE = 60.0


@pytest.fixture
def filled(store: Store) -> Store:
    """With both versions; the first one is active."""
    for version in reversed(VERSIONS):
        store.install(artifact(version), allow_older=True)
    return store


def activate(store: Store, version: str) -> None:
    store.activate(f"pets@{version}", allow_older=True, allow_breaking=True)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def version_of(model: Watched) -> str:
    return model.manifest.version


def test_calls_move_to_the_newly_activated_release(filled: Store) -> None:
    with filled.watch("pets", interval=0) as model:
        assert model.predict(ROW) == pytest.approx(answer("1.0.0"))
        activate(filled, "1.1.0")
        wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.1.0")))
        assert version_of(model) == model.model.manifest.version == "1.1.0"
        assert "Watched pets" in repr(model)
        assert "1.1.0" in repr(model)


def test_a_function_that_was_kept_moves_too(filled: Store) -> None:
    predict = filled.watch("pets", interval=0).predict
    activate(filled, "1.1.0")
    wait_for(lambda: predict(ROW) == pytest.approx(answer("1.1.0")))


def test_a_rollback_is_followed(filled: Store) -> None:
    activate(filled, "1.1.0")
    model = filled.watch("pets", interval=0)
    assert model.predict(ROW) == pytest.approx(answer("1.1.0"))
    filled.rollback("pets")
    wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.0.0")))


def test_refresh_waits_until_the_active_release_answers(filled: Store) -> None:
    model = filled.watch("pets", interval=3600)
    assert not model.refresh()
    activate(filled, "1.1.0")
    assert model.predict(ROW) == pytest.approx(answer("1.0.0"))
    assert model.refresh()
    assert model.predict(ROW) == pytest.approx(answer("1.1.0"))


def test_a_model_that_was_taken_stays_what_it_is(filled: Store) -> None:
    watched = filled.watch("pets", interval=3600)
    model = watched.model
    activate(filled, "1.1.0")
    watched.refresh()
    filled.remove("pets@1.0.0")
    assert model.predict(ROW) == pytest.approx(answer("1.0.0"))
    assert watched.model is not model


def test_the_model_before_goes_when_nobody_has_it(filled: Store) -> None:
    watched = filled.watch("pets", interval=3600)
    before = weakref.ref(watched.model)
    activate(filled, "1.1.0")
    watched.refresh()
    assert before() is None


def test_a_watched_model_looks_like_the_model_that_answers(filled: Store) -> None:
    watched, model = filled.watch("pets"), filled.load("pets")
    assert watched.methods == model.methods
    assert watched.n_features_in_ == 2
    assert watched.predict.__doc__ == type(model).predict.__doc__
    assert set(dir(model)) - set(dir(watched)) <= {name for name in dir(model) if name.startswith("_")}
    np.testing.assert_array_equal(watched.predict(ROWS), model.predict(ROWS))
    with pytest.raises(AttributeError):
        _ = watched.nothing_like_this


def classifier(version: str) -> bytes:
    labels = np.where(ROWS["a"] > 0, "yes", "no")
    return convert(LogisticRegression().fit(ROWS, labels), data=ROWS, name="pets", version=version, release=2).data


def test_methods_come_and_go_with_the_releases(store: Store) -> None:
    store.install(artifact("1.0.0"))
    store.install(classifier("2.0.0"), activate=False)
    model = store.watch("pets", interval=3600)
    assert not hasattr(model, "predict_proba")
    with pytest.raises(MethodError, match="predict_proba"):
        _ = model.predict_proba
    activate(store, "2.0.0")
    model.refresh()
    kept = model.predict_proba
    assert kept(ROWS).shape == (7, 2)
    assert list(model.classes_) == ["no", "yes"]
    activate(store, "1.0.0")
    model.refresh()
    assert not hasattr(model, "predict_proba")
    with pytest.raises(MethodError, match="predict_proba"):
        kept(ROWS)


def test_no_answer_is_lost_or_mixed_while_threads_call_through_activations(filled: Store) -> None:
    """Each answer of many rows is wholly one release's."""
    model = filled.watch("pets", interval=0)
    wanted = {version: filled.load(f"pets@{version}").predict(ROWS) for version in VERSIONS}
    seen: set[str] = set()
    wrong: list[object] = []
    ends = threading.Event()

    def call() -> None:
        while not ends.is_set():
            try:
                found = model.predict(ROWS)
                version = next((name for name, each in wanted.items() if np.array_equal(each, found)), None)
                seen.add(version) if version else wrong.append(found)
            except BaseException as error:  # noqa: BLE001  # told below
                wrong.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for change in range(60):
        activate(filled, VERSIONS[(change + 1) % 2])
        time.sleep(random.Random(change).uniform(0, 0.02))
    ends.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == set(VERSIONS)
    model.refresh()
    assert model.predict(ROW) == pytest.approx(answer("1.0.0"))


def damage(store: Store, version: str) -> None:
    release = store.state("pets").of_version(version)
    assert release is not None
    path = Path(store.folder, "artifacts", f"{release.digest}.onnx")
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def test_a_release_that_cannot_be_loaded_disturbs_no_answer(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """It falls back in the background, as a load does, and tells the logger rather than the program."""
    store.install(artifact("1.0.0"))
    model = store.watch("pets", interval=0)
    store.install(artifact("1.1.0"))
    damage(store, "1.1.0")
    with caplog.at_level(logging.WARNING, "edge_infer.store"):
        wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.0.0")) and bool(caplog.records))
    assert "1.0.0 is active again" in caplog.text
    assert "cannot be loaded" not in caplog.text
    assert model.predict(ROW) == pytest.approx(answer("1.0.0"))
    store.install(artifact("1.2.0"))
    wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.2.0")))


def test_what_failed_is_not_tried_again_until_the_state_changes(
    filled: Store, caplog: pytest.LogCaptureFixture
) -> None:
    model = filled.watch("pets", interval=0)
    state = Path(filled.folder, "models", "pets", "state.json")
    before = state.read_bytes()
    state.write_bytes(b"{")
    with caplog.at_level(logging.WARNING, "edge_infer.store"):
        wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.0.0")) and bool(caplog.records))
        time.sleep(0.1)
        model.predict(ROW)
        time.sleep(0.1)
    assert len(caplog.records) == 1
    with pytest.raises(edge_infer.EdgeInferError):
        model.refresh()
    state.write_bytes(before)
    activate(filled, "1.1.0")
    wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.1.0")))


def test_what_failed_is_not_tried_again_for_a_state_that_tells_nothing_new(
    filled: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as one with more counts of a trial. The release before cannot be made active: a folder is in the lock's
    place, so that nobody can write, whoever runs the tests."""
    model = filled.watch("pets", interval=0)
    activate(filled, "1.1.0")
    damage(filled, "1.1.0")
    lock = Path(filled.folder, "lock")
    lock.unlink()
    lock.mkdir()
    with caplog.at_level(logging.WARNING, "edge_infer.store"):
        wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.0.0")) and bool(caplog.records))
        told = len(caplog.records)
        os.utime(Path(filled.folder, "models", "pets", "state.json"))
        for _ in range(3):
            model.predict(ROW)
            time.sleep(0.1)
    assert len(caplog.records) == told
    lock.rmdir()


def test_a_store_behind_a_link_is_not_followed_and_told_once(
    filled: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = filled.watch("pets", interval=0)
    folder = Path(filled.folder, "models", "pets")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with caplog.at_level(logging.WARNING, "edge_infer.store"):
        wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.0.0")) and bool(caplog.records))
        time.sleep(0.1)
        model.predict(ROW)
    assert len(caplog.records) == 1
    assert "symbolic link" in caplog.text
    folder.unlink()
    (tmp_path / "elsewhere").rename(folder)
    activate(filled, "1.1.0")
    wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.1.0")))


def test_a_removed_model_goes_on_answering_where_it_is_watched(filled: Store) -> None:
    model = filled.watch("pets", interval=0)
    filled.remove("pets")
    with pytest.raises(NotInstalledError):
        model.refresh()
    assert model.predict(ROW) == pytest.approx(answer("1.0.0"))
    filled.install(artifact("1.1.0"))
    wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.1.0")))


def test_a_trial_is_counted_by_who_watches(filled: Store) -> None:
    model = filled.watch("pets", interval=0)
    filled.activate("pets@1.1.0", trial=Terms(answers=5))
    wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.1.0")))
    for _ in range(10):
        model.predict(ROW)
    wait_for(lambda: filled.state("pets").trial is None)
    assert version_of(model) == "1.1.0"


def test_a_closed_one_says_so_and_follows_no_more(filled: Store) -> None:
    model = filled.watch("pets", interval=0)
    predict = model.predict
    model.close()
    for call in (predict, model.predict):
        with pytest.raises(InferenceError, match="closed"):
            call(ROW)
    activate(filled, "1.1.0")
    assert not model.refresh()
    with pytest.raises(InferenceError, match="closed"):
        predict(ROW)


def test_it_pickles_as_what_it_watches(filled: Store) -> None:
    model = filled.watch("pets", interval=3600, options=SessionOptions(split_rows=0))
    activate(filled, "1.1.0")
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(ROW) == pytest.approx(answer("1.1.0"))
    assert again.options.split_rows == 0


def test_the_exported_function_watches_this_devices_store(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_INFER_HOME", filled.folder)
    assert isinstance(edge_infer.watch("pets"), edge_infer.Watched)
    assert edge_infer.watch("pets", store=filled).predict(ROW) == pytest.approx(answer("1.0.0"))


@pytest.mark.parametrize(
    ("reference", "interval", "told"),
    [
        ("pets@1.0.0", 1.0, "load it instead"),
        ("../pets", 1.0, "expected NAME"),
        ("pets", -1.0, "interval"),
        ("pets", float("nan"), "interval"),
        ("pets", "1", "interval"),
    ],
)
def test_what_cannot_be_watched_is_refused(filled: Store, reference: str, interval: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        filled.watch(reference, interval=interval)


def test_a_model_that_is_not_there_is_told_at_once(store: Store) -> None:
    with pytest.raises(NotInstalledError):
        store.watch("pets")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_follows_by_itself(filled: Store) -> None:
    """Also where a thread of the parent was loading at the fork: its lock would never be let go of in the child."""
    model = filled.watch("pets", interval=0)
    model._follower._loading.acquire()

    def follow(queue: Any) -> None:
        wait_for(lambda: model.predict(ROW) == pytest.approx(answer("1.1.0")))
        queue.put(version_of(model))

    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    activate(filled, "1.1.0")
    child = context.Process(target=follow, args=(queue,))
    child.start()
    assert queue.get(timeout=PATIENCE) == "1.1.0"
    child.join()
    assert child.exitcode == 0


_WATCHER = """
import json, select, sys
import edge_infer
row, allowed = json.loads(sys.argv[1]), json.loads(sys.argv[2])
model = edge_infer.watch("pets", interval=0.01)
print("ready", flush=True)
calls, seen = 0, set()
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(20):
        got = model.predict([row, row]).tolist()
        version = next((name for name, wanted in allowed.items() if all(abs(x - wanted) < 1e-3 for x in got)), None)
        if version is None:
            sys.exit(f"answered {got}")
        seen.add(version)
        calls += 1
model.refresh()
print(json.dumps([calls, sorted(seen), model.manifest.version]))
"""


def test_eight_processes_answer_through_200_activations(filled: Store) -> None:
    allowed = json.dumps({version: answer(version) for version in VERSIONS})
    watchers = list(_watchers(filled, [json.dumps(ROW), allowed], 8))
    for change in range(200):
        activate(filled, VERSIONS[(change + 1) % 2])
    told = [json.loads(watcher.communicate("stop\n", timeout=PATIENCE)[0]) for watcher in watchers]
    assert [watcher.returncode for watcher in watchers] == [0] * 8
    assert all(calls > 0 and set(seen) == set(VERSIONS) and last == "1.0.0" for calls, seen, last in told)


def _watchers(store: Store, arguments: list[str], count: int) -> Iterator[subprocess.Popen[str]]:
    """Each of them ready."""
    command = [sys.executable, "-W", "error", "-c", _WATCHER, *arguments]
    environment = {**os.environ, "EDGE_INFER_HOME": store.folder}
    piped = subprocess.PIPE
    started = [
        subprocess.Popen(command, stdin=piped, stdout=piped, text=True, env=environment, cwd=ROOT) for _ in range(count)
    ]
    for watcher in started:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ready\n"
        yield watcher
