"""The benchmarks run, check their answers, and write what the README quotes. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import boosted_trees, measure, million_rows, one_row, resources, results, start_up, string_entry
from benchmarks.measure import QUICK, Settings
from edge_infer.machine import usable_cpus

_POSITIVE = ("seconds", "bare_seconds", "memory_bytes")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a quick run of all parts; each part compares its answers itself."""
    folder = tmp_path_factory.mktemp("results")
    assert command.main(["--quick", "--output", str(folder)]) == 0
    return folder


def test_all_parts_run_and_give_positive_times(written: Path) -> None:
    document = json.loads((written / "results.json").read_text(encoding="utf-8"))
    assert set(document["parts"]) == set(command.PARTS)
    for part in document["parts"].values():
        assert part
        assert all(next(row[key] for key in _POSITIVE if key in row) > 0 for row in part)
    assert document["statistic"] == QUICK._asdict()


def test_every_case_is_measured(written: Path) -> None:
    parts = json.loads((written / "results.json").read_text(encoding="utf-8"))["parts"]
    assert {row["rows"] for row in parts["string_entry"]} == set(string_entry.ROWS)
    assert len(parts["string_entry"]) == 5 * len(string_entry.ROWS)
    assert {(row["method"], row["case"]) for row in parts["one_row"]} == {
        (method, case) for method in one_row.METHODS for case in one_row.CASES
    }
    assert {row["rows"] for row in parts["many_rows"]} == {10_000}
    assert {row["model"] for row in parts["many_rows"]} == {row["model"] for row in parts["one_row"]}
    assert [(row["rows"], row["case"]) for row in parts["boosted_trees"]] == [
        (rows, side) for rows in boosted_trees.ROWS for side in _boosted_sides()
    ]
    assert {(row["threads"], row["case"]) for row in parts["million_rows"]} == {
        (threads, side) for threads in (1, usable_cpus()) for side in ("edge_infer", "onnxruntime")
    }
    assert min(row["taken_bytes"] for row in parts["million_rows"]) > 0
    assert [row["case"] for row in parts["swap"]] == ["through activations", "without"]
    assert parts["swap"][1]["moves"] == 0
    assert [row["case"] for row in parts["start_up"]] == [
        "import edge_infer, load",
        "edge-infer predict MODEL JSON",
        "edge-infer stream MODEL, first line",
    ]


def _boosted_sides() -> list[str]:
    """lleaves is there on Python 3.11 to 3.13."""
    return ["LightGBM", *(["lleaves"] if find_spec("lleaves") else []), "edge_infer"]


def test_results_name_the_machine_the_statistic_and_every_part(written: Path) -> None:
    text = (written / "results.md").read_text(encoding="utf-8")
    facts = results.machine()
    assert all(value in text for value in facts.values())
    assert "median of 1 batches" in text
    assert text.count("\n## ") == len(command.PARTS)
    assert "<svg " in (written / "results.svg").read_text(encoding="utf-8")
    tables = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert min(tables) >= 6


def test_a_single_part_writes_no_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--quick", "--part", "string_entry", "--output", str(tmp_path)]) == 0
    assert "How text columns come in" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_different_answers_are_noticed() -> None:
    with pytest.raises(AssertionError, match="edge_infer"):
        one_row.check_equal({"scikit-learn": np.array([0.5, 0.5]), "edge_infer": np.array([0.5, 0.6])})
    with pytest.raises(AssertionError, match="onnxruntime"):
        one_row.check_equal({"scikit-learn": np.array(["a", "b"]), "onnxruntime": np.array(["a", "c"])})
    with pytest.raises(AssertionError, match="codes"):
        string_entry._check({"strings": lambda: [np.zeros(2)], "codes": lambda: [np.ones(2)]})


def test_boosters_that_answer_differently_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"LightGBM": lambda array: np.zeros(len(array)), "lleaves": lambda array: np.full(len(array), 1e-4)}
    monkeypatch.setattr(boosted_trees, "_sides", lambda *arguments: (np.zeros((1, 2)), wrong))
    with pytest.raises(AssertionError, match="lleaves"):
        boosted_trees.run(QUICK)


def test_a_booster_library_that_is_missing_leaves_its_side_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosted_trees, "ROWS", (1,))
    monkeypatch.setattr(boosted_trees, "find_spec", lambda name: None if name == "lleaves" else name)
    part = boosted_trees.run(QUICK)
    assert [row["case"] for row in part.measured] == ["LightGBM", "edge_infer"]
    assert "lleaves is not installed here" in part.note
    monkeypatch.setattr(boosted_trees, "find_spec", lambda name: None)
    part = boosted_trees.run(QUICK)
    assert (part.rows, part.measured) == ([], [])
    assert "lightgbm is not installed here" in part.note


def test_a_million_answers_that_differ_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def answered(command: list[str]) -> dict[str, float]:
        np.save(command[-1], np.full(3, float("edge_infer" in command)))
        return {"seconds": 1.0, "taken_bytes": 1, "answer_bytes": 1}

    monkeypatch.setattr(million_rows, "_answered", answered)
    commands = {"edge_infer": ["edge_infer"], "onnxruntime": ["onnxruntime"]}
    with pytest.raises(AssertionError, match="edge_infer"):
        million_rows._measured(commands, 1, tmp_path, 1)


def test_a_million_rows_are_judged_by_time_and_memory() -> None:
    def target(seconds: float, taken: float, answer: float = 1.0) -> str:
        told = {"seconds": 1.0, "taken_bytes": 1.0, "answer_bytes": 1.0}
        ours = told | {"seconds": seconds, "taken_bytes": taken, "answer_bytes": answer}
        return million_rows._row("", {"edge_infer": ours, "onnxruntime": told}, quick=False)[-1]

    assert target(1.0, 1.1).endswith(": met")
    assert target(1.1, 1.0).endswith(": MISSED")
    assert target(1.0, 1.3).endswith(": MISSED")
    assert target(1.0, 2.3, answer=2.0).endswith(": met"), "the answer itself is twice as large"
    assert target(1.0, 2.5, answer=2.0).endswith(": MISSED")


def test_targets_judge_the_sides_that_are_there() -> None:
    times = {"LightGBM": 1.0, "lleaves": 0.2, "edge_infer": 0.25}
    assert boosted_trees._target(1, times) == "≤ 1.00 lleaves, ≤ 0.30 LightGBM: MISSED"
    del times["lleaves"]
    assert boosted_trees._target(1, times) == "≤ 0.30 LightGBM: met"


def test_processes_that_print_different_answers_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    different = measure.Paired(1.0, 1.0, 1.0, 0.0, ("Gentoo\n", "Adelie\n"))
    monkeypatch.setattr(start_up, "paired", lambda *arguments: different)
    with pytest.raises(AssertionError, match="Gentoo"):
        start_up.run(QUICK)


def test_first_lines_that_differ_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"stream": '{"prediction": "Gentoo"}\n', "bare": "Adelie\n"}
    asked: list[str] = []

    def first_answer(command: list[str], line: str) -> tuple[float, str]:
        asked.append(line)
        return 0.1, answers["stream" if "stream" in command else "bare"]

    monkeypatch.setattr(start_up, "first_answer", first_answer)
    with pytest.raises(AssertionError, match=r"stream.*Gentoo.*Adelie"):
        start_up.run(QUICK)
    assert set(asked) == {json.dumps(start_up.RECORD)}


def test_a_first_answer_is_read_while_standard_input_is_open() -> None:
    waits = "import sys; print(sys.stdin.readline().upper(), end='', flush=True); sys.stdin.read()"
    seconds, answer = measure.first_answer([sys.executable, "-c", waits], "a record")
    assert (answer, seconds > 0) == ("A RECORD\n", True)
    with pytest.raises(subprocess.CalledProcessError):
        measure.first_answer([sys.executable, "-c", "input()"], "no answer")


def test_processes_that_serve_different_answers_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_serve", lambda side, *_: {"answer": side, "first": 1, "later": 1, "share": 0.1})
    with pytest.raises(AssertionError, match="different answers"):
        resources.run(QUICK)


def test_cases_take_turns_and_the_median_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    clock = iter(range(10_000))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    cases = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    assert measure.side_by_side(cases, Settings(batches=3, seconds=1.0, pairs=1)) == {"a": 1.0, "b": 1.0}
    assert order == ["a", "b"] * 4


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5e-6, "2.5 µs"), (0.0123, "12.3 ms"), (1.5, "1.5 s"), (9.994e-4, "999 µs")]
)
def test_times_read_well(seconds: float, text: str) -> None:
    assert results.spent(seconds) == text
