"""Anything before any trees: with the pass `trees` no answer differs in a bit from the graph without it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from edge_infer.tensors import whole_feeds
from edge_infer_convert.jumps import jump_rows
from edge_infer_convert.schema import Schema, make_schema
from edge_infer_convert.structural_proof import prove_trees
from tests.convert.operators.drawn import few, matrix, seeds
from tests.convert.passes.test_passes import answers, assembled

SCALERS = [StandardScaler(), MinMaxScaler((-2, 5)), MinMaxScaler(clip=True), MaxAbsScaler(), RobustScaler(), None]
IMPUTERS = [
    SimpleImputer(),
    SimpleImputer(strategy="median", add_indicator=True),
    SimpleImputer(strategy="constant", fill_value=-999.0, add_indicator=True),
    None,
]
ENCODERS = [
    OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20, sparse_output=False),
    OneHotEncoder(drop="if_binary", handle_unknown="ignore", max_categories=2, sparse_output=False),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=-2),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    TargetEncoder(),
    make_union(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=99), TargetEncoder()),
]
TREES = [
    RandomForestClassifier(4, random_state=0),
    ExtraTreesRegressor(4, random_state=0),
    HistGradientBoostingRegressor(max_iter=4, min_samples_leaf=5),
    IsolationForest(n_estimators=4, random_state=0),
]
ODD = [0.0, -0.0, 5e-324, -1e-310, 1e-45, 1e20, -3e38]


def _frame(seed: int, rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(matrix(seed, rows, gaps=0.1), columns=["a", "b", "c"])
    text = pd.Series(rng.choice(["", "x", "Größe", "z"], rows, p=[0.1, 0.5, 0.3, 0.1]), dtype=object)
    return X.assign(
        flag=rng.random(rows) < 0.4, t=text.where(rng.random(rows) > 0.1, None), u=text.shift(3, fill_value="x")
    )


def _rows(schema: Schema, X: pd.DataFrame, seed: int) -> list[tuple[Any, ...]]:
    """Rows of the frame, of which every other one has an odd cell, and rows beside branches."""
    rng = np.random.default_rng(seed)
    rows = [tuple(None if cell is None or cell != cell else cell for cell in row) for row in X.itertuples(index=False)]
    places = {column.name: i for i, column in enumerate(schema.columns)}
    for number, row in enumerate(rows[::2]):
        name = str(rng.choice(["a", "b", "t"]))
        column = schema.columns[places[name]]
        odd: list[Any] = ["unknown", "X", None] if name == "t" else [*ODD, None]
        odd += [np.inf, -np.inf] if column.infinite else []
        chosen = odd[int(rng.integers(len(odd)))]
        rows[2 * number] = (*row[: places[name]], chosen, *row[places[name] + 1 :])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rows + jump_rows(schema.original, rows[1::2], rng)


@few
@given(
    seeds,
    st.sampled_from(SCALERS),
    st.sampled_from(IMPUTERS),
    st.booleans(),
    st.sampled_from(ENCODERS),
    st.sampled_from(TREES),
    st.sampled_from(["float32", "float64"]),
)
def test_no_answer_changes_in_a_bit(
    seed: int, scaler: Any, imputer: Any, scaled_first: bool, encoder: Any, trees: Any, precision: str
) -> None:
    X = _frame(seed)
    steps = [scaler, imputer] if scaled_first else [imputer, scaler]
    numbers = make_pipeline(*(clone(step) for step in steps if step is not None), "passthrough")
    prepared = make_column_transformer((clone(encoder), ["u", "t"]), (numbers, ["c", "a"]), remainder="passthrough")
    model = make_pipeline(prepared, clone(trees)).fit(X, (X["a"] > X["a"].median()) ^ (X["t"] == "x"))
    schema = make_schema(model, X)
    rows = _rows(schema, X, seed)
    moved, plain = (assembled(model, X, precision, off) for off in ((), ("trees",)))
    prove_trees(moved.model, moved.builder, moved.ensembles)
    wanted = answers(plain, whole_feeds(plain.inputs, rows))
    for name, got in answers(moved, whole_feeds(moved.inputs, rows)).items():
        np.testing.assert_array_equal(got, wanted[name], err_msg=name)
