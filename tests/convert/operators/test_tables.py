"""Encoders, and imputers of text, as tables of their own answers: options, kinds of columns, kinds of gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

import edge_infer
from edge_infer.errors import InputError
from tests.convert.operators.drawn import assert_converted, few, seeds

_gaps = st.sampled_from([None, np.nan])


def _frame(seed: int, gap: Any, extra: tuple[str, ...] = (), rows: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    text = pd.Series(rng.choice(["a", "b", "Größe", *extra], rows), dtype=object)
    text[rng.random(rows) < 0.2] = gap
    columns = {
        "text": text,
        "whole": rng.choice([-3, 1, 2**40, 2**52 + 1], rows),
        "number": rng.choice([0.5, 1.5, -0.0, np.nan], rows),
        "flag": rng.choice([True, False], rows),
        "mark": pd.Series(rng.choice(["?", "x", "y", *extra], rows), dtype=object),
    }
    return pd.DataFrame(columns)


@few
@given(
    seeds,
    _gaps,
    st.sampled_from(["ignore", "infrequent_if_exist", "warn"]),
    st.sampled_from([{}, {"min_frequency": 12}, {"max_categories": 2}, {"drop": "first"}, {"drop": "if_binary"}]),
    st.booleans(),
)
def test_one_hot_encoder_of_a_mixed_frame_with_unknown_values(
    seed: int, gap: Any, unknown: str, options: dict[str, Any], array: bool
) -> None:
    X, rows = _frame(seed, gap), _frame(seed + 1, gap, ("new",))
    columns = ["text", "flag"] if array else ["text", "whole", "number", "flag"]
    encoder = OneHotEncoder(handle_unknown=unknown, **options)
    if array:
        assert_converted(encoder.fit(X[columns].to_numpy()), X[columns].to_numpy(), rows=rows[columns].to_numpy())
    else:
        assert_converted(encoder.fit(X[columns]), X[columns], rows=rows[columns])


@few
@given(seeds, _gaps)
def test_one_hot_encoder_drops_the_categories_that_it_was_told(seed: int, gap: Any) -> None:
    X = _frame(seed, gap)[["mark", "flag", "whole"]]
    assert_converted(OneHotEncoder(drop=["x", True, 1]).fit(X), X, rows=X)


@few
@given(
    seeds,
    _gaps,
    st.sampled_from([-1, np.nan, 99]),
    st.sampled_from([np.nan, -2]),
    st.sampled_from([{}, {"min_frequency": 20}, {"max_categories": 2}]),
)
def test_ordinal_encoder_of_a_mixed_frame(
    seed: int, gap: Any, unknown: float, missing: float, options: dict[str, Any]
) -> None:
    X, rows = _frame(seed, gap), _frame(seed + 1, gap, ("new",))
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=unknown, encoded_missing_value=missing, **options
    )
    assert_converted(encoder.fit(X), X, rows=rows)


@few
@given(seeds, _gaps, st.sampled_from(["binary", "multiclass", "continuous"]))
def test_target_encoder_of_a_mixed_frame(seed: int, gap: Any, target: str) -> None:
    X, rows = _frame(seed, gap), _frame(seed + 1, gap, ("new",))
    rng = np.random.default_rng(seed)
    y = rng.normal(size=len(X)) if target == "continuous" else np.arange(len(X)) % (2 if target == "binary" else 3)
    assert_converted(TargetEncoder(target_type=target, random_state=0).fit(X, y), X, rows=rows)


# --- imputers of text -------------------------------------------------------------------


@few
@given(seeds, st.booleans(), st.sampled_from([["text"], ["text", "number", "mark"]]), st.booleans())
def test_imputer_of_texts_and_numbers_together(seed: int, indicator: bool, columns: list[str], array: bool) -> None:
    X, rows = _frame(seed, np.nan)[columns], _frame(seed + 1, np.nan)[columns]
    model = make_pipeline(
        SimpleImputer(strategy="most_frequent", add_indicator=indicator), OneHotEncoder(handle_unknown="ignore")
    )
    if array:
        X, rows = (table.to_numpy(dtype=object) for table in (X, rows))
    assert_converted(model.fit(X), X, rows=rows)


@few
@given(seeds, st.sampled_from([np.nan, None]), st.booleans())
def test_imputer_fills_texts_with_a_constant(seed: int, gap: Any, indicator: bool) -> None:
    X, rows = (_frame(s, gap)[["text", "mark"]] for s in (seed, seed + 1))
    imputer = SimpleImputer(strategy="constant", fill_value="none", missing_values=gap, add_indicator=indicator)
    assert_converted(make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore")).fit(X), X, rows=rows)


@pytest.mark.parametrize("columns", [["text"], ["text", "number"], ["number", "mark", "text"]])
@pytest.mark.parametrize("features", ["all", "missing-only"])
def test_indicator_of_gaps_in_texts_and_numbers(columns: list[str], features: str) -> None:
    X, rows = _frame(1, np.nan)[columns], _frame(2, np.nan)[columns]
    assert_converted(MissingIndicator(features=features).fit(X), X, rows=rows)


def test_texts_marked_as_missing_are_flagged() -> None:
    X = _frame(1, np.nan)[["mark"]]
    assert_converted(MissingIndicator(missing_values="?").fit(X), X, rows=X)


def test_indicator_and_imputer_beside_each_other_on_the_same_text() -> None:
    X, rows = _frame(1, np.nan), _frame(2, np.nan)
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    model = make_column_transformer(
        (filled, ["text"]), (MissingIndicator(features="all"), ["text", "number"]), (SimpleImputer(), ["number"])
    )
    X, rows = X[["text", "number"]], rows[["text", "number"]]
    assert_converted(model.fit(X), X, rows=rows)


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder(), OrdinalEncoder(min_frequency=10)])
def test_a_fill_that_training_never_needed_is_no_category(encoder: Any) -> None:
    """The encoder refuses the text that the imputer before it would put in: so do we, and all others are answered."""
    X = _frame(3, np.nan)[["mark"]]
    model = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), encoder).fit(X)
    loaded = edge_infer.load(assert_converted(model, X, rows=X).data)
    for refused in ("none", None):
        with pytest.raises(InputError, match="mark"):
            loaded.transform({"mark": refused})


def test_encoders_that_know_other_categories_of_one_column_each_answer_their_own() -> None:
    X = _frame(4, np.nan)[["mark"]]
    few, more = OneHotEncoder(categories=[["?", "x", "y"]]), OrdinalEncoder(categories=[["?", "x", "x2", "y"]])
    assert_converted(make_column_transformer((few, ["mark"]), (more, ["mark"])).fit(X), X, rows=X)
