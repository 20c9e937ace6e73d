"""A line holds what was asked and answered, as strict JSON, whatever the caller's data is."""

from __future__ import annotations

import datetime
import decimal
import enum
import hashlib
import hmac
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import InferenceError, InputError, Mismatch
from edge_infer.monitor.log_lines import Call, Lines, LoggedModel, Stamp, error_fields, plain, row_hash
from edge_infer.monitor.log_settings import LogSettings
from tests.monitor.logged import MODEL, NOON, ROW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MANY = pd.DataFrame({"age": [29, 41], "sex": ["female", None], "more": [1, 2]})


def written(call: Call, model: LoggedModel = MODEL, **settings: Any) -> list[dict[str, Any]]:
    found = Lines(model, LogSettings(**settings), "boot").of(call)
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in found)
    return [json.loads(line, parse_constant=pytest.fail) for line in found]


def one(data: Any, answer: Any = "cat", method: str = "predict", model: LoggedModel = MODEL, **settings: Any) -> Any:
    (line,) = written(Call("a-1", Stamp(NOON, 5.0), method, data, answer, 1e-5), model, **settings)
    return line


def many(data: Any, answer: Any, method: str = "predict", model: LoggedModel = MODEL) -> Any:
    return written(Call("a-1", Stamp(NOON, 5.0), method, data, answer, 1e-5, len(data)), model)


def test_a_line_says_what_was_asked_and_answered_and_by_which_release() -> None:
    assert one(ROW) == {
        "kind": "answer", "utc": "2026-11-28T12:00:00.000000+00:00", "boot": "boot", "seconds": 5.0,
        "model": "pets", "version": "1.0.0", "digest": "abababababab", "id": "a-1", "method": "predict",
        "inputs": ROW, "answer": "cat", "latency": 1e-05,
    }  # fmt: skip


@pytest.mark.parametrize("row", [[29, "female"], (29, "female"), np.array([29, "female"], object)])
def test_rows_by_position_are_logged_by_column(row: Any) -> None:
    assert one(row)["inputs"] == ROW


@pytest.mark.parametrize(
    "rows",
    [
        [{"age": 29, "sex": "female", "x": 1}, {"age": 41, "sex": None}],
        [[29, "female"], [41, None]],
        np.array([[29, "female"], [41, None]], object),
        MANY,
        MANY.astype({"sex": "category"})[["sex", "age"]],
        pl.from_pandas(MANY),
        pa.Table.from_pandas(MANY),
    ],
    ids=["dicts", "lists", "array", "pandas", "categories", "polars", "arrow"],
)
def test_many_rows_are_a_line_each_whatever_holds_them(rows: Any) -> None:
    found = many(rows, np.array(["cat", "dog"]))
    assert [line["inputs"] for line in found] == [{"age": 29, "sex": "female"}, {"age": 41, "sex": None}]
    assert [(line["id"], line["row"], line["answer"]) for line in found] == [("a-1.0", 0, "cat"), ("a-1.1", 1, "dog")]


def test_texts_are_logged_by_the_one_column() -> None:
    model = MODEL._replace(columns=("text",), style="texts")
    assert one("hello", model=model)["inputs"] == {"text": "hello"}
    assert [line["inputs"] for line in many(["a", "b"], np.array([1, 2]), model=model)] == [
        {"text": "a"},
        {"text": "b"},
    ]
    assert [line["inputs"] for line in many(pd.Series(["a"]), np.array([1]), model=model)] == [{"text": "a"}]


def test_a_matrix_model_takes_tables_by_position_where_no_name_is_known() -> None:
    model = MODEL._replace(style="array")
    other = pd.DataFrame({"p": [29], "q": ["female"]})
    assert many(other, np.array(["cat"]), model=model)[0]["inputs"] == ROW


def test_probabilities_are_by_label_and_the_answer_is_the_most_probable() -> None:
    found = one(ROW, np.array([0.25, 0.75]), "predict_proba")
    assert (found["answer"], found["probabilities"]) == ("dog", {"cat": 0.25, "dog": 0.75})
    assert "probabilities" not in one(ROW, np.array([0.25, 0.75]), "predict_proba", probabilities=False)
    assert one(ROW, np.array([0.5, 0.5]), "predict_proba")["answer"] == "cat", "a tie is the first, as argmax has it"


def test_labels_that_are_no_texts_are_keys_as_json_writes_them() -> None:
    model = MODEL._replace(classes=((False, True),))
    assert one(ROW, np.array([0.25, 0.75]), "predict_proba", model)["probabilities"] == {"false": 0.25, "true": 0.75}
    alike = MODEL._replace(classes=((True, "true"),))
    assert one(ROW, np.array([0.25, 0.75]), "predict_proba", alike)["probabilities"] == [0.25, 0.75]


def test_several_label_columns_are_lists() -> None:
    model = MODEL._replace(classes=(("a", "b"), (0, 1)))
    proba = [np.array([[0.1, 0.9]]), np.array([[0.8, 0.2]])]
    (found,) = many([ROW], proba, "predict_proba", model)
    assert found["answer"] == ["b", 0]
    assert found["probabilities"] == [{"a": 0.1, "b": 0.9}, {"0": 0.8, "1": 0.2}]


def test_answers_that_are_not_finite_are_written_as_in_the_goldens() -> None:
    assert one(ROW, np.array([np.nan, np.inf, -np.inf, 1.5]), "transform")["answer"] == [
        "NaN", "Infinity", "-Infinity", 1.5,
    ]  # fmt: skip


class Colour(enum.IntEnum):
    RED = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None), (pd.NA, None), (pd.NaT, None), (np.datetime64("NaT"), None), (np.float32("nan"), None),
        (math.inf, "Infinity"), (np.float64("-inf"), "-Infinity"), (np.float32(0.5), 0.5), (np.int64(7), 7),
        (np.bool_(True), True), (np.str_("x"), "x"), (Colour.RED, 3), (decimal.Decimal("1.5"), 1.5),
        (b"\x00\xff", "AP8="), (datetime.date(2026, 11, 28), "2026-11-28"),
        (datetime.datetime(2026, 11, 28, 1, tzinfo=datetime.UTC), "2026-11-28T01:00:00+00:00"),
        (np.datetime64("2026-11-28T01:02:03.000000004"), "2026-11-28T01:02:03.000000004"),
        (pd.Timestamp("2026-11-28 01:02:03"), "2026-11-28T01:02:03"),
        (np.array([1, 2]), [1, 2]), ((1, None), [1, None]),
        (object(), "<object>"), (1 + 2j, "<complex>"), (1 << 5000, "<whole number of 5001 bits>"),
        (np.longdouble(1.5), "<longdouble>"),
    ],
)  # fmt: skip
def test_values_that_json_does_not_know_have_a_form(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert one({"age": value, "sex": "x"})["inputs"]["age"] == expected


def test_columns_of_times_keep_their_nanoseconds() -> None:
    frame = pd.DataFrame({"age": pd.to_datetime(["2026-11-28T01:02:03.000000004"]), "sex": ["x"]})
    assert many(frame, np.array(["cat"]))[0]["inputs"]["age"] == "2026-11-28T01:02:03.000000004"


@given(st.fixed_dictionaries({"age": JSON, "sex": JSON}))
def test_any_row_of_json_survives(row: dict[str, Any]) -> None:
    assert one(row)["inputs"] == row


@given(st.text(st.characters(categories=["Cs", "L", "Cc"]), max_size=5))
def test_any_text_is_a_line(text: str) -> None:
    """Lone surrogates too; two halves of one character become that character, as json reads them."""
    found = one({"age": text, "sex": "x"})["inputs"]["age"]
    assert found.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


def test_data_that_cannot_be_read_leaves_a_line_without_inputs() -> None:
    class Hostile(dict):  # type: ignore[type-arg]
        def __getitem__(self, key: object) -> Any:
            raise RuntimeError("no")

    found = one(Hostile(ROW))
    assert "inputs" not in found
    assert found["answer"] == "cat"


def test_deep_and_huge_cells_do_not_stop_the_log() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert "<list>" in json.dumps(one({"age": deep, "sex": "x"}))
    huge = one({"age": "x" * (2 << 20), "sex": "x"})
    assert "inputs" not in huge
    assert huge["left_out"].endswith("bytes")


def test_tensors_of_run_are_not_logged() -> None:
    found = one(({"input": np.zeros(3)}, None), {"output": np.zeros(3)}, "run")
    assert "inputs" not in found
    assert "answer" not in found


def test_chosen_columns_alone_are_kept() -> None:
    assert one(ROW, inputs=("sex", "elsewhere"))["inputs"] == {"sex": "female"}
    assert "inputs" not in one(ROW, inputs="none")


def test_a_hash_is_of_the_canonical_row_whatever_held_it() -> None:
    expected = hashlib.sha256(b'{"age":29,"sex":"female"}').hexdigest()
    frame = pd.DataFrame({"sex": ["female"], "age": [29.0]})
    assert row_hash({"sex": "female", "age": 29.0}, None) == expected
    assert one(ROW, inputs="hash")["inputs_hash"] == expected
    call = Call("a-1", Stamp(NOON, 5.0), "predict", frame, np.array(["cat"]), 1e-5, 1)
    assert written(call, inputs="hash")[0]["inputs_hash"] == expected
    assert row_hash(ROW, b"k" * 16) == hmac.digest(b"k" * 16, b'{"age":29,"sex":"female"}', "sha256").hex()


def test_what_an_error_says_of_the_data_is_kept_only_with_the_inputs() -> None:
    error = InputError([Mismatch(3, "age", "a number", "'12-34-56'")])
    told = error_fields(error, with_values=False)
    assert told == {"error": "InputError", "column": "age", "row": 3, "expected": "a number", "mismatches": 1}
    assert error_fields(error, with_values=True)["got"] == "'12-34-56'"
    other = InferenceError("12-34-56 is out of range")
    assert error_fields(other, with_values=False) == {"error": "InferenceError"}
    assert error_fields(other, with_values=True)["message"] == "12-34-56 is out of range"
