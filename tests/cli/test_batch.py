"""`batch` as a person, a script and a timer use it: in fresh processes, through its real streams."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import RECORD, ROOT, Run, fresh

HEAD = ["id", *RECORD]


def _write(path: Path, rows: int, bad: int | None = None) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        for row in range(rows):
            values = list(RECORD.values()) if row != bad else ["old", *list(RECORD.values())[1:]]
            writer.writerow([f"r{row}", *values])
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return _write(tmp_path / "in.csv", 50, bad=7)


def test_a_file_is_scored_and_summed_up(classifier: Path, source: Path, tmp_path: Path) -> None:
    ran = fresh("batch", classifier, source, "-o", tmp_path / "out.csv", "--keep", "id")
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.splitlines()
    assert first.startswith("49 rows in ")
    assert second.startswith("1 row could not be scored; ")
    assert second.endswith("out.csv.rejected.jsonl says why")
    table = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["id"] for row in table] == [f"r{row}" for row in range(50) if row != 7]
    one = fresh("predict", classifier, json.dumps(RECORD), "--json")
    assert table[0]["prediction"] == json.loads(one.out)["prediction"]


def test_json_is_one_documented_object(classifier: Path, source: Path, tmp_path: Path) -> None:
    ran = fresh("batch", classifier, source, "-o", tmp_path / "out.parquet", "--json")
    told = json.loads(ran.out)
    assert (told["rows"], told["rejected"], told["resumed_rows"]) == (49, 1, 0)
    assert told["rejects"] == str(tmp_path / "out.parquet.rejected.jsonl")
    assert told["rows_per_second"] > 0
    text = " ".join(fresh("batch", "--help").out.split())
    assert all(name in text for name in told)


def test_standard_input(classifier: Path, source: Path, tmp_path: Path) -> None:
    ran = fresh("batch", classifier, "-", "-o", tmp_path / "out.jsonl", stdin=source.read_bytes())
    assert ran.code == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 49
    lines = (json.dumps(RECORD) + "\n") * 3
    ran = fresh("batch", classifier, "-", "--from", "jsonl", "-o", tmp_path / "out.tsv", stdin=lines.encode())
    assert ran.code == 0
    assert len((tmp_path / "out.tsv").read_text().splitlines()) == 4


def test_all_methods_null_and_fail(classifier: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert fresh("batch", classifier, source, "-o", out, "--method", "all", "--on-error", "null").code == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 51
    assert set(lines[8]) == {","}
    before = out.read_bytes()
    ran = fresh("batch", classifier, source, "-o", out, "--on-error", "fail")
    assert ran.code == 1
    assert ran.err.startswith(f"error: {source}, line 9: column 'age': expected a number, got 'old'")
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "IN: expected files"),
        (("nowhere.csv",), "no such file"),
        (("in.csv", "--memory", "much"), "--memory: expected a size as 200MiB"),
        (("in.csv", "--memory", "1KiB"), "memory: expected a number of bytes"),
        (("in.csv", "--delimiter", "::"), "--delimiter"),
        (("in.csv", "--to", "xls"), "xls"),
        (("in.csv", "--keep", "nobody"), "'nobody'; it has 'id', 'age'"),
        (("in.csv", "--method", "transform"), "transform"),
        (("in.csv", "--watch", "."), "--watch: expected no IN"),
        (("--watch", "nowhere"), "--watch: expected an existing folder"),
        (("*.none",), "matches none"),
    ],
)
def test_what_makes_no_sense_is_told(
    run: Run, classifier: Path, source: Path, arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    ran = run("batch", classifier, *arguments, "-o", "out.csv")
    assert ran.code in (1, 2)
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert sorted(path.name for path in source.parent.glob("out*")) == []


@pytest.mark.parametrize(
    ("text", "size"), [("200MiB", 200 << 20), ("1.5GB", 1_500_000_000), ("8388608", 8 << 20), ("9m", 9 << 20)]
)
def test_sizes(text: str, size: int) -> None:
    from edge_infer.cli.batch import _bytes

    assert _bytes(text) == size


def _started(*arguments: object) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    return subprocess.Popen(
        [sys.executable, "-m", "edge_infer.cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(classifier: Path, tmp_path: Path) -> None:
    big, out = _write(tmp_path / "big.csv", 150_000), tmp_path / "out.csv"
    arguments = ("batch", classifier, big, "-o", out, "--memory", "8MiB", "--threads", "1")
    process = _started(*arguments)
    part = tmp_path / "out.csv.part"
    _until(lambda: process.poll() is not None or (part.exists() and part.stat().st_size > 100_000))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "rows are kept; the same command with --resume goes on from there" in told
    assert not out.exists()
    ran = fresh(*arguments, "--resume")
    assert ran.code == 0
    assert "were there from before" in ran.out
    assert fresh("batch", classifier, big, "-o", tmp_path / "whole.csv").code == 0
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_folder_is_watched_until_it_is_told_to_stop(classifier: Path, tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    process = _started(
        "batch", classifier, "--watch", tmp_path / "in", "-o", tmp_path / "out", "--every", "0.1", "--json"
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("watching ")
    _write(tmp_path / "in" / "a.csv", 20)
    (tmp_path / "in" / "b.csv").write_text("nothing\n1\n")
    _until(lambda: (tmp_path / "in" / "done" / "a.csv").exists() and (tmp_path / "in" / "failed" / "b.csv").exists())
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = [json.loads(line) for line in told.splitlines()]
    assert [(line["file"], line["reason"] is None) for line in lines] == [("a.csv", True), ("b.csv", False)]
    assert lines[0]["result"]["rows"] == 20
    assert len((tmp_path / "out" / "a.csv").read_text().splitlines()) == 21


def test_once_tells_by_its_exit_code_that_a_file_failed(classifier: Path, tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    arguments = ("batch", classifier, "--watch", tmp_path / "in", "-o", tmp_path / "out", "--once", "--every", "0.1")
    assert fresh(*arguments).code == 0
    _write(tmp_path / "in" / "a.csv", 20)
    ran = fresh(*arguments, "--to", "parquet")
    assert (ran.code, ran.out.split(" in ")[0]) == (0, "a.csv: 20 rows")
    (tmp_path / "in" / "b.csv").write_text("nothing\n1\n")
    assert fresh(*arguments).code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.parquet"]


def test_a_progress_bar_on_a_terminal(classifier: Path, tmp_path: Path) -> None:
    import pty

    big = _write(tmp_path / "big.csv", 150_000)
    main, other = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edge_infer.cli.main",
            "batch",
            str(classifier),
            str(big),
            "-o",
            str(tmp_path / "out.csv"),
            "--memory",
            "8MiB",
        ],
        stdout=subprocess.DEVNULL,
        stderr=other,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(other)
    shown = b""
    try:
        while some := os.read(main, 65536):
            shown += some
    except OSError:  # the terminal's other side is closed
        pass
    finally:
        os.close(main)
    assert process.wait(60) == 0
    text = shown.decode(errors="replace")
    assert "rows/s" in text
    assert "MB/s" in text
    assert all(len(line) <= 80 for line in text.replace("\r", "\n").split("\n") if "\x1b" not in line)


def test_without_pyarrow_the_command_says_what_to_install(classifier: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "hidden" / "pyarrow").mkdir(parents=True)
    (tmp_path / "hidden" / "pyarrow" / "__init__.py").write_text("raise ModuleNotFoundError(name='pyarrow')")
    paths = os.pathsep.join([str(tmp_path / "hidden"), str(ROOT)])
    ran = fresh("batch", classifier, source, "-o", tmp_path / "out.csv", PYTHONPATH=paths)
    assert ran.code == 1
    assert 'python -m pip install "edge-infer[batch]"' in ran.err
