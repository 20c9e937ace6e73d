"""`edge-infer convert --check` through the real command line: what people read from fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.cli.conftest import ROOT, Run
from tests.cli.strange import Doubler, Tripler

_COMMAND = ("convert", "--check", "--trust-pickle")


def _check(model: Path) -> subprocess.CompletedProcess[str]:
    """In a fresh process."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    command = [sys.executable, "-m", "edge_infer.cli.main", *_COMMAND, str(model)]
    env = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=120, check=False, cwd=ROOT)


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(Doubler(), StandardScaler(), Tripler(), LogisticRegression(max_iter=500)).fit(X, y)
    joblib.dump(model, tmp_path / "m.joblib")
    return tmp_path / "m.joblib"


def test_every_blocker_is_listed_and_the_exit_code_is_1(blocked: Path) -> None:
    done = _check(blocked)
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("blocked") == 2
    assert "doubler (Doubler): there is no converter" in done.stdout
    assert "tripler (Tripler): there is no converter" in done.stdout
    assert "2 of 4 steps cannot be converted" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert sorted(path.name for path in blocked.parent.iterdir()) == ["m.joblib"]


def test_blockers_are_one_json_object(blocked: Path, run: Run) -> None:
    found = json.loads(run(*_COMMAND, blocked, "--json").out)
    assert not found["ok"]
    assert [blocker["step"] for blocker in found["blockers"]] == ["doubler", "tripler"]
    assert all(blocker["reason"] and blocker["remedy"] for blocker in found["blockers"])


def test_model_without_blockers_tells_what_a_device_needs(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X, y), tmp_path / "m.joblib")
    done = _check(tmp_path / "m.joblib")
    assert done.returncode == 0, done.stderr
    assert "nothing stands in the way of 2 steps" in done.stdout
    assert "a device would need onnxruntime" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.joblib"]


def test_what_only_the_data_tells_is_no_blocker_of_a_step(tmp_path: Path, run: Run) -> None:
    """The weights of a linear model tell no range of its columns."""
    frame = pd.DataFrame({"age": np.arange(20.0), "fare": np.arange(20.0) ** 2})
    joblib.dump(LogisticRegression().fit(frame, frame["age"] > 9), tmp_path / "m.joblib")
    frame.to_csv(tmp_path / "X.csv", index=False)
    done = _check(tmp_path / "m.joblib")
    assert done.returncode == 0, done.stderr
    assert "nothing stands in the way of 1 step;" in done.stdout
    assert "convert needs --data" in done.stdout
    assert "range of: age, fare" in " ".join(done.stdout.split())
    assert "blocked" not in done.stdout
    told = json.loads(run(*_COMMAND, tmp_path / "m.joblib", "--json").out)
    assert (told["ok"], told["data_needed"], told["needs"]) == (True, ["age", "fare"], None)
    told = json.loads(run(*_COMMAND, tmp_path / "m.joblib", "--json", "--data", tmp_path / "X.csv").out)
    assert (told["ok"], told["data_needed"]) == (True, [])
    assert told["needs"]["onnxruntime"]
