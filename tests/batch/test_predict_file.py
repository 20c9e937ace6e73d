"""Files of every kind are answered as the model answers their rows, and as `edge-infer predict` reads their cells."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_infer import InputError, Model
from edge_infer.batch.errors import BatchError, InputFileError, ResumeError, RowError
from edge_infer.batch.outputs import Growing
from edge_infer.cli.csv_rows import parse_csv
from edge_infer.errors import MethodError, UsageError
from tests.batch.passengers import passengers

ROWS = passengers(5000, seed=2)
SMALL = 8 << 20  # bytes of memory: chunks of some hundred rows
KINDS = ["csv", "tsv", "csv.gz", "csv.zst", "jsonl", "jsonl.bz2", "parquet", "arrow"]


def write(frame: pd.DataFrame, path: Path) -> None:
    name = path.name
    if ".csv" in name or ".tsv" in name:
        frame.to_csv(path, index=False, sep="\t" if ".tsv" in name else ",", compression=_compression(name))
    elif ".jsonl" in name:
        lines = (json.dumps({k: None if v != v else v for k, v in row.items()}) for row in frame.to_dict("records"))
        data = "".join(line + "\n" for line in lines).encode()
        with pa.OSFile(str(path), "wb") as raw, pa.CompressedOutputStream(raw, "bz2") if "bz2" in name else raw as file:
            file.write(data)
    elif ".parquet" in name:
        pyarrow.parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=1700)
    else:
        pyarrow.feather.write_feather(pa.Table.from_pandas(frame, preserve_index=False), path, chunksize=1700)


def _compression(name: str) -> str | None:
    return {"gz": "gzip", "zst": None}.get(name.rpartition(".")[2])


def read(path: Path) -> pd.DataFrame:
    name = path.name
    if ".csv" in name or ".tsv" in name:
        with pa.input_stream(str(path), compression="detect") as file:
            options = pyarrow.csv.ParseOptions(delimiter="\t" if ".tsv" in name else ",", newlines_in_values=True)
            return pyarrow.csv.read_csv(file, parse_options=options).to_pandas()
    if ".jsonl" in name:
        with pa.input_stream(str(path), compression="detect") as file:
            return pd.DataFrame([json.loads(line) for line in file.read().splitlines()])
    return (pd.read_parquet if ".parquet" in name else pd.read_feather)(path)


def assert_answers(found: pd.DataFrame, model: Model, rows: pd.DataFrame) -> None:
    assert found["prediction"].tolist() == model.predict(rows).tolist()
    proba = found[[name for name in found.columns if name.startswith("P(")]].to_numpy()
    assert np.array_equal(proba, model.predict_proba(rows))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read(model: Model, tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"in.{kind}"
    if kind == "csv.zst":
        write(ROWS, tmp_path / "in.csv")
        with pa.CompressedOutputStream(str(source), "zstd") as file:
            file.write((tmp_path / "in.csv").read_bytes())
    else:
        write(ROWS, source)
    result = model.predict_file(source, tmp_path / "out.parquet", keep=["id"], memory=SMALL)
    found = read(tmp_path / "out.parquet")
    assert (result.rows, result.rejected, result.rejects) == (len(ROWS), 0, None)
    assert found["id"].tolist() == ROWS["id"].tolist()
    assert_answers(found, model, ROWS)
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written(model: Model, tmp_path: Path, kind: str) -> None:
    write(ROWS, tmp_path / "in.parquet")
    output = tmp_path / f"out.{kind}"
    model.predict_file(tmp_path / "in.parquet", output, keep=["id", "port"], memory=SMALL)
    found = read(output)
    assert list(found.columns) == ["id", "port", "prediction", "P(no)", "P(yes, saved)"]
    assert found["port"].fillna("").tolist() == ROWS["port"].fillna("").tolist()
    assert_answers(found, model, ROWS)


def test_threads_and_memory_change_no_byte_of_text(model: Model, tmp_path: Path) -> None:
    write(ROWS, tmp_path / "in.csv")
    texts = set()
    for threads, memory in ((1, SMALL), (2, SMALL), (3, 200 << 20)):
        model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", threads=threads, memory=memory)
        texts.add((tmp_path / "out.csv").read_bytes())
    assert len(texts) == 1


def test_many_files_folders_and_partitions(model: Model, tmp_path: Path) -> None:
    parts = [ROWS.iloc[:1000], ROWS.iloc[1000:1500], ROWS.iloc[1500:]]
    for sex in ("female", "male"):
        folder = tmp_path / "in" / f"sex={sex}"
        folder.mkdir(parents=True)
        write(ROWS[ROWS["sex"] == sex].drop(columns="sex"), folder / "a.parquet")
    (tmp_path / "in" / "_SUCCESS").touch()
    (tmp_path / "in" / "readme.txt").touch()
    for number, part in enumerate(parts):
        write(part, tmp_path / f"part{number}.csv")
    model.predict_file(str(tmp_path / "part*.csv"), tmp_path / "out.parquet", keep=["id"])
    assert_answers(read(tmp_path / "out.parquet"), model, ROWS)
    model.predict_file(tmp_path / "in", tmp_path / "folder.parquet", keep=["id", "sex"])
    sorted_rows = pd.concat([ROWS[ROWS["sex"] == "female"], ROWS[ROWS["sex"] == "male"]])
    found = read(tmp_path / "folder.parquet")
    assert found["sex"].tolist() == sorted_rows["sex"].tolist()
    assert_answers(found, model, sorted_rows)


CELLS = st.sampled_from(
    ["1", "-2.5", " 3 ", "1e3", "0x10", "1_0", "nan", "NA", "", "null", "inf", "abc", "9007199254740993", "4.0", "1,5"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS, st.sampled_from(["true", "NO", "y", "1", "", "2"])), min_size=1, max_size=8))
def test_cells_are_read_as_predict_reads_them(model: Model, tmp_path: Path, cells: list[tuple[str, str, str]]) -> None:
    """Each row by itself, by the reader of `edge-infer predict`: the same answer, or rejected."""
    header = "age,siblings,alone,fare,sex,port\n"
    lines = [",".join(f'"{cell}"' for cell in row) + ",7.25,male,NA\n" for row in cells]
    (tmp_path / "in.csv").write_text(header + "".join(lines))
    result = model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", on_error="null", threads=1)
    found = read(tmp_path / "out.csv")["P(no)"].astype(float)
    for row, line in enumerate(lines):
        try:
            wanted: Any = model.predict_proba(parse_csv((header + line).encode(), model.manifest.inputs, "").data)[0, 0]
        except InputError:
            wanted = None
        assert (None if np.isnan(found[row]) else found[row]) == wanted, line
    assert result.rejected == found.isna().sum()


def test_rows_that_cannot_be_scored_are_told_by_line(model: Model, tmp_path: Path) -> None:
    text = (
        "id,age,fare,siblings,alone,sex,port\n"
        "a,30,7,0,true,male,Ærø\n"
        '"b\nb",thirty,7,0,maybe,male,Ærø\n'
        "\n"
        "c,30,7,0\n"
        "d,31,8,1,no,female,NA\n"
    )
    (tmp_path / "in.csv").write_text(text)
    result = model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", keep=["id"])
    assert (result.rows, result.rejected) == (2, 2)
    assert read(tmp_path / "out.csv")["id"].tolist() == ["a", "d"]
    told = [json.loads(line) for line in (tmp_path / "out.csv.rejected.jsonl").read_text().splitlines()]
    assert [each["line"] for each in told] == [3, 6]
    assert "'age': expected a number, got 'thirty'" in told[0]["reason"]
    assert "'alone': expected true or false" in told[0]["reason"]
    assert told[1]["reason"] == "expected 7 cells as in the header, got 4"
    kept = model.predict_file(tmp_path / "in.csv", tmp_path / "null.csv", keep=["id"], on_error="null")
    assert (kept.rows, kept.rejected) == (2, 2)
    assert read(tmp_path / "null.csv")["id"].fillna("").tolist() == ["a", "b\nb", "", "d"]
    with pytest.raises(RowError, match=r"in\.csv, line 3: column 'age'"):
        model.predict_file(tmp_path / "in.csv", tmp_path / "fail.csv", on_error="fail")
    assert not (tmp_path / "fail.csv").exists()


def test_lines_of_json_are_read_as_predict_reads_them(model: Model, tmp_path: Path) -> None:
    good = {"id": 1, "age": None, "fare": 7, "siblings": 0, "alone": True, "sex": "male", "port": None}
    lines = [
        json.dumps(good),
        json.dumps({**good, "id": 2, "age": "thirty"}),
        json.dumps({name: value for name, value in good.items() if name != "port"}),
        '{"id": 4, "age": 1',
        json.dumps({**good, "id": 5, "age": 30.5, "more": [1, {"a": 2}]}),
        '{"id": 6, "id": 7, "age": 1}',
        "[1, 2]",
        "",
        json.dumps({**good, "id": 8, "siblings": 2.0}),
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    model.predict_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", keep=["id"])
    found = read(tmp_path / "out.jsonl")
    assert found["id"].tolist() == [1, 5, 8]
    rows = [json.loads(lines[place]) for place in (0, 4, 8)]
    assert found["prediction"].tolist() == model.predict(rows).tolist()
    told = [json.loads(line) for line in (tmp_path / "out.jsonl.rejected.jsonl").read_text().splitlines()]
    assert [each["line"] for each in told] == [2, 3, 4, 6, 7]
    assert "no such field" in told[1]["reason"]


def test_a_columns_kind_that_no_value_fits_is_told_once(model: Model, tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table(ROWS.assign(fare="7")), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="'fare': expected a column of the kind number, got one of"):
        model.predict_file(tmp_path / "in.parquet", tmp_path / "out.csv")
    assert list(tmp_path.glob("out*")) == []


def test_whole_numbers_decimals_and_views_of_text_are_taken(model: Model, tmp_path: Path) -> None:
    table = pa.Table.from_pandas(ROWS, preserve_index=False)
    table = table.set_column(2, "fare", table["fare"].cast(pa.decimal128(12, 2), safe=False))
    table = table.set_column(5, "sex", table["sex"].cast(pa.large_string()))
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    model.predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    frame = table.set_column(2, "fare", table["fare"].cast(pa.float64())).to_pandas()
    assert_answers(read(tmp_path / "out.parquet"), model, frame)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"keep": ["nobody"]}, "nobody"),
        ({"keep": ["id", "id"]}, "twice"),
        ({"on_error": "ignore"}, "on_error"),
        ({"memory": 5}, "memory"),
        ({"output_kind": "xls"}, "xls"),
        ({"resume": True, "inputs": "-"}, "standard input"),
    ],
)
def test_arguments_that_make_no_sense_are_told(
    model: Model, tmp_path: Path, arguments: dict[str, Any], expected: str
) -> None:
    write(ROWS.head(5), tmp_path / "in.csv")
    asked = {"inputs": tmp_path / "in.csv", "output": tmp_path / "out.csv"} | arguments
    with pytest.raises(UsageError, match=expected):
        model.predict_file(**asked)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_an_output_that_is_read_is_not_written(model: Model, tmp_path: Path) -> None:
    write(ROWS.head(5), tmp_path / "in.csv")
    before = (tmp_path / "in.csv").read_bytes()
    os.symlink(tmp_path / "in.csv", tmp_path / "link.csv")
    with pytest.raises(UsageError, match="is a file that is read"):
        model.predict_file(tmp_path / "in.csv", tmp_path / "link.csv")
    assert (tmp_path / "in.csv").read_bytes() == before


def test_what_was_begun_of_another_job_is_not_gone_on_with(model: Model, tmp_path: Path) -> None:
    write(ROWS, tmp_path / "in.csv")
    text = (tmp_path / "in.csv").read_text() + "x,a,1,1,true,male,NA\n"
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(RowError):
        model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", on_error="fail", memory=SMALL)
    with pytest.raises(ResumeError, match="another on_error"):
        model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", resume=True, memory=SMALL)
    (tmp_path / "in.csv").write_text(text + "more")
    with pytest.raises(ResumeError, match="another input"):
        model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", on_error="fail", memory=SMALL, resume=True)
    result = model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", memory=SMALL)
    assert (result.rows, result.resumed_rows) == (len(ROWS), 0)


def test_a_file_that_is_cut_short_is_one_error(model: Model, tmp_path: Path) -> None:
    for kind in ("parquet", "arrow"):
        write(ROWS, tmp_path / f"in.{kind}")
        data = (tmp_path / f"in.{kind}").read_bytes()
        (tmp_path / f"cut.{kind}").write_bytes(data[: len(data) // 2])
        with pytest.raises(InputFileError, match=rf"cut\.{kind}.*not a"):
            model.predict_file(tmp_path / f"cut.{kind}", tmp_path / "out.csv")
    write(ROWS, tmp_path / "in.csv.gz")
    data = (tmp_path / "in.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputFileError, match=r"cut\.csv\.gz"):
        model.predict_file(tmp_path / "cut.csv.gz", tmp_path / "out.csv")


def test_half_a_character_in_json_is_rejected(model: Model, tmp_path: Path) -> None:
    row = {"id": "a", "age": 1, "fare": 7, "siblings": 0, "alone": True, "sex": "male", "port": None}
    lines = [json.dumps(row), json.dumps({**row, "port": "\ud800"}), json.dumps({**row, "id": "\udfff"})]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    result = model.predict_file(tmp_path / "in.jsonl", tmp_path / "out.csv", keep=["id"])
    assert (result.rows, result.rejected) == (1, 2)
    assert "surrogate" in (tmp_path / "out.csv.rejected.jsonl").read_text()


def test_an_output_is_written_by_one_at_a_time(model: Model, tmp_path: Path) -> None:
    write(ROWS.head(5), tmp_path / "in.csv")
    other = Growing(str(tmp_path / "out.csv.part"))
    with pytest.raises(BatchError, match="another process writes this output"):
        model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv")
    other.close()
    assert model.predict_file(tmp_path / "in.csv", tmp_path / "out.csv").rows == 5


def test_a_method_that_is_not_there_is_told_with_those_that_are(model: Model) -> None:
    with pytest.raises(MethodError, match="no transform: this model has predict, predict_proba"):
        model.scorer(["transform"])


def test_a_kept_column_of_another_kind_in_a_later_file_is_told(model: Model, tmp_path: Path) -> None:
    write(ROWS.head(5).assign(id=range(5)), tmp_path / "a.parquet")
    write(ROWS.head(5), tmp_path / "b.parquet")
    with pytest.raises(InputFileError, match="--keep: column 'id': expected int64 as in the first file, got string"):
        model.predict_file(tmp_path / "*.parquet", tmp_path / "out.csv", keep=["id"])
