"""A model of free text: every way in gives the same answers, and what is no text is refused."""

from __future__ import annotations

import io
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import edge_infer
from edge_infer.cli.main import main
from edge_infer.errors import FormatError, InputError
from edge_infer.manifest import parse_manifest, render_manifest
from edge_infer_convert import convert

_GOOD = ["a good film", "very good", "good, not bad", "GOOD!"] * 3
_BAD = ["a bad film", "very bad", "bad and long", "BAD!"] * 3
_ASKED = ["The good one", "bad\nÉté", ""]


@cache
def original() -> Any:
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit([*_GOOD, *_BAD], ["good"] * 12 + ["bad"] * 12)


@cache
def converted() -> bytes:
    return convert(original(), data=[*_GOOD, *_BAD], name="films").data


@cache
def model() -> edge_infer.Model:
    return edge_infer.load(converted())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "films-1.0.0.onnx"
    file.write_bytes(converted())
    return file


TABLES: dict[str, Any] = {
    "a list": _ASKED,
    "a tuple": tuple(_ASKED),
    "an array of objects": np.array(_ASKED, dtype=object),
    "an array of texts": np.array(_ASKED),
    "a Series": pd.Series(_ASKED),
    "a Series of categories": pd.Series(_ASKED, dtype="category"),
    "a pyarrow array": pa.array(_ASKED),
    "a chunked pyarrow dictionary": pa.chunked_array([pa.array(_ASKED).dictionary_encode()]),
    "a DataFrame": pd.DataFrame({"text": _ASKED}),
    "a DataFrame of another name": pd.DataFrame({"review": _ASKED}),
    "a pyarrow table": pa.table({"text": _ASKED}),
    "dicts": [{"text": text} for text in _ASKED],
    "lists of one": [[text] for text in _ASKED],
    "a matrix": np.array(_ASKED, dtype=object).reshape(-1, 1),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_of_texts_gives_the_originals_answers(kind: str) -> None:
    assert model().predict(TABLES[kind]).tolist() == original().predict(_ASKED).tolist()
    assert np.allclose(model().predict_proba(TABLES[kind]), original().predict_proba(_ASKED), rtol=1e-5)


@pytest.mark.parametrize("one", ["a good film", np.str_("a good film"), {"text": "a good film"}])
def test_one_text_gives_one_answer(one: Any) -> None:
    assert model().predict(one) == "good"
    assert model().predict_proba(one).shape == (2,)


def test_the_whole_graph_takes_texts_as_they_are() -> None:
    answers = model().run({"texts": np.array(_ASKED, dtype=object).reshape(-1, 1)})
    assert answers["label"].tolist() == original().predict(_ASKED).tolist()


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "input: expected a text, a list"),
    "a number": (3, "input: expected a text, a list"),
    "bytes": ([b"good"], r"row 0, column 'text': expected text, got bytes b'good'"),
    "numbers": (["good", 3, 1.5], r"row 1.*a whole number 3\n.*row 2.*a number 1\.5"),
    "an array of numbers": (np.array([1.0]), r"row 0, column 'text': expected text, got a number 1\.0"),
    "a missing text": (["good", None], r"row 1, column 'text': expected text, got a missing value"),
    "a text that is NaN": (pd.Series(["good", np.nan]), r"row 1, column 'text': expected text, got a missing value"),
    "a field that is null": ({"text": None}, r"column 'text': expected text, got a missing value"),
    "another field": ({"txt": "good"}, r"'text'.*no such column\nhint: the input's 'txt' is close to 'text'"),
    "two columns": (pd.DataFrame({"a": ["x"], "b": ["y"]}), "expected 1 columns, got 2"),
    "a lone surrogate": (["good \ud83d"], r"text that UTF-8 can write, got the lone surrogate '\\ud83d' at 5"),
    "no text at all": ([], "expected at least one row, got none"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_text_is_refused_by_place(kind: str) -> None:
    data, message = REFUSED[kind]
    with pytest.raises(InputError, match=f"(?s){message}"):
        model().predict(data)


def test_manifest_of_free_text_survives_a_round_trip() -> None:
    manifest = model().manifest
    (column,) = manifest.inputs.columns
    assert (manifest.inputs.style, manifest.inputs.cut, column.free_text, column.missing) == (
        "texts",
        None,
        True,
        False,
    )
    assert parse_manifest(render_manifest(manifest)) == manifest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["columns"][0].update(missing=True), "free text, which cannot be missing"),
        (lambda d: d["columns"][0].update(categories=["a"]), "need 'cut'"),
        (lambda d: d.update(columns=[], tensors=[]), "the style 'texts' needs one column"),
    ],
)
def test_a_false_statement_about_free_text_is_refused(change: Any, message: str) -> None:
    document = json.loads(render_manifest(model().manifest))
    change(document["inputs"])
    with pytest.raises(FormatError, match=message):
        parse_manifest(json.dumps(document).encode())


def test_reference_keeps_lengths_and_no_text() -> None:
    profile: Any = model().artifact.reference()
    assert set(profile["columns"]["text"]) == {"missing", "edges", "counts"}
    assert "a good film" not in json.dumps(profile)


def test_goldens_hold_no_text_of_the_training_data() -> None:
    goldens = model().artifact.goldens()
    assert goldens is not None
    assert not {row[0] for row in goldens.rows} & {*_GOOD, *_BAD}


# --- the command line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ('"a good film"', "good\n"),
        ('{"text": "a bad film"}', "bad\n"),
        ('["good", "bad"]', "good\nbad\n"),
        ('[{"text": "good"}]', "good\n"),
        ('{"input": "good"}', '{"prediction": "good"}\n'),
        ('{"input": ["good", "bad"]}', '{"prediction": ["good", "bad"]}\n'),
    ],
)
def test_predict_takes_texts_as_json(path: Path, capsys: Any, given: str, printed: str) -> None:
    assert main(["predict", str(path), given]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("header", ["text", "review", '"text"'])
def test_predict_takes_a_csv_of_one_column_and_keeps_odd_texts(
    path: Path, tmp_path: Path, capsys: Any, header: str
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(f'{header}\n"good, really"\nNA\nbad\n', encoding="utf-8")
    assert main(["predict", str(path), str(rows)]) == 0
    assert capsys.readouterr().out.split() == original().predict(["good, really", "NA", "bad"]).tolist()


@pytest.mark.parametrize("lines", ['"good"\n"bad"\n', '{"text": "good"}\n{"text": "bad"}\n', '"text"\n"good"\n"bad"\n'])
def test_predict_tells_lines_of_json_from_a_csv_on_standard_input(
    path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert main(["predict", str(path), "-"]) == 0
    assert capsys.readouterr().out == "good\nbad\n"


def test_stream_answers_texts_and_goes_on_after_a_bad_line(
    path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = '"good"\n3\n{"text": "bad", "id": 7}\n{"text": null}\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert main(["stream", str(path), "--method", "predict"]) == 0
    first, second, third, fourth = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first, third) == ({"prediction": "good"}, {"id": 7, "prediction": "bad"})
    assert "expected a text, a list of texts" in second["error"]
    assert "missing value" in fourth["error"]


def test_plain_text_as_an_argument_is_told_how_to_be_written(path: Path, capsys: Any) -> None:
    assert main(["predict", str(path), "a good film"]) == 2
    assert 'with " for one text' in capsys.readouterr().err
