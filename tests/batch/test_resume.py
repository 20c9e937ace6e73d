"""A batch that was killed anywhere and gone on with gives the bytes of one that was not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edge_infer
from edge_infer import Model
from edge_infer.batch import job as jobs
from edge_infer.batch import outputs
from edge_infer.batch.job import finish_begun
from tests.batch.passengers import passengers

ROOT = Path(__file__).parents[2]
SMALL = 8 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = passengers(20_000, seed=3).to_csv(index=False).splitlines(keepends=True)
    text[700] = "x,abc,1,2,true,male,NA\n"
    text[15_000] = "x,1\n"
    (tmp_path / "in.csv").write_text("".join(text))
    return tmp_path


def test_a_hundred_kills_change_no_byte(path: Path, folder: Path) -> None:
    outputs = ["out.csv", "out.jsonl.gz", "out.parquet", "out.arrow"]
    command = [sys.executable, "-m", "tests.batch.killed_batches", str(path), str(folder), "100", "1", *outputs]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["kills"] >= 100
    assert len(told["compared"]) >= len(outputs)


class _Cut(Exception):
    pass


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
@pytest.mark.parametrize("step", ["replace", "unlink"])
def test_a_crash_at_the_end_is_finished(
    model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, step: str
) -> None:
    """Cut before each rename and each removal of the last steps."""
    arguments: dict[str, Any] = {"keep": ["id"], "memory": SMALL}
    (folder / "whole").mkdir()
    model.predict_file(folder / "in.csv", folder / "whole" / name, **arguments)
    usual, cuts = getattr(jobs.os, step), 0
    while True:
        calls = 0

        def cut(*paths: Any, usual: Any = usual, after: int = cuts) -> None:
            nonlocal calls
            if str(paths[0]).startswith(str(folder / "out")) and not str(paths[0]).endswith(".tmp"):
                calls += 1
                if calls > after:
                    raise _Cut
            usual(*paths)

        with monkeypatch.context() as patched:
            patched.setattr(outputs.os, step, cut)
            try:
                model.predict_file(folder / "in.csv", folder / name, **arguments)
                break
            except _Cut:
                cuts += 1
        model.predict_file(folder / "in.csv", folder / name, **arguments, resume=True)
        for suffix in ("", ".rejected.jsonl"):
            found = folder / (name + suffix)
            assert found.read_bytes() == (folder / "whole" / (name + suffix)).read_bytes()
            found.unlink()
        assert sorted(path.name for path in folder.iterdir()) == ["in.csv", "whole"]
    assert cuts >= 1


def test_what_was_scored_whole_appears_without_its_input(
    model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: Any) -> None:
        raise _Cut

    model.predict_file(folder / "in.csv", folder / "whole.csv", memory=SMALL)
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "finish", cut)
        with pytest.raises(_Cut):
            model.predict_file(folder / "in.csv", folder / "out.csv", memory=SMALL)
    assert not (folder / "out.csv").exists()
    (folder / "in.csv").unlink()
    assert finish_begun(str(folder / "out.csv"))
    assert (folder / "out.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    assert not finish_begun(str(folder / "out.csv"))


def test_interrupted_by_a_callback_it_keeps_what_is_done(model: Model, folder: Path) -> None:
    def stop(seen: edge_infer.batch.job.Seen) -> None:
        if seen.rows > 5000:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jobs, "_TELL_SECONDS", 0)
        with pytest.raises(KeyboardInterrupt):
            model.predict_file(folder / "in.csv", folder / "out.csv", memory=SMALL, progress=stop)
    result = model.predict_file(folder / "in.csv", folder / "out.csv", memory=SMALL, resume=True)
    assert 0 < result.resumed_rows < result.rows
    model.predict_file(folder / "in.csv", folder / "whole.csv", memory=SMALL)
    assert (folder / "out.csv").read_bytes() == (folder / "whole.csv").read_bytes()
