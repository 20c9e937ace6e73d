"""`edge-infer update` on the real command line: output, JSON, exit codes; no traceback whatever comes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_infer.store import Store
from edge_infer.update.publisher import Publisher
from tests.cli.conftest import Run, fresh
from tests.store.releases import artifact


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With pets 1.0.0; the store is empty."""
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "store"))
    _publish(tmp_path, "1.0.0")
    return tmp_path / "repository"


def _publish(tmp_path: Path, version: str, name: str = "pets", **options: object) -> Publisher:
    path = tmp_path / f"{name}-{version}.onnx"
    path.write_bytes(artifact(version, name=name))
    publisher = Publisher(tmp_path / "repository", tmp_path / "keys")
    publisher.publish([path], **options)  # type: ignore[arg-type]
    return publisher


def _first(repository: Path) -> tuple[object, ...]:
    return "update", "pets", "--from", repository, "--root", repository / "metadata" / "1.root.json"


def test_a_first_update_in_a_fresh_process(repository: Path) -> None:
    ran = fresh(*_first(repository))
    assert (ran.code, ran.out, ran.err) == (0, "pets@1.0.0  active\n", "")
    assert fresh("predict", "pets", '{"a": 0.5, "b": -1.25}').code == 0
    ran = fresh("update", "--from", repository)
    assert (ran.code, ran.out) == (0, "pets@1.0.0  nothing to do: nothing newer is published\n")


def test_what_would_be_done(repository: Path, tmp_path: Path, run: Run) -> None:
    run(*_first(repository))
    _publish(tmp_path, "1.1.0")
    ran = run("update", "--from", repository, "--check")
    assert (ran.code, ran.out) == (0, "pets@1.1.0  would be installed (before: 1.0.0)\n")
    assert run("update", "--from", repository).out == "pets@1.1.0  active (before: 1.0.0)\n"


def test_a_halted_release_is_told(repository: Path, tmp_path: Path, run: Run) -> None:
    run(*_first(repository))
    Publisher(repository, tmp_path / "keys").change(["pets@1.0.0"], halted=True)
    ran = run("update", "--from", repository)
    assert ran.code == 0
    assert "1.0.0, which is active, was halted by its publisher: edge-infer rollback pets" in ran.out


def test_json_tells_each_model(repository: Path, tmp_path: Path, run: Run) -> None:
    _publish(tmp_path, "2.0.0", "cats")
    root = repository / "metadata" / "1.root.json"
    ran = run("update", "cats", "owls", "--from", repository, "--root", root, "--json")
    told = json.loads(ran.out)
    assert ran.code == 1
    assert list(told) == ["store", "from", "channel", "checked", "kind", "reason", "models"]
    cats, owls = told["models"]
    assert cats == {
        "name": "cats",
        "action": "installed",
        "version": "2.0.0",
        "before": None,
        "reason": None,
        "halted": False,
        "on_trial": False,
        "kind": None,
    }
    assert (owls["action"], owls["kind"]) == ("failed", "absent")


def test_json_tells_why_the_repository_was_refused(repository: Path, run: Run) -> None:
    ran = run("update", "pets", "--from", repository, "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["kind"], told["models"]) == (1, "root", [])
    assert ran.err == f"error: {told['reason']}\n"


def test_one_that_fails_stops_no_other_and_the_code_is_1(repository: Path, run: Run) -> None:
    ran = run("update", "none", *_first(repository)[1:])
    assert ran.code == 1
    assert ran.out == "pets@1.0.0  active\n"
    assert ran.err.startswith("error: none: ")
    assert "has no model 'none'" in ran.err


def test_a_release_may_be_on_trial(repository: Path, tmp_path: Path, run: Run) -> None:
    run(*_first(repository))
    _publish(tmp_path, "1.1.0")
    ran = run("update", "--from", repository, "--trial", "10,24h")
    assert (ran.code, ran.out.split()) == (
        0,
        ["pets@1.1.0", "active", "(before:", "1.0.0)", "on", "trial;", "edge-infer", "mark-good", "confirms", "it"],
    )
    assert "on trial: 10 answers, within 24 h" in " ".join(run("log", "pets").out.split())
    assert Store(tmp_path / "store").state("pets").trial is not None


def test_expired_metadata_is_taken_with_a_warning_if_you_say_so(repository: Path, tmp_path: Path) -> None:
    then = datetime.now(UTC) - timedelta(days=40)
    Publisher(repository, tmp_path / "keys", clock=lambda: then).refresh()
    ran = fresh(*_first(repository))
    assert (ran.code, ran.out) == (1, "")
    assert "timestamp.json expired at" in ran.err
    assert "--expiry 30d" in ran.err
    ran = fresh(*_first(repository), "--expiry", "30d")
    assert (ran.code, ran.out) == (0, "pets@1.0.0  active\n")
    assert ran.err.startswith("warning: ")
    assert ran.err.count("\n") == 1


def test_status_tells_the_last_update(repository: Path, tmp_path: Path, run: Run) -> None:
    run("update", "none", *_first(repository)[1:])
    shown = "".join(run("status").out.split())  # lines are folded anywhere
    assert f"(justnow)from{repository},stable:1installed,1failed" in shown
    (repository / "metadata" / "timestamp.json").write_text("{}")
    assert run("update", "--from", repository).code == 1
    told = json.loads(run("status", "--json").out)["update"]
    assert told["result"].startswith("refused: ")
    assert "timestamp.json" in told["result"]
    assert json.loads(run("list", "--json").out)["update"] == told


def test_an_empty_store_is_told(repository: Path, run: Run) -> None:
    ran = run("update", "--from", repository, "--root", repository / "metadata" / "1.root.json")
    assert ran.code == 0
    assert "edge-infer update NAME installs one" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--expiry", "soon"),
        ("--seconds", "0"),
        ("--seconds", "nan"),
        ("--channel", "../x"),
        ("--trial-errors", "3"),
        ("--from", "ftp://x"),
    ],
)
def test_wrong_usage_is_2(repository: Path, run: Run, arguments: tuple[str, str]) -> None:
    ran = run(*_first(repository), *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "expected" in ran.err or "cannot name" in ran.err or "need --trial" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--root", "nowhere.json"), "no such file"),
        (("--from", "/nowhere"), "is its drive there"),
        (("--from", "http://127.0.0.1:9"), "http://127.0.0.1:9/metadata/2.root.json"),
        (("--channel", "nightly"), "there are: stable, beta"),
    ],
)
def test_what_cannot_be_done_is_1(repository: Path, run: Run, arguments: tuple[str, str], told: str) -> None:
    ran = run(*_first(repository), *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_a_name_that_is_none_is_refused(repository: Path, run: Run) -> None:
    ran = run("update", "../pets", *_first(repository)[2:])
    assert ran.code == 1
    assert "cannot name files" in ran.err


def test_the_extra_is_named_where_it_is_missing(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "none" / "tuf").mkdir(parents=True)
    missing = "raise ModuleNotFoundError(\"No module named 'tuf'\", name='tuf')"
    (tmp_path / "none" / "tuf" / "__init__.py").write_text(missing)
    first = f"import sys; sys.path.insert(0, {str(tmp_path / 'none')!r})"
    code = f"{first}; from edge_infer.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = _python(code, *_first(repository))
    assert done.returncode == 1
    assert 'pip install "edge-infer[update]"' in done.stderr


def test_start_up_without_an_update_loads_no_tuf() -> None:
    code = "import sys, edge_infer.cli.update_app, edge_infer.store; print([m for m in sys.modules if m == 'tuf'])"
    assert _python(code).stdout == "[]\n"


def _python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
