"""`edge-infer convert` on files of booster libraries: whole ones convert, others are told.

Whole files, and a torn one of each kind, are given to fresh processes, which need seconds to start; other broken files
to the same command in this process, what the libraries' native code prints included.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

import edge_infer
from tests.cli.conftest import ROOT, Ran, Run

_RNG = np.random.default_rng(0)
X = pd.DataFrame(_RNG.normal(size=(200, 3)), columns=["a", "b", "c"])
Y = (X.a + X.b > 0).astype(int)


def _arguments(folder: Path, name: str) -> list[str]:
    X.to_csv(folder / "x.csv", index=False)
    return ["convert", name, "--data", "x.csv", "--output", "out.onnx"]


def _convert(folder: Path, name: str) -> Ran:
    """In a fresh process."""
    command = [sys.executable, "-m", "edge_infer.cli.main", *_arguments(folder, name)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "convert")])}
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=120, check=False, cwd=folder)
    return Ran(done.returncode, done.stdout, done.stderr)


def _xgboost(path: Path) -> np.ndarray:
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, Y), 3)
    booster.save_model(path)
    return np.asarray(booster.predict(xgboost.DMatrix(X)))


def _lightgbm(path: Path) -> np.ndarray:
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, Y), 3)
    booster.save_model(path)
    return np.asarray(booster.predict(X))


def _catboost(path: Path) -> np.ndarray:
    model = catboost.CatBoostRegressor(iterations=3, verbose=False, allow_writing_files=False).fit(X, Y)
    model.save_model(str(path), format=path.suffix[1:])
    return np.asarray(model.predict(X))


WRITERS: dict[str, Callable[[Path], np.ndarray]] = {
    "m.ubj": _xgboost,
    "m.json": _xgboost,
    "m.txt": _lightgbm,
    "m.cbm": _catboost,
    "cat.json": _catboost,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_saved_model_converts_without_trust_and_answers_as_its_library(name: str, tmp_path: Path) -> None:
    expected = WRITERS[name](tmp_path / name)
    done = _convert(tmp_path, name)
    assert done.code == 0, done.err
    np.testing.assert_allclose(edge_infer.load(tmp_path / "out.onnx").predict(X), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", WRITERS)
def test_a_torn_file_is_told_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    _tear(tmp_path / name, 0.9)
    _assert_refused(_convert(tmp_path, name), tmp_path, name)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_which_little_is_left_is_told(
    name: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tear(tmp_path / name, 0.3)
    monkeypatch.chdir(tmp_path)
    _assert_refused(run(*_arguments(tmp_path, name)), tmp_path, name)


def _tear(path: Path, share: float) -> None:
    """Write the model of this name, and leave so much of it."""
    WRITERS[path.name](path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])


@pytest.mark.parametrize(
    ("name", "content"),
    [("readme.txt", b"# Notes\n"), ("numbers.json", b'{"a": 1}'), ("image.cbm", b"\x89PNG"), ("bytes.ubj", b"\0" * 64)],
)
def test_a_file_of_another_kind_is_told(
    name: str, content: bytes, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    _assert_refused(run(*_arguments(tmp_path, name)), tmp_path, name)


def _assert_refused(ran: Ran, folder: Path, name: str) -> None:
    assert ran.code == 1, ran.err
    assert f"error: {name} cannot be read as a model of" in ran.err
    assert "Traceback" not in ran.err
    assert "Stack trace" not in ran.err
    assert len(ran.err.splitlines()) < 10
    assert not (folder / "out.onnx").exists()
