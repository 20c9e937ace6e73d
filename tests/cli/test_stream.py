"""`stream`: a line for a line, whatever the lines hold."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer import load
from edge_infer.cli.stream import answer_line, read_lines
from tests.cli.conftest import RECORD, ROOT, classifier_bytes, fresh

ONE = json.dumps(RECORD, ensure_ascii=False)


def stream(model: Path, text: str | bytes, *options: str, **environment: str) -> list[dict[str, object]]:
    ran = fresh("stream", model, *options, stdin=text if isinstance(text, bytes) else text.encode(), **environment)
    assert (ran.code, ran.err) == (0, "")
    return [json.loads(line) for line in ran.out.splitlines()]


def test_each_line_gets_one_answer(classifier: Path) -> None:
    with_id = json.dumps({**RECORD, "id": "ä7"})
    lines = [ONE, "", "{", with_id, '{"id": 3, "age": 1}', f'{{"input": [{ONE}], "id": null}}', "5"]
    answers = stream(classifier, "\n".join(lines))
    with load(classifier) as model:
        label = model.predict(RECORD)
    assert len(answers) == len(lines)
    assert answers[0]["prediction"] == label
    assert set(answers[0]["probabilities"]) == {"Adélie", "ok", "no"}  # type: ignore[call-overload]
    assert [answer.get("line") for answer in answers] == [None, 2, 3, None, 5, None, 7]
    assert (answers[3]["id"], answers[3]["prediction"]) == ("ä7", label)
    assert answers[4]["id"] == 3
    assert answers[5]["id"] is None
    assert answers[5]["prediction"] == [label]


def test_method_chooses_the_answer(classifier: Path) -> None:
    assert list(stream(classifier, ONE, "--method", "predict")[0]) == ["prediction"]
    assert list(stream(classifier, ONE, "--method", "all")[0]) == ["predict", "predict_proba"]
    assert "Adélie" in stream(classifier, ONE, "-m", "predict_proba")[0]["prediction"]  # type: ignore[operator]


def test_bom_crlf_and_any_encoding_of_the_terminal(classifier: Path) -> None:
    answers = stream(classifier, f"\ufeff{ONE}\r\n{ONE}\r\n".encode(), PYTHONIOENCODING="ascii")
    assert [list(answer) for answer in answers] == [["prediction", "probabilities"]] * 2


def test_nothing_in_gives_nothing_out(classifier: Path) -> None:
    assert stream(classifier, "") == []


def test_a_parent_that_asks_and_waits_gets_each_answer_at_once(classifier: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "edge_infer.cli.main", "stream", str(classifier)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for number in range(20):
            child.stdin.write(json.dumps({**RECORD, "id": number}).encode() + b"\n")
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["id"] == number
        child.stdin.close()
        assert child.wait(30) == 0


def test_a_long_line_is_passed_over_in_bounded_memory() -> None:
    source = io.BytesIO(b"ab\n" + b"x" * 300_000 + b"\nabcd\nabcde\n" + b"y" * 9)
    assert list(read_lines(source, 4)) == [b"ab", None, b"abcd", None, None]


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: json.dumps({"id": text}).encode()))
def test_any_line_gives_an_object(line: bytes) -> None:
    answer = answer_line(_MODEL, {"predict": "prediction"}, line, 1)
    assert "error" in answer or "prediction" in answer


_MODEL = load(classifier_bytes())


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_who_types_is_told_how_it_ends(classifier: Path) -> None:
    import pty

    typed, stdin = pty.openpty()
    os.write(typed, json.dumps(RECORD).encode() + b"\n\x04")
    command = [sys.executable, "-m", "edge_infer.cli.main", "stream", str(classifier)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, stdin=stdin, capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    os.close(typed)
    os.close(stdin)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stderr == "reading JSON Lines from the terminal, a record a line; Ctrl-D ends it\n"
