"""The store's commands as a device's user types them.

What must outlast a process has a fresh one for each command: a model's life, a release that gives way, encryption and
trials. What is only told or refused is asked in this process.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from edge_infer.store import Store
from tests.cli.conftest import Run, fresh
from tests.store.releases import ROW, answer, artifact


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for version, columns in (("1.0.0", 2), ("1.1.0", 2), ("1.2.0", 3)):
        (tmp_path / f"pets-{version}.onnx").write_bytes(artifact(version, columns=columns))
    return tmp_path


def test_a_models_life_on_a_device(folder: Path) -> None:
    assert "no model is installed" in fresh("list").out
    for version in ("1.0.0", "1.1.0"):
        ran = fresh("install", f"pets-{version}.onnx")
        assert (ran.code, ran.out) == (0, f"pets@{version}  active\n"), ran.err
    answered = fresh("predict", "pets", json.dumps(ROW))
    assert float(answered.out) == pytest.approx(answer("1.1.0"))
    assert "pets 1.1.0" in fresh("inspect", "pets").out
    assert "pets 1.0.0" in fresh("inspect", "pets@1.0.0").out
    assert fresh("verify", "pets").code == 0
    assert fresh("bench", "pets", "--seconds", "0.01").code == 0
    assert fresh("rollback", "pets").out == "pets@1.0.0  active again\n"
    assert float(fresh("predict", "pets", json.dumps(ROW)).out) == pytest.approx(answer("1.0.0"))
    assert float(fresh("predict", "pets@1.1.0", json.dumps(ROW)).out) == pytest.approx(answer("1.1.0"))
    assert fresh("activate", "pets@1.1.0").code == 0
    actions = [event["action"] for event in json.loads(fresh("log", "pets", "--json").out)["events"]]
    assert actions == ["install", "install", "rollback", "activate"]
    assert fresh("remove", "pets@1.0.0").out == "pets@1.0.0  removed\n"
    assert fresh("prune").code == 0
    (model,) = json.loads(fresh("list", "--json").out)["models"]
    assert (model["active"], [release["version"] for release in model["releases"]]) == ("1.1.0", ["1.1.0"])


def test_status_tells_in_one_look_what_runs_and_what_was_refused(folder: Path, run: Run) -> None:
    for version in ("1.0.0", "1.1.0"):
        run("install", f"pets-{version}.onnx")
    refused = run("install", "pets-1.2.0.onnx")
    assert refused.code == 1
    assert "the column 'c' is new" in refused.err
    shown = run("status", "pets").out
    for words in ("pets 1.1.0", "active    since", "proven    on this machine", "before    1.0.0", "refused   1.2.0"):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert run("install", "pets-1.2.0.onnx", "--allow-breaking").code == 0
    assert "refused" not in run("status", "pets").out


def test_damage_is_shown_by_status_and_mended_by_installing_again(folder: Path, run: Run) -> None:
    run("install", "pets-1.0.0.onnx")
    assert run("install", "pets-1.0.0.onnx").out == "pets@1.0.0  installed already; nothing to do\n"
    (path,) = (folder / "home" / "artifacts").iterdir()
    path.write_bytes(b"?" + path.read_bytes()[1:])
    assert "DAMAGED" in run("status", "pets").out
    assert "install the release again" in run("predict", "pets", json.dumps(ROW)).err
    assert "repaired" in run("install", "pets-1.0.0.onnx").out
    assert "DAMAGED" not in run("status", "pets").out


def test_what_cannot_be_done_is_told_without_a_traceback(folder: Path, run: Run) -> None:
    run("install", "pets-1.0.0.onnx")
    (folder / "torn.onnx").write_bytes(artifact("1.1.0")[:2000])
    for arguments, code, words in (
        (["install", "absent.onnx"], 1, "no such file"),
        (["install", "torn.onnx"], 1, "torn.onnx"),
        (["status", "pest"], 1, "did you mean 'pets'"),
        (["activate", "pets"], 2, "NAME@VERSION"),
        (["activate", "pets@9"], 1, "installed: 1.0.0"),
        (["rollback", "pets"], 1, "nothing to go back to"),
        (["remove", "pets@1.0.0"], 2, "is active"),
        (["predict", "../pets@1", "{}"], 1, "no such file"),
        (["log", "../pets"], 1, "cannot name files"),
        (["install", "pets-1.1.0.onnx", "--max-latency", "0.000001"], 1, "the limit is 0"),
        (["revoke", "abc"], 2, "trusted: none"),
        (["inspect", "pest"], 1, "did you mean 'pets'"),
    ):
        ran = run(*arguments)
        assert ran.code == code, (arguments, ran)
        assert words in ran.err, (arguments, ran)
        assert "Traceback" not in ran.err
    assert json.loads(run("list", "--json").out)["models"][0]["active"] == "1.0.0"


def test_with_a_trusted_key_only_signed_files_are_installed(folder: Path, run: Run) -> None:
    assert run("keygen", "release.key").code == 0
    assert run("trust", "release.key.pub").code == 0
    unsigned = run("install", "pets-1.0.0.onnx")
    assert (unsigned.code, "there is no signature" in unsigned.err) == (1, True)
    assert run("sign", "pets-1.0.0.onnx", "--key", "release.key").code == 0
    assert run("install", "pets-1.0.0.onnx").code == 0
    fingerprint = json.loads(run("trust", "--json").out)["trusted"][0]
    assert fingerprint in "".join(run("status").out.split())
    assert "models that changed: pets" in run("revoke", fingerprint).out
    gone = run("predict", "pets", json.dumps(ROW))
    assert (gone.code, "no release is active" in gone.err) == (1, True)


def test_of_several_files_what_was_done_before_a_refusal_is_told(folder: Path, run: Run) -> None:
    ran = run("install", "--json", "pets-1.0.0.onnx", "pets-1.2.0.onnx", "pets-1.1.0.onnx")
    assert ran.code == 1
    assert [found["version"] for found in json.loads(ran.out)["installed"]] == ["1.0.0"]
    assert "the column 'c' is new" in ran.err
    assert run("install", "pets-1.1.0.onnx", "pets-1.2.0.onnx", "--signature", "x.sig").code == 2


def test_a_damaged_model_is_shown_and_can_be_dropped(folder: Path, run: Run) -> None:
    run("install", "pets-1.0.0.onnx")
    (folder / "home" / "models" / "pets" / "state.json").write_bytes(b"{")
    for command in ("list", "status"):
        ran = run(command)
        assert (ran.code, "pets  damaged:" in ran.out) == (1, True), ran
    assert "pets" in json.loads(run("list", "--json").out)["damaged"]
    assert run("remove", "pets").code == 0
    assert run("install", "pets-1.0.0.onnx").code == 0


def test_a_release_that_gives_way_is_told_in_one_line_and_the_answer_stands(folder: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        fresh("install", f"pets-{version}.onnx")
    digest = json.loads(fresh("status", "--json").out)["models"][0]["digest"]
    path = folder / "home" / "artifacts" / f"{digest}.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    ran = fresh("predict", "pets", json.dumps(ROW))
    assert ran.code == 0
    assert float(ran.out) == pytest.approx(answer("1.0.0"))
    assert ran.err.startswith("warning: pets@1.1.0 failed, and 1.0.0 is active again")
    assert len(ran.err.splitlines()) == 1
    assert fresh("predict", "pets", json.dumps(ROW)).err == ""


def test_an_encrypted_model_is_kept_encrypted_and_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = json.loads(fresh("keygen", "--age", "device.identity", "--json").out)["recipient"]
    for version in ("1.0.0", "1.1.0"):
        fresh("encrypt", f"pets-{version}.onnx", "--to", recipient, "-o", f"pets-{version}.onnx.age")
    ran = fresh("install", "pets-1.0.0.onnx.age")
    assert (ran.code, "give the identity that it was encrypted to" in ran.err) == (2, True)
    assert fresh("install", "pets-1.0.0.onnx.age", "--identity", "device.identity").out == "pets@1.0.0  active\n"
    assert fresh("predict", "pets", json.dumps(ROW)).code == 2
    answered = fresh("predict", "pets", json.dumps(ROW), "--identity", "device.identity")
    assert float(answered.out) == pytest.approx(answer("1.0.0"))
    assert "encrypted (age)" in fresh("status", "pets").out
    monkeypatch.setenv("EDGE_INFER_IDENTITY", str(folder / "device.identity"))
    assert fresh("install", "pets-1.1.0.onnx.age").code == 0
    assert fresh("verify", "pets").code == 0
    assert fresh("rollback", "pets").out == "pets@1.0.0  active again\n"
    assert float(fresh("predict", "pets", json.dumps(ROW)).out) == pytest.approx(answer("1.0.0"))


def test_a_release_on_trial_is_confirmed_by_its_answers(folder: Path) -> None:
    fresh("install", "pets-1.0.0.onnx")
    ran = fresh("install", "pets-1.1.0.onnx", "--trial", "2,10min", "--trial-latency", "5000")
    assert ran.out == "pets@1.1.0  active on trial; edge-infer mark-good confirms it\n"
    fresh("predict", "pets", json.dumps(ROW))
    shown = fresh("status", "pets").out
    assert "on trial  1 of 2 calls answered, 0 failed, 0 crashed, 10 min left" in shown
    assert max(map(len, shown.splitlines())) <= 80
    (model,) = json.loads(fresh("status", "pets", "--json").out)["models"]
    assert model["trial"]["terms"] == {"answers": 2, "seconds": 600, "errors": 0, "latency": 5.0, "crashes": 3}
    fresh("predict", "pets", json.dumps(ROW))
    assert "on trial" not in fresh("status", "pets").out
    assert "mark-good 1.1.0: by itself, after 2 answers" in fresh("log", "pets").out


def test_a_release_on_trial_that_is_not_confirmed_goes_back(folder: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        fresh("install", f"pets-{version}.onnx")
    fresh("rollback", "pets")
    assert "on trial" in fresh("activate", "pets@1.1.0", "--trial", "1s").out
    time.sleep(1.1)
    assert "time is over: the next load" in fresh("status", "pets").out
    ran = fresh("predict", "pets", json.dumps(ROW))
    assert (ran.code, float(ran.out)) == (0, pytest.approx(answer("1.0.0")))
    assert ran.err == ("warning: pets@1.1.0 failed its trial: it was not confirmed within 1 s; 1.0.0 is active again\n")
    assert "refused   1.1.0" in fresh("status", "pets").out
    assert "edge-infer mark-good" in fresh("activate", "pets@1.1.0", "--trial", "1s").out
    assert fresh("mark-good", "pets").out == "pets@1.1.0  confirmed\n"


def test_a_trial_that_makes_no_sense_changes_nothing(folder: Path, run: Run) -> None:
    assert "without a trial" in run("install", "pets-1.0.0.onnx", "--trial", "5").out
    for arguments, words in (
        (["--trial", "soon"], 'a number of answers ("100")'),
        (["--trial", "0"], "expected 1 to"),
        (["--trial-errors", "2"], "need --trial"),
        (["--trial", "5min", "--trial-latency", "1"], "judged over a number of answers"),
    ):
        ran = run("install", "pets-1.1.0.onnx", *arguments)
        assert (ran.code, words in ran.err) == (2, True), ran.err
    assert "1.1.0" not in run("list").out


def test_status_shows_how_a_shadow_did(folder: Path, run: Run) -> None:
    run("install", "pets-1.0.0.onnx")
    run("install", "pets-1.1.0.onnx", "--only-add")
    with Store().watch("pets", shadow="pets@1.1.0", sample=1.0) as model:
        for _ in range(3):
            model.predict(ROW)
    shown = run("status", "pets").out
    assert "shadow    1.1.0: 3 rows, 0 % agree, largest difference 10; p50" in shown
    assert "µs (active" in shown
    assert max(map(len, shown.splitlines())) <= 80
    (told,) = json.loads(run("status", "--json").out)["models"][0]["shadows"]
    assert (told["version"], told["rows"], told["share"]) == ("1.1.0", 3, 0.0)
    assert told["mean"] == pytest.approx(10)
    assert told["seconds"]["candidate"]["p50"] > 0


def test_a_damaged_record_of_a_shadow_is_shown_and_pruned(folder: Path, run: Run) -> None:
    run("install", "pets-1.0.0.onnx")
    digest = json.loads(run("status", "--json").out)["models"][0]["digest"]
    record = folder / "home" / "models" / "pets" / f"shadow-{digest[:12]}.json"
    record.write_text('{"format": 1}', encoding="utf-8")
    shown = run("status", "pets")
    assert (shown.code, shown.err) == (0, "")
    assert "shadow    DAMAGED: " in shown.out
    assert "edge-infer prune" in json.loads(run("status", "--json").out)["models"][0]["shadows_damaged"]
    assert run("prune").code == 0
    assert "shadow" not in run("status", "pets").out
