"""Every form of the same rows gives scikit-learn's own answers, in its dtype and shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_infer import InputError
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, RECORD, diabetes, digits, load, penguins

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]
COLUMNS = TEXTS + NUMBERS


def rows_with_gaps() -> pd.DataFrame:
    """Sixty rows of the training data, with a gap in every column."""
    frame = penguins()[1].iloc[:60].reset_index(drop=True)
    frame.loc[5, "island"] = np.nan
    assert frame.isna().any().all(), "every column must have a gap"
    return frame


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): None if pd.isna(v) else v for k, v in row.items()} for row in frame.to_dict("records")]


def chunked(frame: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return pa.concat_tables([table.slice(0, 7), table.slice(7, 0), table.slice(7)])


def encoded(frame: pd.DataFrame, index: pa.DataType) -> pa.Table:
    """Texts as dictionaries; each chunk has its own."""
    table = chunked(frame)
    for name in TEXTS:
        place = table.column_names.index(name)
        chunks = [
            pa.DictionaryArray.from_arrays(
                chunk.dictionary_encode().indices.cast(index), chunk.dictionary_encode().dictionary
            )
            for chunk in table.column(name).cast(pa.string()).chunks
        ]
        table = table.set_column(place, name, pa.chunked_array(chunks, pa.dictionary(index, pa.string())))
    return table


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(extra="x", another=1)[["another", *reversed(COLUMNS), "extra"]]


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "list of dicts": records,
    "tuple of dicts": lambda f: tuple(records(f)),
    "dicts with more fields": lambda f: [{**r, "extra": [1], "zzz": None} for r in records(f)],
    "dicts with NaN for missing": lambda f: f.to_dict("records"),
    "rows of lists": lambda f: [list(r.values()) for r in records(f)],
    "rows of tuples": lambda f: [tuple(r.values()) for r in records(f)],
    "object array": lambda f: f.to_numpy(dtype=object),
    "Fortran object array": lambda f: np.asfortranarray(f.to_numpy(dtype=object)),
    "every second row of an array": lambda f: np.repeat(f.to_numpy(dtype=object), 2, axis=0)[::2],
    "pandas": lambda f: f,
    "pandas object": lambda f: f.astype(object),
    "pandas object with None": lambda f: f.astype(object).where(f.notna(), None),
    "pandas string": lambda f: f.astype(dict.fromkeys(TEXTS, "string")),
    "pandas category": lambda f: f.astype(dict.fromkeys(TEXTS, "category")),
    "pandas category of numbers": lambda f: f.astype(dict.fromkeys(NUMBERS, "category")),
    "pandas nullable": lambda f: f.convert_dtypes(),
    "pandas on Arrow": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
    "pandas in another order with more columns": shuffled,
    "pandas with another index": lambda f: f.set_index(pd.Index(range(100, 100 + len(f)))),
    "polars": pl.from_pandas,
    "polars categorical": lambda f: pl.from_pandas(f).with_columns(pl.col(TEXTS).cast(pl.Categorical)),
    "polars enum": lambda f: pl.from_pandas(f).with_columns(pl.col("sex").cast(pl.Enum(["male", "female"]))),
    "polars in another order": lambda f: pl.from_pandas(shuffled(f)),
    "arrow table": lambda f: pa.Table.from_pandas(f, preserve_index=False),
    "arrow record batch": lambda f: pa.RecordBatch.from_pandas(f, preserve_index=False),
    "arrow of chunks": chunked,
    "arrow dictionaries": lambda f: encoded(f, pa.int32()),
    "arrow dictionaries of unsigned indices": lambda f: encoded(f, pa.uint8()),
    "arrow dictionary batch": lambda f: encoded(f, pa.int8()).combine_chunks().to_batches()[0],
    "arrow large strings": lambda f: pa.Table.from_pandas(f, preserve_index=False).cast(
        pa.schema([(n, pa.large_string() if n in TEXTS else pa.float64()) for n in COLUMNS])
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_mixed_columns_gives_the_originals_answers(form: str) -> None:
    pipeline, _ = penguins()
    frame = rows_with_gaps()
    data = FORMS[form](frame)
    model = load(PENGUINS)
    labels, proba = model.predict(data), model.predict_proba(data)
    expected = pipeline.predict(frame)
    np.testing.assert_array_equal(labels, expected)
    assert (labels.dtype, labels.shape) == (expected.dtype, expected.shape)
    wanted = pipeline.predict_proba(frame)
    np.testing.assert_allclose(proba, wanted, rtol=1e-4, atol=1e-6)
    assert (proba.dtype, proba.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_allclose(model.decision_function(data), pipeline.decision_function(frame), rtol=1e-3, atol=1e-4)


ARRAYS: dict[str, Callable[[Any], Any]] = {
    "float64": lambda X: X,
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "big endian": lambda X: X.astype(">f8"),
    "int64": lambda X: X.astype(np.int64),
    "uint8": lambda X: X.astype(np.uint8),
    "object": lambda X: X.astype(object),
    "Fortran": np.asfortranarray,
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: X[::-1][::-1],
    "read-only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
    "list of arrays": list,
    "list of lists": lambda X: X.tolist(),
    "list of lists of int": lambda X: X.astype(int).tolist(),
    "pandas of made-up names": lambda X: pd.DataFrame(X, columns=[f"x{i}" for i in range(64)]),
    "pandas of its own names": lambda X: pd.DataFrame(X, columns=[f"pixel_{i}" for i in range(64)]),
    "pandas without names": pd.DataFrame,
    "polars of its own names": lambda X: pl.DataFrame(X, schema=[f"pixel_{i}" for i in range(64)]),
}


@pytest.mark.parametrize("form", ARRAYS)
def test_every_form_of_a_matrix_gives_the_originals_answers(form: str) -> None:
    original, X = digits()
    data = ARRAYS[form](X[:80])
    labels = load(DIGITS).predict(data)
    expected = original.predict(X[:80])
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == expected.dtype
    np.testing.assert_allclose(load(DIGITS).predict_proba(data), original.predict_proba(X[:80]), rtol=1e-9, atol=1e-12)


def test_a_boolean_matrix_is_zeros_and_ones() -> None:
    original, X = digits()
    bits = X[:50] > 7
    np.testing.assert_array_equal(load(DIGITS).predict(bits), original.predict(bits))


@pytest.mark.parametrize("kind", ["f8", "f4", "i8", "O"])
def test_a_flat_row_gives_one_answer(kind: str) -> None:
    original, X = digits()
    row = X[3].astype(kind)
    for flat in (row, row.tolist(), tuple(row.tolist())):
        answer = load(DIGITS).predict(flat)
        assert type(answer) is int
        assert answer == original.predict(X[3:4])[0]
        assert load(DIGITS).predict_proba(flat).shape == (10,)


def test_one_dict_gives_a_label_of_its_type_and_a_row_of_probabilities() -> None:
    pipeline, X = penguins()
    frame = pd.DataFrame([RECORD]).astype(X.dtypes)  # scikit-learn tells None from NaN
    model = load(PENGUINS)
    assert type(model.predict(RECORD)) is str
    assert model.predict(RECORD) == pipeline.predict(frame)[0]
    proba = model.predict_proba(RECORD)
    assert proba.shape == (3,)
    np.testing.assert_allclose(proba, pipeline.predict_proba(frame)[0], rtol=1e-4)


def test_one_dict_gives_a_python_float() -> None:
    forest, X = diabetes()
    answer = load(DIABETES).predict(X.iloc[0].to_dict())
    assert type(answer) is float
    assert answer == pytest.approx(forest.predict(X.iloc[:1])[0], rel=1e-6)


def test_a_flat_list_is_one_record_in_the_columns_order() -> None:
    model = load(PENGUINS)
    assert model.predict([RECORD[name] for name in model.feature_names_in_]) == model.predict(RECORD)


def test_numbers_by_name_answer_as_the_original_and_as_a_matrix() -> None:
    forest, X = diabetes()
    expected = forest.predict(X)
    for data in (X, X[X.columns[::-1]], X.to_numpy(), pl.from_pandas(X), pa.Table.from_pandas(X)):
        np.testing.assert_allclose(load(DIABETES).predict(data), expected, rtol=1e-5)


EMPTY: dict[str, Callable[[], Any]] = {
    "pandas": lambda: rows_with_gaps().iloc[:0],
    "pandas category": lambda: rows_with_gaps().iloc[:0].astype(dict.fromkeys(TEXTS, "category")),
    "polars": lambda: pl.from_pandas(rows_with_gaps().iloc[:0]),
    "arrow": lambda: pa.Table.from_pandas(rows_with_gaps().iloc[:0], preserve_index=False),
    "arrow dictionaries": lambda: encoded(rows_with_gaps(), pa.uint8()).slice(0, 0),
    "arrow without chunks": lambda: pa.schema(encoded(rows_with_gaps(), pa.uint8()).schema).empty_table(),
    "array": lambda: np.empty((0, 6), dtype=object),
}


@pytest.mark.parametrize("form", EMPTY)
def test_no_rows_give_no_answers_of_the_right_shape_and_dtype(form: str) -> None:
    model = load(PENGUINS)
    assert model.predict(EMPTY[form]()).shape == (0,)
    assert model.predict(EMPTY[form]()).dtype == object
    assert model.predict_proba(EMPTY[form]()).shape == (0, 3)
    assert load(DIGITS).predict(np.empty((0, 64))).dtype == np.int64


def generator() -> Iterator[dict[str, Any]]:
    yield RECORD


NOT_DATA: dict[str, Callable[[], Any]] = {
    "generator": generator,
    "None": lambda: None,
    "text": lambda: "Biscoe",
    "bytes": lambda: b"Biscoe",
    "number": lambda: 1.5,
    "set": lambda: {1, 2},
    "empty list": list,
    "3-D array": lambda: np.zeros((2, 6, 1)),
    "0-D array": lambda: np.array(1.0),
    "nested lists": lambda: [[[1.0] * 6]],
    "ragged lists": lambda: [[1.0] * 6, [1.0] * 5],
    "dicts and lists": lambda: [RECORD, [1.0] * 6],
    "a list of one Series": lambda: [pd.Series(RECORD)],
    "pandas Series": lambda: pd.Series(RECORD),
    "polars LazyFrame": lambda: pl.from_pandas(rows_with_gaps()).lazy(),
    "object": object,
    "no rows and no columns": lambda: np.empty((0, 0)),
    "no rows of too few columns": lambda: np.empty((0, 5)),
    "rows of too few columns": lambda: np.zeros((3, 5)),
    "rows of too many columns": lambda: np.zeros((3, 7)),
    "too short a flat list": lambda: ["Biscoe", "male", 1.0],
    "empty dict": dict,
}


@pytest.mark.parametrize("kind", NOT_DATA)
def test_what_is_no_table_and_no_record_is_an_input_error(kind: str) -> None:
    with pytest.raises(InputError) as caught:
        load(PENGUINS).predict(NOT_DATA[kind]())
    assert caught.value.mismatches


@pytest.mark.parametrize(
    "repeat",
    [
        lambda f: pd.concat([f, f[["sex"]]], axis=1),
        lambda f: pa.table([*pa.table(f).columns, pa.table(f).column("sex")], names=[*COLUMNS, "sex"]),
    ],
)
def test_a_column_that_stands_twice_is_refused_by_name(repeat: Callable[[pd.DataFrame], Any]) -> None:
    with pytest.raises(InputError, match=r"column 'sex': expected one column, got 2 of this name"):
        load(PENGUINS).predict(repeat(rows_with_gaps()))


def test_a_column_that_is_not_used_may_stand_twice() -> None:
    frame = rows_with_gaps().assign(a=1, b=2).rename(columns={"b": "a"})
    np.testing.assert_array_equal(load(PENGUINS).predict(frame), penguins()[0].predict(rows_with_gaps()))


def test_a_list_in_a_cell_is_not_taken_for_what_it_holds() -> None:
    with pytest.raises(InputError, match="body_mass_g"):
        load(PENGUINS).predict([{**RECORD, "body_mass_g": [4400.0]}])
    with pytest.raises(InputError, match="island"):
        load(PENGUINS).predict([{**RECORD, "island": ["Biscoe"]}])


@pytest.mark.parametrize("value", [2**53 + 1, 2**24 + 1, -(2**53) - 1, 7])
def test_whole_numbers_of_a_frame_are_exact_or_refused(value: int) -> None:
    """A frame of int64 goes in as a matrix; beside a column of floats numpy would round it without a word."""
    model = load(DIABETES)
    frame = pd.DataFrame(np.zeros((3, 10), np.int64), columns=model.feature_names_in_)
    frame.iloc[1, 4] = value
    forms = [frame, frame.astype({"age": float}), frame.to_dict("records"), frame.iloc[:, ::-1]]
    answers = []
    for form in forms:
        try:
            answers.append(model.predict(form).tolist())
        except InputError as error:
            answers.append(str(error))
    assert answers == [answers[0]] * len(forms)
    assert isinstance(answers[0], str) == (abs(value) > 2**24)


def test_the_callers_data_stays_as_it_was() -> None:
    X = digits()[1][:5].copy()
    before = X.copy()
    load(DIGITS).predict(X)
    np.testing.assert_array_equal(X, before)
    frame = rows_with_gaps()
    load(PENGUINS).predict(frame)
    pd.testing.assert_frame_equal(frame, rows_with_gaps())


_ROW = st.fixed_dictionaries(
    {
        "island": st.sampled_from(["Biscoe", "Dream", "Torgersen", "Atlantis", "", "größe", "Biscoe ", None]),
        "sex": st.sampled_from(["female", "male", "FEMALE", "nan", None]),
    }
    | {name: st.none() | st.floats(-1e6, 1e6, width=32) for name in NUMBERS}
)


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: pd.Series([row[name] for row in rows], dtype=object if name in TEXTS else np.float64)
            for name in COLUMNS
        }
    )


@settings(max_examples=40)
@given(st.lists(_ROW, min_size=1, max_size=5))
def test_random_rows_answer_alike_in_every_form(rows: list[dict[str, Any]]) -> None:
    model, frame = load(PENGUINS), frame_of(rows)
    expected = model.predict_proba(rows)
    single = np.stack([model.predict_proba(row) for row in rows])
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-7)
    forms = [
        [[row[name] for name in COLUMNS] for row in rows],
        frame,
        frame.astype(dict.fromkeys(TEXTS, "category")),
        frame.astype(dict.fromkeys(TEXTS, "string")),
        pl.DataFrame(rows, schema=dict.fromkeys(TEXTS, pl.String) | dict.fromkeys(NUMBERS, pl.Float64)),
        pa.Table.from_pylist(rows),
    ]
    for data in forms:
        np.testing.assert_array_equal(model.predict_proba(data), expected)


@settings(max_examples=40)
@given(st.lists(_ROW, min_size=1, max_size=5))
def test_random_rows_answer_as_scikit_learn(rows: list[dict[str, Any]]) -> None:
    frame = frame_of(rows)
    for name in TEXTS:
        frame[name] = frame[name].astype("str")
    wanted = penguins()[0].decision_function(frame)
    scale = np.abs(frame[NUMBERS]).max().max()
    atol = 1e-6 * max(1.0, 0.0 if np.isnan(scale) else scale)
    np.testing.assert_allclose(load(PENGUINS).decision_function(rows), wanted, rtol=1e-4, atol=atol)
