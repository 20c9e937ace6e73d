"""A watched folder: each file is scored once, whatever happens between the steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_infer import Model
from edge_infer.batch import drop_folder, job
from edge_infer.batch.drop_folder import DropFolder, Score
from edge_infer.batch.job import BatchResult
from edge_infer.batch.predicting import predict_files
from edge_infer.errors import BatchError, UsageError
from tests.batch.passengers import passengers

TEXT = passengers(300).to_csv(index=False)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return tmp_path / "in", tmp_path / "out"


def _score(model: Model) -> Score:
    """As the command does it."""

    def score(path: str, output: str, before_end: Callable[[], None]) -> BatchResult:
        digest = model.artifact.digest
        return predict_files(model.scorer(), digest, path, output, resume=True, before_end=before_end, keep=["id"])

    return score


def _watched(folders: tuple[Path, Path]) -> DropFolder:
    return DropFolder(str(folders[0]), str(folders[1]), ".csv", settle=0)


def _all(drop: DropFolder, model: Model) -> list[Any]:
    """What a start of the command does."""
    with drop.locked():
        drop.finish_begun()
        drop.waiting()  # sees what is there
        return [drop.score(name, _score(model)) for name in drop.waiting()]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_files_are_scored_and_moved(model: Model, folders: tuple[Path, Path]) -> None:
    inbox, outbox = folders
    (inbox / "a.csv").write_text(TEXT)
    (inbox / "b.csv").write_text("nothing,here\n1,2\n")
    (inbox / "c.csv.part").write_text(TEXT)
    (inbox / "readme.txt").write_text("no input")
    finished = _all(_watched(folders), model)
    assert [(each.name, each.result is not None) for each in finished] == [("a.csv", True), ("b.csv", False)]
    assert _names(inbox) == ["c.csv.part", "done", "failed", "readme.txt"]
    assert _names(inbox / "done") == ["a.csv"]
    assert _names(inbox / "failed") == ["b.csv", "b.csv.error.txt"]
    assert "no such column" in (inbox / "failed" / "b.csv.error.txt").read_text()
    assert _names(outbox) == ["a.csv"]
    assert _all(_watched(folders), model) == []


def test_a_second_file_of_a_name_replaces_nothing(model: Model, folders: tuple[Path, Path]) -> None:
    inbox, outbox = folders
    for rows in (300, 200):
        (inbox / "a.csv").write_text(passengers(rows).to_csv(index=False))
        _all(_watched(folders), model)
    assert _names(outbox) == ["a.csv", "a~2.csv"]
    assert _names(inbox / "done") == ["a.csv", "a~2.csv"]
    assert (outbox / "a.csv").read_text().count("\n") > (outbox / "a~2.csv").read_text().count("\n")


def test_a_file_that_still_grows_waits(model: Model, folders: tuple[Path, Path]) -> None:
    drop = DropFolder(str(folders[0]), str(folders[1]), ".csv", settle=0.0)
    (folders[0] / "a.csv").write_text(TEXT[:1000])
    assert drop.waiting() == []
    (folders[0] / "a.csv").write_text(TEXT)
    assert drop.waiting() == []
    assert drop.is_unsettled()
    assert drop.waiting() == ["a.csv"]


class _Cut(Exception):
    pass


@pytest.mark.parametrize("step", [(job, "_appear"), (job, "finish"), (drop_folder.os, "rename")])
def test_a_crash_between_the_steps_scores_nothing_twice(
    model: Model, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, step: tuple[Any, str]
) -> None:
    inbox, outbox = folders
    (inbox / "a.csv").write_text(TEXT)

    def cut(*_: Any, **__: Any) -> None:
        raise _Cut

    with monkeypatch.context() as patched:
        patched.setattr(*step, cut)
        with pytest.raises(_Cut):
            _all(_watched(folders), model)
    assert not (outbox / "a.csv").exists()
    again = _all(_watched(folders), model)
    assert len(again) == (1 if step[1] == "rename" else 0)  # moved already: the output alone was missing
    assert _names(inbox / "done") == ["a.csv"]
    assert _names(outbox) == ["a.csv"]
    model.predict_file(inbox / "done" / "a.csv", outbox.parent / "whole.csv", keep=["id"])
    assert (outbox / "a.csv").read_bytes() == (outbox.parent / "whole.csv").read_bytes()
    assert _all(_watched(folders), model) == []


def test_after_a_crash_a_new_file_of_the_name_and_the_old_output_are_both_there(
    model: Model, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, outbox = folders
    (inbox / "a.csv").write_text(TEXT)

    def cut(*_: Any, **__: Any) -> None:
        raise _Cut

    with monkeypatch.context() as patched:
        patched.setattr(job, "finish", cut)
        with pytest.raises(_Cut):
            _all(_watched(folders), model)
    (inbox / "a.csv").write_text(passengers(7).to_csv(index=False))
    _all(_watched(folders), model)
    assert _names(outbox) == ["a.csv", "a~2.csv"]


def test_one_watches_at_a_time(folders: tuple[Path, Path]) -> None:
    with _watched(folders).locked(), pytest.raises(BatchError, match="another process"), _watched(folders).locked():
        pass


def test_folders_that_cannot_be_are_told(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="--watch"):
        DropFolder(str(tmp_path / "nowhere"), str(folders[1]), ".csv")
    with pytest.raises(UsageError, match="--output"):
        DropFolder(str(folders[0]), str(tmp_path / "nowhere"), ".csv")
    with pytest.raises(UsageError, match="choose another"):
        DropFolder(str(folders[0]), str(folders[0]), ".csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file: run the tests as another user")
def test_a_file_that_may_not_be_read_stays_and_the_others_go_on(model: Model, folders: tuple[Path, Path]) -> None:
    inbox, _ = folders
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_text(TEXT)
    (inbox / "a.csv").chmod(0)
    drop = _watched(folders)
    assert [each.result is not None for each in _all(drop, model)] == [False, True]
    assert _names(inbox) == ["a.csv", "done"]
    assert drop.waiting() == []
