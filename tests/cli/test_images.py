"""Images through the command line: told as a text, given as files, several of them, and what is said of wrong ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image as Pil

from tests.cli.conftest import Run, fresh
from tests.deep.graphs import convnet, recurrent, reference
from tests.deep.pictures import photo, through

LABELS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
DIGITS = {name: photo(8, 8, 1, seed) for seed, name in enumerate(("seven.png", "four.png"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that takes grey images of 8 × 8, one that resizes, and files."""
    made = tmp_path_factory.mktemp("images")
    onnx.save(convnet(), made / "net.onnx")
    onnx.save(through(["N", 3, 4, 4]), made / "through.onnx")
    onnx.save(recurrent(), made / "recurrent.onnx")
    (made / "labels.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    for name, pixels in DIGITS.items():
        Pil.fromarray(pixels[..., 0]).save(made / name)
    Pil.fromarray(photo(30, 20)).save(made / "large.jpg")
    (made / "torn.png").write_bytes((made / "seven.png").read_bytes()[:60])
    ran = fresh(
        "convert", made / "net.onnx", "--labels", made / "labels.txt", "--name", "digits", "-o", made / "digits.onnx",
        "--inputs", "image=image[8, 8] channels=L scale=1/255 mean=0.5 std=0.5",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "input      image: uint8 [batch, 8, 8, 1]" in ran.out
    return made


def wanted(name: str, top: int) -> list[str]:
    """The best classes, by the reference of ONNX."""
    prepared = ((DIGITS[name].astype(np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]
    return [LABELS[place] for place in np.argsort(reference(convnet(), {"image": prepared})["scores"][0])[::-1][:top]]


def test_files_get_their_best_classes_in_a_fresh_process(folder: Path) -> None:
    one = fresh("predict", folder / "digits.onnx", folder / "seven.png", "--top", "3")
    assert (one.code, one.err) == (0, "")
    assert [line.split()[0] for line in one.out.splitlines()] == wanted("seven.png", 3)
    files = [folder / "seven.png", folder / "four.png"]
    both = fresh("predict", folder / "digits.onnx", *files, "--top", "2").out.splitlines()
    assert [line.split()[0] for line in both if line] == [
        *(str(files[0]), *wanted("seven.png", 2)),
        *(str(files[1]), *wanted("four.png", 2)),
    ]
    assert both[3] == ""


def test_answers_of_files_are_json_too(run: Run, folder: Path) -> None:
    files = [str(folder / name) for name in DIGITS]
    told = json.loads(run("predict", folder / "digits.onnx", *files, "--top", "1", "--json").out)["files"]
    assert [(each["file"], each["top"][0][0]["class"]) for each in told] == [
        (file, wanted(name, 1)[0]) for file, name in zip(files, DIGITS, strict=True)
    ]
    plain = json.loads(run("predict", folder / "digits.onnx", *files).out)["files"]
    single = json.loads(run("predict", folder / "digits.onnx", files[1]).out)
    assert plain[1] == {"file": files[1], "outputs": single}


@pytest.mark.parametrize("form", ["object", "stdin", "pixels"])
def test_an_image_comes_in_other_ways(run: Run, folder: Path, form: str) -> None:
    asked = ("predict", folder / "digits.onnx")
    if form == "stdin":
        ran = fresh(*asked, "-", "--top", "1", stdin=(folder / "four.png").read_bytes())
    elif form == "object":
        ran = run(*asked, json.dumps({"image": str(folder / "four.png")}), "--top", "1")
    else:
        ran = run(*asked, json.dumps(DIGITS["four.png"][None].tolist()), "--top", "1")
    assert ran.code == 0, ran.err
    assert ran.out.split()[0] == wanted("four.png", 1)[0]


def test_inspect_shows_what_is_made_of_an_image(run: Run, folder: Path, tmp_path: Path) -> None:
    text = "x=image[4, 4] resize=5 mean=0.485,0.456,0.406 std=0.229,0.224,0.225 channels=BGR"
    assert run("convert", folder / "through.onnx", "--inputs", text, "-o", tmp_path / "x.onnx").code == 0
    card = " ".join(run("inspect", tmp_path / "x.onnx").out.split())
    assert "x: uint8 [batch, height, width, 3]; an image, BGR: the shorter edge to 5 (bilinear, antialias)" in card
    assert "the middle 4 × 4 pixels, × 0.00392157, − (0.485, 0.456, 0.406), ÷ (0.229, 0.224, 0.225); NCHW" in card
    told = json.loads(run("inspect", tmp_path / "x.onnx", "--json").out)["interface"]["inputs"][0]["image"]
    assert (told["resize"], told["size"], told["channels"]) == (5, [4, 4], "BGR")
    assert run("verify", tmp_path / "x.onnx").code == 0
    answer = json.loads(run("predict", tmp_path / "x.onnx", folder / "large.jpg").out)["y"]
    assert np.shape(answer) == (1, 3, 4, 4)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["digits.onnx", "torn.png"], "torn.png: broken"),
        (["digits.onnx", "seven.png", "torn.png"], "torn.png: broken"),
        (["digits.onnx", "large.jpg"], "large.jpg: 30 pixels high, 20 wide"),
        (["digits.onnx", "nothing.png"], "nothing.png: no such file"),
        (["digits.onnx", "labels.txt"], "labels.txt: none of these"),
        (["digits.onnx", "seven.png", "[[1]]"], "expected one input, or files of images"),
        (["digits.onnx", "seven.png", "-"], "expected one input, or files of images"),
        (["recurrent-1.0.0.onnx", "seven.png"], "this model takes no image (step: float32 [batch, 3]"),
        (["recurrent-1.0.0.onnx", "[1]", "[2]"], "this model takes no image"),
    ],
)
def test_wrong_files_are_told(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], told: str
) -> None:
    monkeypatch.chdir(folder)
    if args[0].startswith("recurrent") and not (folder / args[0]).exists():
        assert run("convert", "recurrent.onnx").code == 0
    ran = run("predict", *args, "--json")
    assert ran.code in (1, 2)
    assert told in " ".join(ran.err.split())
    assert (ran.out, "Traceback" in ran.err) == ("", False)


def test_models_of_columns_take_one_input(run: Run, classifier: Path) -> None:
    ran = run("predict", classifier, "a.csv", "b.csv")
    assert ran.code == 2
    assert "this model takes one file or text; `edge-infer batch` scores many files" in ran.err


def test_an_image_that_is_told_wrongly_writes_nothing(run: Run, folder: Path, tmp_path: Path) -> None:
    ran = run("convert", folder / "net.onnx", "--inputs", "image=image[8, 8] resize=7", "-o", tmp_path / "x.onnx")
    assert ran.code == 2
    assert "nothing can be cut out of what is smaller" in ran.err
    assert not (tmp_path / "x.onnx").exists()
