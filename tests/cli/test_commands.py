"""inspect, verify, help, exit codes, messages, encodings, and what start-up loads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_infer.cli.app import whole_app
from edge_infer.cli.console import Grid, plain_grid, width
from edge_infer.cli.inspect import describe_parity
from edge_infer.cli.main import _is_interrupt
from edge_infer.cli.options import HOT
from tests.cli.conftest import RECORD, ROOT, Run, classifier_bytes, classifier_manifest, fresh

#: All that there are, and "export web", which is one of a group.
COMMANDS = [*whole_app().commands, "export web"]
SAME = {"worst": 0.0, "relative": 0.0, "scale": 0.0, "differing": 0}
ONE = json.dumps(RECORD, ensure_ascii=False)
NEVER = {"typer", "rich", "pydantic", "click", "onnx", "sklearn", "pandas", "pyarrow", "skl2onnx"}
SELDOM = {"csv", "argparse", "logging", "difflib", "hashlib", "textwrap"}  # unless numpy or onnxruntime load them


def loaded_by(*args: object) -> set[str]:
    """The modules that a call has imported at its end."""
    script = (
        "import sys\nfrom edge_infer.cli.main import main\ncode = main(sys.argv[1:])\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, args)],
        capture_output=True,
        check=True,
        text=True,
        input="",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("args", [("predict", ONE), ("predict", ONE, "--json"), ("stream",)], ids=str)
def test_hot_commands_load_nothing_heavy(classifier: Path, args: tuple[str, ...]) -> None:
    present = loaded_by(args[0], classifier, *args[1:])
    base = subprocess.run(
        [sys.executable, "-c", "import numpy, onnxruntime, sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()
    assert not present & NEVER
    assert present & SELDOM <= set(base)


def test_inspect_makes_no_session(classifier: Path) -> None:
    assert not {"onnxruntime", "numpy"} & loaded_by("inspect", classifier)


# --- inspect ----------------------------------------------------------------------------


def test_inspect_tells_the_manifest(run: Run, classifier: Path) -> None:
    ran = run("inspect", classifier)
    assert ran.code == 0
    for text in (
        "people 1.2.0",
        "Größe",
        "home.dest",
        "Köln, 日本, NA",
        "onnxruntime 1.18",
        "120 probe rows",
        "Adélie",
    ):
        assert text in ran.out
    assert all(width(line) <= 80 for line in ran.out.splitlines())


@pytest.mark.parametrize(
    ("certificate", "told", "untold"),
    [
        (
            {"rows": 1318, "ties": 48, "borderline": 11, "outputs": {"predict": {**SAME, "borderline": 11}}},
            ("predict: equal in 1,307 rows, the other 11 are near ties\n", "either answer is right"),
            ("all equal", "worst", "tolerance 0"),
        ),
        (
            {"rows": 1318, "ties": 48, "borderline": 0, "outputs": {"predict": {**SAME, "borderline": 0}}},
            ("predict: all equal",),
            ("near tie", "worst"),
        ),
        ({"rows": 9, "borderline": 2, "outputs": {"predict": SAME}}, ("near ties decided otherwise: 2",), ()),
    ],
    ids=["some near ties", "none", "an older certificate"],
)
def test_a_card_tells_of_near_ties_where_labels_differ_and_only_there(
    certificate: dict[str, Any], told: tuple[str, ...], untold: tuple[str, ...]
) -> None:
    text = describe_parity(certificate)
    assert all(part in text for part in told)
    assert not any(part in text for part in untold)


def test_inspect_json_is_one_object(run: Run, classifier: Path) -> None:
    card = json.loads(run("inspect", classifier, "--json").out)
    assert [column["name"] for column in card["inputs"]] == list(RECORD)
    assert card["digest"].startswith("sha256:")
    assert card["parity"]["rows"] == 120
    assert card["golden_rows"] == 1


def test_inspect_of_a_plain_file_tells_what_its_graph_tells(run: Run, plain: Path) -> None:
    assert "plain ONNX" in run("inspect", plain).out
    assert json.loads(run("inspect", plain, "--json").out)["described"] is False


def test_control_characters_of_a_file_never_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "evil.onnx"
    path.write_bytes(classifier_bytes(manifest=classifier_manifest()._replace(name="\x1b[2Jevil\x07")))
    for command in ("inspect", "verify"):
        assert not set("\x1b\x07") & set(run(command, path).out)


# --- verify -----------------------------------------------------------------------------


def test_verify_has_a_line_for_each_check(run: Run, classifier: Path) -> None:
    ran = run("verify", classifier)
    assert ran.code == 0
    for check in ("format", "limits", "contents", "runtime", "goldens"):
        assert f"✓ {check}" in ran.out
    assert "signature  NOT CHECKED" in ran.out


def test_a_wrong_golden_fails(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wrong.onnx"
    path.write_bytes(classifier_bytes(wrong_golden=True))
    ran = run("verify", path)
    assert ran.code == 1
    assert "✗ goldens" in ran.out
    report = json.loads(run("verify", path, "--json").out)
    assert report["ok"] is False
    assert {"name", "status", "detail"} == set(report["checks"][0])


@pytest.mark.parametrize("content", [b"", b"\x08\x08", b"not a model", b"{}", b"\x80\x04\x95"], ids=repr)
def test_a_bad_file_is_a_clear_failure_everywhere(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    assert run("verify", path).code == 1
    for args in (("inspect", path), ("predict", path, "{}"), ("stream", path)):
        ran = run(*args)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("error: ")
        assert "bad.onnx" in ran.err
        assert "unexpected" not in ran.err


# --- the CLI as a whole -----------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_within_80_columns(command: str) -> None:
    ran = fresh(*command.split(), "--help")
    assert ran.code == 0
    assert "Example:" in ran.out
    assert f"edge-infer {command}" in ran.out
    assert "\b" not in ran.out
    assert all(width(line) <= 80 for line in ran.out.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_documents_json(command: str) -> None:
    text = " ".join(fresh(*command.split(), "--help").out.split())
    assert "--json" not in text or "one object" in text or "the same object" in text


def test_every_hot_option_is_in_its_help() -> None:
    for command in HOT.values():
        text = fresh(command.name, "--help").out
        for option in command.options:
            assert all(flag in text for flag in option.flags)


def test_top_help_names_commands_and_exit_codes() -> None:
    text = fresh("--help").out
    assert all(command in text for command in whole_app().commands)
    assert "Exit codes: 0 done, 1 the work failed, 2 wrong usage" in text
    assert fresh().out.strip() == text.strip()


def test_version(run: Run) -> None:
    from edge_infer import __version__

    assert run("--version") == (0, f"edge-infer {__version__}\n", "")


@pytest.mark.parametrize(
    "args",
    [
        ("nope",),
        ("predict",),
        ("predict", "m.onnx", "--nope"),
        ("stream", "m.onnx", "-m", "x"),
        ("activate", "name"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(args: tuple[str, ...]) -> None:
    ran = fresh(*args)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err
    assert "Traceback" not in ran.err


def test_a_missing_file_names_a_near_one(run: Run, classifier: Path, tmp_path: Path) -> None:
    ran = run("inspect", classifier.with_name("people-1.2.onnx"))
    assert (ran.code, ran.out) == (1, "")
    assert "did you mean" in ran.err
    assert "people-1.2.0.onnx" in ran.err
    assert "this is a folder" in run("inspect", tmp_path).err


@pytest.mark.parametrize("command", ["inspect", "verify", "predict"])
def test_an_ascii_terminal_is_no_error(classifier: Path, command: str) -> None:
    ran = fresh(command, classifier, *([ONE] if command == "predict" else []), PYTHONIOENCODING="ascii")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.isascii()


def test_json_is_valid_in_ascii_and_utf8(classifier: Path) -> None:
    for encoding in ("ascii", "utf-8", "latin-1"):
        ran = fresh("predict", classifier, ONE, "-m", "predict_proba", "--json", PYTHONIOENCODING=encoding)
        assert "Adélie" in json.loads(ran.out)["prediction"]


def test_help_on_an_ascii_terminal() -> None:
    ran = fresh("predict", "--help", PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert ran.out.isascii()


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and pipes")
def test_ctrl_c_exits_with_130_and_says_nothing(classifier: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "edge_infer.cli.main", "stream", str(classifier)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(ONE.encode() + b"\n")
        child.stdin.flush()
        assert child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130
        assert child.stderr.read() == b""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX pipes")
@pytest.mark.parametrize("command", ["stream", "predict"])
def test_a_reader_that_goes_away_is_quiet(classifier: Path, command: str) -> None:
    ends = os.pipe()
    os.close(ends[0])
    text = f"[{','.join([ONE] * 50)}]" if command == "predict" else f"{ONE}\n" * 50
    done = subprocess.run(
        [sys.executable, "-m", "edge_infer.cli.main", command, str(classifier)],
        input=text.encode(),
        stdout=ends[1],
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(ends[1])
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("args", [("predict", ONE), ("stream",), ("inspect",), ("verify",)], ids=lambda a: a[0])
def test_a_full_disk_is_one_message(classifier: Path, args: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_infer.cli.main", args[0], str(classifier), *args[1:]],
            input=ONE.encode() + b"\n",
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_ends_in_no_traceback(classifier: Path, closing: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closing}', "sh", sys.executable, "-m", "edge_infer.cli.main", "predict", str(classifier)],
        input=ONE.encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == (1 if closing == "<&-" else 0)
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("args", [("predict", f"[{ONE},{ONE}]"), ("inspect",), ("verify",)], ids=lambda a: a[0])
def test_a_terminal_gets_tables_of_80_columns(classifier: Path, args: tuple[str, ...]) -> None:
    text = on_terminal(args[0], str(classifier), *args[1:])
    assert all(width(line) <= 80 for line in text.splitlines())
    if args[0] == "predict":
        assert "P(Adélie)" in text


def on_terminal(*args: str) -> str:
    """What a terminal of 80 columns is sent, without the colours."""
    import pty
    import re

    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "TERM": "xterm", "PYTHONUTF8": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "edge_infer.cli.main", *args], stdout=slave, stdin=slave, env=environment
    ) as child:
        os.close(slave)
        sent = b""
        try:
            while part := os.read(master, 65536):
                sent += part
        except OSError:  # Linux says so when the other end is closed
            pass
        assert child.wait(30) == 0
    os.close(master)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", sent.decode())


def test_an_unexpected_exception_is_two_lines_and_the_traceback_is_on_request(classifier: Path) -> None:
    """A broken installation: a function of the CLI is not there."""
    script = (
        "import sys\nfrom edge_infer.cli.main import main\nimport edge_infer.model, edge_infer.cli.predict\n"
        "import edge_infer.cli.failure\ndel edge_infer.cli.predict.run\nsys.exit(main(sys.argv[1:]))"
    )
    for traceback in ("", "1"):
        done = subprocess.run(
            [sys.executable, "-c", script, "predict", str(classifier), ONE],
            capture_output=True,
            check=False,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "EDGE_INFER_TRACEBACK": traceback},
        )
        assert done.returncode == 1
        assert "error: unexpected AttributeError" in done.stderr
        assert "EDGE_INFER_TRACEBACK=1" in done.stderr
        assert ("Traceback" in done.stderr) is bool(traceback)


@pytest.mark.parametrize("room", [30, 80])
def test_a_plain_table_fits_with_wide_characters(room: int) -> None:
    grid = Grid(("column", "values"), [("日本語" * 9, "x" * 200), ("é", "y\x1b")])
    lines = plain_grid(grid, room=room)
    assert all(width(line) <= room for line in lines)
    assert "\x1b" not in "".join(lines)


def test_an_interrupt_that_a_library_made_an_import_error_of_is_one() -> None:
    """pybind11 says "initialization failed" of a Ctrl-C while its module is imported."""
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error
    except ImportError as error:
        interrupted = error
    assert _is_interrupt(interrupted)
    assert _is_interrupt(KeyboardInterrupt())
    assert not _is_interrupt(ImportError("no module"))
    assert not _is_interrupt(ValueError("bad"))
