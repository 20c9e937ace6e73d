"""`convert` and `demo`, with the real converter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_infer.cli.extras import needs_converter
from edge_infer.errors import MissingExtraError
from tests.cli.conftest import ROOT, Run, fresh

pytest.importorskip("sklearn", reason="the extra `convert` is not installed")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pickled pipeline and its training data."""
    import joblib

    from edge_infer_convert.demo import train

    pipeline, frame, target = train()
    folder = tmp_path_factory.mktemp("fitted")
    joblib.dump(pipeline, folder / "penguins.joblib")
    frame.assign(species=target).to_csv(folder / "train.csv", index=False)
    return folder


def test_convert_makes_a_file_that_verifies_and_answers(run: Run, fitted: Path, tmp_path: Path) -> None:
    target = tmp_path / "p.onnx"
    options = ("--data", fitted / "train.csv", "--target-column", "species", "--trust-pickle", "-o", target)
    ran = run("convert", fitted / "penguins.joblib", *options, "--version", "1.2.0", "--release", 7, "--json")
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert (result["name"], result["version"], result["file"]) == ("penguins", "1.2.0", str(target))
    assert result["parity"]["rows"] > 0
    assert "predict" in result["methods"]
    assert all(word in ran.err for word in ("read the model", "find the columns", "make the graph", "write the file"))
    assert json.loads(run("inspect", target, "--json").out)["release"] == 7
    assert run("verify", target).code == 0
    answers = run("predict", target, fitted / "train.csv").out.splitlines()
    assert set(answers) == {"Adelie", "Chinstrap", "Gentoo"}
    assert len(answers) == 344


def test_a_pickle_is_read_only_when_trusted(run: Run, fitted: Path, tmp_path: Path) -> None:
    ran = run("convert", fitted / "penguins.joblib", "-o", tmp_path / "p.onnx")
    assert ran.code == 1
    assert "--trust-pickle" in ran.err
    assert not list(tmp_path.iterdir())


def test_what_is_read_is_never_overwritten(run: Run, fitted: Path) -> None:
    model = fitted / "penguins.joblib"
    before = model.read_bytes()
    assert run("convert", model, "--trust-pickle", "-o", model).code == 2
    assert run("convert", model, "--trust-pickle", "-o", fitted / "no" / "x.onnx").code == 2
    assert model.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ((), 1, "--trust-pickle"),
        (("--trust-pickle", "--name", "my birds"), 2, "got 'my birds'"),
        (("--trust-pickle", "--data", "{folder}/trian.csv"), 1, "(did you mean '{folder}/train.csv'?)"),
        (("--trust-pickle", "--data", "{folder}/train.csv", "--target-column", "Specie"), 1, "did you mean 'species'?"),
    ],
    ids=["no trust", "name", "data file", "target column"],
)
def test_what_is_wrong_beside_the_model_is_told_before_it_is_read(
    fitted: Path, tmp_path: Path, options: tuple[str, ...], code: int, told: str
) -> None:
    script = (
        "import sys\nfrom edge_infer.cli.main import main\ncode = main(sys.argv[1:])\n"
        "print('sklearn' in sys.modules)\nsys.exit(code)"
    )
    given = [option.format(folder=fitted) for option in options]
    done = subprocess.run(
        [sys.executable, "-c", script, "convert", fitted / "penguins.joblib", *given, "-o", tmp_path / "p.onnx"],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "convert")])},
    )
    assert (done.returncode, done.stdout) == (code, "False\n"), done.stderr
    assert told.format(folder=fitted) in done.stderr
    assert "read the model" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier and a regressor of two columns, quick to convert."""
    import joblib
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    folder = tmp_path_factory.mktemp("trees")
    X = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]]
    joblib.dump(DecisionTreeClassifier().fit(X, [0, 1, 0, 1]), folder / "c.joblib")
    joblib.dump(DecisionTreeClassifier(max_depth=1).fit(X, [0, 1, 0, 1]), folder / "again.joblib")
    joblib.dump(DecisionTreeRegressor().fit(X, [0.0, 0.5, 1.0, 2.0]), folder / "r.joblib")
    return folder


def test_a_model_is_made_anew_as_often_as_one_likes_and_a_stale_signature_is_told(
    run: Run, trees: Path, tmp_path: Path
) -> None:
    target = tmp_path / "t.onnx"
    signature = tmp_path / "t.onnx.sig"

    def made(model: str, *options: str) -> dict[str, Any]:
        ran = run("convert", trees / model, "--trust-pickle", "--name", "t", "-o", target, "--json", *options)
        assert ran.code == 0, ran.err
        return dict(json.loads(ran.out))

    assert made("c.joblib")["replaced"] is None
    signature.write_text("{}")
    same = made("c.joblib")
    assert (same["replaced"], same["stale_signature"]) == (None, None), "the same bytes: the signature still holds"
    later = made("again.joblib", "--version", "1.1.0")
    assert (later["replaced"], later["stale_signature"]) == ("t 1.0.0", str(signature))
    ran = run("convert", trees / "c.joblib", "--trust-pickle", "--name", "t", "-o", target)
    assert "replaced   t 1.1.0" in ran.out
    unfolded = "".join(ran.out.split())  # a long path may be folded anywhere
    assert f"{signature.name}isofthefilebefore" in unfolded


def test_a_file_of_another_model_is_replaced_by_force_only(run: Run, trees: Path, tmp_path: Path) -> None:
    target = tmp_path / "t.onnx"
    options = ("--trust-pickle", "-o", target)
    assert run("convert", trees / "c.joblib", *options, "--name", "t").code == 0
    before = target.read_bytes()
    for model, name, told in (
        ("r.joblib", "t", "a model for classification; the new one is for regression"),
        ("c.joblib", "other", "holds another model, t 1.0.0"),
    ):
        ran = run("convert", trees / model, *options, "--name", name)
        assert ran.code == 2
        assert told in ran.err
        assert "--force" in ran.err
        assert target.read_bytes() == before
    assert run("convert", trees / "r.joblib", *options, "--name", "t", "--force").code == 0
    assert json.loads(run("inspect", target, "--json").out)["task"] == "regression"
    target.write_text("notes")
    ran = run("convert", trees / "c.joblib", *options, "--name", "t")
    assert (ran.code, target.read_text()) == (2, "notes")
    assert "a file that edge-infer did not make" in ran.err
    assert run("convert", trees / "c.joblib", *options, "--name", "t", "--force").code == 0


@pytest.mark.parametrize("name", ["X.csv", "X.tsv", "named.csv", "X.npy"])
def test_a_model_of_arrays_takes_every_row_of_a_file_with_and_without_a_header(
    run: Run, trees: Path, tmp_path: Path, name: str
) -> None:
    X = np.array([[-9.5, 1.25], [0.5, 2.0], [3.5, 7.0]])
    separator = "\t" if name.endswith(".tsv") else ","
    if name.endswith(".npy"):
        np.save(tmp_path / name, X)
    else:
        np.savetxt(tmp_path / name, X, delimiter=separator, header="a,b" if name == "named.csv" else "", comments="")
        text = (tmp_path / name).read_text().lstrip("\n")
        (tmp_path / name).write_text(text)
    ran = run("convert", trees / "c.joblib", "--trust-pickle", "--data", tmp_path / name, "-o", tmp_path / "t.onnx")
    assert ran.code == 0, ran.err
    card = json.loads(run("inspect", tmp_path / "t.onnx", "--json").out)
    assert [column["range"] for column in card["inputs"]] == [[-9.5, 3.5], [1.25, 7.0]], "the first row too"
    assert card["parity"]["kinds"]["sample"] == len(X)


def test_a_header_of_numbers_is_a_header_where_the_model_knows_names(run: Run, tmp_path: Path) -> None:
    import joblib
    import pandas as pd
    from sklearn.tree import DecisionTreeRegressor

    frame = pd.DataFrame({"400.5": [1.0, 2.0, 3.0], "401.5": [3.0, 1.0, 2.0]})
    joblib.dump(DecisionTreeRegressor().fit(frame, [1.0, 2.0, 3.0]), tmp_path / "m.joblib")
    frame.to_csv(tmp_path / "X.csv", index=False)
    ran = run(
        *("convert", tmp_path / "m.joblib", "--trust-pickle", "--data", tmp_path / "X.csv", "-o", tmp_path / "m.onnx"),
        "--json",
    )
    assert json.loads(ran.out)["parity"]["kinds"]["sample"] == len(frame)


def test_the_output_is_named_by_name_and_version(fitted: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edge_infer.cli.main", "convert", str(fitted / "penguins.joblib")),
            *("--trust-pickle", "--name", "birds", "--data", str(fitted / "train.csv"), "--target-column", "species"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={
            "PYTHONPATH": f"{ROOT}:{ROOT / 'convert'}",
            "PATH": "/usr/bin:/bin",
            "PYTHONIOENCODING": "ascii",
            "EDGE_INFER_TUNED": "0",
        },
    )
    assert done.returncode == 0, done.stderr
    assert "birds-1.0.0.onnx" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["birds-1.0.0.onnx"]


def test_a_file_name_with_spaces_gives_a_valid_model_name(run: Run, fitted: Path, tmp_path: Path) -> None:
    model = tmp_path / "mein Modell (neu).pkl"
    model.write_bytes((fitted / "penguins.joblib").read_bytes())
    ran = run("convert", model, "--trust-pickle", "--data", fitted / "train.csv", "-o", tmp_path / "m.onnx", "--json")
    assert json.loads(ran.out)["name"] == "mein-Modell-neu"


def test_an_absent_dependency_gives_the_pip_command(fitted: Path) -> None:
    """A process that cannot find scikit-learn, as one where the extra is not installed."""
    script = (
        "import sys\nclass Absent:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == sys.argv[1]: raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent())\nfrom edge_infer.cli.main import main\n"
        "sys.exit(main(['convert', sys.argv[2], '--trust-pickle']))"
    )
    for module in ("sklearn", "onnx", "skl2onnx"):
        done = subprocess.run(
            [sys.executable, "-c", script, module, str(fitted / "penguins.joblib")],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'convert'}", "PATH": "/usr/bin:/bin", "EDGE_INFER_TUNED": "0"},
        )
        assert done.returncode == 1
        assert 'python -m pip install "edge-infer[convert]"' in done.stderr
        assert f"'{module}'" in done.stderr


def test_a_bug_in_an_import_is_not_taken_for_a_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match="gone"), needs_converter("x"):
        raise ModuleNotFoundError("gone", name="edge_infer_convert.gone")
    with pytest.raises(ImportError, match="cannot import name"), needs_converter("x"):
        from sklearn import nothing_of_this_name  # noqa: F401
    with pytest.raises(MissingExtraError, match=r"edge-infer\[skops\]"), needs_converter("x"):
        raise ModuleNotFoundError("no skops", name="skops")


@pytest.mark.slow
def test_demo_compares_and_keeps_the_file(fitted: Path, tmp_path: Path) -> None:
    ran = fresh("demo", "--folder", tmp_path / "d")
    assert ran.code == 0, ran.err
    assert "times as fast" in ran.out
    assert (tmp_path / "d" / "penguins-1.0.0.onnx").is_file()
    assert all(len(line) <= 80 or str(tmp_path) in line for line in ran.out.splitlines())
