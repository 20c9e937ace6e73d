"""Long lines: folded at words on a terminal, whole in files and pipes; commands to copy stay in one piece."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.cli.app import whole_app
from edge_infer.cli.console import wrapped
from tests.cli.conftest import ROOT, Run, fresh
from tests.store.releases import artifact

INSTALL_HELP = ROOT / "edge_infer" / "bundle" / "install.sh"
needs_terminal = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")


def errors_on_terminal(*args: object, columns: int = 80) -> str:
    """What a terminal is sent by standard error."""
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "edge_infer.cli.main", *map(str, args)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, stderr=slave, env=environment
    ) as child:
        os.close(slave)
        sent = b""
        try:
            while part := os.read(master, 65536):
                sent += part
        except OSError:  # Linux says so when the other end is closed
            pass
        child.wait(30)
    os.close(master)
    return sent.decode().replace("\r\n", "\n")


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release before the one that is active: its refusal is a long line with commands in it."""
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "store"))
    for version in ("1.0.0", "1.1.0"):
        (tmp_path / f"pets-{version}.onnx").write_bytes(artifact(version))
    assert fresh("install", tmp_path / "pets-1.1.0.onnx").code == 0
    return tmp_path / "pets-1.0.0.onnx"


@needs_terminal
@pytest.mark.parametrize("columns", [40, 80, 100])
def test_an_error_is_folded_at_words_on_a_terminal(older: Path, columns: int) -> None:
    sent = errors_on_terminal("install", older, columns=columns)
    assert sent.count("\n") >= 2
    assert max(map(len, sent.splitlines())) <= columns
    assert "edge-infer rollback" in sent
    piped = fresh("install", older).err
    assert piped.count("\n") == 1
    assert sent.split() == piped.split()


@needs_terminal
def test_what_is_to_be_copied_stays_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100 + ".onnx")
    assert f" {path}:" in errors_on_terminal("predict", path, "{}").replace("\n", " ")


@pytest.mark.parametrize(
    "command",
    [
        "edge-infer activate NAME@1.0.0 --allow-older --trial 100",
        "python -m pip install --upgrade edge-infer",
        "pip install 'onnxruntime==1.21.*'",
        "`python -m x`",
    ],
)
def test_commands_and_options_are_not_broken(command: str) -> None:
    for room in range(60, 100):
        folded = wrapped(f"some words that stand before it: {command} and the words that come after it", 2, room)
        assert command in folded
        assert max(map(len, folded.split("\n"))) <= room


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(20, 100))
def test_folding_loses_no_word(text: str, room: int) -> None:
    from edge_infer.cli.console import printable

    folded = wrapped(text, 2, room)
    assert "".join(folded.split()) == "".join(printable(text).split())


def test_what_an_update_says_is_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    from edge_infer.update.publisher import Publisher

    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "store"))
    path = tmp_path / "pets-1.0.0.onnx"
    path.write_bytes(artifact("1.0.0"))
    Publisher(tmp_path / "r", tmp_path / "keys").publish([path])
    arguments = ("update", "pets", "--from", tmp_path / "r", "--root", tmp_path / "r" / "metadata" / "1.root.json")
    assert run(*arguments).code == 0
    for ran in (run(*arguments[:4]), run("rollback", "pets"), run("status")):
        assert all(len(line) <= 80 or " " not in line.strip() for line in ran.out.splitlines())


def test_help_of_install_sh_fits_80_columns() -> None:
    shown = subprocess.run(["sh", str(INSTALL_HELP), "--help"], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1].endswith("stay.")
    assert "set -eu" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def _texts() -> Iterator[tuple[str, str]]:
    commands = [((name,), command) for name, command in whole_app().commands.items()]
    while commands:
        path, command = commands.pop()
        commands += [((*path, name), each) for name, each in getattr(command, "commands", {}).items()]
        yield " ".join(path), command.help or ""


@pytest.mark.parametrize(("command", "text"), list(_texts()), ids=lambda value: value[:20])
def test_examples_in_help_fit_80_columns(command: str, text: str) -> None:
    """The panel takes a column on either side."""
    examples = [line for line in text.split("\n") if re.match(" +", line)]
    assert all(len(line) <= 78 for line in examples)


def test_the_line_of_usage_tells_what_may_be_repeated_in_one_way() -> None:
    commands = [whole_app()]
    while commands:
        command = commands.pop()
        commands += list(getattr(command, "commands", {}).values())
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                assert "..." not in (parameter.metavar or "")
                assert not (parameter.metavar or "").startswith("[")
