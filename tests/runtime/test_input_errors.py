"""Data that does not fit is refused with every place named; what is close to it passes."""

from __future__ import annotations

import datetime
import decimal
import fractions
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from edge_infer import InputError
from edge_infer.manifest import Column, Cut, Inputs, Tensor
from edge_infer.tensors import Packer
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, RECORD, load, penguins


def number(name: str, index: int, kind: str = "number", **more: Any) -> Column:
    return Column(name, kind, "float64", "numbers", index, missing=more.pop("missing", False), **more)


def packer(dtype: str = "float32") -> Packer:
    """A column of each kind, and none takes anything unusual."""
    columns = (
        number("size", 0),
        number("count", 1, "integer"),
        number("flag", 2, "boolean"),
        number("grade", 3, categories=(1, 2, 3), unknown=False),
        number("gap", 4, missing=True, infinite=True),
        Column("colour", "string", "str", "strings", 0, missing=False, unknown=False, categories=("red", "green")),
        Column("shade", "string", "str", "strings", 1, missing=True, unknown=True, categories=("dark",)),
    )
    tensors = (Tensor("numbers", dtype, 5), Tensor("strings", "string", 2, "\ue000"))
    return Packer(Inputs("columns", columns, tensors, Cut("codes", (0, 4))))


GOOD = {"size": 1.5, "count": 3, "flag": True, "grade": 2, "gap": None, "colour": "red", "shade": None}


def forms(record: dict[str, Any]) -> dict[str, Any]:
    """The record in each form of caller's data, those first that keep its types."""
    return {
        "dict": record,
        "list of dicts": [record],
        "flat list": list(record.values()),
        "rows": [list(record.values())],
        "object array": np.fromiter(record.values(), dtype=object).reshape(1, -1),
        "pandas": pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in record.items()}),
    }


NESTED = ("a list", "an array", "a dict")
REFUSED: dict[str, tuple[str, Any, str]] = {
    "text in a number": ("size", "tall", "expected a number, got text 'tall'"),
    "digits as text in a number": ("size", "29", "expected a number, got text '29'"),
    "numpy text in a number": ("size", np.str_("29"), "expected a number"),
    "bytes in a number": ("size", b"29", "expected a number"),
    "text in an array of none": ("size", np.array("29"), "expected a number"),
    "empty text in a number": ("size", "", "expected a number"),
    "None": ("size", None, "missing value"),
    "NaN": ("size", float("nan"), "missing value"),
    "numpy NaN": ("size", np.float32("nan"), "missing value"),
    "pandas NA": ("size", pd.NA, "missing value"),
    "NaT": ("size", pd.NaT, "missing value"),
    "infinity": ("size", float("inf"), "expected a finite number, got inf"),
    "minus infinity": ("size", -np.inf, "expected a finite number, got -inf"),
    "beyond float32": ("size", 1e39, "expected a number that fits float32, got 1e[+]39"),
    "beyond float64": ("size", 10**400, "whole number that float32 holds exactly"),
    "fraction beyond float64": ("size", fractions.Fraction(10**400, 3), "expected a number"),
    "signalling NaN": ("size", decimal.Decimal("sNaN"), "expected a number"),
    "complex": ("size", 1j, "expected a number"),
    "numpy complex": ("size", np.complex128(1), "expected a number"),
    "a date": ("size", datetime.date(2020, 1, 1), "expected a number"),
    "a duration": ("size", np.timedelta64(5, "D"), "expected a number"),
    "a moment": ("size", np.datetime64("2020-01-01"), "expected a number"),
    "a list": ("size", [1.0], "expected a number, got list"),
    "an array": ("size", np.array([1.0]), "expected a number"),
    "a dict": ("size", {"a": 1}, "expected a number, got dict"),
    "a whole number not exact in float32": ("count", 16_777_217, r"holds exactly \(up to 16,777,216\), got 16777217"),
    "a numpy one": ("count", np.int64(-16_777_217), "holds exactly .*, got -16777217"),
    "the same as a float": ("count", 16_777_217.0, "holds exactly"),
    "the same in a number column": ("size", 16_777_217, "holds exactly"),
    "text in a boolean": ("flag", "true", "expected a boolean"),
    "an unknown number in a closed column": ("grade", 4, r"expected one of 1, 2, 3, got 4.0"),
    "an unknown text in a closed column": (
        "colour",
        "gren",
        r"one of 'red', 'green', got 'gren' \(did you mean 'green'",
    ),
    "a number in a text": ("colour", 3, "expected text, got a whole number 3"),
    "a missing text": ("colour", None, "missing value"),
    "NaN for a text": ("colour", float("nan"), "missing value"),
    "a boolean in a text": ("shade", True, "expected text, got true/false True"),
    "bytes in a text": ("shade", b"dark", "expected text"),
}


@pytest.mark.parametrize(
    ("form", "case"), [(f, c) for c in REFUSED for f in forms(GOOD) if f != "flat list" or c not in NESTED]
)
def test_a_value_that_does_not_fit_is_refused_with_its_column(form: str, case: str) -> None:
    column, value, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as caught:
        packer().pack(forms({**GOOD, column: value})[form])
    (mismatch,) = caught.value.mismatches
    assert mismatch.column == column
    assert mismatch.row == (None if form in ("dict", "flat list") else 0)
    assert "np." not in mismatch.got, "a reader knows no Python"


@pytest.mark.parametrize("case", NESTED)
def test_a_list_in_a_flat_list_is_neither_record_nor_rows(case: str) -> None:
    with pytest.raises(InputError, match="expected a dict, a list of dicts"):
        packer().pack(list({**GOOD, "size": REFUSED[case][1]}.values()))


TAKEN: dict[str, tuple[str, Any]] = {
    "a whole number in a number": ("size", 29),
    "numpy float": ("size", np.float32(1.5)),
    "zero-dimensional array": ("size", np.array(1.5)),
    "decimal": ("size", decimal.Decimal("1.5")),
    "fraction": ("size", fractions.Fraction(3, 2)),
    "boolean in a number": ("size", True),
    "the largest float32": ("size", float(np.finfo(np.float32).max)),
    "the smallest float64, zero in float32": ("size", 5e-324),
    "the last exact whole number": ("count", 16_777_216),
    "the same below zero": ("count", np.int64(-16_777_216)),
    "the same as a float": ("count", 16_777_216.0),
    "a float that float32 rounds in a number column": ("size", 16_777_217.0),
    "numpy boolean": ("flag", np.bool_(False)),
    "zero for a boolean": ("flag", 0),
    "a known number as a float": ("grade", 3.0),
    "missing where it is allowed": ("gap", pd.NA),
    "infinite where it is allowed": ("gap", float("-inf")),
    "a known text": ("colour", "green"),
    "numpy text": ("colour", np.str_("green")),
    "an unknown text where it is allowed": ("shade", "light"),
    "digits in a text": ("shade", "29"),
    "numpy NaN for a text": ("shade", np.float64("nan")),
    "single-precision NaN for a text": ("shade", np.float32("nan")),
}


@pytest.mark.parametrize("form", forms(GOOD))
@pytest.mark.parametrize("case", TAKEN)
def test_a_value_close_to_those_refused_is_taken(case: str, form: str) -> None:
    column, value = TAKEN[case]
    feeds = packer().pack(forms({**GOOD, column: value})[form]).feeds
    one = packer().pack({**GOOD, column: value}).feeds
    for name in one:
        np.testing.assert_array_equal(feeds[name], one[name])


def test_codes_follow_the_manifest() -> None:
    rows = [("red", "dark"), ("green", None), ("red", "light")]
    records = [{**GOOD, "colour": colour, "shade": shade} for colour, shade in rows]
    np.testing.assert_array_equal(packer().pack(records).feeds["codes"], [[0, 4], [1, 5], [0, 6]])


COLUMN_CASES = {
    "int64": pd.Series([1, 16_777_217]),
    "uint64": pd.Series([1, 2**63], dtype="uint64"),
    "lowest int64": pd.Series([1, -(2**63)]),
    "float64": pd.Series([1.0, 16_777_217.0]),
    "Int64 with a gap elsewhere": pd.Series([1, 16_777_217], dtype="Int64"),
    "object": pd.Series([1, 16_777_217], dtype=object),
}


@pytest.mark.parametrize("case", COLUMN_CASES)
def test_a_column_of_whole_numbers_must_be_exact(case: str) -> None:
    frame = pd.DataFrame([GOOD, GOOD]).assign(count=COLUMN_CASES[case])
    with pytest.raises(InputError, match="row 1, column 'count': expected a whole number that float32 holds exactly"):
        packer().pack(frame)
    packer("float64").pack(frame.assign(count=[1, 16_777_217]))


def test_a_matrix_of_whole_numbers_must_be_exact() -> None:
    whole = Packer(Inputs("array", (number("x0", 0, "integer"), number("x1", 1)), (Tensor("numbers", "float32", 2),)))
    for dtype in ("int64", "float64", "uint32"):
        with pytest.raises(InputError, match="row 1, column 'x0'"):
            whole.pack(np.array([[1, 2], [16_777_217, 2]], dtype=dtype))
        feeds = whole.pack(np.array([[1, 2], [16_777_216, 2]], dtype=dtype)).feeds
        np.testing.assert_array_equal(feeds["numbers"], [[1, 2], [16_777_216, 2]])


def test_all_mismatches_of_a_record_are_reported_at_once() -> None:
    record = {"size": "tall", "count": None, "flag": True, "grade": 9, "gap": None, "shade": 4}
    with pytest.raises(InputError) as caught:
        packer().pack(record)
    assert [m.column for m in caught.value.mismatches] == ["size", "count", "grade", "colour", "shade"]
    assert str(caught.value).startswith("the input does not fit the model's schema (5 mismatches):\n  column 'size'")


def test_all_mismatches_of_many_rows_are_kept_and_twenty_are_shown() -> None:
    records = [{**GOOD, "size": "x", "colour": None}] * 150
    with pytest.raises(InputError) as caught:
        packer().pack(records)
    found = [(m.row, m.column) for m in caught.value.mismatches]
    assert found == [(row, column) for row in range(150) for column in ("size", "colour")]
    assert str(caught.value).count("\n  row ") == 20
    assert "and 280 more (all in .mismatches)" in str(caught.value)


def test_one_mismatch_is_not_called_mismatches() -> None:
    with pytest.raises(InputError, match=r"\(1 mismatch\):"):
        packer().pack({**GOOD, "size": "x"})


@pytest.mark.parametrize("kind", ["pandas", "arrow", "polars"])
def test_every_row_of_an_encoded_column_is_named(kind: str) -> None:
    frame = pd.DataFrame([GOOD] * 4).assign(colour=pd.Categorical(["red", "blue", "green", "blue"]))
    data = {
        "pandas": lambda: frame,
        "arrow": lambda: pa.Table.from_pandas(frame),
        "polars": lambda: pl.from_pandas(frame),
    }
    with pytest.raises(InputError) as caught:
        packer().pack(data[kind]())
    assert [(m.row, m.column, m.got) for m in caught.value.mismatches] == [
        (1, "colour", "'blue'"),
        (3, "colour", "'blue'"),
    ]


def test_a_category_that_no_row_has_does_not_matter() -> None:
    colours = pd.Categorical(["red", "green"], categories=["blue", "red", "green", 7])
    assert packer().pack(pd.DataFrame([GOOD] * 2).assign(colour=colours)).feeds["codes"][:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("index", [pa.int8(), pa.uint8(), pa.int64()], ids=str)
@pytest.mark.parametrize("rows", [5, 400], ids="{} rows".format)
def test_dictionaries_that_fill_their_index_are_read_by_place(index: Any, rows: int) -> None:
    """More values than rows, and as many as int8 can count; the last is used, and gaps are not taken for it."""
    values = [f"shade {place}" for place in range(126)] + ["dark"]
    places = ([126, 0, None, 126, 3] * rows)[:rows]
    shades = pa.DictionaryArray.from_arrays(pa.array(places, index), pa.array(values))
    table = pa.Table.from_pylist([GOOD] * rows).drop_columns(["shade", "gap"])
    table = table.append_column("gap", pa.nulls(rows, pa.float64())).append_column("shade", shades)
    codes = {126: 4, None: 5}  # dark, missing; all others are unknown
    wanted = [codes.get(place, 6) for place in places]
    assert packer().pack(table).feeds["codes"][:, 1].tolist() == wanted
    with pytest.raises(InputError) as caught:
        packer().pack(table.set_column(table.column_names.index("colour"), "colour", shades))
    assert [(m.row, m.column) for m in caught.value.mismatches] == [(row, "colour") for row in range(rows)]


@pytest.mark.parametrize("written", ["iland", "sexe", "bill_lenght", "bill_length"])
def test_a_short_name_and_one_without_its_unit_are_hinted_at(written: str) -> None:
    near = {"iland": "island", "sexe": "sex"}.get(written, "bill_length_mm")
    record = {(written if name == near else name): value for name, value in RECORD.items()}
    with pytest.raises(InputError, match=f"'{written}' is close to '{near}'"):
        load(PENGUINS).predict(record)


def test_a_missing_field_is_named_with_a_near_miss() -> None:
    record = {("flipper_lenght_mm" if name == "flipper_length_mm" else name): v for name, v in RECORD.items()}
    frame = penguins()[1].rename(columns={"flipper_length_mm": "flipper_lenght_mm"})
    for data in (record, [record, record], frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        with pytest.raises(
            InputError, match=r"column 'flipper_length_mm': expected .*, got no such (column|field)"
        ) as caught:
            load(PENGUINS).predict(data)
        assert "'flipper_lenght_mm' is close to 'flipper_length_mm'" in str(caught.value)


def test_a_field_that_one_record_lacks_is_named_with_its_row() -> None:
    lacking = {name: value for name, value in RECORD.items() if name not in ("sex", "body_mass_g")}
    with pytest.raises(InputError) as caught:
        load(PENGUINS).predict([RECORD, lacking])
    places = [(m.row, m.column, m.got) for m in caught.value.mismatches]
    assert places == [(1, "sex", "no such field"), (1, "body_mass_g", "no such field")]
    assert "Absent" not in str(caught.value)


def test_a_field_may_be_null_but_not_absent() -> None:
    assert load(PENGUINS).predict({**RECORD, "sex": None}) == "Gentoo"
    with pytest.raises(InputError, match="column 'sex'"):
        load(PENGUINS).predict({name: value for name, value in RECORD.items() if name != "sex"})


def test_more_fields_than_the_model_takes_are_passed_over() -> None:
    assert load(PENGUINS).predict({**RECORD, "species": "?", "id": object()}) == "Gentoo"


def test_all_absent_columns_of_a_frame_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        load(DIABETES).predict(pd.DataFrame({"age": [1.0], "weight": [2.0]}))
    assert len(caught.value.mismatches) == 9


def test_the_width_of_a_matrix_is_named() -> None:
    with pytest.raises(InputError, match="expected 64 columns, got 63"):
        load(DIGITS).predict(np.zeros((2, 63)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_number_in_a_matrix_is_found(bad: float) -> None:
    X = np.zeros((5, 64))
    X[3, 17] = bad
    with pytest.raises(InputError) as caught:
        load(DIGITS).predict(X)
    assert [(m.row, m.column) for m in caught.value.mismatches] == [(3, "x17")]


def test_whole_number_tensors_take_whole_numbers_only() -> None:
    whole = Packer(
        Inputs("array", (Column("n", "integer", "int64", "n", 0, missing=False),), (Tensor("n", "int64", 1),))
    )
    for data in (
        {"n": 1.5},
        [[1.5]],
        np.array([[1.5]]),
        {"n": None},
        np.array([[np.nan]]),
        np.array([[np.inf]]),
        {"n": 2**63},
    ):
        with pytest.raises(InputError):
            whole.pack(data)
    for data in ({"n": 2**63 - 1}, [[2**63 - 1]], np.array([[2**63 - 1]]), np.array([[2**63 - 1]], dtype=np.uint64)):
        assert whole.pack(data).feeds["n"].tolist() == [[2**63 - 1]]
    assert whole.pack(np.array([[3.0]])).feeds["n"].tolist() == [[3]]


def test_an_input_error_survives_a_trip_between_processes() -> None:
    with pytest.raises(InputError) as caught:
        load(PENGUINS).predict({})
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.mismatches == caught.value.mismatches
    assert str(again) == str(caught.value)
