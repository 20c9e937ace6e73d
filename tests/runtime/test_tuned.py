"""Records of `bench --tune`: who is asked before them, which are used, and that none ever stops a load."""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge_infer
from edge_infer import SessionOptions
from edge_infer.errors import ArtifactError, LimitError, UsageError
from edge_infer.limits import LIMITS
from edge_infer.machine import cpu_model
from edge_infer.tuned import Record, device, folder, parse_record, path_of, remove, save
from tests.runtime.samples import DIGITS, PENGUINS

TUNED = SessionOptions(spinning=True, chunk_bytes=4096)


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder of configuration, not there yet, and no variable that sets an option."""
    path = tmp_path / "configuration"
    monkeypatch.setenv("EDGE_INFER_CONFIG", str(path))
    for variable in ("EDGE_INFER_TUNED", "EDGE_INFER_THREADS", "EDGE_INFER_CHUNK_BYTES", "EDGE_INFER_SPINNING"):
        monkeypatch.delenv(variable, raising=False)
    return path


def record(model: Path = PENGUINS, options: SessionOptions = TUNED, **changes: Any) -> Record:
    digest = edge_infer.read_artifact(model).digest
    return Record(digest, model.stem, device(), 1, 5e-6, 4e-6, options)._replace(**changes)


def edited(path: str, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    change(document)
    Path(path).write_text(json.dumps(document), encoding="utf-8")


# --- precedence -------------------------------------------------------------------------


def test_a_load_without_options_uses_the_record() -> None:
    assert edge_infer.load(PENGUINS).options == SessionOptions()
    save(record())
    assert edge_infer.load(PENGUINS).options == TUNED
    assert edge_infer.load(PENGUINS.read_bytes()).options == TUNED
    assert edge_infer.load(DIGITS).options == SessionOptions()


def test_options_of_the_program_come_before_the_record() -> None:
    save(record())
    assert edge_infer.load(PENGUINS, options=SessionOptions()).options == SessionOptions()


def test_each_variable_comes_before_the_record_for_its_option_only(monkeypatch: pytest.MonkeyPatch) -> None:
    save(record())
    monkeypatch.setenv("EDGE_INFER_CHUNK_BYTES", "0")
    assert edge_infer.load(PENGUINS).options == TUNED._replace(chunk_bytes=0)


def test_records_are_switched_off_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    save(record())
    monkeypatch.setenv("EDGE_INFER_TUNED", "0")
    assert edge_infer.load(PENGUINS).options == SessionOptions()
    monkeypatch.setenv("EDGE_INFER_TUNED", "1")
    assert edge_infer.load(PENGUINS).options == TUNED
    monkeypatch.setenv("EDGE_INFER_TUNED", "no")
    with pytest.raises(UsageError, match=r"EDGE_INFER_TUNED: expected 0 .* got 'no'"):
        edge_infer.load(PENGUINS)


def test_a_pickled_model_keeps_its_options() -> None:
    save(record())
    text = pickle.dumps(edge_infer.load(PENGUINS))
    assert remove(record().digest, device())
    assert pickle.loads(text).options == TUNED


# --- which records are used -------------------------------------------------------------


def test_a_record_of_another_file_is_not_used() -> None:
    save(record(DIGITS))
    assert edge_infer.load(PENGUINS).options == SessionOptions()


@pytest.mark.parametrize("field", ["edge-infer", "onnxruntime", "numpy", "python", "machine", "cpu", "cpus"])
def test_a_record_of_another_device_is_not_used(field: str, caplog: pytest.LogCaptureFixture) -> None:
    save(record(fingerprint=device() | {field: "another"}))
    assert edge_infer.load(PENGUINS).options == SessionOptions()
    assert caplog.records == []


BROKEN: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
    "a list": lambda path: path.write_text("[]"),
    "huge": lambda path: path.write_bytes(path.read_bytes() + b" " * LIMITS.tuned_bytes),
    "deep": lambda path: path.write_text("[" * 10_000),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}
WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "a later format": lambda d: d.update(format=2),
    "format is text": lambda d: d.update(format="1"),
    "no digest": lambda d: d.pop("digest"),
    "of another file": lambda d: d.update(digest="0" * 64),
    "of another device": lambda d: d["fingerprint"].update(numpy="0"),
    "no rows": lambda d: d.update(rows=0),
    "seconds are text": lambda d: d.update(seconds="fast"),
    "options are a list": lambda d: d.update(options=[]),
    "an option of the future": lambda d: d["options"].update(turbo=True),
    "spinning is a number": lambda d: d["options"].update(spinning=1),
    "no threads": lambda d: d["options"].update(threads=0),
    "more threads than CPUs": lambda d: d["options"].update(threads=10**6),
    "chunks above the limit": lambda d: d["options"].update(chunk_bytes=10**30),
    "split rows above the limit": lambda d: d["options"].update(split_rows=2**31),
    "chunks below nothing": lambda d: d["options"].update(chunk_bytes=-1),
}


@pytest.mark.parametrize("name", [*BROKEN, *WRONG])
def test_a_record_that_cannot_be_used_is_passed_over_with_a_line(name: str, caplog: pytest.LogCaptureFixture) -> None:
    save(record(DIGITS))
    path = save(record())
    if name in BROKEN:
        BROKEN[name](Path(path))
    else:
        edited(path, WRONG[name])
    assert edge_infer.load(PENGUINS).options == SessionOptions()
    (line,) = caplog.records
    assert (line.name, line.levelno) == ("edge_infer.tuned", logging.WARNING)
    assert path in line.getMessage()
    assert edge_infer.load(DIGITS).options == TUNED


def test_the_limit_of_a_record_is_inclusive() -> None:
    text = Path(save(record())).read_bytes()
    assert parse_record(text, LIMITS._replace(tuned_bytes=len(text))) == record()
    with pytest.raises(LimitError, match="limit"):
        parse_record(text, LIMITS._replace(tuned_bytes=len(text) - 1))


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_a_record_or_an_error_of_ours(text: bytes | str) -> None:
    with pytest.raises(ArtifactError):
        parse_record(text if isinstance(text, bytes) else text.encode())


BYTES, COUNT = st.integers(0, 2**40), st.integers(0, 2**31 - 1)


@given(
    st.builds(SessionOptions, st.just(1) | st.just("all"), st.booleans(), st.booleans(), BYTES, COUNT),
    st.integers(1, 10**6),
    st.floats(0, 1e6),
)
def test_what_is_saved_is_read_back(options: SessionOptions, rows: int, seconds: float) -> None:
    saved = record(options=options, rows=rows, seconds=seconds)
    assert parse_record(Path(save(saved)).read_bytes()) == saved


# --- where ------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_the_folder_is_the_users_alone(configuration: Path) -> None:
    save(record())
    assert (configuration / "tuned").stat().st_mode & 0o777 == 0o700


def test_a_record_can_be_taken_back() -> None:
    path = save(record())
    assert remove(record().digest, device())
    assert not os.path.exists(path)
    assert not remove(record().digest, device())
    assert edge_infer.load(PENGUINS).options == SessionOptions()


@pytest.mark.skipif(os.name == "nt", reason="paths as POSIX writes them")
@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "/home/ada/.config/edge-infer/tuned"),
        ("linux", {"XDG_CONFIG_HOME": "/data/settings"}, "/data/settings/edge-infer/tuned"),
        ("linux", {"XDG_CONFIG_HOME": "settings"}, "/home/ada/.config/edge-infer/tuned"),
        ("linux", {"XDG_CONFIG_HOME": "/data", "EDGE_INFER_CONFIG": "/own"}, "/own/tuned"),
        ("darwin", {"XDG_CONFIG_HOME": "/data"}, "/home/ada/Library/Application Support/edge-infer/tuned"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/edge-infer/tuned"),
    ],
)
def test_the_folder_is_where_the_platform_documents_it(
    platform: str, environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders that platformdirs documents for user_config_dir(…, roaming=True)."""
    monkeypatch.setenv("HOME", "/home/ada")
    assert folder(environment, platform) == expected


def test_the_path_is_of_the_model_and_the_device() -> None:
    one = path_of("a" * 64, {"numpy": "2.4"})
    assert os.path.basename(one).startswith("a" * 16)
    assert len({one, path_of("b" * 64, {"numpy": "2.4"}), path_of("a" * 64, {"numpy": "2.5"})}) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nmodel name\t: Fast CPU\nprocessor : 1\nmodel name\t: Fast CPU\n", "Fast CPU"),
        ("CPU part\t: 0xd08\nModel\t\t: Raspberry Pi 4 Model B\n", "Raspberry Pi 4 Model B"),
        ("CPU part\t: 0xd05\n\nCPU part\t: 0xd0a\n", "0xd05, 0xd0a"),
        ("", "unknown"),
    ],
    ids=["x86", "a board", "cores of two kinds", "nothing told"],
)
def test_the_processor_is_named_as_the_system_tells(
    text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROCESSOR_IDENTIFIER", raising=False)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(text, encoding="utf-8")
    assert cpu_model(str(tmp_path)) == expected


# --- what it costs ----------------------------------------------------------------------


def loaded_by(**variables: str) -> set[str]:
    """The modules after a load in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", f"import edge_infer, sys; edge_infer.load({str(PENGUINS)!r}); print(*sys.modules)"],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | variables,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("there", [False, True], ids=["no folder", "an empty folder"])
def test_a_load_without_records_imports_nothing_for_them(there: bool, configuration: Path) -> None:
    if there:
        (configuration / "tuned").mkdir(parents=True)
    switched_off = loaded_by(EDGE_INFER_TUNED="0")
    assert loaded_by() == switched_off
    save(record())
    assert loaded_by() - switched_off >= {"edge_infer.machine"}  # so that the comparison could have failed


def test_a_good_record_imports_no_logging() -> None:
    save(record())
    assert "logging" not in loaded_by() - loaded_by(EDGE_INFER_TUNED="0")
