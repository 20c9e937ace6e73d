"""The short way of one record answers as the careful way does, value for value and error for error, in any thread."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge_infer
from edge_infer import InputError, Model
from edge_infer.errors import InferenceError
from edge_infer.options import SessionOptions
from edge_infer.session import Session
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, RECORD, load

WIDTHS = {DIABETES: 10, DIGITS: 64}
NAMES = list(RECORD)
NUMBERS = st.one_of(
    st.floats(width=64),
    st.floats(-1000, 1000),
    st.integers(-(2**70), 2**70),
    st.integers(-(2**25), 2**25),
    st.booleans(),
    st.sampled_from([None, pd.NA, pd.NaT, float("nan"), "1", "", b"1", Decimal("1.5"), Fraction(1, 3), 1j]),
    st.sampled_from([2.0**24, 2**24 + 1, 2.0**53, 2**53 + 1, 3.5e38, -3.5e38, 1e308, -1e308, 10**400]),
    st.sampled_from([np.float32(1.5), np.int8(3), np.uint64(2**63), np.bool_(True), np.float16(2), np.complex64(1)]),
    st.sampled_from([np.array(1.5), np.array([1.5]), [1.5], {"a": 1}, object(), np.datetime64("2024-01-01")]),
)
TEXTS = st.one_of(
    st.sampled_from(["Biscoe", "Dream", "male", "female", "", "biscoe", np.str_("Biscoe"), None, pd.NA, float("nan")]),
    st.sampled_from([1, True, b"male", ["male"], {"a"}, 1.5]),
    st.text(max_size=4),
)


def outcome(call: Callable[[Any], Any], data: Any) -> tuple[Any, ...]:
    """What a call gives, or how it fails, as something that can be compared."""
    try:
        answer = call(data)
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)
    array = np.asarray(answer)
    return type(answer), array.dtype, array.shape, array.tobytes() if array.dtype.kind != "O" else array.tolist()


def same(model: Model, method: str, data: Any) -> None:
    assert method in vars(model), "this model has no short way: the test would prove nothing"
    assert outcome(getattr(model, method), data) == outcome(lambda given: model._answer(method, given), data)


@given(
    st.lists(TEXTS, min_size=2, max_size=2),
    st.lists(NUMBERS, min_size=4, max_size=4),
    st.sampled_from(["predict", "predict_proba"]),
)
def test_mixed_records_of_any_values_answer_as_the_careful_way(
    texts: list[Any], numbers: list[Any], method: str
) -> None:
    values = [*texts, *numbers]
    for data in (dict(zip(NAMES, values, strict=True)), values, tuple(values)):
        same(load(PENGUINS), method, data)


@given(st.lists(NUMBERS, min_size=10, max_size=10))
def test_rows_of_any_numbers_answer_as_the_careful_way(numbers: list[Any]) -> None:
    same(load(DIABETES), "predict", numbers)
    same(load(DIABETES), "predict", dict(zip(load(DIABETES).feature_names_in_, numbers, strict=True)))


@given(
    st.sampled_from([DIABETES, DIGITS]),
    st.sampled_from(
        ["float64", "float32", "int64", "uint8", "bool", ">f8", "float16", "longdouble", "complex128", "object"]
    ),
    st.sampled_from(["row", "rows", "two rows", "column", "short", "strided", "transposed", "empty"]),
    st.lists(
        st.sampled_from([0.0, 1.0, -3.5, 15.0, float("nan"), float("inf"), 2.0**24, 3e38, 1e300]),
        min_size=64,
        max_size=64,
    ),
)
def test_arrays_of_any_kind_answer_as_the_careful_way(path: Path, dtype: str, form: str, values: list[float]) -> None:
    width = WIDTHS[path]
    with np.errstate(all="ignore"):
        row = np.array([*values, *values])[:width].astype(dtype)
    data = {
        "row": row,
        "rows": row[None],
        "two rows": np.stack([row, row]),
        "column": row[:, None],
        "short": row[:-1],
        "strided": np.repeat(row, 2)[::2],
        "transposed": np.asfortranarray(row[None]),
        "empty": row[:0],
    }[form]
    same(load(path), "predict", data)


@pytest.mark.parametrize("wrong", [{}, {"island": "Biscoe"}, [], [1, 2], (), np.zeros(0), None, "Biscoe", 5, {1: 2}])
def test_what_is_no_record_is_told_as_before(wrong: Any) -> None:
    same(load(PENGUINS), "predict", wrong)
    with pytest.raises(InputError):
        load(PENGUINS).predict(wrong)


def test_an_answer_is_the_callers_own() -> None:
    model = load(PENGUINS)
    first = model.predict_proba(RECORD)
    kept = first.copy()
    first[:] = 7
    second = model.predict_proba({**RECORD, "bill_length_mm": 30.0})
    np.testing.assert_array_equal(model.predict_proba(RECORD), kept)
    assert not np.shares_memory(first, second)


def test_threads_never_get_each_others_answers() -> None:
    model = edge_infer.load(DIGITS)
    rows = np.random.default_rng(0).integers(0, 17, (64, 64)).astype(float)
    wanted = [model._answer("predict_proba", row).tobytes() for row in rows]
    wrong: list[int] = []

    def work(start: int) -> None:
        for turn in range(start, start + 3000):
            place = turn * 7 % len(rows)
            given = rows[place].tolist() if turn % 2 else rows[place]
            if model.predict_proba(given).tobytes() != wanted[place]:
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(i * 11,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_value_that_calls_the_model_while_it_is_read_gets_buffers_of_its_own() -> None:
    model = load(DIABETES)
    row = [0.01 * i for i in range(10)]

    class Nested(float):
        def __float__(self) -> float:
            model.predict([1.0] * 10)
            return 0.05

    assert model.predict([*row[:5], Nested(0.05), *row[6:]]) == model._answer("predict", [*row[:5], 0.05, *row[6:]])


def test_a_closed_model_says_so_to_methods_that_were_kept() -> None:
    model = edge_infer.load(DIABETES)
    kept = model.predict
    assert isinstance(kept([0.0] * 10), float)
    model.close()
    for call in (kept, model.predict):
        with pytest.raises(InferenceError, match="closed"):
            call([0.0] * 10)


@pytest.mark.parametrize("use", [[0.0] * 10, np.zeros((5, 10)), None])
def test_closing_frees_every_session(use: Any) -> None:
    with_one = edge_infer.load(DIABETES)
    kept = with_one.predict
    if use is not None:
        kept(use)
    sessions = [weakref.ref(with_one._graphs.shared), weakref.ref(with_one._graphs.whole)]
    with_one.close()
    assert [session() for session in sessions] == [None, None]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("value", [1e30, 1e200, -1e308, float("inf"), float("nan")])
def test_large_and_missing_numbers_cause_no_warning(dtype: Any, value: float) -> None:
    model = load(DIGITS)
    with np.errstate(over="ignore"):
        row = np.full(64, value).astype(dtype)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for data in (row, row[None], row.tolist()):
            outcome(model.predict, data)
    assert [str(warning.message) for warning in told] == []


def test_models_with_threads_keep_to_the_careful_way() -> None:
    """Threads do not survive a fork, and that is told by the careful way."""
    model = edge_infer.load(DIABETES, options=SessionOptions(threads=2))
    assert "predict" not in vars(model)
    assert model.predict([0.0] * 10) == load(DIABETES).predict([0.0] * 10)


@pytest.mark.parametrize("private", [True, False])
def test_the_public_way_of_onnxruntime_serves_too(private: bool) -> None:
    session = Session(DIABETES.read_bytes())
    row, answer = np.full((1, 10), 0.02, np.float32), np.zeros(1, np.float32)
    bound = session.bind({"numbers": row}, {"prediction": answer}, private=private)
    bound.run()
    first = answer.copy()
    row[:] = -0.05
    bound.run()
    assert first[0] != answer[0]
    assert first == session.run(["prediction"], {"numbers": np.full((1, 10), 0.02, np.float32)})[0]


def test_methods_show_their_help_and_names() -> None:
    assert load(PENGUINS).predict.__name__ == "predict"
    assert "Labels or numbers" in (load(PENGUINS).predict.__doc__ or "")


def test_each_method_of_a_small_model_computes_only_its_own_answer() -> None:
    graphs = edge_infer.load(PENGUINS)._graphs
    outputs = list(graphs.shared.outputs)
    assert len(outputs) == 3
    for name in outputs:
        own = graphs.giving(frozenset([name]))
        assert list(own.outputs) == [name]
        assert graphs.giving(frozenset([name])) is own
    assert graphs.giving(frozenset(outputs)) is graphs.shared


def test_a_model_goes_when_its_last_user_lets_go_of_it() -> None:
    gc.disable()
    try:
        model = edge_infer.load(DIABETES)
        model.predict([0.0] * 10)
        kept, session = model.predict, weakref.ref(model._graphs.shared)
        del model
        assert isinstance(kept([0.0] * 10), float)
        assert session() is not None
        del kept
        assert session() is None
    finally:
        gc.enable()
