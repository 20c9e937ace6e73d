"""`predict`: every form of input and of answer, and the messages for what does not fit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge_infer import load
from tests.cli.conftest import RECORD, Run, fresh

ONE = json.dumps(RECORD, ensure_ascii=False)


def label(model: Path, record: object = RECORD) -> str:
    with load(model) as loaded:
        return str(loaded.predict(record))


def test_one_record_gives_one_line(run: Run, classifier: Path) -> None:
    assert run("predict", classifier, ONE) == (0, label(classifier) + "\n", "")


def test_json_gives_one_object(run: Run, classifier: Path) -> None:
    assert json.loads(run("predict", classifier, ONE, "--json").out) == {"prediction": label(classifier)}
    many = run("predict", classifier, f"[{ONE},{ONE}]", "--json").out
    assert json.loads(many) == {"prediction": [label(classifier)] * 2}


def test_the_service_contract_answers_in_its_own_shape(run: Run, classifier: Path, plain: Path) -> None:
    one = run("predict", classifier, f'{{"input": {ONE}}}')
    assert json.loads(one.out) == {"prediction": label(classifier)}
    many = run("predict", classifier, f'{{"input": [{ONE}]}}')
    assert json.loads(many.out) == {"prediction": [label(classifier)]}
    matrix = run("predict", plain, '{"input": [[2, 1], [4, 0]]}')
    assert json.loads(matrix.out) == {"prediction": [1.5, 0.25]}
    assert json.loads(run("predict", plain, '{"input": [2, 1]}').out) == {"prediction": 1.5}


def test_probabilities_are_by_label(run: Run, classifier: Path) -> None:
    answer = json.loads(run("predict", classifier, ONE, "-m", "predict_proba", "--json").out)["prediction"]
    assert list(answer) == ["Adélie", "ok", "no"]
    assert sum(answer.values()) == pytest.approx(1)


def test_method_all_has_a_field_for_each_method(run: Run, classifier: Path) -> None:
    answer = json.loads(run("predict", classifier, ONE, "--method", "all").out)
    assert answer["predict"] == label(classifier)
    assert set(answer["predict_proba"]) == {"Adélie", "ok", "no"}
    many = json.loads(run("predict", classifier, f"[{ONE}]", "--method", "all", "--json").out)
    assert many == {name: [value] for name, value in answer.items()}


def test_non_finite_numbers_are_null(run: Run, plain: Path) -> None:
    assert run("predict", plain, "[[0, 1]]", "--json").out == '{"prediction": [null]}\n'
    assert run("predict", plain, "[0, 1]").out == "null\n"


def test_no_rows_give_no_answers(run: Run, plain: Path) -> None:
    assert run("predict", plain, '{"input": []}').out == '{"prediction": []}\n'
    assert run("predict", plain, "[]").out == ""


def test_a_method_that_the_model_lacks_is_explained(run: Run, classifier: Path) -> None:
    ran = run("predict", classifier, ONE, "--method", "decision_function")
    assert ran.code == 1
    assert "its graph has no scores" in ran.err


# --- files ------------------------------------------------------------------------------


def test_json_and_json_lines_files_are_read(run: Run, classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(ONE, encoding="utf-8-sig")
    (tmp_path / "a.jsonl").write_text(f"{ONE}\n\n{ONE}\n", encoding="utf-8")
    assert run("predict", classifier, tmp_path / "a.json").out == label(classifier) + "\n"
    assert run("predict", classifier, tmp_path / "a.jsonl").out == (label(classifier) + "\n") * 2


def test_standard_input_is_json_json_lines_or_csv(classifier: Path) -> None:
    csv = "age,Größe,visits,alive,sex,home.dest\n29,1.5,2,true,female,日本\n"
    for text in (ONE, f"[{ONE}]", csv, "\ufeff" + csv, f" {ONE}"):
        ran = fresh("predict", classifier, "-", stdin=text.encode())
        assert (ran.code, ran.out, ran.err) == (0, label(classifier) + "\n", ""), text
    assert fresh("predict", classifier, stdin=f"{ONE}\n{ONE}".encode()).out == (label(classifier) + "\n") * 2


@pytest.mark.parametrize(
    ("suffix", "as_text"),
    [
        (".json", lambda x: {"prediction": x}),
        (".txt", lambda x: x),
    ],
)
def test_output_is_written_whole(run: Run, classifier: Path, tmp_path: Path, suffix: str, as_text: object) -> None:
    target = tmp_path / f"answers{suffix}"
    assert run("predict", classifier, ONE, "-o", target) == (0, "", "")
    text = target.read_text(encoding="utf-8")
    expected = as_text(label(classifier))  # type: ignore[operator]
    assert (json.loads(text) if suffix == ".json" else text.rstrip("\n")) == expected
    assert os.listdir(tmp_path) == [target.name]


def test_csv_output_is_a_table(run: Run, classifier: Path, tmp_path: Path) -> None:
    run("predict", classifier, f"[{ONE},{ONE}]", "-o", tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "prediction,P(Adélie),P(ok),P(no)"
    assert [line.split(",")[0] for line in lines[1:]] == [label(classifier)] * 2


def test_output_never_overwrites_what_is_read(run: Run, classifier: Path, tmp_path: Path) -> None:
    before = classifier.read_bytes()
    ran = run("predict", classifier, ONE, "-o", classifier)
    assert ran.code == 2
    assert classifier.read_bytes() == before
    assert run("predict", classifier, ONE, "-o", tmp_path / "no" / "x.json").code == 2


# --- what does not fit ------------------------------------------------------------------


def test_a_near_miss_of_a_column_is_named(run: Run, classifier: Path) -> None:
    ran = run("predict", classifier, ONE.replace("visits", "vists"))
    assert (ran.code, ran.out) == (1, "")
    assert "'visits'" in ran.err
    assert "'vists' is close to 'visits'" in ran.err


def test_a_closed_column_names_the_near_category(run: Run, classifier: Path) -> None:
    ran = run("predict", classifier, ONE.replace("日本", "Koln"))
    assert ran.code == 1
    assert "did you mean 'Köln'?" in ran.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{age: 29}", "double quotes"),
        ('{"age": 29', "ends too early"),
        ('{"age": 1, "age": 2}', "'age' stands twice"),
        ('[{"age": 1}, 5]', "row 1: expected an object like row 0, got a number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"age": ' + "9" * 5000 + "}", "INPUT"),
        ('{"age": "old"}', "expected a number, got text 'old'"),
        ("[1, 2]", "expected 6 columns, got 2"),
    ],
)
def test_bad_json_is_one_clear_message(run: Run, classifier: Path, text: str, message: str) -> None:
    ran = run("predict", classifier, text)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert "error: unexpected" not in ran.err


def test_an_unknown_kind_of_input_is_wrong_usage(run: Run, classifier: Path) -> None:
    ran = run("predict", classifier, "data.xlsx")
    assert ran.code == 2
    assert ".csv" in ran.err


# --- CSV --------------------------------------------------------------------------------

HEADER = "home.dest;alive;age;visits;Größe;sex\n"


def csv_answers(run: Run, model: Path, folder: Path, text: str | bytes, *options: str) -> object:
    path = folder / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return run("predict", model, path, *options)


def test_csv_cells_follow_the_manifest(run: Run, classifier: Path, tmp_path: Path) -> None:
    rows = "日本;yes;29;2;1.5;female\nKöln;0;;2.0;NA;\nNA;TRUE; 4.5 ;3;nan;NA\n"
    records = [
        RECORD,
        {"age": None, "Größe": None, "visits": 2, "alive": False, "sex": None, "home.dest": "Köln"},
        {"age": 4.5, "Größe": None, "visits": 3, "alive": True, "sex": None, "home.dest": "NA"},
    ]
    with load(classifier) as model:
        expected = model.predict_proba(records).tolist()
    for text in (HEADER + rows, (HEADER + rows).replace(";", ","), (HEADER + rows).replace(";", "\t")):
        ran = csv_answers(run, classifier, tmp_path, text, "-m", "predict_proba", "--json")
        assert [list(row.values()) for row in json.loads(ran.out)["prediction"]] == expected


def test_csv_quotes_hold_delimiters_and_line_ends(run: Run, classifier: Path, tmp_path: Path) -> None:
    text = HEADER.replace(";", ",") + '"日本","true","29","2","1.5","a, ""b""\nc"\r\n\r\n日本,true,29,2,1.5,female\n'
    ran = csv_answers(run, classifier, tmp_path, text)
    assert (ran.code, len(ran.out.splitlines())) == (0, 2)


def test_lines_may_end_in_a_carriage_return_alone(run: Run, classifier: Path, tmp_path: Path) -> None:
    text = (HEADER + "日本;true;29;2;1.5;female\n").replace("\n", "\r")
    assert csv_answers(run, classifier, tmp_path, text).out == label(classifier) + "\n"


def test_two_signs_are_no_whole_number(run: Run, classifier: Path, tmp_path: Path) -> None:
    ran = csv_answers(run, classifier, tmp_path, HEADER + "日本;true;29;--2;1.5;female\n")
    assert ran.code == 1
    assert "line 2, column 'visits': expected a whole number, got '--2'" in ran.err


def test_csv_mistakes_are_named_by_line_and_column(run: Run, classifier: Path, tmp_path: Path) -> None:
    text = HEADER + "日本;true;29;2;1.5;female\n\n日本;maybe;29,5;x;1_0;female\n"
    ran = csv_answers(run, classifier, tmp_path, text)
    assert ran.code == 1
    assert "line 4, column 'alive': expected true or false (or yes, no, 1, 0), got 'maybe'" in ran.err
    assert "line 4, column 'age': expected a number, got '29,5'" in ran.err
    assert "decimal comma" in ran.err
    assert "column 'visits': expected a whole number, got 'x'" in ran.err
    assert "column 'Größe': expected a number, got '1_0'" in ran.err


def test_what_the_model_refuses_is_named_by_line(run: Run, classifier: Path, tmp_path: Path) -> None:
    ran = csv_answers(run, classifier, tmp_path, HEADER + "\n日本;true;29;2;1.5;female\nParis;true;29;;1;male\n")
    assert ran.code == 1
    assert "line 4, column 'home.dest': expected one of" in ran.err
    assert "line 4, column 'visits'" in ran.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "got nothing"),
        (HEADER.replace("age", "Age").encode() + b"1;1;1;1;1;1\n", "'Age' is close to 'age'"),
        (HEADER.encode() + b"a;b\n", "line 2: expected 6 cells as in the header, got 2"),
        (HEADER.encode() + b'"a;b\n', "not a CSV"),
        (HEADER.encode("latin-1"), "save it as 'CSV UTF-8'"),
        (HEADER.encode("utf-16"), "got UTF-16"),
        (HEADER.replace("sex", "age").encode(), "'sex'"),
        ((HEADER.strip() + ";age\n").encode(), "expected one column, got 2 of this name"),
    ],
)
def test_bad_csv_is_one_clear_message(run: Run, classifier: Path, tmp_path: Path, text: bytes, message: str) -> None:
    ran = csv_answers(run, classifier, tmp_path, text)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err
    assert "error: unexpected" not in ran.err


def test_extra_columns_and_bom_and_no_rows_are_fine(run: Run, classifier: Path, tmp_path: Path) -> None:
    text = "\ufeffid;" + HEADER + "7;日本;true;29;2;1.5;female\n"
    assert csv_answers(run, classifier, tmp_path, text).out == label(classifier) + "\n"
    assert csv_answers(run, classifier, tmp_path, HEADER) == (0, "", "")


def test_a_matrix_needs_no_header(run: Run, plain: Path, tmp_path: Path) -> None:
    assert csv_answers(run, plain, tmp_path, "2,1\n4,0\n").out == "1.5\n0.25\n"
    assert csv_answers(run, plain, tmp_path, "a,b\n4,0\n").out == "0.25\n"


@pytest.mark.parametrize("command", ["predict", "stream", "bench"])
def test_a_method_that_is_none_is_told_in_plain_words(command: str, run: Run, classifier: Path) -> None:
    ran = run(command, classifier, "-m", "proba")
    assert ran.code == 2
    assert "Value error" not in ran.err
    assert "expected predict, predict_proba," in ran.err
    assert "got 'proba'" in " ".join(ran.err.replace("│", " ").split())


def test_an_input_of_a_misspelt_suffix_names_a_near_file(
    run: Run, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("titanic.csv", "titanic.csw"):  # of which one is no input either
        (tmp_path / name).touch()
    assert "got 'titanic.cvs' (did you mean 'titanic.csv'?)" in run("predict", classifier, "titanic.cvs").err
    assert "did you mean" not in run("predict", classifier, "wholly-other.txt").err
    for odd in ("x" * 5000, "no/such/folder.cvs", "a\0b"):
        ran = run("predict", classifier, odd)
        assert (ran.code, "Traceback" in ran.err) == (2, False)
        assert "expected JSON text" in ran.err
