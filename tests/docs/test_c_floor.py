"""The C program of the benchmarks: its declarations of onnxruntime's C API give the answers that Python gives."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import c_floor
from benchmarks.cores import core
from benchmarks.measure import QUICK, in_turns
from benchmarks.subjects import Subject, penguins


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return penguins(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = c_floor.compiled(tmp_path_factory.mktemp("program"))
    if made is None:
        pytest.skip("there is no C compiler, or no shared library in onnxruntime's wheel")
    return made


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
@pytest.mark.parametrize("row", [0, 1, 150])
def test_both_ways_of_c_answer_as_python(
    subject: Subject, program: Path, tmp_path: Path, method: str, row: int
) -> None:
    graph = core(subject.path, method)
    feeds = graph.feeds(subject.frame.iloc[[row]])
    wanted = graph.session.run([graph.output], feeds)[0][0]
    with c_floor._serving(program, graph, feeds, tmp_path) as (answers, batches):
        assert {case: answer.tolist() for case, answer in answers.items()} == {
            case: wanted.tolist() for case in (c_floor.C_RUN, c_floor.C_BOUND)
        }
        assert min(in_turns(batches, QUICK).values()) > 0


def test_the_core_graph_answers_as_the_model(subject: Subject) -> None:
    graph = core(subject.path, "predict_proba")
    feeds = graph.feeds(subject.frame)
    np.testing.assert_array_equal(graph.session.run([graph.output], feeds)[0], graph.model.predict_proba(subject.frame))
    assert "codes" in feeds
    assert len(graph.data) < subject.path.stat().st_size


def test_what_onnxruntime_refuses_is_told(
    subject: Subject, program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = core(subject.path, "predict_proba")
    feeds = graph.feeds(subject.frame.iloc[[0]])
    broken = graph._replace(data=graph.data[:100])
    with pytest.raises(subprocess.CalledProcessError), c_floor._serving(program, broken, feeds, tmp_path):
        pass
    assert "c_floor: " in capfd.readouterr().err


def test_answers_of_c_that_differ_are_noticed(monkeypatch: pytest.MonkeyPatch, program: Path) -> None:
    def half(process: Any) -> NDArray[np.float64]:
        return c_floor_line(process) / 2

    c_floor_line = c_floor._line
    monkeypatch.setattr(c_floor, "_line", half)
    monkeypatch.setattr(c_floor, "_SUBJECTS", c_floor._SUBJECTS[:1])
    with pytest.raises(AssertionError, match="C, Run"):
        c_floor.run(QUICK)


def test_without_a_compiler_the_other_columns_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(c_floor, "_SUBJECTS", c_floor._SUBJECTS[:1])
    part = c_floor.run(QUICK)
    assert "There is no C compiler" in part.note
    assert [row["case"] for row in part.measured] == [c_floor.READY, c_floor.BOUND, c_floor.DICT, c_floor.ARRAY]
    assert len(part.rows[0]) == len(part.headers)
