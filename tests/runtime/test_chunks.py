"""Rows in chunks: the same answers and the same errors as all at once, whatever holds the rows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge_infer
from edge_infer import InputError, Model, SessionOptions
from edge_infer.chunks import answer_in_chunks
from edge_infer.errors import InferenceError
from edge_infer.frames import Rows
from tests.runtime.samples import DIABETES, PENGUINS, RECORD

ONE_CHUNK = SessionOptions(chunk_bytes=0)
TINY = SessionOptions(chunk_bytes=100)

CONTAINERS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "categories": lambda frame: frame.astype({"island": "category"}),
    "index of dates": lambda frame: frame.set_index(pd.date_range("2026-01-01", periods=len(frame))),
    "dicts": lambda frame: frame.to_dict("records"),
    "tuple of dicts": lambda frame: tuple(frame.to_dict("records")),
    "lists": lambda frame: frame.to_numpy(dtype=object).tolist(),
    "objects": lambda frame: frame.to_numpy(dtype=object),
    "arrow": pa.Table.from_pandas,
    "arrow batch": pa.RecordBatch.from_pandas,
    "polars": pl.from_pandas,
}


def people(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    records = [{**RECORD, "island": str(island)} for island in rng.choice(["Biscoe", "Dream", "Torgersen"], rows)]
    return pd.DataFrame(records).assign(bill_length_mm=rng.normal(44, 5, rows), body_mass_g=rng.normal(4200, 800, rows))


@pytest.fixture(scope="module", params=[1, 3])
def threads(request: pytest.FixtureRequest) -> int:
    count: int = request.param
    return count


@pytest.fixture(scope="module")
def together() -> Model:
    return edge_infer.load(PENGUINS, options=ONE_CHUNK)


@pytest.fixture(scope="module")
def chunked(threads: int) -> Model:
    return edge_infer.load(PENGUINS, options=TINY._replace(threads=threads))


@pytest.mark.parametrize("container", CONTAINERS)
@settings(max_examples=10, deadline=None)
@given(rows=st.integers(1, 40))
def test_chunks_give_the_answers_of_all_at_once(container: str, rows: int, together: Model, chunked: Model) -> None:
    data = CONTAINERS[container](people(rows))
    for method in ("predict", "predict_proba", "decision_function"):
        got, wanted = getattr(chunked, method)(data), getattr(together, method)(data)
        assert (type(got), got.dtype, got.shape) == (type(wanted), wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(got, wanted)


def test_matrices_and_no_rows_at_all() -> None:
    X = np.random.default_rng(0).normal(size=(1001, 10))
    wanted = edge_infer.load(DIABETES, options=ONE_CHUNK).predict(X)
    model = edge_infer.load(DIABETES, options=SessionOptions(chunk_bytes=800))
    np.testing.assert_array_equal(model.predict(X), wanted)
    np.testing.assert_array_equal(model.predict(np.asfortranarray(X)), wanted)
    np.testing.assert_array_equal(model.predict(X.tolist()), wanted)
    assert model.predict(X[:0]).shape == (0,)


def test_mistakes_of_all_chunks_are_told_by_row_of_the_whole(together: Model, chunked: Model) -> None:
    frame = people(30).astype({"body_mass_g": object, "sex": object})
    frame.loc[3, "body_mass_g"] = "heavy"
    frame.loc[17, "sex"] = 5
    frame.loc[29, "body_mass_g"] = "light"
    for data in (frame, frame.to_dict("records")):
        with pytest.raises(InputError) as wanted:
            together.predict(data)
        with pytest.raises(InputError) as got:
            chunked.predict(data)
        assert [m.row for m in got.value.mismatches] == [3, 17, 29]
        assert str(got.value) == str(wanted.value)


def test_a_column_that_is_not_there_is_told_once(together: Model, chunked: Model) -> None:
    frame = people(30).rename(columns={"sex": "sexx"})
    with pytest.raises(InputError) as wanted:
        together.predict(frame)
    with pytest.raises(InputError) as got:
        chunked.predict(frame)
    assert str(got.value) == str(wanted.value)
    assert len(got.value.mismatches) == 1


def test_many_rows_do_not_take_memory_for_all_of_them() -> None:
    X = np.random.default_rng(0).normal(size=(300_000, 10)).astype(np.float32)[:, ::-1]  # has to be copied
    peaks = []
    for options in (ONE_CHUNK, SessionOptions()):
        model = edge_infer.load(DIABETES, options=options)
        model.predict(X[:10])
        tracemalloc.start()
        answer = model.predict(X)
        peaks.append(tracemalloc.get_traced_memory()[1] - answer.nbytes)
        tracemalloc.stop()
    assert peaks[0] > 300_000 * 10 * 4
    assert peaks[1] < 300_000 * 10 * 4 / 4


def test_another_error_of_a_chunk_ends_the_call_whatever_the_threads() -> None:
    """Nothing hangs, and no answer is given that is partly empty."""
    rows = Rows(40, range, range)

    def answer(part: range) -> Any:
        if 17 in part:
            raise InferenceError("onnxruntime failed")
        return np.array(part)

    for threads in (1, 4):
        with pytest.raises(InferenceError):
            answer_in_chunks(answer, rows, 2, threads)
        np.testing.assert_array_equal(answer_in_chunks(np.array, rows, 2, threads), range(40))
