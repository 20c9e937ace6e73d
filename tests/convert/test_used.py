"""Columns that no answer depends on are found, and may be left out; all others are asked for as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import edge_infer
from edge_infer.errors import InputError
from edge_infer_convert import convert
from tests.convert.operators.drawn import few, matrix, seeds

RNG = np.random.default_rng(0)
X = pd.DataFrame(np.round(RNG.normal(0, 5, (200, 4)), 2), columns=["a", "b", "c", "d"])
X = X.assign(t=RNG.choice(["x", "y", "z"], 200), u=RNG.choice(["one", "two"], 200))
Y = ((X["a"] > 0) | (X["t"] == "y")).to_numpy()
NUMBERS, TEXTS = ["a", "b", "c", "d"], ["t", "u"]


def prepared(dense: bool = True) -> Any:
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=not dense)
    return make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS), (encoder, TEXTS))


MODELS: dict[str, tuple[Any, set[str]]] = {
    "a tree": (make_pipeline(prepared(), DecisionTreeClassifier(max_depth=2, random_state=0)), {"a", "t"}),
    "an ordered text": (
        make_pipeline(
            make_column_transformer((OrdinalEncoder(), TEXTS), ("passthrough", NUMBERS)),
            DecisionTreeClassifier(max_depth=2, random_state=0),
        ),
        {"a", "t"},
    ),
    "boosting": (make_pipeline(prepared(), GradientBoostingClassifier(n_estimators=1, max_depth=1)), {"a"}),
    "chosen features": (
        make_pipeline(make_column_transformer((SelectKBest(k=1), NUMBERS), remainder="drop"), LogisticRegression()),
        {"a"},
    ),
    "all of a forest": (make_pipeline(prepared(), RandomForestClassifier(20, random_state=0)), {*NUMBERS, *TEXTS}),
    "components": (make_pipeline(make_column_transformer((PCA(1), ["a", "b"])), LogisticRegression()), {"a", "b"}),
    "a column alone": (make_pipeline(make_column_transformer((StandardScaler(), ["c"])), LogisticRegression()), {"c"}),
    "dropped": (make_column_transformer((StandardScaler(), ["b"]), remainder="drop"), {"b"}),
}


def _converted(estimator: Any, data: Any) -> edge_infer.Model:
    return edge_infer.load(convert(estimator, data=data, name="used").data)


def _used(model: edge_infer.Model) -> set[str]:
    return {column.name for column in model.manifest.inputs.columns if column.used}


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[edge_infer.Model, Any, set[str]]:
    estimator, used = MODELS[request.param]
    fitted = estimator.fit(X, Y)
    return _converted(fitted, X), fitted, used


def test_unused_columns_are_known_and_may_be_left_out_in_every_form_of_input(case: Any) -> None:
    model, fitted, used = case
    assert _used(model) == used & {column.name for column in model.manifest.inputs.columns}
    method = "predict_proba" if hasattr(fitted, "predict_proba") else "transform"
    wanted, ask = getattr(fitted, method)(X), getattr(model, method)
    wanted = wanted.toarray() if hasattr(wanted, "toarray") else wanted
    few_columns = X[sorted(used)]
    for frame in (X, few_columns, few_columns.assign(more=1)):
        np.testing.assert_allclose(ask(frame), wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ask(frame.to_dict("records")), wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ask(frame.iloc[3].to_dict()), wanted[3], rtol=1e-5, atol=1e-6)


def test_a_used_column_is_asked_for_and_judged_as_before(case: Any) -> None:
    model, _, used = case
    ask = getattr(model, "predict", None) or model.transform
    for name in sorted(used):
        for data in (X.drop(columns=name), X.drop(columns=name).iloc[0].to_dict()):
            with pytest.raises(InputError, match=f"(?s){name}.*no such column"):
                ask(data)
        with pytest.raises(InputError, match=name):
            ask({**X.iloc[0].to_dict(), name: object()})


def test_what_an_unused_column_holds_is_not_looked_at() -> None:
    model = _converted(MODELS["a tree"][0].fit(X, Y), X)
    record = X.iloc[0].to_dict()
    wanted = model.predict(record)
    for odd in (None, np.nan, np.inf, "text", object(), 10**400, [1, 2]):
        assert model.predict({**record, "b": odd, "u": odd}) == wanted
        assert model.predict([{**record, "b": odd, "u": odd}])[0] == wanted
    gaps = X.assign(b=np.nan, c=np.inf, u=None)
    np.testing.assert_array_equal(model.predict(gaps), model.predict(X))


@few
@given(seeds)
def test_rows_of_arrays_keep_their_width(seed: int) -> None:
    """A row by position has a place for every column of the original."""
    data = matrix(seed, width=5)
    tree = DecisionTreeRegressor(max_leaf_nodes=3, random_state=0).fit(data, data[:, 1] + 2 * data[:, 3])
    model = _converted(tree, data)
    assert len(_used(model)) <= 2
    wanted = tree.predict(data)
    odd = data.copy()
    odd[:, [column.index for column in model.manifest.inputs.columns if not column.used]] = np.nan
    for rows in (data, odd):
        np.testing.assert_allclose(model.predict(rows), wanted, rtol=1e-6)
        np.testing.assert_allclose(model.predict(rows[0]), wanted[0], rtol=1e-6)
        np.testing.assert_allclose(model.predict(rows[0].tolist()), wanted[0], rtol=1e-6)
    with pytest.raises(InputError, match="5 columns"):
        model.predict(data[:, :4])


def test_weights_of_0_and_constant_answers_need_no_column() -> None:
    data = pd.DataFrame(matrix(2, width=4), columns=NUMBERS)
    lasso = make_pipeline(StandardScaler(), Lasso(alpha=2.0)).fit(data, 3 * data["b"] + 0.1 * data["c"])
    model = _converted(lasso, data)
    assert _used(model) == {name for name, weight in zip(NUMBERS, lasso[-1].coef_, strict=True) if weight}
    np.testing.assert_allclose(model.predict({"b": 1.5}), lasso.predict(data.assign(b=1.5))[0], rtol=1e-6)
    constant = _converted(DummyRegressor().fit(data, data["a"]), data)
    assert _used(constant) == set()
    assert constant.predict({}) == pytest.approx(data["a"].mean())
    assert len(constant.predict(data)) == len(data)
    rows = [{"b": 1.0}] * 2
    assert constant.predict(rows).shape == (2,)
    two = _converted(DummyRegressor().fit(data[["a", "b"]], data["a"]), data[["a", "b"]])
    for pair in (rows, [[1, 2], [3, 4]], ([1, 2], [3, 4])):
        assert np.shape(two.predict(pair)) == (2,), "as many rows as columns are no record"
    assert np.shape(two.predict([1, 2])) == ()


@pytest.mark.parametrize("others", [[], ["u"]], ids=["alone", "beside another"])
def test_free_text_that_no_answer_depends_on_is_not_looked_at(others: list[str]) -> None:
    data = X[["a", "t", *others]].assign(t=RNG.choice(["red dog", "blue cat"], len(X)))
    target = 3 * data["a"] + (5 * (data["u"] == "one") if others else 0)
    prepare = make_column_transformer(*((CountVectorizer(), name) for name in ("t", *others)), ("passthrough", ["a"]))
    estimator = make_pipeline(prepare, Lasso(alpha=0.2)).fit(data, target)
    model, wanted = _converted(estimator, data), estimator.predict(data)
    assert _used(model) == {"a", *others}
    for form in (data, data.drop(columns="t"), data.assign(t=None), data.to_dict("records"), data.to_numpy(object)):
        np.testing.assert_allclose(model.predict(form), wanted, rtol=1e-5, atol=1e-6)
    record = data.iloc[0].to_dict()
    for odd in (None, np.nan, 5, object(), "\ud800"):
        assert model.predict({**record, "t": odd}) == pytest.approx(wanted[0], rel=1e-5)
        assert model.predict(list({**record, "t": odd}.values())) == pytest.approx(wanted[0], rel=1e-5)
    with pytest.raises(InputError, match="column 'a'"):
        model.predict({**record, "a": "text"})


def test_an_unused_column_may_even_be_there_twice() -> None:
    model = _converted(MODELS["a tree"][0].fit(X, Y), X)
    twice = pd.concat([X, X[["b"]]], axis=1)
    np.testing.assert_array_equal(model.predict(twice), model.predict(X))
    with pytest.raises(InputError, match="2 of this name"):
        model.predict(pd.concat([X, X[["a"]]], axis=1))
