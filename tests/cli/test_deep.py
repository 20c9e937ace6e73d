"""Deep models through the command line: convert, inspect, verify, predict, and what is said of wrong input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.cli.conftest import Run, fresh
from tests.deep.graphs import convnet, embedding, recurrent, reference

IMAGES = np.random.default_rng(0).uniform(0, 1, (4, 1, 8, 8)).astype(np.float32)
LABELS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, labels, examples, and an artifact of the first."""
    made = tmp_path_factory.mktemp("deep")
    for name, model in (("net", convnet()), ("recurrent", recurrent()), ("words", embedding())):
        onnx.save(model, made / f"{name}.onnx")
    (made / "labels.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    np.save(made / "images.npy", IMAGES)
    np.savez(made / "images.npz", image=IMAGES)
    ran = fresh(
        "convert", made / "net.onnx", "--labels", made / "labels.txt", "--inputs", made / "images.npy",
        "--name", "digits", "-o", made / "digits.onnx",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "input      image: float32 [batch, 1, 8, 8]" in ran.out
    return made


def test_inspect_and_verify(run: Run, folder: Path) -> None:
    told = json.loads(run("inspect", folder / "digits.onnx", "--json").out)
    assert told["interface"]["outputs"][0]["classes"] == LABELS
    assert told["golden_calls"] == 3
    card = run("inspect", folder / "digits.onnx").out
    assert "output     scores: float32 [batch, 10]; 10 classes: zero, one, two" in card
    assert run("verify", folder / "digits.onnx").code == 0


@pytest.mark.parametrize("form", ["text", "object", "npy", "npz", "json", "stdin"])
def test_every_form_of_input_gives_the_same_best_classes(run: Run, folder: Path, tmp_path: Path, form: str) -> None:
    nested = json.dumps(IMAGES.tolist())
    (tmp_path / "images.json").write_text(nested, encoding="utf-8")
    given = {
        "text": nested,
        "object": json.dumps({"image": IMAGES.tolist()}),
        "npy": folder / "images.npy",
        "npz": folder / "images.npz",
        "json": tmp_path / "images.json",
        "stdin": "-",
    }[form]
    asked = ("predict", folder / "digits.onnx", given, "--top", 2, "--json")
    ran = fresh(*asked, stdin=nested.encode()) if form == "stdin" else run(*asked)
    assert ran.code == 0, ran.err
    scores = reference(convnet(), {"image": IMAGES})["scores"]
    wanted = [[LABELS[place] for place in np.argsort(row)[::-1][:2]] for row in scores]
    assert [[each["class"] for each in row] for row in json.loads(ran.out)["top"]] == wanted


def test_outputs_are_an_object_by_name(run: Run, folder: Path, tmp_path: Path) -> None:
    ran = run("predict", folder / "digits.onnx", folder / "images.npy")
    np.testing.assert_allclose(
        json.loads(ran.out)["scores"], reference(convnet(), {"image": IMAGES})["scores"], rtol=1e-4, atol=1e-5
    )
    target = tmp_path / "out.json"
    assert run("predict", folder / "digits.onnx", folder / "images.npy", "-o", target).code == 0
    assert json.loads(target.read_text()) == json.loads(ran.out)
    lines = run("predict", folder / "digits.onnx", json.dumps(IMAGES[:1].tolist()), "--top", "3").out.splitlines()
    assert len(lines) == 3
    assert all(line.split()[0] in LABELS for line in lines)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["[[1, 2]]"], "input 'image': expected float32 [batch, 1, 8, 8], got 2 dimensions: [1, 2]"),
        (['{"picture": [1]}'], "input 'image': expected a tensor float32 [batch, 1, 8, 8], got no such tensor"),
        (['[["a"]]'], "input 'image': expected nested lists of float32 [batch, 1, 8, 8]"),
        (["[[1], [2, 3]]"], "input 'image': expected nested lists of float32"),
        (["[1"], "expected JSON"),
        (["nothing.npy"], "nothing.npy"),
        (["rows.csv"], "expected JSON text, a .json, .npy or .npz file, or -"),
        (["[1]", "--method", "predict"], "--method: this model takes and gives tensors"),
        (["[1]", "--top", "0"], "--top: expected a whole number"),
        (["[1]", "--top", "many"], "--top: expected a whole number"),
    ],
)
def test_wrong_input_is_told(run: Run, folder: Path, args: list[str], told: str) -> None:
    ran = run("predict", folder / "digits.onnx", *args)
    assert ran.code in (1, 2)
    assert told in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01", b"PK\x03\x04 not a zip"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_broken_array_file_is_told(run: Run, folder: Path, tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    for args in (("predict", folder / "digits.onnx", path), ("convert", folder / "net.onnx", "--inputs", path)):
        ran = run(*args)
        assert ran.code in (1, 2)
        assert path.name in "".join(ran.err.split())
        assert "Traceback" not in ran.err


def test_pickles_in_array_files_are_not_read(run: Run, folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "odd.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    ran = run("predict", folder / "digits.onnx", tmp_path / "odd.npy")
    assert ran.code in (1, 2)
    assert "allow_pickle" in ran.err


def test_states_and_whole_numbers(run: Run, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "r.onnx"
    ran = run("convert", folder / "recurrent.onnx", "--state", "hidden=next", "-o", target, "--json")
    assert json.loads(ran.out)["inputs"] == {"step": "float32 [batch, 3]", "hidden": "float32 [batch, 4]"}
    assert "a state: the next call is fed next" in " ".join(run("inspect", target).out.split())
    words = tmp_path / "w.onnx"
    assert run("convert", folder / "words.onnx", "--inputs", "ids=int64[batch, length=4] 0..49", "-o", words).code == 0
    assert json.loads(run("predict", words, "[[3, 4]]").out)["twice"] == [[6, 8]]
    wrong = run("predict", words, "[[3.5, 4]]")
    assert "expected nested lists of int64 [batch, length]" in " ".join(wrong.err.split())


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--inputs", "image"], "--inputs: expected NAME="),
        (["--inputs", "image=float[1]"], "expected a type and sizes"),
        (["--inputs", "image=float32[batch,1,8,8]", "--inputs", "x.npy"], "expected one file of examples"),
        (["--labels", "nothing.txt"], "nothing.txt"),
        (["--state", "a"], "--state: expected NAME="),
        (["--precision", "float64"], "precision: for estimators"),
    ],
)
def test_wrong_options_are_told(run: Run, folder: Path, tmp_path: Path, args: list[str], told: str) -> None:
    ran = run("convert", folder / "net.onnx", *args, "-o", tmp_path / "x.onnx")
    assert ran.code in (1, 2)
    assert told in " ".join(ran.err.split())
    assert not (tmp_path / "x.onnx").exists()


def test_a_deep_model_lives_in_the_store(run: Run, folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Proven at its installation by its golden calls; a release that takes something else is a break."""
    monkeypatch.setenv("EDGE_INFER_HOME", str(tmp_path / "home"))
    assert run("install", folder / "digits.onnx").code == 0
    assert json.loads(run("predict", "digits", folder / "images.npy").out)["scores"]
    other = tmp_path / "digits-2.onnx"
    options = ("--name", "digits", "--version", "2.0.0", "--release", 2, "-o", other)
    assert run("convert", folder / "recurrent.onnx", *options).code == 0
    ran = run("install", other)
    assert ran.code == 1
    assert "the input 'image' is gone" in " ".join(ran.err.split())


def test_what_takes_records_says_that_this_takes_tensors(run: Run, folder: Path) -> None:
    ran = fresh("stream", folder / "digits.onnx", stdin=b"[1]\n")
    assert "takes and gives tensors" in ran.err + ran.out
    assert "Traceback" not in ran.err
