"""What the model takes is told by the data, else by the fitted steps, else asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

import edge_infer
from edge_infer.errors import SchemaError, UnsupportedModelError
from edge_infer.manifest import Column
from edge_infer_convert import convert, preflight
from edge_infer_convert.demo import load_penguins, train
from edge_infer_convert.schema import make_schema


def _columns(estimator: Any, data: Any = None) -> dict[str, Column]:
    return {column.name: column for column in make_schema(estimator, data).columns}


def _frame() -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": np.round(rng.normal(10, 2, 120), 3),
            "gaps": np.where(rng.random(120) < 0.2, np.nan, rng.normal(0, 1, 120)),
            "count": rng.integers(-3, 9, 120),
            "flag": rng.random(120) < 0.5,
            "text": rng.choice(["a", "", "Größe"], 120),
            "unused": rng.normal(0, 1, 120),
        }
    )
    return frame, pd.Series(rng.integers(2, size=120))


def _fitted(**encoder: Any) -> tuple[Any, pd.DataFrame]:
    X, y = _frame()
    prepare = make_column_transformer(
        (SimpleImputer(), ["number", "gaps"]),
        ("passthrough", ["count", "flag"]),
        (OneHotEncoder(**encoder), ["text"]),
    )
    return make_pipeline(prepare, LogisticRegression(max_iter=5000)).fit(X, y), X


def test_kinds_ranges_and_categories_come_from_the_data() -> None:
    estimator, X = _fitted()
    columns = _columns(estimator, X)
    assert {name: column.kind for name, column in columns.items()} == {
        "number": "number",
        "gaps": "number",
        "count": "integer",
        "flag": "boolean",
        "text": "string",
    }
    assert columns["number"].range == (X.number.min(), X.number.max())
    assert columns["gaps"].range == (X.gaps.min(), X.gaps.max())
    assert columns["text"].categories == ("", "Größe", "a")


def test_flags_are_what_the_original_takes() -> None:
    estimator, X = _fitted()
    columns = _columns(estimator, X)
    assert columns["gaps"].missing
    assert columns["number"].missing
    assert not columns["count"].missing
    assert not columns["number"].infinite
    assert not columns["text"].unknown
    assert not columns["text"].missing
    assert _columns(*_fitted(handle_unknown="ignore"))["text"].unknown


def test_column_that_no_step_reads_is_dropped_and_need_not_be_given() -> None:
    estimator, X = _fitted()
    conversion = convert(estimator, data=X, name="m")
    assert "unused" not in [column.name for column in conversion.manifest.inputs.columns]
    model = edge_infer.load(conversion.data)
    want = estimator.predict(X)
    assert (model.predict(X) == want).all()
    assert (model.predict(X.drop(columns="unused")) == want).all()


def test_schema_without_data_comes_from_the_steps() -> None:
    estimator, X, _ = train()
    columns = _columns(estimator)
    assert set(columns) == set(X.columns)
    assert columns["island"].categories == ("Biscoe", "Dream", "Torgersen")
    low, high = columns["body_mass_g"].range or (0, 0)
    assert low < X.body_mass_g.mean() < high
    assert _columns(estimator, X)["island"].missing == columns["island"].missing


def test_ranges_of_a_min_max_scaler_are_exact_without_data() -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    columns = _columns(make_pipeline(MinMaxScaler(), LinearRegression()).fit(X, X[:, 0]))
    assert columns["x0"].range == (X[:, 0].min(), X[:, 0].max())


def test_data_with_the_target_and_other_columns_is_taken_by_name() -> None:
    estimator, X, y = train()
    more = X.assign(species=y, id=range(len(X)))[["species", *X.columns[::-1], "id"]]
    assert convert(estimator, data=more, name="m").data == convert(estimator, data=X, name="m").data


def test_misspelt_column_is_named_with_the_near_miss() -> None:
    estimator, X, _ = train()
    wrong = X.rename(columns={"bill_length_mm": "bill_lenght_mm", "sex": "gender"})
    with pytest.raises(SchemaError, match=r"'bill_length_mm' \(is it 'bill_lenght_mm'\?\)") as caught:
        convert(estimator, data=wrong, name="m")
    assert "'sex'" in str(caught.value)


def test_column_names_that_are_numbers_work_as_their_text() -> None:
    X, y = load_penguins()
    X = X[X.columns[2:]].dropna()
    X.columns = range(4)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y[X.index])
    loaded = edge_infer.load(convert(model, data=X, name="m").data)
    assert (loaded.predict(X) == model.predict(X)).all()


_UNFITTED = [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression()), RandomForestClassifier()]


@pytest.mark.parametrize("estimator", _UNFITTED, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "data", [None, np.zeros((5, 2)), pd.DataFrame({"a": [1.0, 2.0]})], ids=["none", "array", "frame"]
)
def test_unfitted_estimator_is_told_to_be_fitted(estimator: Any, data: Any) -> None:
    with pytest.raises(SchemaError, match="fitted"):
        convert(estimator, data=data, name="m")


def test_ranges_that_nothing_tells_are_asked_for_by_name() -> None:
    X, y = _frame()
    model = LogisticRegression(max_iter=5000).fit(X[["number", "count"]], y)
    with pytest.raises(SchemaError, match=r"number, count.*\s.*Pass data="):
        convert(model, name="m")


def test_data_of_another_width_is_refused() -> None:
    X = np.zeros((5, 2))
    model = LinearRegression().fit(X, X[:, 0])
    with pytest.raises(SchemaError, match="takes 2 columns, the data has 3"):
        convert(model, data=np.zeros((5, 3)), name="m")


_ODD_DATA = {
    "one dimension": np.zeros(5),
    "three dimensions": np.zeros((5, 2, 2)),
    "text": "train.csv",
    "number": 3,
    "empty list": [],
    "no rows": np.zeros((0, 2)),
    "objects": np.array([[object(), 1]] * 5, dtype=object),
    "ragged": [[1, 2], [3]],
    "generator": (row for row in [[1, 2]]),
}


@pytest.mark.parametrize("named", [False, True], ids=["array", "named"])
@pytest.mark.parametrize("kind", _ODD_DATA)
def test_data_that_is_no_table_is_refused_with_a_typed_error(kind: str, named: bool) -> None:
    X: Any = np.random.default_rng(0).normal(size=(20, 2))
    X = pd.DataFrame(X, columns=["a", "b"]) if named else X
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, np.arange(20))
    with pytest.raises(SchemaError):
        convert(model, data=_ODD_DATA[kind], name="m")


def test_dates_are_refused_with_advice() -> None:
    X = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=20), "x": np.arange(20.0)})
    prepare = make_column_transformer((OrdinalEncoder(), ["day"]), remainder="passthrough")
    model = make_pipeline(prepare, LinearRegression()).fit(X, np.arange(20))
    with pytest.raises((SchemaError, UnsupportedModelError), match="dates"):
        convert(model, data=X, name="m")


def test_column_of_mixed_objects_is_refused_by_name() -> None:
    X = pd.DataFrame({"odd": [1, "a"] * 10, "x": np.arange(20.0)})
    model = make_pipeline(make_column_transformer(("drop", ["odd"]), remainder="passthrough"), LinearRegression())
    model.fit(X, np.arange(20))
    assert list(_columns(model, X)) == ["x"], "what is dropped does not matter"
    fitted = LinearRegression().fit(pd.DataFrame({"odd": [1.0, 2.0], "x": [2.0, 1.0]}), [1, 2])
    with pytest.raises((SchemaError, UnsupportedModelError)):
        convert(fitted, data=X, name="m")


def test_text_column_that_no_step_encodes_names_the_step_and_the_remedy() -> None:
    X, y = load_penguins()
    model = LogisticRegression().fit(pd.DataFrame({"island": np.arange(len(X)) * 1.0}), y)
    with pytest.raises(UnsupportedModelError, match="Encode them before it"):
        convert(model, data=X[["island"]], name="m")


def test_array_model_takes_columns_by_position() -> None:
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, X.sum(axis=1))
    conversion = convert(model, data=X, name="m")
    assert conversion.manifest.inputs.style == "array"
    assert [column.name for column in conversion.manifest.inputs.columns] == ["x0", "x1", "x2"]


class Floored(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A transformer of somebody's own, which tells nobody how many columns it takes."""

    def fit(self, X: Any, y: Any = None) -> Floored:
        self.least_ = np.asarray(X).min(axis=0)
        return self

    def transform(self, X: Any) -> Any:
        return np.maximum(np.asarray(X), self.least_)


def test_own_transformer_that_refuses_the_datas_columns_is_named_with_what_to_do() -> None:
    X, y = _frame()
    estimator = make_pipeline(Floored(), StandardScaler(), LogisticRegression()).fit(X[["number", "count"]], y)
    with pytest.raises(UnsupportedModelError, match=r"'floored' \(Floored\): does not take the 6 columns") as caught:
        make_schema(estimator, X)
    assert len(caught.value.blockers) == 1, "that it gets texts too comes of the same mistake"
    assert "Pass data (--data) with just those columns" in str(caught.value)
    assert [blocker.step for blocker in preflight(estimator, X).blockers] == ["floored"]
    assert len(_columns(estimator, X[["number", "count"]])) == 2, "its own columns are taken"
