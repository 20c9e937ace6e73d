"""Single operators against scikit-learn on drawn cases: numbers, missing values, neighbours of thresholds, options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import edge_infer
from edge_infer_convert import convert
from edge_infer_convert.graph.emit import MISSING_TEXT
from edge_infer_convert.operators.trees import float32_not_above
from tests.convert.judging import assert_same

_few = settings(max_examples=12)
_seeds = st.integers(0, 2**32 - 1)


def _matrix(seed: int, rows: int = 60, width: int = 3, gaps: float = 0.0, scale: float = 10.0) -> Any:
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(0, scale, (rows, width)) + rng.integers(-20, 20, width), 3)
    X[rng.random(X.shape) < gaps] = np.nan
    return X


@_few
@given(_seeds, st.integers(2, 4), st.booleans())
def test_linear_models_answer_as_the_original(seed: int, classes: int, regression: bool) -> None:
    X, rng = _matrix(seed), np.random.default_rng(seed)
    y = rng.integers(classes, size=len(X))
    y[:classes] = range(classes)
    target = np.column_stack([y, X[:, 0]]) if regression else y
    model = make_pipeline(StandardScaler(), Ridge() if regression else LogisticRegression(max_iter=500))
    assert_same(convert(model.fit(X, target), data=X, name="l"), model, _matrix(seed + 1, scale=50))


@_few
@given(
    _seeds,
    st.sampled_from(
        [
            DecisionTreeClassifier(max_depth=5, random_state=0),
            DecisionTreeRegressor(random_state=0),
            ExtraTreesRegressor(5, random_state=0),
            DecisionTreeClassifier(max_depth=1, random_state=0),
        ]
    ),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from(["float32", "float64"]),
)
def test_trees_route_missing_values_and_neighbours_of_thresholds_as_the_original(
    seed: int, model: Any, gaps: float, precision: str
) -> None:
    X = _matrix(seed, gaps=gaps)
    model.fit(X, np.random.default_rng(seed).integers(3, size=len(X)))
    conversion = convert(model, data=X, name="t", precision=precision)
    trees = [member.tree_ for member in getattr(model, "estimators_", [model])]
    assert_same(conversion, model, _beside_thresholds(trees, X))


def _beside_thresholds(trees: list[Any], X: Any) -> Any:
    rows = [X]
    for tree in trees:
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
            if feature < 0 or not np.isfinite(threshold):
                continue
            near = np.float32(threshold)
            for value in (
                threshold,
                np.nextafter(threshold, -np.inf),
                np.nextafter(threshold, np.inf),
                near,
                np.nextafter(near, np.float32(-np.inf)),
                np.nextafter(near, np.float32(np.inf)),
            ):
                row = X[:1].copy()
                row[0, feature] = value
                rows.append(row)
    return np.concatenate(rows)


@given(st.floats(-1e30, 1e30))
def test_float32_not_above_is_the_largest_such(value: float) -> None:
    [low] = float32_not_above(np.array([value]))
    assert float(low) <= value < float(np.nextafter(low, np.float32(np.inf)))


@settings(max_examples=8)
@given(_seeds, st.sampled_from(["binary", "multiclass", "squared_error", "poisson"]), st.sampled_from([0.0, 0.3]))
def test_hist_gradient_boosting_answers_as_the_original(seed: int, kind: str, gaps: float) -> None:
    X, rng = _matrix(seed, rows=80, gaps=gaps), np.random.default_rng(seed)
    y = rng.integers(2 if kind == "binary" else 3, size=len(X))
    classifier = kind in ("binary", "multiclass")
    options: dict[str, Any] = {"max_iter": 4, "min_samples_leaf": 5}
    model = (
        HistGradientBoostingClassifier(**options) if classifier else HistGradientBoostingRegressor(loss=kind, **options)
    )
    assert_same(convert(model.fit(X, y), data=X, name="h"), model, _matrix(seed + 1, gaps=gaps, scale=50))


# --- encoders ---------------------------------------------------------------------------

_TEXTS = [
    "",
    " ",
    "a",
    "A",
    "NaN",
    "nan",
    "None",
    "Größe",
    "日本",
    "e\u0301",
    "\u00e9",
    MISSING_TEXT,
    MISSING_TEXT + "x",
    "1",
    "1.0",
]
_ALPHABETS: dict[str, list[Any]] = {
    "text": _TEXTS,
    "integers": [-7, 0, 1, 2, 2**24],
    "floats": [-1.5, 0.0, 0.25, 3.0, 1e6],
    "bools": [False, True],
}


def _table(rng: np.random.Generator, kinds: list[str], rows: int = 90, missing: bool = False) -> pd.DataFrame:
    columns = {}
    for i, kind in enumerate(kinds):
        values = _ALPHABETS[kind.removesuffix(" category")]
        drawn = pd.Series([values[j] for j in rng.integers(len(values), size=rows)])
        if missing and kind.startswith("text"):
            drawn = drawn.astype(object).mask(rng.random(rows) < 0.15, np.nan)
        columns[f"column {i}"] = drawn.astype("category") if kind.endswith("category") else drawn
    return pd.DataFrame(columns)


_kinds = st.lists(
    st.sampled_from(["text", "integers", "floats", "bools", "text category", "integers category"]),
    min_size=1,
    max_size=3,
)


def _assert_encodes(encoder: Any, X: pd.DataFrame, rows: pd.DataFrame, y: Any = None) -> None:
    if y is None:
        encoder.fit(X)
    else:
        encoder.fit(X, y)
    assert_same(convert(encoder, data=X, name="e"), encoder, rows)


@settings(max_examples=25)
@given(
    _seeds,
    _kinds,
    st.booleans(),
    st.sampled_from([None, "first", "if_binary"]),
    st.sampled_from([None, 8]),
    st.sampled_from(["error", "ignore", "infrequent_if_exist"]),
    st.booleans(),
)
def test_one_hot_encoder_encodes_as_the_original(
    seed: int, kinds: list[str], missing: bool, drop: str | None, rare: int | None, unknown: str, sparse: bool
) -> None:
    rng = np.random.default_rng(seed)
    X = _table(rng, kinds, missing=missing)
    rows = _table(rng, kinds, missing=missing) if unknown != "error" else X.sample(frac=1, random_state=1)
    encoder = OneHotEncoder(drop=drop, min_frequency=rare, handle_unknown=unknown, sparse_output=sparse)
    fitted_on = X[: 60 if unknown != "error" else None]
    assume(len(encoder.fit(fitted_on).get_feature_names_out()) > 0)  # no columns are refused: test_gate.py
    _assert_encodes(encoder, fitted_on, rows)


@settings(max_examples=15)
@given(_seeds, _kinds, st.booleans(), st.sampled_from([-1, np.nan]), st.sampled_from([np.nan, -2]))
def test_ordinal_encoder_encodes_as_the_original(
    seed: int, kinds: list[str], missing: bool, unknown: float, gap: float
) -> None:
    rng = np.random.default_rng(seed)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=unknown, encoded_missing_value=gap)
    _assert_encodes(encoder, _table(rng, kinds, 40, missing), _table(rng, kinds, missing=missing))


@settings(max_examples=15)
@given(_seeds, _kinds, st.booleans(), st.sampled_from(["binary", "multiclass", "continuous"]))
def test_target_encoder_encodes_as_the_original(seed: int, kinds: list[str], missing: bool, target: str) -> None:
    rng = np.random.default_rng(seed)
    X = _table(rng, kinds, missing=missing)
    y = rng.normal(size=len(X)) if target == "continuous" else rng.integers(2 + (target == "multiclass"), size=len(X))
    _assert_encodes(TargetEncoder(target_type=target), X, _table(rng, kinds, missing=missing), y)


@pytest.mark.parametrize("text", [MISSING_TEXT, MISSING_TEXT + MISSING_TEXT, "\ue001unknown"])
def test_text_like_the_sentinels_is_text_and_missing_is_missing(text: str) -> None:
    X = pd.DataFrame({"t": ["a", "b", np.nan, text] * 10})
    encoder = OneHotEncoder(handle_unknown="ignore").fit(X)
    model = edge_infer.load(convert(encoder, data=X, name="e").data)
    assert (model.transform(X) == encoder.transform(X).toarray()).all()
