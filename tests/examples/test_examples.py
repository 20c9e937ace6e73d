"""Every example runs in a fresh process, in an empty folder, and gives scikit-learn's answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import edge_infer
from edge_infer_convert.demo import train
from tests.examples.models import penguins_with_gaps

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CLI = [sys.executable, "-m", "edge_infer.cli.main"]
PENGUINS = ROOT / "artifacts" / "samples" / "format-1" / "penguins-1.0.0.onnx"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def environment(**more: str) -> dict[str, str]:
    """This process's packages for a child that starts elsewhere."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "convert")])} | more


def run(command: list[str], folder: Path, env: dict[str, str], code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def example(name: str, folder: Path) -> str:
    done = run([sys.executable, str(EXAMPLES / name)], folder, environment())
    assert done.stderr == ""
    return done.stdout


def test_dates_gives_the_answers_of_scikit_learn(tmp_path: Path) -> None:
    """The example compares them itself."""
    out = example("dates.py", tmp_path)
    assert "probe rows equal → rides-1.0.0.onnx>" in out
    answer = edge_infer.load(tmp_path / "rides-1.0.0.onnx").predict({"start": "2024-07-06T12:00:00", "degrees": 24.5})
    assert f"a warm Saturday at noon: {answer:.1f} rides" in out


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH on which `edge-infer` and `python3` are this Python's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, command in {"edge-infer": CLI, "python3": CLI[:1]}.items():
        quoted = " ".join(f"'{part}'" for part in command)
        (folder / name).write_text(f'#!/bin/sh\nexec {quoted} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    return os.pathsep.join([str(folder), os.environ["PATH"]])


def test_penguins_gives_the_answers_of_scikit_learn(tmp_path: Path) -> None:
    out = example("penguins.py", tmp_path)
    pipeline, X, _ = train()
    model = edge_infer.load(tmp_path / "penguins-1.0.0.onnx")
    assert model.predict(X).tolist() == pipeline.predict(X).tolist()
    np.testing.assert_allclose(model.predict_proba(X), pipeline.predict_proba(X), rtol=0, atol=1e-5)
    assert "one record: Gentoo\n" in out
    assert "labels equal: 344 of 344\n" in out
    best = pipeline.predict_proba(X).max(axis=1)
    assert all(f"{best[row]:.6f}" in out for row in (0, 3, 160, 300))


def test_digits_gives_the_labels_of_scikit_learn(tmp_path: Path) -> None:
    out = example("digits.py", tmp_path)
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, _ = train_test_split(X, y, random_state=0)
    forest = RandomForestClassifier(50, random_state=0).fit(X_train, y_train)
    labels = edge_infer.load(tmp_path / "digits-1.0.0.onnx").predict(X_test)
    assert labels.tolist() == forest.predict(X_test).tolist()
    assert f"one row (64 numbers): {labels[0]}\n" in out
    assert "equal to scikit-learn's: 450 of 450\n" in out


def test_diabetes_gives_the_numbers_of_scikit_learn(tmp_path: Path) -> None:
    out = example("diabetes.py", tmp_path)  # compares every number itself, and fails if one differs
    stated = re.search(r"111 rows, largest relative difference from scikit-learn: (\S+)", out)
    assert stated is not None
    assert float(stated[1]) <= 1e-5
    assert re.search(r"^one record: \d+\.\d{3}$", out, re.MULTILINE)


def test_the_circle_closes(tmp_path: Path) -> None:
    """Drift is seen where it was put, and the retrained model takes over and is confirmed."""
    out = example("closing_the_circle.py", tmp_path)
    shares = {
        line.split(":")[0]: int(line.split(": ")[1].split("%")[0]) for line in out.splitlines() if "right " in line
    }
    assert "the monitor says: drifted: body_mass_g" in out
    assert shares["right before"] < 70
    assert shares["right now"] > 90
    assert "confirmed: True\n" in out


def test_own_estimator_gives_the_probabilities_of_scikit_learn(tmp_path: Path) -> None:
    out = example("own_estimator/train.py", tmp_path)  # compares them itself, and fails if one differs
    assert "143 test rows: probabilities as scikit-learn's, labels equal: True\n" in out
    beside = environment()
    beside["PYTHONPATH"] += os.pathsep + str(EXAMPLES / "own_estimator")
    command = [*CLI, "convert", "breast-cancer.pickle", "--trust-pickle", "--data", "breast-cancer.csv"]
    run([*command, "--name", "by-shell", "--output", "by-shell.onnx"], tmp_path, beside)
    rows = pd.read_csv(tmp_path / "breast-cancer.csv")
    answers = [edge_infer.load(tmp_path / f"{name}.onnx").predict(rows) for name in ("by-shell", "breast-cancer-1.0.0")]
    assert answers[0].tolist() == answers[1].tolist()


def test_own_estimator_whose_module_is_missing_is_told(tmp_path: Path) -> None:
    example("own_estimator/train.py", tmp_path)
    done = run([*CLI, "convert", "breast-cancer.pickle", "--trust-pickle"], tmp_path, environment(), code=1)
    assert "the module 'winsoriser', which is not importable here" in done.stderr


def test_shell_example_gives_the_answers_of_scikit_learn(tmp_path: Path, programs: str) -> None:
    done = run(["sh", str(EXAMPLES / "penguins.sh")], tmp_path, environment(PATH=programs))
    pipeline, X, _ = train()
    answers = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert answers == {"prediction": pipeline.predict(X).tolist()}
    assert "one record:\nGentoo\n" in done.stdout
    lines = [json.loads(line) for line in done.stdout.partition("stream:\n")[2].splitlines()]
    assert [line.get("prediction") for line in lines] == ["Adelie", None, "Gentoo"]
    assert lines[1]["id"] == 2
    assert lines[1]["line"] == 2


def test_shell_example_stops_at_the_first_failure(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to("/bin/false")
    done = run([shutil.which("sh") or "sh", str(EXAMPLES / "penguins.sh")], tmp_path, {"PATH": str(tmp_path)}, code=1)
    assert done.stdout == ""


def streamed(folder: Path, path: str, lines: str, model: Path = PENGUINS, code: int = 0) -> tuple[str, str]:
    """What examples/shell/stream.sh prints; it leaves no file behind."""
    (folder / "temporary").mkdir(exist_ok=True)
    done = subprocess.run(
        ["sh", str(EXAMPLES / "shell" / "stream.sh"), str(model)],
        input=lines,
        env=environment(PATH=path, TMPDIR=str(folder / "temporary")),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert list((folder / "temporary").iterdir()) == []
    return done.stdout, done.stderr


def test_shell_stream_answers_as_python_by_one_process(tmp_path: Path, programs: str) -> None:
    started = tmp_path / "started"
    command = tmp_path / "bin" / "edge-infer"
    command.write_text(command.read_text(encoding="utf-8").replace("exec", f"echo >> '{started}'; exec"))
    records = penguins_with_gaps(60)
    out, err = streamed(tmp_path, programs, "".join(json.dumps(record) + "\n" for record in records))
    assert out.splitlines() == edge_infer.load(PENGUINS).predict(records).tolist()
    assert err == ""
    assert started.read_text(encoding="utf-8") == "\n"


def test_shell_stream_goes_on_after_a_refused_record(tmp_path: Path, programs: str) -> None:
    good = PENGUINS.with_suffix(".record.json").read_text(encoding="utf-8").strip()
    out, err = streamed(tmp_path, programs, f'{good}\n{{"island": "a\\\\nb"}}\n{good}', code=1)
    assert out == "Gentoo\nGentoo\n"
    assert err.startswith('refused: {"error": ')
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("missing", ["model", "command"])
def test_shell_stream_says_when_the_stream_is_not_there(tmp_path: Path, programs: str, missing: str) -> None:
    if missing == "command":
        (tmp_path / "bin" / "edge-infer").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    model = tmp_path / "none.onnx" if missing == "model" else PENGUINS
    assert "edge-infer ended before it answered" in streamed(tmp_path, programs, "{}\n", model, code=2)[1]


@needs_node
@pytest.mark.parametrize("way", ["arguments", "EDGE_INFER"])
def test_node_app_gives_the_answers_of_python_and_goes_on_after_an_error(tmp_path: Path, way: str) -> None:
    command = ["node", str(EXAMPLES / "stream_from_node" / "app.mjs"), str(PENGUINS)]
    by_variable = {"EDGE_INFER": " ".join(CLI)} if way == "EDGE_INFER" else {}
    done = run(command + ([] if by_variable else CLI), tmp_path, environment(**by_variable))
    records = json.loads((EXAMPLES / "stream_from_node" / "records.json").read_text(encoding="utf-8"))
    model = edge_infer.load(PENGUINS)
    lines = done.stdout.splitlines()
    assert len(lines) == len(records)
    for line, record in zip(lines, records, strict=True):
        if record["bill_length_mm"] == "long":
            assert line.startswith("record 3: refused (line 3): ")
            assert "bill_length_mm" in line
        else:
            best = model.predict_proba(record).max()
            assert line == f"record {record['id']}: {model.predict(record)} ({best:.4f})"


@needs_node
def test_node_app_says_when_the_command_is_not_there(tmp_path: Path) -> None:
    app = str(EXAMPLES / "stream_from_node" / "app.mjs")
    done = run(["node", app, str(PENGUINS), "no-such-command"], tmp_path, environment(), code=1)
    assert done.stderr.startswith("error: ")


@needs_node
def test_node_app_says_when_the_child_ends_early(tmp_path: Path) -> None:
    app = str(EXAMPLES / "stream_from_node" / "app.mjs")
    done = run(["node", app, "no-such-model.onnx", *CLI], tmp_path, environment(), code=1)
    assert "edge-infer ended before it answered" in done.stderr


def test_every_example_is_listed_with_its_command() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    present = {path.name for path in EXAMPLES.iterdir() if path.name not in ("README.md", "__pycache__")}
    assert {name for name in present if f"examples/{name}" not in text} == set()
