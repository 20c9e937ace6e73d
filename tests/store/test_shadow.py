"""A candidate beside the active release: what it finds is kept, and nothing of it is seen by callers."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from edge_infer.errors import DamagedStoreError, NotInstalledError, UsageError
from edge_infer.histogram import Histogram
from edge_infer.manifest import Output
from edge_infer.store import Store
from edge_infer.store import shadow as shadowing
from edge_infer.store.agreement import Agreement, compared, rows_of_answer
from edge_infer.store.shadow_records import Shadow, add
from edge_infer.store.watched import Watched
from edge_infer_convert import convert
from tests.store.releases import ROW, artifact
from tests.store.test_watch import activate, wait_for

RNG = np.random.default_rng(1)
ROWS = pd.DataFrame(RNG.normal(size=(200, 2)), columns=["a", "b"])


def regression(version: str, shift: float) -> bytes:
    """Its answers are `a` + 100, and `shift` more."""
    model = LinearRegression().fit(ROWS, ROWS["a"] + 100 + shift)
    return convert(model, data=ROWS, name="pets", version=version, release=1).data


def classification(version: str, estimator: Any, limit: float = 0.0, labels: tuple[str, str] = ("no", "yes")) -> bytes:
    model = estimator.fit(ROWS, np.where(ROWS["a"] > limit, labels[1], labels[0]))
    return convert(model, data=ROWS, name="pets", version=version, release=1).data


def watched(store: Store, first: bytes, second: bytes, **how: Any) -> Watched:
    """The first one active, the second one its shadow, on every call."""
    store.install(first)
    store.install(second, activate=False)
    return store.watch("pets", shadow="pets@2.0.0", **{"sample": 1.0, "interval": 3600} | how)


def found(store: Store) -> Shadow:
    (shadow,) = store.shadows("pets")
    return shadow


def held_back(model: Watched) -> threading.Event:
    """The shadow's thread waits for it before each comparison."""
    sampler, gate = model._follower._sampler, threading.Event()
    assert sampler is not None
    worker, judged = sampler._worker, sampler._worker._judged
    worker._judged = lambda job: gate.wait(60) and judged(job)  # type: ignore[assignment]
    return gate


def test_numbers_that_differ_by_a_known_amount_are_told(store: Store) -> None:
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 25)) as model:
        for row in ROWS.iloc[:40].to_dict("records"):
            model.predict(row)
        model.predict(ROWS)
    told = found(store).agreement
    assert (told.rows, told.agreeing, told.numbers, told.errors, told.dropped) == (240, 0, 240, 0, 0)
    assert told.mean == pytest.approx(25, rel=1e-4)
    assert told.largest == pytest.approx(25, rel=1e-4)
    assert told.active.count == told.candidate.count == 41
    assert found(store).version == "2.0.0"
    assert found(store).against == store.state("pets").active


def test_numbers_within_the_tolerance_agree(store: Store) -> None:
    """Of 1 %: 0.5 at 100."""
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 0.5)) as model:
        model.predict(ROWS)
    told = found(store).agreement
    assert told.share == 1.0
    assert told.largest == pytest.approx(0.5, rel=1e-3)


def test_labels_agree_where_they_are_equal(store: Store) -> None:
    estimator = RandomForestClassifier(5, random_state=0)
    first, second = classification("1.0.0", estimator), classification("2.0.0", estimator, 1.0)
    with watched(store, first, second) as model:
        labels, sure = model.predict(ROWS), model.predict_proba(ROWS)
        other = store.load("pets@2.0.0")
    told = found(store).agreement
    same = int((labels == other.predict(ROWS)).sum())
    assert 0 < same < 200
    near = int((np.abs(sure - other.predict_proba(ROWS)) <= 0.01).all(axis=1).sum())
    assert (told.rows, told.agreeing) == (400, same + near)
    assert told.numbers == 400
    assert told.largest == pytest.approx(np.abs(sure - other.predict_proba(ROWS)).max())


def test_only_a_share_of_the_calls_is_sampled(store: Store) -> None:
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 0), sample=0.1) as model:
        for _ in range(1000):
            model.predict(ROW)
    assert 40 <= found(store).agreement.rows <= 200


def test_a_candidate_that_lacks_the_method_is_seen_by_nobody(store: Store) -> None:
    first = classification("1.0.0", LogisticRegression())
    with watched(store, first, regression("2.0.0", 0)) as model:
        assert model.predict_proba(ROWS).shape == (200, 2)
    told = found(store).agreement
    assert (told.rows, told.errors) == (0, 1)
    assert told.last_error.startswith("MethodError: no predict_proba")


def test_a_schema_that_does_not_fit_is_told_without_the_callers_data(store: Store) -> None:
    with watched(store, regression("1.0.0", 0), artifact("2.0.0", columns=3)) as model:
        assert model.predict({"a": 0.5, "b": 7654321.0}) == pytest.approx(100.5, rel=1e-3)
    told = found(store).agreement
    assert (told.rows, told.errors) == (0, 1)
    assert "InputError" in told.last_error
    assert "7654321" not in told.last_error


def test_a_candidate_that_cannot_be_loaded_disturbs_no_answer(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    model = watched(store, regression("1.0.0", 0), artifact("2.0.0"))
    release = store.state("pets").of_version("2.0.0")
    assert release is not None
    Path(store.folder, "artifacts", f"{release.digest}.onnx").write_bytes(b"torn")
    with caplog.at_level(logging.WARNING, "edge_infer.store"):
        wait_for(lambda: model.predict(ROW) == pytest.approx(100.5) and bool(caplog.records))
        model.predict(ROW)
        model.close()
    assert len(caplog.records) == 1
    assert "cannot be loaded" in caplog.text
    assert "DamagedStoreError" in found(store).agreement.last_error


def test_what_the_caller_changes_afterwards_is_not_what_is_compared(store: Store) -> None:
    """The data and the answer are copied before the caller has its answer."""
    model = watched(store, regression("1.0.0", 0), regression("2.0.0", 0))
    gate = held_back(model)
    row, matrix, frame = dict(ROW), ROWS.to_numpy(copy=True), ROWS.copy()
    answers = [model.predict(row), model.predict(matrix), model.predict(frame), model.predict([row, row])]
    row["a"] = 1e6
    matrix[:] = 1e6
    frame.iloc[:, :] = 1e6
    for each in answers[1:]:
        each[:] = 0
    gate.set()
    model.close()
    told = found(store).agreement
    assert (told.rows, told.agreeing) == (403, 403)


def test_a_full_queue_drops_samples_and_counts_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadowing, "_MOST_WAITING", 250)
    model = watched(store, regression("1.0.0", 0), regression("2.0.0", 0))
    gate = held_back(model)
    for _ in range(3):
        assert model.predict(ROWS).shape == (200,)
    gate.set()
    model.close()
    told = found(store).agreement
    assert (told.rows, told.dropped) == (200, 2)


def test_data_that_cannot_be_copied_is_passed_over(store: Store) -> None:
    class Frame(pd.DataFrame):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("no copies")

    with watched(store, regression("1.0.0", 0), regression("2.0.0", 0)) as model:
        for _ in range(60):  # more rows than may wait
            assert model.predict(Frame(ROWS)).shape == (200,)
        model.predict(ROW)
    told = found(store).agreement
    assert (told.rows, told.dropped) == (1, 60)


def test_a_candidate_that_becomes_active_is_not_compared_with_itself(store: Store) -> None:
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 1)) as model:
        model.predict(ROW)
        activate(store, "2.0.0")
        model.refresh()
        model.predict(ROW)
        activate(store, "1.0.0")
        model.refresh()
        model.predict(ROW)
    assert found(store).agreement.rows == 2


def test_against_another_active_release_a_record_begins_anew(store: Store) -> None:
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 1)) as model:
        model.predict(ROWS)
    assert found(store).agreement.rows == 200
    store.install(regression("1.5.0", 2))
    assert store.shadows("pets") == []
    with store.watch("pets", shadow="pets@2.0.0", sample=1.0) as model:
        model.predict(ROW)
    assert found(store).agreement.rows == 1


def test_what_was_found_beside_a_release_that_is_active_no_more_is_not_kept(store: Store) -> None:
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 1)) as model:
        model.predict(ROWS)
        store.install(regression("1.5.0", 2))
    assert records(store) == []


def test_processes_add_to_one_record(store: Store) -> None:
    for calls in (3, 4):
        how = {"sample": 1.0, "shadow": "pets@2.0.0"}
        model = store.watch("pets", **how) if calls == 4 else watched(store, regression("1.0.0", 0), artifact("2.0.0"))
        for _ in range(calls):
            model.predict(ROW)
        model.close()
    assert found(store).agreement.rows == 7
    assert found(store).agreement.active.count == 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_a_shadow_of_its_own_and_its_end_is_told(store: Store) -> None:
    model = watched(store, regression("1.0.0", 0), regression("2.0.0", 0))
    model.predict(ROW)
    child = multiprocessing.get_context("fork").Process(target=model.predict, args=(ROWS,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert found(store).agreement.rows == 200
    model.close()
    assert found(store).agreement.rows == 201


def test_the_end_of_a_process_writes_what_was_found(store: Store) -> None:
    watched(store, regression("1.0.0", 0), regression("2.0.0", 0)).close()
    program = f"import edge_infer; edge_infer.watch('pets', shadow='pets@2.0.0', sample=1.0).predict({ROW!r})"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "EDGE_INFER_HOME": store.folder}
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=root, check=True)
    assert found(store).agreement.rows == 1


def test_a_release_that_is_removed_takes_its_record_along(store: Store) -> None:
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 0)) as model:
        model.predict(ROW)
        store.prune()
        assert records(store) == []
        model.predict(ROW)
    assert len(records(store)) == 1
    store.prune()
    assert len(records(store)) == 1
    store.remove("pets@2.0.0")
    assert records(store) == []


def records(store: Store) -> list[Path]:
    return sorted(Path(store.folder, "models", "pets").glob("shadow-*"))


def test_nothing_is_written_of_a_release_that_is_gone(store: Store) -> None:
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 0)) as model:
        model.predict(ROW)
        store.remove("pets@2.0.0")
    assert records(store) == []


def test_a_store_that_cannot_be_written_is_told_once(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder stands where the lock's file belongs: nobody can write then, whoever runs the tests."""
    monkeypatch.setattr(shadowing, "_SECONDS", 0.0)
    model = watched(store, regression("1.0.0", 0), regression("2.0.0", 0))
    lock = Path(store.folder, "lock")
    lock.unlink()
    lock.mkdir()
    with caplog.at_level(logging.WARNING, "edge_infer.store"):
        wait_for(lambda: model.predict(ROW) == pytest.approx(100.5) and bool(caplog.records))
        for _ in range(20):
            model.predict(ROW)
        time.sleep(0.1)
        assert len(caplog.records) == 1
        assert "is not kept" in caplog.text
        lock.rmdir()
        model.close()
    assert found(store).agreement.rows >= 21


@pytest.mark.parametrize(
    ("shadow", "sample", "error", "told"),
    [
        ("pets", 0.5, UsageError, "pets@VERSION"),
        ("cats@1.0.0", 0.5, UsageError, "pets@VERSION"),
        ("pets@9.0.0", 0.5, NotInstalledError, "no such release"),
        ("pets@1.0.0", 0, UsageError, "sample"),
        ("pets@1.0.0", 1.5, UsageError, "sample"),
        ("pets@1.0.0", "all", UsageError, "sample"),
    ],
)
def test_what_cannot_be_a_shadow_is_refused_at_once(
    store: Store, shadow: str, sample: Any, error: type[Exception], told: str
) -> None:
    store.install(artifact("1.0.0"))
    with pytest.raises(error, match=told):
        store.watch("pets", shadow=shadow, sample=sample)


# --- comparing --------------------------------------------------------------------------

NUMBER = Output("predict", ("y",), "float64", ())
SEVERAL = Output("transform", ("y",), "float64", (2,))
LABEL = Output("predict", ("y",), "int64", (), classes=((0, 1, 2),), index="i")
LISTED = Output("predict_proba", ("p", "q"), "float64", (), listed=True)
NAN, INF = float("nan"), float("inf")

CASES: dict[str, tuple[Output, Any, Any, tuple[int, int, int, float]]] = {
    "one number": (NUMBER, 100.0, 100.9, (1, 1, 1, 0.9)),
    "one number beyond": (NUMBER, 100.0, 98.9, (1, 0, 1, 1.1)),
    "NaNs agree and are no difference": (NUMBER, np.array([NAN, 1.0]), np.array([NAN, NAN]), (2, 1, 0, 0.0)),
    "infinities agree": (NUMBER, np.array([INF, INF]), np.array([INF, -INF]), (2, 1, 0, 0.0)),
    "one row of several": (SEVERAL, np.array([1.0, 2.0]), np.array([1.0, 3.0]), (1, 0, 2, 1.0)),
    "rows of several": (SEVERAL, np.ones((3, 2)), np.ones((3, 2)), (3, 3, 6, 0.0)),
    "another width": (SEVERAL, np.ones((3, 2)), np.ones((3, 4)), (3, 0, 0, 0.0)),
    "another count": (NUMBER, np.ones(3), np.ones(2), (3, 0, 0, 0.0)),
    "labels": (LABEL, np.array([0, 1, 2]), np.array([0, 2, 2]), (3, 2, 0, 0.0)),
    "labels and numbers": (LABEL, np.array([0, 1]), np.array([0.0, 1.5]), (2, 1, 0, 0.0)),
    "labels of another type": (LABEL, 1, "1", (1, 0, 0, 0.0)),
    "a list of arrays": (
        LISTED,
        [np.ones((2, 2)), np.ones((2, 3))],
        [np.ones((2, 2)), np.zeros((2, 3))],
        (2, 0, 10, 1.0),
    ),
    "a list for one record": (LISTED, [np.ones(2), np.ones(3)], [np.ones(2), np.ones(3)], (1, 1, 5, 0.0)),
    "numbers beyond all": (NUMBER, 1e308, -1e308, (1, 0, 0, 0.0)),
    "nothing": (NUMBER, np.ones(0), np.ones(0), (0, 0, 0, 0.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_are_compared_row_by_row(name: str) -> None:
    output, wanted, got, (rows, agreeing, numbers, largest) = CASES[name]
    told = compared(wanted, got, output, scale=0.0)
    assert (told.rows, told.agreeing, told.numbers) == (rows, agreeing, numbers)
    assert told.largest == pytest.approx(largest)
    assert rows_of_answer(wanted, output) == rows


def test_numbers_near_zero_are_judged_by_their_usual_size() -> None:
    assert compared(0.0, 0.009, NUMBER, scale=1.0).agreeing == 1
    assert compared(0.0, 0.009, NUMBER, scale=0.1).agreeing == 0


# --- records that nobody has vouched for ------------------------------------------------


def written(store: Store) -> Path:
    with watched(store, regression("1.0.0", 0), regression("2.0.0", 1)) as model:
        model.predict(ROW)
    (path,) = records(store)
    return path


def changed(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        target = document["agreement"] if field in document["agreement"] else document
        target[field] = value

    return change


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    "a later format": changed("format", 2),
    "a digest that is none": changed("digest", "../../state"),
    "more agree than there are": changed("agreeing", 2),
    "a negative count": changed("rows", -1),
    "a count that no machine has": changed("errors", 1 << 63),
    "a negative difference": changed("largest", -1.0),
    "a text for a number": changed("total", "1"),
    "a histogram that is none": changed("active", {"largest": 1.0, "buckets": [[10**6, 1]]}),
    "no agreement": lambda document: document.pop("agreement"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_records_are_refused_and_begin_anew(name: str, store: Store) -> None:
    path = written(store)
    document = json.loads(path.read_bytes())
    HOSTILE[name](document)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DamagedStoreError, match=path.name):
        store.shadows("pets")
    state = store.state("pets")
    release = state.of_version("2.0.0")
    assert release is not None
    assert state.active is not None
    add(store._files, "pets", release.digest, state.active, Agreement(rows=5))
    assert found(store).agreement.rows == 5


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b'{"format": 1' + b" " * (1 << 18) + b"}", b"\xff"])
def test_what_is_no_record_is_removed_by_prune(text: bytes, store: Store) -> None:
    path = written(store)
    path.write_bytes(text)
    with pytest.raises(DamagedStoreError):
        store.shadows("pets")
    store.prune()
    assert records(store) == []


def test_a_record_behind_a_link_is_not_followed(store: Store, tmp_path: Path) -> None:
    path = written(store)
    target = tmp_path / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    with pytest.raises(Exception, match="symbolic link"):
        store.shadows("pets")
    store.prune()
    assert target.exists()
    assert not path.is_symlink()


def test_a_usual_record_is_not_refused(store: Store) -> None:
    path = written(store)
    document = json.loads(path.read_bytes())
    document["agreement"]["last_error"] = "ValueError: ü" * 500
    document["a field of a later version"] = 1
    path.write_text(json.dumps(document), encoding="utf-8")
    assert found(store).agreement.rows == 1


def test_a_record_of_the_widest_histograms_is_kept(store: Store) -> None:
    """Whatever was measured, it can be read back."""
    path = written(store)
    state, wide = store.state("pets"), Histogram.of(*np.geomspace(1e-9, 1e6, 5000))
    assert state.active is not None
    agreement = Agreement(1 << 50, 3, 5, 1e300, 1e300, 1, "x" * 2000, 9, wide, wide)
    add(store._files, "pets", found(store).digest, state.active, agreement)
    assert found(store).agreement.active.count == 5001
    assert path.stat().st_size < 1 << 17
    assert found(store).agreement.candidate.quantile(1.0) == pytest.approx(1e6)
