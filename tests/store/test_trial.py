"""A release on trial stays if it is confirmed, and goes back if it fails, is too late, or its processes die."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import DamagedStoreError, InferenceError, InputError, RefusedError, UsageError
from edge_infer.store import Store, here
from edge_infer.store.counting import _end_all
from edge_infer.store.gate import Limits
from edge_infer.store.loading import StoreWarning
from edge_infer.store.records import note
from edge_infer.store.state import parse_state, render
from edge_infer.store.trial import (
    Moment,
    Start,
    Terms,
    Trial,
    advanced,
    failure,
    is_confirmed,
    is_crash,
    parse_terms,
    spelled,
)
from tests.store.full_disk import nothing_can_be_written
from tests.store.releases import ROW, X, answer, artifact, brittle

ROOT = Path(__file__).parents[2]
BREAKS = {"a": 1000.0, "b": 0.0}
LONG = Terms(answers=1000)


@pytest.fixture
def trying(store: Store) -> Store:
    """1.0.0 is the release before, and 1.1.0 is installed."""
    store.install(artifact("1.0.0"))
    store.install(brittle("1.1.0"), activate=False)
    return store


def active(store: Store) -> str:
    state = store.state("pets")
    release = state.of_digest(state.active)
    assert release is not None
    return release.version


def trial_of(store: Store) -> Trial:
    found = store.state("pets").trial
    assert found is not None
    return found


def until(condition: Callable[[], bool]) -> None:
    """What a thread of a moment does. Its test fails by time if it never comes."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def last_event(store: Store) -> tuple[str, str, str]:
    event = store.log("pets")[-1]
    return event.action, event.version, event.detail


# --- what confirms ----------------------------------------------------------------------


def test_so_many_answers_confirm_a_release(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(answers=3))
    model = trying.load("pets")
    for _ in range(3):
        assert trial_of(trying).terms == Terms(answers=3)
        assert model.predict(ROW) == pytest.approx(answer("1.1.0"))
    until(lambda: trying.state("pets").trial is None)
    assert active(trying) == "1.1.0"
    assert last_event(trying) == ("mark-good", "1.1.0", "by itself, after 3 answers")


def test_answers_of_several_processes_add_up(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(answers=4))
    for count in (1, 2, 3):
        _in_a_process(trying, "edge_infer.load('pets').predict(ROW)")
        assert trial_of(trying).answers == count
    _in_a_process(trying, "edge_infer.load('pets').predict(ROW)")
    assert trying.state("pets").trial is None
    assert active(trying) == "1.1.0"


def test_a_person_confirms_a_release(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(seconds=3600))
    model = trying.load("pets")
    assert trying.mark_good("pets").version == "1.1.0"
    assert trying.state("pets").trial is None
    assert last_event(trying)[:2] == ("mark-good", "1.1.0")
    model.close()  # its start has nobody to tell any more
    before = trying.log("pets")
    assert trying.mark_good("pets").version == "1.1.0"  # again: nothing more to do
    assert trying.log("pets") == before


def test_activating_it_without_a_trial_confirms_it(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    trying.activate("pets@1.1.0")
    assert trying.state("pets").trial is None
    assert active(trying) == "1.1.0"


def test_the_first_release_has_nothing_to_go_back_to(store: Store) -> None:
    installed = store.install(artifact("1.0.0"), trial=LONG)
    assert (installed.active, installed.on_trial) == (True, False)
    assert store.state("pets").trial is None


def test_installing_the_same_file_again_does_not_begin_a_trial(trying: Store) -> None:
    assert trying.install(artifact("1.0.0"), trial=LONG).action == "none"
    assert trying.state("pets").trial is None


# --- what leads back --------------------------------------------------------------------


def test_a_call_that_fails_leads_back(trying: Store) -> None:
    assert trying.install(brittle("1.2.0"), trial=LONG).on_trial
    model = trying.load("pets")
    with pytest.raises(InferenceError):
        model.predict(BREAKS)
    until(lambda: trying.state("pets").trial is None)
    assert active(trying) == "1.0.0"
    assert trying.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    refusal = trying.state("pets").refusals[-1]
    assert (refusal.version, refusal.kind) == ("1.2.0", "trial")
    assert "1 call failed, 0 allowed; the last one: predict: InferenceError" in refusal.reason


def test_errors_that_are_allowed_do_not(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(answers=2, errors=2))
    with trying.load("pets") as model:
        for _ in range(2):
            with pytest.raises(InferenceError):
                model.predict(BREAKS)
    assert trial_of(trying).errors == 2
    with trying.load("pets") as model:
        model.predict(ROW)
        model.predict(ROW)
    assert trying.state("pets").trial is None
    assert active(trying) == "1.1.0"


def test_a_callers_mistake_is_no_error_of_the_release(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    with trying.load("pets") as model, pytest.raises(InputError):
        model.predict({"a": "no number"})
    assert (trial_of(trying).errors, trial_of(trying).answers) == (0, 0)


def test_slow_calls_lead_back(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(answers=3, latency=0.0))
    with trying.load("pets") as model:
        for _ in range(3):
            model.predict(ROW)
    assert active(trying) == "1.0.0"
    assert "more than half of 3 calls took longer than 0 ms" in trying.state("pets").refusals[-1].reason


def test_calls_as_fast_as_they_must_be_do_not(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(answers=3, latency=60.0))
    with trying.load("pets") as model:
        for _ in range(3):
            model.predict(ROW)
    assert active(trying) == "1.1.0"


def test_when_its_time_is_over_the_next_load_goes_back(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(seconds=3600))
    assert trying.load("pets").manifest.version == "1.1.0"
    _spend(trying, 3600)
    with pytest.warns(StoreWarning, match=r"was not confirmed within 1 h; 1\.0\.0 is active again"):
        assert trying.load("pets").manifest.version == "1.0.0"
    assert last_event(trying)[:2] == ("fall back", "1.0.0")


def test_when_its_time_is_over_a_process_that_runs_it_finds_out_too(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(seconds=3600))
    with trying.load("pets") as model:
        _spend(trying, 3600)
        model.predict(ROW)
    assert active(trying) == "1.0.0"


def _spend(store: Store, seconds: float) -> None:
    state = store.state("pets")
    assert state.trial is not None
    note(store._files, state._replace(trial=state.trial._replace(spent=seconds)))


def test_processes_that_die_lead_back(trying: Store) -> None:
    """A crash loop: each is killed in the middle of its work, whatever it has answered before."""
    trying.activate("pets@1.1.0", trial=LONG)
    for count in range(3):
        assert active(trying) == "1.1.0"
        assert trial_of(trying).crashed == max(0, count - 1)  # the last one's death is found by the next start
        _in_a_process(
            trying, "m = edge_infer.load('pets'); m.predict(ROW); os.kill(os.getpid(), 9)", code=-signal.SIGKILL
        )
    with pytest.warns(StoreWarning, match="3 processes that ran it crashed"):
        assert trying.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))


def test_processes_that_end_as_they_should_do_not(trying: Store) -> None:
    """By their end, by an exception, by Ctrl-C, by `close`, and without an answer."""
    trying.activate("pets@1.1.0", trial=LONG)
    ends = {
        "m = edge_infer.load('pets')": 0,
        "m = edge_infer.load('pets'); m.predict(ROW); sys.exit(3)": 3,
        "m = edge_infer.load('pets'); signal.raise_signal(signal.SIGINT)": -signal.SIGINT,
        "edge_infer.load('pets').close(); os._exit(4)": 4,
    }
    for code, expected in ends.items():
        _in_a_process(trying, code, code=expected)
    assert trial_of(trying)._replace(at=Moment("", 0), spent=0, begun="") == Trial(LONG, "", Moment("", 0), answers=1)
    assert not list(Path(trying.folder).glob("models/pets/starts/*"))


def test_a_model_that_nobody_has_any_more_is_no_crash(trying: Store) -> None:
    """Its start ends at the next occasion; until then the process that lives holds it."""
    trying.activate("pets@1.1.0", trial=LONG)
    call = trying.load("pets").predict
    assert call(ROW) == pytest.approx(answer("1.1.0"))
    del call
    gc.collect()
    with trying.load("pets"):
        assert len(trial_of(trying).starts) == 1
    assert (trial_of(trying).starts, trial_of(trying).answers, trial_of(trying).crashed) == ((), 1, 0)


def test_processes_that_still_run_are_no_crashes(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    models = [trying.load("pets") for _ in range(5)]
    assert len(trial_of(trying).starts) == 5
    assert trial_of(trying).crashed == 0
    for model in models:
        model.close()
    assert trial_of(trying).starts == ()


@pytest.mark.parametrize("error", ["1 / 0", "raise MemoryError", "m.nothing"])
def test_a_crash_loop_by_errors_that_nobody_catches_leads_back(trying: Store, error: str) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    for _ in range(3):
        _in_a_process(trying, f"with edge_infer.load('pets') as m:\n    m.predict(ROW)\n    {error}", code=1)
    with pytest.warns(StoreWarning, match="3 processes that ran it crashed"):
        assert trying.load("pets").manifest.version == "1.0.0"


def test_errors_that_are_caught_or_the_callers_own_are_no_crash(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    caught = "try:\n    with edge_infer.load('pets') as m:\n        1 / 0\nexcept ZeroDivisionError:\n    pass"
    _in_a_process(trying, caught)
    _in_a_process(trying, "m = edge_infer.load('pets')\nm.predict({})", code=1)
    assert (trial_of(trying).starts, trial_of(trying).crashed) == ((), 0)


def test_the_end_of_a_process_that_has_served_is_no_crash(trying: Store) -> None:
    """Also before that, where the machine went off: a service is stopped by SIGTERM, and a device by its plug."""
    answered = [Start("a" * 16, Moment("one", 10.0), seconds) for seconds in (None, 59.0, 61.0)]
    assert [is_crash(start, Moment("one", 100.0)) for start in answered] == [True, True, False]
    assert [is_crash(start, Moment("two", 5.0)) for start in answered] == [True, False, False]
    trying.activate("pets@1.1.0", trial=LONG)
    state = trying.state("pets")
    assert state.trial is not None
    starts = tuple(start._replace(name=16 * f"{place}") for place, start in enumerate(answered))
    note(trying._files, state._replace(trial=state.trial._replace(starts=starts)))
    with trying.load("pets"):
        assert trial_of(trying).crashed == 1 + (here.moment().boot == "one")


def test_a_child_that_is_forked_makes_a_start_of_its_own(trying: Store) -> None:
    """A server that loads the model and then forks its workers."""
    trying.activate("pets@1.1.0", trial=LONG)
    model = trying.load("pets")
    model.predict(ROW)
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=model.predict, args=(ROW,)) for _ in range(2)]
    children += [fork.Process(target=model.close), fork.Process(target=_kill_itself, args=(model,))]
    for child in children:
        child.start()
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0, -signal.SIGKILL]
    model.close()
    with trying.load("pets"):
        trial = trial_of(trying)
    assert (len(trial.starts), trial.answers, trial.crashed) == (1, 3, 1)


def _kill_itself(model: Any) -> None:
    model.predict(ROW)
    os.kill(os.getpid(), signal.SIGKILL)


def _answer_in_threads(model: Any) -> None:
    gate = threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        model.predict(ROW)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_all_threads_of_a_child_are_one_start(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    with trying.load("pets") as model:
        for _ in range(3):
            child = multiprocessing.get_context("fork").Process(target=_answer_in_threads, args=(model,))
            child.start()
            child.join()
            assert child.exitcode == 0
    with trying.load("pets"):
        assert (len(trial_of(trying).starts), trial_of(trying).answers, trial_of(trying).crashed) == (1, 24, 0)


def test_a_child_of_an_earlier_release_is_no_crash_of_the_next(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    with trying.load("pets") as model:
        trying.install(artifact("1.2.0"), trial=LONG)
        child = multiprocessing.get_context("fork").Process(target=model.predict, args=(ROW,))
        child.start()
        child.join()
    with trying.load("pets"):
        assert (trial_of(trying).answers, trial_of(trying).crashed) == (0, 0)


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_children_of_multiprocessing_end_in_order(trying: Store, way: str) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    context = multiprocessing.get_context(way)
    for _ in range(2):
        child = context.Process(target=_answer_once, args=(trying.folder,))
        child.start()
        child.join()
        assert child.exitcode == 0
    trial = trial_of(trying)
    assert (trial.starts, trial.answers, trial.crashed) == ((), 2, 0)


def _answer_once(folder: str) -> None:
    model = Store(folder).load("pets")
    model.predict(ROW)


def test_a_fork_does_not_keep_the_lock(trying: Store) -> None:
    with trying._files.locked():
        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
    try:
        with trying._files.locked(patience=1.0):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


# --- closing at odd moments --------------------------------------------------------------


def test_a_call_that_comes_too_late_is_no_error(trying: Store) -> None:
    """Another thread may still be calling; the table goes the careful way, which finds that the model was closed."""
    trying.activate("pets@1.1.0", trial=Terms(answers=10**9))
    late: list[Exception] = []
    for _ in range(3):
        model, closed = trying.load("pets"), threading.Event()
        call = model.predict

        def ask(call: Any = call, closed: threading.Event = closed) -> None:
            while not closed.is_set():
                try:
                    call(X)
                except InferenceError as error:
                    late.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        model.close()
        until(lambda: bool(late))
        closed.set()
        for thread in threads:
            thread.join()
    assert (trial_of(trying).errors, trial_of(trying).starts) == (0, ())


def test_a_handler_of_a_signal_may_close(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(answers=10**9))
    code = (
        "import faulthandler; faulthandler.dump_traceback_later(60, exit=True)\n"
        "m = edge_infer.load('pets')\n"
        "def stop(*_):\n    m.close()\n    sys.exit(5)\n"
        "signal.signal(signal.SIGALRM, stop)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.3)\n"
        "call = m.predict\n"
        "while True: call(ROW)"
    )
    _in_a_process(trying, code, code=5)
    assert (trial_of(trying).starts, trial_of(trying).crashed) == ((), 0)


def test_two_threads_may_close(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    for _ in range(10):
        model = trying.load("pets")
        threads = [threading.Thread(target=model.close) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert trial_of(trying).starts == ()


def test_a_stream_that_is_stopped_is_no_crash(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_infer.cli.main", "stream", "pets"],
        env={**os.environ, "EDGE_INFER_HOME": trying.folder},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(ROW) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["prediction"] == pytest.approx(answer("1.1.0"))
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM
    process.stdin.close()
    process.stdout.close()
    assert (trial_of(trying).starts, trial_of(trying).answers) == ((), 1)


# --- and the rest of a model's life ------------------------------------------------------


def test_a_release_that_failed_is_not_tried_again_by_itself(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(seconds=1))
    _spend(trying, 2)
    with pytest.warns(StoreWarning):
        trying.load("pets")
    with pytest.raises(RefusedError, match=r"nothing has changed since: pets@1\.1\.0 failed its trial") as caught:
        trying.install(brittle("1.1.0"))
    assert caught.value.kind == "trial"
    trying.activate("pets@1.1.0")  # a person may
    assert trying.install(brittle("1.1.0")).action == "none"


def test_a_release_that_nobody_confirmed_is_no_place_to_go_back_to(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    trying.install(artifact("1.2.0"), trial=LONG)
    assert trying.rollback("pets").version == "1.0.0"
    assert trying.state("pets").trial is None


def test_what_a_trial_goes_back_to_is_not_removed(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    with pytest.raises(UsageError, match=r"pets@1\.0\.0 is what the release on trial goes back to"):
        trying.remove("pets@1.0.0")
    trying.prune(keep=0)
    assert [release.version for release in trying.state("pets").releases] == ["1.0.0", "1.1.0"]
    trying.mark_good("pets")
    trying.prune(keep=0)
    assert [release.version for release in trying.state("pets").releases] == ["1.1.0"]


def test_a_release_loaded_by_its_version_is_not_counted(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    with trying.load("pets@1.1.0") as model:
        model.predict(ROW)
    assert trial_of(trying).answers == 0


def test_a_damaged_release_on_trial_gives_way(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    Path(trying.path("pets@1.1.0")).write_bytes(b"?")
    with pytest.warns(StoreWarning, match=r"1\.0\.0 is active again"):
        assert trying.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    assert trying.state("pets").trial is None


def test_prune_takes_what_dead_starts_left(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    _in_a_process(trying, "m = edge_infer.load('pets'); os.kill(os.getpid(), 9)", code=-signal.SIGKILL)
    trying.mark_good("pets")
    (Path(trying.folder) / "models/pets/starts/0123456789abcdef").touch()
    trying.prune()
    assert not list(Path(trying.folder).glob("models/pets/starts/*"))


def test_where_nothing_can_be_written_a_release_on_trial_is_loaded_uncounted(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    with nothing_can_be_written(), pytest.warns(StoreWarning, match="its trial cannot be counted"):
        assert trying.load("pets").predict(ROW) == pytest.approx(answer("1.1.0"))
    assert trial_of(trying).answers == 0
    with trying.load("pets") as model:
        model.predict(ROW)
    assert (trial_of(trying).answers, trial_of(trying).crashed) == (1, 0)


def test_counts_that_cannot_be_written_are_not_lost(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(answers=2))
    model = trying.load("pets")
    before = threading.active_count()
    with nothing_can_be_written():
        with pytest.raises(InferenceError):
            model.predict(BREAKS)
        until(lambda: threading.active_count() == before)
        model.close()  # which cannot be noted either
    _in_a_process(trying, "edge_infer.load('pets').predict(ROW)")
    assert active(trying) == "1.1.0"
    _end_all()
    assert active(trying) == "1.0.0"
    assert "1 call failed" in trying.state("pets").refusals[-1].reason


def test_where_nothing_can_be_written_a_trial_that_has_failed_is_not_loaded(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(seconds=3600))
    _spend(trying, 3600)
    with nothing_can_be_written(), pytest.warns(StoreWarning, match="the one before it is loaded"):
        assert trying.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    assert active(trying) == "1.1.0"


def test_a_failed_trial_is_not_repeated_with_limits_either(trying: Store) -> None:
    limits = Limits(latency=60.0)
    trying.install(brittle("1.2.0"), trial=LONG, limits=limits)
    _spend_errors(trying)
    with pytest.warns(StoreWarning):
        trying.load("pets")
    with pytest.raises(RefusedError, match="failed its trial"):
        trying.install(brittle("1.2.0"), trial=LONG, limits=limits)


def _spend_errors(store: Store) -> None:
    state = store.state("pets")
    assert state.trial is not None
    note(store._files, state._replace(trial=state.trial._replace(errors=1)))


def test_activating_it_again_on_the_same_terms_goes_on(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    with trying.load("pets") as model:
        model.predict(ROW)
        trying.activate("pets@1.1.0", trial=LONG)
        assert len(trial_of(trying).starts) == 1
    assert trial_of(trying).answers == 1
    with trying.load("pets") as model:
        trying.activate("pets@1.1.0", trial=Terms(answers=5))
        model.predict(ROW)
    assert (trial_of(trying).terms.answers, trial_of(trying).answers) == (5, 1)


def test_answers_of_run_count_and_its_errors_do_not(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    with trying.load("pets") as model:
        assert model.run({"numbers": np.array([[0.5, -1.25]], np.float32)}, outputs=None)
        with pytest.raises(InferenceError):
            model.run({"nothing": np.zeros(1)})
    assert (trial_of(trying).answers, trial_of(trying).errors) == (1, 0)


def test_what_a_caller_gives_is_never_the_models_fault(trying: Store) -> None:
    """Whoever may ask must not be able to end a trial by what Python raises on the way."""
    trying.activate("pets@1.1.0", trial=LONG)
    deep: Any = 0.5
    for _ in range(100_000):
        deep = [deep]
    with trying.load("pets") as model:
        for data in (deep, {"a": deep, "b": 1}, _Raises(), {"a": _Raises(), "b": 1}):
            with pytest.raises((InputError, RecursionError, RuntimeError, ZeroDivisionError)):
                model.predict(data)
    assert trial_of(trying).errors == 0
    while isinstance(deep, list):  # or Python's own end of it is deep too
        deep = deep.pop()


class _Raises:
    def __float__(self) -> float:
        raise ZeroDivisionError

    def __len__(self) -> int:
        raise ZeroDivisionError


def _in_a_process(store: Store, statements: str, *, code: int = 0) -> None:
    program = f"import edge_infer, os, signal, sys\nROW = {ROW!r}\n{statements}\n"
    environment = {**os.environ, "EDGE_INFER_HOME": store.folder}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ran.returncode == code, ran.stderr


# --- the terms, and time ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("100", Terms(answers=100)),
        ("10min", Terms(seconds=600)),
        ("90 s", Terms(seconds=90)),
        ("100,10min", Terms(answers=100, seconds=600)),
        ("2h, 5", Terms(answers=5, seconds=7200)),
        ("7d", Terms(seconds=7 * 86_400)),
    ],
)
def test_terms_are_read(text: str, terms: Terms) -> None:
    assert parse_terms(text) == terms


@pytest.mark.parametrize("text", ["", "0", "-1", "1x", "10min,5min", "3,4", "1.5h", "100,", "9" * 13, "0s", "400d"])
def test_other_terms_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        parse_terms(text)


BAD_TERMS: list[Any] = [
    Terms(),
    Terms(seconds=5, latency=1),
    Terms(3, errors=-1),
    Terms(3, crashes=0),
    Terms(1e3),  # type: ignore[arg-type]
    Terms(True),
    Terms(3, errors=0.5),  # type: ignore[arg-type]
    Terms(seconds=float("nan")),
    Terms(seconds=float("inf")),
    Terms(seconds="5"),  # type: ignore[arg-type]
    Terms("5"),  # type: ignore[arg-type]
]


def test_numbers_of_numpy_are_taken(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=Terms(np.int64(5), np.float32(2.5)))  # type: ignore[arg-type]
    assert trial_of(trying).terms == Terms(5, 2.5)


@pytest.mark.parametrize("terms", BAD_TERMS)
def test_terms_that_decide_nothing_are_refused(trying: Store, terms: Terms) -> None:
    with pytest.raises(UsageError, match="trial"):
        trying.activate("pets@1.1.0", trial=terms)
    assert active(trying) == "1.0.0"


moments = st.tuples(st.sampled_from(["one", "two", ""]), st.floats(0, 1e7))


@given(st.lists(moments, min_size=1, max_size=20))
def test_time_only_grows_and_is_never_more_than_the_machine_was_on(seen: list[tuple[str, float]]) -> None:
    trial = Trial(Terms(seconds=1), "", Moment(*seen[0]))
    on = 0.0
    for boot, seconds in seen[1:]:
        before = trial
        trial = advanced(trial, Moment(boot, seconds))
        on += seconds
        assert before.spent <= trial.spent <= on * (1 + 1e-9)
    assert advanced(trial, trial.at) == trial


def test_a_restart_does_not_begin_the_time_anew() -> None:
    trial = advanced(Trial(Terms(seconds=100), "", Moment("one", 50.0)), Moment("one", 90.0))
    assert trial.spent == 40
    trial = advanced(trial, Moment("two", 30.0))
    assert trial.spent == 70
    assert failure(trial) is None
    assert failure(advanced(trial, Moment("two", 60.0))) == "it was not confirmed within 100 s"


def test_this_machines_moment_only_grows() -> None:
    first, second = here.moment(), here.moment()
    assert first.boot == second.boot
    assert 0 < first.seconds <= second.seconds


counts = st.integers(0, 5)


@given(counts, counts, counts, counts, st.floats(0, 10), st.integers(1, 4), st.integers(0, 3))
def test_a_trial_is_confirmed_or_failed_never_both(
    answers: int, errors: int, slow: int, crashed: int, spent: float, wanted: int, allowed: int
) -> None:
    terms = Terms(answers=wanted, seconds=8, errors=allowed, latency=0.1)
    trial = Trial(terms, "", Moment("", 0), spent, answers, errors, slow, crashed)
    if is_confirmed(trial):
        assert failure(trial) is None
        assert answers >= wanted
        assert errors <= allowed
        assert crashed < terms.crashes
    elif failure(trial) is None:
        assert answers < wanted
        assert spent < 8


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("starts",), [{"name": "../../state.json", "begun": {"boot": "", "seconds": 1}}]),
        (("starts",), [{"name": "0123456789abcdeX", "begun": {"boot": "", "seconds": 1}}]),
        (("starts",), [{"name": "0123456789abcdef"}]),
        (("starts",), "0123456789abcdef"),
        (("terms", "answers"), 0),
        (("terms", "crashes"), 0),
        (("at", "seconds"), "soon"),
        (("answers",), -1),
        (("spent",), None),
    ],
)
def test_a_trial_that_says_nonsense_is_damage(trying: Store, path: tuple[str, ...], value: Any) -> None:
    trying.activate("pets@1.1.0", trial=Terms(answers=3, seconds=60, latency=1.0))
    document = json.loads(render(trying.state("pets")))
    parse_state(json.dumps(document).encode(), where="as it is")
    inner = document["trial"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(DamagedStoreError, match=path[-1]):
        parse_state(json.dumps(document).encode(), where="changed")


def test_a_trial_without_a_way_back_is_damage(trying: Store) -> None:
    trying.activate("pets@1.1.0", trial=LONG)
    state = trying.state("pets")
    with pytest.raises(DamagedStoreError, match="without a release to go back to"):
        parse_state(render(state._replace(history=())), where="state.json")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (86_400, "24 h"),
        (172_800, "2 d"),
        (5400, "90 min"),
        (3600, "1 h"),
        (60, "1 min"),
        (100, "100 s"),
        (1.5, "1.5 s"),
    ],
)
def test_times_are_told_exactly_and_as_people_give_them(seconds: float, words: str) -> None:
    assert spelled(seconds) == words
