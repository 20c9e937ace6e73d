"""The reader in C, built against the library of onnxruntime's wheel, gives Python's answers; sanitisers watch it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import edge_infer
from edge_infer.manifest import KEY_MANIFEST
from tests.examples.conftest import Made
from tests.examples.models import PENGUINS, assert_equal, by_rows

EXAMPLE = Path(__file__).parents[2] / "examples" / "c"
FLAGS = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
RECORD = json.loads(PENGUINS.with_suffix(".record.json").read_text(encoding="utf-8"))
WORDS = [f"{name}={'' if cell is None else cell}" for name, cell in RECORD.items()]

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler (cc): install gcc and libc6-dev"),
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by its own Makefile, without a warning."""
    folder = tmp_path_factory.mktemp("c") / "c"
    shutil.copytree(EXAMPLE, folder)
    (folder / "predict").unlink(missing_ok=True)
    command = ["make", f"PYTHON={sys.executable}", f"CFLAGS={FLAGS}"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, ""), built.stderr
    return folder / "predict"


def test_makefile_says_when_there_is_no_onnxruntime(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "c", ignore=shutil.ignore_patterns("predict"))
    command = ["make", "PYTHON=false"]
    built = subprocess.run(command, cwd=tmp_path / "c", capture_output=True, text=True, check=False)
    assert built.returncode == 2
    assert built.stderr.startswith("false has no onnxruntime: make PYTHON=/path/to/python\n")


def run(program: Path, *words: object, given: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [str(program), *map(str, words)]
    done = subprocess.run(
        command, input=given, capture_output=True, encoding="utf-8", timeout=120, check=False, env=os.environ
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Sanitizer" not in done.stderr
    assert "runtime error" not in done.stderr
    return done


def as_csv(names: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([names, *rows])  # None as an empty cell
    return text.getvalue()


def table(model: edge_infer.Model, records: list[Any]) -> tuple[list[str], list[list[Any]]]:
    """Column names and cells in the order of the manifest."""
    names = [column.name for column in model.manifest.inputs.columns]
    if isinstance(records[0], str):
        return names, [[text] for text in records]
    return names, [[record[name] for name in names] if isinstance(record, dict) else record for record in records]


def wanted(model: edge_infer.Model, records: list[Any]) -> list[list[Any]]:
    """All answers to each row, side by side."""
    columns = []
    for output in model.manifest.outputs:
        answers = by_rows(getattr(model, output.method)(records), len(records))
        columns.append([np.ravel(np.array(answer, dtype=object)).tolist() for answer in answers])
    return [[cell for part in parts for cell in part] for parts in zip(*columns, strict=True)]


def read_as(text: str, like: Any) -> Any:
    if isinstance(like, bool):
        return {"true": True, "false": False}[text]
    return text if isinstance(like, str) else type(like)(text)


ASKED = ("penguins", "penguins with gaps", "diabetes", "digits", "mixed", "categories_of_numbers", "texts")


@pytest.mark.parametrize("name", [*ASKED, "two_labels", "large_labels", "whole_numbers"])
def test_c_gives_the_answers_of_python(program: Path, made: Callable[[str], Made], name: str) -> None:
    path, records = made(name)
    model = edge_infer.load(path)
    names, rows = table(model, records)
    if name != "texts":  # in a CSV, an empty cell is a missing value; in free text it is an empty text
        rows = [row for row in rows if "" not in row]
    done = run(program, path, "-", given=as_csv(names, rows))
    header, *got = list(csv.reader(io.StringIO(done.stdout)))
    expected = wanted(model, [row[0] for row in rows] if name == "texts" else rows)
    assert header[0].startswith("predict")
    assert len(got) == len(expected) > 3
    for line, answers in zip(got, expected, strict=True):
        assert_equal([read_as(cell, like) for cell, like in zip(line, answers, strict=True)], answers)


def test_c_takes_one_record_as_words(program: Path) -> None:
    done = run(program, PENGUINS, *WORDS)
    header, answer = done.stdout.splitlines()
    assert header.startswith("predict,predict_proba:Adelie,predict_proba:Chinstrap,predict_proba:Gentoo,")
    assert answer.startswith(f"{edge_infer.load(PENGUINS).predict(RECORD)},")


def test_c_takes_a_csv_of_other_writers(program: Path, tmp_path: Path) -> None:
    names = list(RECORD)
    row = ",".join("" if cell is None else f'"{cell}"' for cell in RECORD.values())
    file = tmp_path / "rows.csv"
    file.write_bytes(("\ufeff" + ",".join(["id", *names]) + f'\r\n"a ""quoted""\nid",{row}\r\n\r\n9,{row}').encode())
    assert [line.split(",")[0] for line in run(program, PENGUINS, file).stdout.splitlines()[1:]] == ["Gentoo"] * 2


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "text for a number": ("penguins with gaps", {"body_mass_g": "heavy"}, "body_mass_g"),
    "a hexadecimal number": ("penguins with gaps", {"body_mass_g": "0x10"}, "body_mass_g"),
    "a number that float32 does not hold": ("penguins with gaps", {"body_mass_g": 1e300}, "body_mass_g"),
    "an infinity": ("penguins with gaps", {"body_mass_g": "inf"}, "body_mass_g"),
    "the text that means missing": ("penguins with gaps", {"island": "\ue000"}, "island"),
    "a missing text where none was": ("mixed", {"level": None}, "level"),
    "a text that is none of the known": ("mixed", {"level": "middling"}, "level"),
    "a whole number that float32 does not hold": ("mixed", {"count": 2**24 + 1}, "count"),
    "a number that is none of the known": ("categories_of_numbers", {"count": 9}, "count"),
    "a fraction for a whole number": ("whole_numbers", {"a": 1.5}, "a"),
    "a missing whole number": ("whole_numbers", {"a": None}, "a"),
    "a whole number of more than 64 bits": ("whole_numbers", {"a": 2**63}, "a"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_c_refuses_what_the_original_would(program: Path, made: Callable[[str], Made], case: str) -> None:
    name, change, column = REFUSED[case]
    path, records = made(name)
    good = records[0]
    run(program, path, "-", given=as_csv(list(good), [list(good.values())]))
    done = run(program, path, "-", given=as_csv(list(good), [list((good | change).values())]), code=1)
    assert done.stderr.startswith(f'error: row 0, column "{column}": expected ')
    assert done.stdout == ""


def test_c_says_that_times_are_left_to_the_reader(program: Path, made: Callable[[str], Made]) -> None:
    path, records = made("times")
    done = run(program, path, "-", given=as_csv(list(records[0]), [list(records[0].values())]), code=1)
    assert done.stderr == 'error: "at" is a column of times: left to you\n'


BAD_CSV = {
    "nothing": "",
    "a header alone": "island,sex\n",
    "a column is absent": "island,sex\nBiscoe,male\n",
    "a quote without an end": 'island,sex\n"Biscoe,male\n',
    "text behind a quote": 'island,sex\n"Biscoe"x,male\n',
    "a cell too many": "island,sex\nBiscoe,male,3\n",
    "a cell too few": "island,sex\nBiscoe\n",
    "a NUL": "island,sex\nBis\0coe,male\n",
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_c_refuses_what_is_no_csv_of_the_model(program: Path, case: str) -> None:
    assert run(program, PENGUINS, "-", given=BAD_CSV[case], code=1).stderr.startswith("error: ")


def deeper(path: Path, levels: int) -> bytes:
    """The artifact with an unknown field of lists in lists."""
    model = onnx.load(path)
    entry = next(entry for entry in model.metadata_props if entry.key == KEY_MANIFEST)
    entry.value = entry.value[:-1] + ',"later":' + "[" * levels + "]" * levels + "}"
    return bytes(model.SerializeToString())


def test_c_passes_over_unknown_fields(program: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(deeper(PENGUINS, 15))
    assert ",0.99395" in run(program, tmp_path / "model.onnx", *WORDS).stdout


@pytest.mark.parametrize("damage", ["cut off", "a later format", "no manifest", "no JSON", "deep", "\\u0000 in a name"])
def test_c_refuses_a_file_that_is_no_artifact_it_knows(program: Path, tmp_path: Path, damage: str) -> None:
    whole = PENGUINS.read_bytes()
    start = b'{"format":1,"name":"penguins"'
    data = {
        "cut off": whole[: len(whole) // 2],
        "a later format": whole.replace(b'{"format":1,', b'{"format":9,'),
        "no manifest": whole.replace(b"edge_infer.manifest", b"edge_infer.manifesT"),
        "no JSON": whole.replace(start, b"[" + start[1:]),
        "deep": deeper(PENGUINS, 20),
        "\\u0000 in a name": whole.replace(b'"body_mass_g"', b'"\\u0000abcde"'),
    }[damage]
    assert data != whole
    (tmp_path / "model.onnx").write_bytes(data)
    assert run(program, tmp_path / "model.onnx", *WORDS, code=1).stderr.startswith("error: ")


def test_c_says_when_there_is_no_library(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_LIBRARY", "/no/such/library.so")
    assert run(program, PENGUINS, *WORDS, code=1).stderr.startswith("error: /no/such/library.so: cannot open")
