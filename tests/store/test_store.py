"""Installing, activating, going back, removing; and what is refused, with the reason."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_infer
from edge_infer.errors import (
    DamagedStoreError,
    EdgeInferError,
    InputError,
    NotAModelError,
    NotInstalledError,
    RefusedError,
    StoreWriteError,
    UnsafePathError,
    UsageError,
)
from edge_infer.store import Store, gate, here
from edge_infer.store.admission import note_refusal
from edge_infer.store.gate import Limits, check_health
from edge_infer.store.names import order_of
from edge_infer.store.store import StoreWarning
from tests.store.full_disk import nothing_can_be_written
from tests.store.releases import ROW, answer, artifact


def versions(store: Store) -> list[str]:
    return [release.version for release in store.state("pets").releases]


def active(store: Store) -> str:
    state = store.state("pets")
    release = state.of_digest(state.active)
    assert release is not None
    return release.version


def actions(store: Store) -> list[tuple[str, str, str]]:
    return [(event.action, event.version, event.result) for event in store.log("pets")]


def test_what_is_installed_is_active_and_answers(store: Store) -> None:
    installed = store.install(artifact("1.0.0"))
    assert (installed.name, installed.active, installed.verdict) == ("pets", True, None)
    assert store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    health = installed.release.health[0]
    assert health.seconds is not None
    assert 0 < health.seconds < 1
    assert store.names() == ["pets"]


def test_a_new_release_takes_over_and_rollback_goes_back(store: Store) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        assert store.install(artifact(version)).active
    assert active(store) == "1.2.0"
    assert store.rollback("pets").version == "1.1.0"
    assert store.rollback("pets").version == "1.0.0"
    assert store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    with pytest.raises(NotInstalledError, match="nothing to go back to"):
        store.rollback("pets")
    assert store.activate("pets@1.2.0").version == "1.2.0"
    assert [action for action, _, _ in actions(store)] == [*["install"] * 3, *["rollback"] * 2, "activate"]


def test_any_release_is_loaded_by_its_version(store: Store, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        store.install(artifact(version))
    assert store.load("pets@1.0.0").predict(ROW) == pytest.approx(answer("1.0.0"))
    with pytest.raises(NotInstalledError, match=r"installed: 1\.0\.0, 1\.1\.0"):
        store.load("pets@3.0.0")
    with pytest.raises(NotInstalledError, match="did you mean 'pets'"):
        store.load("pest")


def test_load_takes_a_bare_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.install(artifact("1.0.0"))
    monkeypatch.setenv("EDGE_INFER_HOME", store.folder)
    assert edge_infer.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    assert edge_infer.load("pets@1.0.0").manifest.version == "1.0.0"
    with pytest.raises(NotInstalledError, match="it has: pets"):
        edge_infer.load("other")


def test_adding_does_not_activate(store: Store) -> None:
    store.install(artifact("1.0.0"))
    added = store.install(artifact("1.1.0"), activate=False)
    assert not added.active
    assert (active(store), versions(store)) == ("1.0.0", ["1.0.0", "1.1.0"])
    assert store.activate("pets@1.1.0").version == "1.1.0"


def test_installing_the_same_file_again_changes_nothing(store: Store) -> None:
    for version in ("1.0.0", "1.1.0", "1.1.0"):
        store.install(artifact(version))
    state = store.state("pets")
    assert (active(store), versions(store), len(state.history)) == ("1.1.0", ["1.0.0", "1.1.0"], 1)
    assert len(store.log("pets")) == 2
    assert store.install(artifact("1.0.0"), activate=False).action == "none"


def test_a_damaged_release_is_repaired_by_installing_it_again(store: Store) -> None:
    installed = store.install(artifact("1.0.0"))
    assert store.damage("pets") is None
    _flip(Path(store.folder, "artifacts", f"{installed.release.digest}.onnx"), 3)
    assert "install the release again" in str(store.damage("pets"))
    assert store.install(artifact("1.0.0")).action == "repair"
    assert store.damage("pets") is None
    assert [event.action for event in store.log("pets")] == ["install", "repair"]


# --- refused ----------------------------------------------------------------------------


def test_an_older_release_is_refused_and_can_be_allowed(store: Store) -> None:
    store.install(artifact("1.1.0", release=5))
    for older in (artifact("1.0.0", release=5), artifact("1.2.0", release=4)):
        with pytest.raises(RefusedError, match=r"is older than 1\.1\.0") as refused:
            store.install(older)
        assert refused.value.kind == "older"
    assert active(store) == "1.1.0"
    assert store.install(artifact("1.0.0", release=5), allow_older=True).active
    store.remove("pets")
    with pytest.raises(RefusedError, match="older"):
        store.install(artifact("1.0.0", release=5))


def test_old_content_may_come_back_under_a_higher_number(store: Store) -> None:
    store.install(artifact("1.1.0", release=5))
    assert store.install(artifact("1.0.0", release=6)).active


def test_another_content_under_the_same_version_is_refused(store: Store) -> None:
    store.install(artifact("1.0.0"))
    with pytest.raises(RefusedError, match="give the new model another version"):
        store.install(artifact("1.0.0", release=2))


def test_a_break_for_callers_is_refused_and_can_be_allowed(store: Store) -> None:
    store.install(artifact("1.0.0"))
    wider = artifact("1.1.0", columns=3)
    with pytest.raises(RefusedError, match="the column 'c' is new") as refused:
        store.install(wider)
    assert refused.value.kind == "breaking"
    assert store.state("pets").refusals[-1].kind == "breaking"
    assert actions(store)[-1] == ("install", "1.1.0", "refused")
    installed = store.install(wider, allow_breaking=True)
    assert (installed.active, installed.verdict) == (True, "breaking")
    assert not store.state("pets").refusals
    assert store.install(artifact("1.2.0")).verdict == "widening"


def test_a_refusal_stands_until_its_own_release_is_active(store: Store) -> None:
    store.install(artifact("1.0.0"))
    wider = artifact("1.2.0", columns=3)
    with pytest.raises(RefusedError):
        store.install(wider)
    store.install(artifact("1.1.0"))
    store.install(wider, activate=False)
    assert [refusal.version for refusal in store.state("pets").refusals] == ["1.2.0"]
    store.activate("pets@1.2.0", allow_breaking=True)
    assert not store.state("pets").refusals


def test_a_model_whose_goldens_do_not_come_out_is_refused(store: Store) -> None:
    store.install(artifact("1.0.0"))
    wrong = _with_wrong_goldens(artifact("1.1.0"))
    with pytest.raises(RefusedError, match="does not work on this machine: goldens") as refused:
        store.install(wrong)
    assert refused.value.kind == "unhealthy"
    assert active(store) == "1.0.0"
    with pytest.raises(RefusedError, match="nothing has changed since"):
        store.install(wrong)


def test_refusals_do_not_grow_by_being_repeated(store: Store) -> None:
    store.install(artifact("1.0.0"))
    wrong = _with_wrong_goldens(artifact("1.1.0"))
    for _ in range(5):
        with pytest.raises(RefusedError) as refused:
            store.install(wrong)
    assert str(refused.value).count("was refused at") == 1
    assert len(store.state("pets").refusals) == 1
    assert len(store.log("pets")) == 2


def test_a_long_reason_is_kept_short_and_the_journal_too(store: Store) -> None:
    store.install(artifact("1.0.0"))
    release = store.state("pets").releases[0]
    journal = Path(store.folder, "models", "pets", "journal.jsonl")
    for _ in range(600):
        note_refusal(store._files, "pets", release, RefusedError("other", "x" * 100_000))
    assert journal.stat().st_size < 3 << 20
    events = store.log("pets")
    assert [event.number for event in events] == list(range(events[0].number, 602))
    journal.write_bytes(b"x" * (80 << 20))
    assert store.install(artifact("1.1.0")).active
    assert store.log("pets")[-1].version == "1.1.0"


def test_a_limit_or_a_busy_moment_does_not_keep_a_good_model_out(store: Store) -> None:
    store.install(artifact("1.0.0"))
    for limits in (Limits(seconds=0.01), Limits(seconds=0.01), Limits(latency=1e-9)):
        with pytest.raises(RefusedError, match=r"golden rows after|the limit is"):
            store.install(artifact("1.1.0"), limits=limits)
    with pytest.raises(RefusedError, match="nothing has changed since"):
        store.install(artifact("1.1.0"), limits=Limits(latency=1e-9))
    assert store.install(artifact("1.1.0")).active


def _with_wrong_goldens(data: bytes) -> bytes:
    import onnx

    model = onnx.load_from_string(data)
    for entry in model.metadata_props:
        if entry.key == "edge_infer.goldens":
            document = json.loads(entry.value)
            document["answers"]["predict"][3] += 1.0
            entry.value = json.dumps(document)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(seconds=0.01), r"not through its golden rows after 0\.01 s"),
        (Limits(latency=1e-9), "µs, the limit is 0"),
        (Limits(memory=1 << 20), r"takes \d+ MiB of memory, the limit is 1"),
    ],
    ids=["time", "latency", "memory"],
)
def test_limits_of_a_device_are_kept(limits: Limits, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        check_health(artifact("1.0.0"), limits)
    ballast = np.ones(1 << 26)  # of this process, which the other does not take
    found = check_health(artifact("1.0.0"), Limits(seconds=60, latency=1.0, memory=1 << 28))
    assert found.resident is not None
    assert len(ballast)
    assert found.resident > 1 << 24


def test_no_code_of_the_current_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("open('was_run', 'w')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert check_health(artifact("1.0.0")).seconds is not None
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(
    "name", ["../out", "a/b", "..", ".hidden", "con", "nul.1", "a\\b", "", "x" * 101, "café", "a\n"]
)
def test_names_that_could_leave_the_store_are_refused(store: Store, name: str) -> None:
    with pytest.raises((UnsafePathError, UsageError)):
        store.load(name)
    with pytest.raises(UnsafePathError):
        store.state(name)


@pytest.mark.parametrize("name", ["a", "Titanic-2", "a.b_c", "2nd", "console", "x" * 100])
def test_usual_names_are_taken(store: Store, name: str) -> None:
    with pytest.raises(NotInstalledError):
        store.state(name)


def test_a_link_in_the_store_is_never_followed(store: Store, tmp_path: Path) -> None:
    store.install(artifact("1.0.0"))
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = Path(store.folder)
    file = next(folder.glob("artifacts/*"))
    (outside / "model").write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(outside / "model")
    with pytest.raises(UnsafePathError, match="symbolic link"):
        store.load("pets")
    models = folder / "models"
    models.rename(outside / "models")
    models.symlink_to(outside / "models")
    with pytest.raises(UnsafePathError, match="symbolic link"):
        store.load("pets")
    with pytest.raises(UnsafePathError, match="symbolic link"):
        store.install(artifact("1.1.0"))
    assert sorted(path.name for path in outside.iterdir()) == ["model", "models"]


def test_the_store_itself_may_be_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    store = Store(tmp_path / "link")
    store.install(artifact("1.0.0"))
    assert store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))


def test_a_pipe_in_the_place_of_a_model_does_not_hang(store: Store) -> None:
    installed = store.install(artifact("1.0.0"))
    path = Path(store.folder, "artifacts", f"{installed.release.digest}.onnx")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UnsafePathError, match="expected a file"):
        store.load("pets")


# --- damage -----------------------------------------------------------------------------


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", [0, 100, -1])
def test_damaged_bytes_are_never_run_and_the_release_before_takes_over(store: Store, place: int) -> None:
    store.install(artifact("1.0.0"))
    installed = store.install(artifact("1.1.0"))
    _flip(Path(store.folder, "artifacts", f"{installed.release.digest}.onnx"), place)
    with pytest.warns(StoreWarning, match=r"pets@1\.1\.0 failed, and 1\.0\.0 is active again"):
        model = store.load("pets")
    assert model.predict(ROW) == pytest.approx(answer("1.0.0"))
    assert actions(store)[-1] == ("fall back", "1.0.0", "done")
    with pytest.raises(DamagedStoreError, match="not those that were installed"):
        store.load("pets@1.1.0")
    store.install(artifact("1.1.0"))  # the good bytes again
    assert store.load("pets").predict(ROW) == pytest.approx(answer("1.1.0"))


def test_where_there_is_nothing_to_fall_back_to_the_damage_is_told(store: Store) -> None:
    installed = store.install(artifact("1.0.0"))
    _flip(Path(store.folder, "artifacts", f"{installed.release.digest}.onnx"), 9)
    with pytest.raises(DamagedStoreError, match="not those that were installed"):
        store.load("pets")


def test_a_damaged_release_that_was_removed_is_installed_from_an_intact_file(store: Store) -> None:
    store.install(artifact("1.0.0"))
    installed = store.install(artifact("1.1.0"))
    _flip(Path(store.folder, "artifacts", f"{installed.release.digest}.onnx"), 77)
    with pytest.warns(StoreWarning):
        store.load("pets")
    store.remove("pets@1.1.0")
    assert store.install(artifact("1.1.0")).active


def test_the_active_release_is_installed_again_after_a_rollback(store: Store) -> None:
    for version in ("1.0.0", "1.1.0"):
        store.install(artifact(version))
    store.rollback("pets")
    assert store.install(artifact("1.0.0")).active
    with pytest.raises(RefusedError, match="older"):
        store.install(artifact("0.9.0"))


def test_rollback_passes_over_a_release_that_cannot_be_used(store: Store) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        store.install(artifact(version))
    middle = store.state("pets").of_version("1.1.0")
    assert middle is not None
    Path(store.folder, "artifacts", f"{middle.digest}.onnx").unlink()
    assert store.rollback("pets").version == "1.0.0"
    assert store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    store.activate("pets@1.2.0")
    _flip(Path(store.folder, "artifacts", f"{store.state('pets').releases[0].digest}.onnx"), 5)
    with pytest.raises(DamagedStoreError, match="not those that were installed"):
        store.rollback("pets")
    assert active(store) == "1.2.0"


def test_a_link_in_the_place_of_the_active_release_gives_way_and_is_healed(store: Store, tmp_path: Path) -> None:
    store.install(artifact("1.0.0"))
    installed = store.install(artifact("1.1.0"))
    path = Path(store.folder, "artifacts", f"{installed.release.digest}.onnx")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.warns(StoreWarning, match="symbolic link"):
        assert store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    assert store.install(artifact("1.1.0")).active
    assert not path.is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == artifact("1.1.0")


def test_a_damaged_model_does_not_stop_the_others(store: Store) -> None:
    store.install(artifact("1.0.0"))
    store.install(artifact("1.1.0"))
    store.install(artifact("1.0.0", name="cats"))
    (Path(store.folder) / "models" / "README").write_text("mine", encoding="utf-8")
    (Path(store.folder) / "models" / "cats" / "state.json").write_bytes(b"")
    assert store.names() == ["cats", "pets"]
    assert store.load("pets").predict(ROW) == pytest.approx(answer("1.1.0"))
    with pytest.raises(NotInstalledError, match="did you mean 'pets'"):
        store.load("pest")
    with pytest.raises(DamagedStoreError, match=r"done, but for.*edge-infer remove NAME"):
        store.prune(keep=0)
    assert versions(store) == ["1.1.0"]
    assert len(list(Path(store.folder, "artifacts").iterdir())) == 3, "whose they are is not known"
    assert store.remove("cats") == []
    assert store.names() == ["pets"]
    assert store.install(artifact("1.0.0", name="cats")).active
    store.prune(keep=0)
    assert len(list(Path(store.folder, "artifacts").iterdir())) == 2


def test_against_a_damaged_release_no_verdict_is_given(store: Store) -> None:
    installed = store.install(artifact("1.0.0"))
    _flip(Path(store.folder, "artifacts", f"{installed.release.digest}.onnx"), 5)
    assert store.install(artifact("1.1.0", columns=3)).verdict is None


def test_a_journal_that_cannot_be_written_does_not_undo_what_is_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.install(artifact("1.0.0"))
    with monkeypatch.context() as patch:
        patch.setattr(store._files, "append", _full)
        assert store.install(artifact("1.1.0")).active
    assert [event.version for event in store.log("pets")] == ["1.0.0", "1.1.0"]
    store.rollback("pets")
    assert [event.number for event in store.log("pets")] == [1, 2, 3]


def _full(*given: Any) -> None:
    raise StoreWriteError("the disk is full")


def test_who_may_only_read_cannot_keep_the_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.install(artifact("1.0.0"))
    lock = Path(store.folder, "lock")
    assert lock.stat().st_mode & 0o077 == 0
    monkeypatch.setattr("edge_infer.store.files._LOCK_SECONDS", 0.05)
    with store._files.locked(), pytest.raises(StoreWriteError, match="another process has been changing the store"):
        Store(store.folder).prune()


def test_a_file_that_is_gone_is_a_damage_too(store: Store) -> None:
    for version in ("1.0.0", "1.1.0"):
        installed = store.install(artifact(version))
    Path(store.folder, "artifacts", f"{installed.release.digest}.onnx").unlink()
    with pytest.warns(StoreWarning, match=r"1\.0\.0 is active again.*the file is not there"):
        assert store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))


def test_wherenothing_can_be_written_the_release_before_is_loaded_all_the_same(store: Store) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        installed = store.install(artifact(version))
        if version != "1.0.0":
            _flip(Path(store.folder, "artifacts", f"{installed.release.digest}.onnx"), 50)
    with nothing_can_be_written(), pytest.warns(StoreWarning, match="the release before it is loaded"):
        assert store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    assert active(store) == "1.2.0"
    with pytest.warns(StoreWarning, match="is active again"):
        store.load("pets")
    assert active(store) == "1.0.0"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 99}', b"\xff\xfe"])
def test_a_damaged_state_is_told_with_its_file(store: Store, content: bytes) -> None:
    store.install(artifact("1.0.0"))
    path = Path(store.folder, "models", "pets", "state.json")
    path.write_bytes(content)
    with pytest.raises(DamagedStoreError, match=r"state\.json"):
        store.load("pets")


def test_a_torn_line_of_the_journal_costs_that_line_only(store: Store) -> None:
    for version in ("1.0.0", "1.1.0"):
        store.install(artifact(version))
    journal = Path(store.folder, "models", "pets", "journal.jsonl")
    journal.write_bytes(journal.read_bytes()[:-20])
    assert [number for number, *_ in store.log("pets")] == [1, 2]
    store.rollback("pets")
    assert [number for number, *_ in store.log("pets")] == [1, 2, 3]


def test_another_runtime_proves_a_release_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.install(artifact("1.0.0"))
    store.install(artifact("1.1.0"))
    monkeypatch.setattr(here, "machine_fingerprint", lambda: "another")
    assert store.load("pets").predict(ROW) == pytest.approx(answer("1.1.0"))
    release = store.state("pets").of_version("1.1.0")
    assert release is not None
    assert [health.fingerprint for health in release.health][-1] == "another"
    assert actions(store)[-1] == ("prove", "1.1.0", "done")
    store.load("pets")
    assert len(store.log("pets")) == 3


def test_a_release_that_fails_on_another_runtime_gives_way_to_the_one_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.install(artifact("1.0.0"))
    store.install(artifact("1.1.0"))
    monkeypatch.setattr(here, "machine_fingerprint", lambda: "another")
    usual, bad = check_health, artifact("1.1.0")

    def failing(data: bytes, limits: Any) -> Any:
        if data == bad:
            raise RefusedError("unhealthy", "goldens: 3 answers differ")
        return usual(data, limits)

    monkeypatch.setattr(gate, "check_health", failing)
    with pytest.warns(StoreWarning, match=r"1\.0\.0 is active again: goldens"):
        assert store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    with pytest.raises(RefusedError, match="nothing has changed since"):
        store.activate("pets@1.1.0")
    monkeypatch.setattr(here, "machine_fingerprint", lambda: "a third one")
    monkeypatch.setattr(gate, "check_health", usual)
    assert store.activate("pets@1.1.0").version == "1.1.0"


# --- removing ---------------------------------------------------------------------------


def test_prune_keeps_the_active_release_and_those_before_it(store: Store) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        store.install(artifact(version))
    store.install(artifact("2.0.0"), activate=False)
    (Path(store.folder) / "tmp" / "left.by.a.crash").write_bytes(b"x" * 1000)
    assert store.prune(keep=1) > 1000
    assert versions(store) == ["1.2.0", "1.3.0", "2.0.0"], "what was only added is newer, and waits"
    assert store.rollback("pets").version == "1.2.0"
    assert len(list(Path(store.folder, "artifacts").iterdir())) == 3


def test_the_active_release_is_not_removed_by_itself(store: Store) -> None:
    for version in ("1.0.0", "1.1.0"):
        store.install(artifact(version))
    with pytest.raises(UsageError, match="is active"):
        store.remove("pets@1.1.0")
    assert [release.version for release in store.remove("pets@1.0.0")] == ["1.0.0"]
    with pytest.raises(NotInstalledError, match="nothing to go back to"):
        store.rollback("pets")
    assert [release.version for release in store.remove("pets")] == ["1.1.0"]
    assert store.names() == []
    assert list(Path(store.folder, "artifacts").iterdir()) == []


# --- writing ----------------------------------------------------------------------------


def test_a_store_that_cannot_be_written_says_so() -> None:
    where = "/sys/edge-infer" if os.path.isdir("/sys") else "/edge-infer"
    with pytest.raises(StoreWriteError, match="cannot be written"):
        Store(where).install(artifact("1.0.0"))


def test_a_full_disk_loses_nothing(store: Store) -> None:
    store.install(artifact("1.0.0"))
    with nothing_can_be_written(2000), pytest.raises(StoreWriteError, match="The store is whole"):
        store.install(artifact("1.1.0"))
    assert (active(store), versions(store)) == ("1.0.0", ["1.0.0"])
    assert list(Path(store.folder, "tmp").iterdir()) == []
    assert store.install(artifact("1.1.0")).active


def test_what_is_no_model_changes_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotAModelError):
        store.install(b"not a model")
    with pytest.raises(FileNotFoundError):
        store.install(tmp_path / "absent.onnx")
    assert not Path(store.folder).exists()


def test_input_errors_of_a_stored_model_are_the_usual_ones(store: Store) -> None:
    store.install(artifact("1.0.0"))
    with pytest.raises(InputError, match="column 'a'"):
        store.load("pets").predict({**ROW, "a": "text"})


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("1.9", "1.10"), ("1.2.0", "1.2.1"), ("2.0-rc1", "2.0"), ("2.0-rc.1", "2.0-rc.2"), ("1.0", "1.0.1"), ("9", "10")],
)
def test_versions_are_ordered_as_people_count(lower: str, higher: str) -> None:
    assert order_of(lower) < order_of(higher)
    assert order_of("1.2") == order_of("1.2.0")
    assert isinstance(order_of("any-thing.x+1"), tuple)


def test_all_errors_are_edge_infers_own() -> None:
    for kind in (DamagedStoreError, NotInstalledError, RefusedError, StoreWriteError, UnsafePathError):
        assert issubclass(kind, EdgeInferError)
