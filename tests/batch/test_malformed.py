"""Broken files end in rejected rows or in one clear error, with file and line; whole ones beside them are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_infer import InputError, Model
from edge_infer.batch.errors import InputFileError

HEAD = b"age,fare,siblings,alone,sex,port\n"
ROW = b"30,7.25,1,true,male,NA\n"
OTHER = b"31,8,0,false,female,Cherbourg\n"


def _run(
    model: Model, tmp_path: Path, data: bytes, name: str = "in.csv", **arguments: Any
) -> tuple[int, list[dict[str, Any]]]:
    """Rows with an answer, and the rejects."""
    (tmp_path / name).write_bytes(data)
    result = model.predict_file(tmp_path / name, tmp_path / "out.csv", **arguments)
    assert (tmp_path / "out.csv").read_text().count("\n") == result.rows + 1
    rejects = tmp_path / "out.csv.rejected.jsonl"
    return result.rows, [json.loads(line) for line in rejects.read_text().splitlines()] if result.rejected else []


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + HEAD + ROW + OTHER,
        (HEAD + ROW + OTHER).replace(b"\n", b"\r\n"),
        (HEAD + ROW + OTHER).replace(b"\n", b"\r"),
        HEAD + ROW + OTHER.rstrip(b"\n"),
        b"\n\n" + HEAD + b"\n" + ROW + b"\r\n" + OTHER,
        (HEAD + ROW + OTHER).replace(b",", b";"),
        (HEAD + ROW + OTHER).replace(b",", b"\t"),
        HEAD.replace(b"age", b'"age"') + ROW + OTHER.replace(b"Cherbourg", b'"Cher\nbourg ""x"", y"'),
        HEAD.replace(b"age", b" age ") + ROW + OTHER,
        HEAD.rstrip(b"\n") + b",more,more\n" + (ROW + OTHER).replace(b"\n", b",1,2\n"),
    ],
    ids=[
        "BOM",
        "CRLF",
        "CR",
        "no last newline",
        "empty lines",
        "semicolons",
        "tabs",
        "quotes",
        "blanks",
        "more columns",
    ],
)
def test_what_is_unusual_and_whole_is_read(model: Model, tmp_path: Path, data: bytes) -> None:
    assert _run(model, tmp_path, data) == (2, [])
    rows = [
        {"age": 30, "fare": 7.25, "siblings": 1, "alone": True, "sex": "male", "port": None},
        {"age": 31, "fare": 8, "siblings": 0, "alone": False, "sex": "female", "port": "Cherbourg"},
    ]
    found = [line.split(",")[-1] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]]
    if b"Cher\nbourg" not in data:
        assert [float(each) for each in found] == model.predict_proba(rows)[:, 1].tolist()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"30,7,1,true\n", "expected 6 cells as in the header, got 4"),
        (b"30,7,1,true,male,NA,9\n", "expected 6 cells as in the header, got 7"),
        (b"30,7,1,true,\xff\xfe,NA\n", "'sex': expected text in UTF-8, got the byte 0xff"),
        (b"30,7,\xff\n", "expected 6 cells as in the header, got 3"),
        (b"3\x000,7,1,true,male,NA\n", "'age': expected a number"),
        (b'30,7,1,true,male,"open\n', "quote"),
        (b"30,7,1,true," + b"x" * (40 << 20) + b",NA\n", "expected a line of at most 16,777,216 bytes, got 41,943,056"),
    ],
    ids=["too few", "too many", "not UTF-8", "too few, not UTF-8", "NUL", "open quote", "40 MB"],
)
def test_a_broken_line_is_told_and_the_rest_goes_on(model: Model, tmp_path: Path, line: bytes, reason: str) -> None:
    rows, rejects = _run(model, tmp_path, HEAD + ROW + line + OTHER)
    assert rows == 2
    assert [each["line"] for each in rejects] == [3]
    assert reason in rejects[0]["reason"]


def test_a_line_of_100_mb_takes_no_memory_for_itself(model: Model, tmp_path: Path) -> None:
    with open(tmp_path / "in.csv", "wb") as file:
        file.write(HEAD + ROW)
        for _ in range(100):
            file.write(b"y" * (1 << 20))
        file.write(b"\n" + OTHER)
    result = model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv")
    assert (result.rows, result.rejected) == (2, 1)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", InputFileError, "expected a CSV with a header row, got nothing"),
        (b"\n \n", InputFileError, "got nothing"),
        ((HEAD + ROW).decode().encode("utf-16"), InputFileError, "expected UTF-8, got UTF-16"),
        (b"\xff" + HEAD + ROW, InputFileError, r"in\.csv, line 1: expected UTF-8, got the byte 0xff"),
        (HEAD.replace(b"fare", b"fa\rre") + ROW, InputFileError, r"in\.csv, line 1: not the header of a CSV"),
        (HEAD.replace(b"fare", b"age") + ROW, InputError, "'fare'"),
        (HEAD.rstrip(b"\n") + b",age\n" + ROW, InputError, "'age': expected one column, got 2 of this name"),
        (HEAD.replace(b"fare", b"fair") + ROW, InputError, "the file's 'fair' is close to 'fare'"),
        (b"PAR1" + ROW, InputError, "no such column in the header"),
    ],
    ids=[
        "empty",
        "blank",
        "UTF-16",
        "not UTF-8",
        "carriage return",
        "column twice",
        "used twice",
        "misspelt",
        "another kind",
    ],
)
def test_a_file_that_is_no_such_csv_is_one_error(
    model: Model, tmp_path: Path, data: bytes, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        _run(model, tmp_path, data)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


@pytest.mark.parametrize("name", ["in.parquet", "in.arrow", "in.csv.gz", "in.jsonl.zst"])
@pytest.mark.parametrize("data", [b"", b"PAR1", b"ARROW1\0\0", b"\x1f\x8b\x08", b"no such file at all" * 100])
def test_other_kinds_that_are_not_so_are_one_error(model: Model, tmp_path: Path, name: str, data: bytes) -> None:
    if name.startswith("in.jsonl") and not data:
        assert _run(model, tmp_path, data, name) == (0, [])
        return
    with pytest.raises(InputFileError, match=name):
        _run(model, tmp_path, data, name)


def test_a_csv_without_rows_gives_a_header(model: Model, tmp_path: Path) -> None:
    assert _run(model, tmp_path, HEAD) == (0, [])
    assert (tmp_path / "out.csv").read_text() == 'prediction,P(no),"P(yes, saved)"\n'


def test_nothing_but_broken_lines(model: Model, tmp_path: Path) -> None:
    rows, rejects = _run(model, tmp_path, HEAD + b"1\n2\n3\n")
    assert (rows, [each["line"] for each in rejects]) == (0, [2, 3, 4])


@pytest.mark.parametrize("line", [b'"a"b', b"a\x00b", "\u202eabc".encode(), b'"', b"=1+1"])
def test_odd_text_in_a_cell_harms_nothing(model: Model, tmp_path: Path, line: bytes) -> None:
    rows, rejects = _run(model, tmp_path, HEAD + ROW + b"30,7,1,true,male," + line + b"\n" + OTHER)
    assert rows + len(rejects) == 3
    assert rows >= 2


def test_a_carriage_return_alone_ends_a_record_as_pyarrow_has_it(model: Model, tmp_path: Path) -> None:
    rows, rejects = _run(model, tmp_path, HEAD + ROW.replace(b"7.25", b"7\r25") + b"1\n" + OTHER)
    assert (rows, [each["line"] for each in rejects]) == (1, [2, 2, 3])


def test_a_line_of_json_that_is_not_utf8_is_rejected_wherever_the_byte_stands(model: Model, tmp_path: Path) -> None:
    good = b'{"age": null, "fare": 7, "siblings": 0, "alone": true, "sex": "male", "port": null, "more": "x"}\n'
    rows, rejects = _run(model, tmp_path, good + good.replace(b"x", b"\xff") + good, "in.jsonl")
    assert (rows, [each["line"] for each in rejects]) == (2, [2])
