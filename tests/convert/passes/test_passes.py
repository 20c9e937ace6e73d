"""Each pass against the graph without it; and a graph that does not hold with a pass is converted without it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import given
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

import edge_infer
from edge_infer.session import Session
from edge_infer_convert import convert, passes
from edge_infer_convert.graph.assemble import Assembled, assemble
from edge_infer_convert.passes import EXACT, PASSES
from edge_infer_convert.schema import make_schema
from tests.convert.operators.drawn import assert_converted, few, matrix, seeds

SCALERS = {
    "standard": StandardScaler(),
    "mean only": StandardScaler(with_std=False),
    "scale only": StandardScaler(with_mean=False),
    "between": MinMaxScaler((-1, 3)),
    "clipped": MinMaxScaler(clip=True),
    "robust": RobustScaler(),
    "largest": MaxAbsScaler(),
    "two in a row": make_pipeline(RobustScaler(), StandardScaler()),
}


def people(seed: int, rows: int = 120) -> tuple[pd.DataFrame, Any]:
    """3 numbers with gaps and 2 texts."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(matrix(seed, rows, gaps=0.1), columns=["a", "b", "c"])
    X = X.assign(t=rng.choice(["x", "y", "z", "w"], rows), u=rng.choice(["one", "two", "three"], rows))
    return X, (rng.random(rows) + (X["t"] == "x") > 0.8).astype(int).to_numpy()


def mixed(final: Any, *, dense: bool = False) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=not dense)
    return make_pipeline(make_column_transformer((numbers, ["a", "b", "c"]), (encoder, ["t", "u"])), final)


def assembled(estimator: Any, data: Any, precision: str = "float64", without: Collection[str] = ()) -> Assembled:
    return assemble(make_schema(estimator, data), precision, without)


def operators(made: Assembled) -> list[str]:
    return [node.op_type for node in made.model.graph.node]


def answers(made: Assembled, feeds: dict[str, Any]) -> dict[str, Any]:
    session = Session(made.model.SerializeToString())
    names = list(session.outputs)
    return dict(zip(names, session.run(names, feeds), strict=True))


@pytest.mark.parametrize("name", SCALERS)
@few
@given(seeds)
def test_scalers_before_a_linear_model_go_into_its_weights(name: str, seed: int) -> None:
    X = matrix(seed, width=4)
    model = make_pipeline(SCALERS[name], LinearRegression()).fit(X, X[:, 0] - X[:, 1])
    conversion = assert_converted(model, X)
    found = {node.op_type for node in onnx.load_from_string(conversion.data).graph.node}
    assert ("Div" in found or "Mul" in found or "Sub" in found) == (name == "clipped")


@few
@given(seeds)
def test_texts_before_a_linear_model_become_sums_of_weights(seed: int) -> None:
    X, y = people(seed)
    model = mixed(LogisticRegression()).fit(X, y)
    made = assembled(model, X)
    assert "weights" in made.passes
    assert max(t.dims[-1] for t in made.model.graph.initializer if len(t.dims) == 2) == 2, (
        "no table of 7 columns is left"
    )
    assert_converted(model, X)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@few
@given(seeds)
def test_sums_of_one_number_for_each_text_are_a_product(precision: str, seed: int) -> None:
    """A score and its two probabilities look the same numbers up, once."""
    X, y = people(seed)
    for model in (mixed(LogisticRegression()).fit(X, y), mixed(Ridge()).fit(X, X["c"].fillna(0))):
        product, summed = (assembled(model, X, precision, off) for off in ((), ("sums",)))
        assert "sums" in product.passes
        assert "ReduceSum" in operators(summed)
        assert "ReduceSum" not in operators(product)
        assert sum(len(t.dims) == 1 and t.dims[0] == 11 for t in product.model.graph.initializer) == 1
        texts = np.random.default_rng(seed).choice(np.array(["x", "y", "one", "odd"], dtype=object), (40, 2))
        feeds = {"numbers": matrix(seed, 40, width=3).astype(precision), "strings": texts}
        wanted = answers(summed, feeds)
        for name, got in answers(product, feeds).items():
            if got.dtype.kind == "f":
                np.testing.assert_allclose(got, wanted[name], atol={"float32": 1e-5, "float64": 1e-13}[precision])


def test_models_with_such_products_are_converted() -> None:
    X, y = people(2)
    assert_converted(mixed(LogisticRegression()).fit(X, y), X)
    assert_converted(mixed(Ridge()).fit(X, X["c"].fillna(0)), X)


def test_tables_of_several_numbers_for_each_text_are_summed() -> None:
    X, _ = people(3)
    made = assembled(mixed(LogisticRegression()).fit(X, X["t"]), X)
    assert "sums" not in made.passes
    assert "ReduceSum" in operators(made)


@few
@given(seeds)
def test_several_outputs_and_whole_tables(seed: int) -> None:
    X, y = people(seed)
    only_texts = make_column_transformer((OneHotEncoder(), ["t", "u"]))
    assert_converted(make_pipeline(only_texts, Ridge()).fit(X, np.column_stack([y, -y])), X)
    assert_converted(mixed(LogisticRegression()).fit(X, X["t"]), X)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@few
@given(seeds)
def test_exact_passes_change_no_bit(precision: str, seed: int) -> None:
    X, y = people(seed)
    model = mixed(LogisticRegression()).fit(X, y)
    with_them, bare = (assembled(model, X, precision, off) for off in (PASSES.keys() - EXACT, PASSES.keys()))
    assert set(with_them.passes) <= EXACT
    assert "reshapes" in with_them.passes
    assert operators(bare).count("Reshape") > operators(with_them).count("Reshape")
    rng = np.random.default_rng(seed)
    feeds = {
        "numbers": rng.normal(0, 50, (40, 3)).astype(precision),
        "strings": rng.choice(np.array(["x", "y", "one", "two", "odd"], dtype=object), (40, 2)),
    }
    wanted = answers(bare, feeds)
    for name, got in answers(with_them, feeds).items():
        np.testing.assert_array_equal(got, wanted[name])


def test_casts_to_the_same_type_go_and_others_stay() -> None:
    X, y = people(1)
    model = mixed(GradientBoostingClassifier(n_estimators=3), dense=True).fit(X, y)
    doubles, singles = (operators(assembled(model, X, precision, ("trees",))) for precision in ("float64", "float32"))
    assert doubles.count("Cast") == 1, "of a comparison to a position"
    assert singles.count("Cast") > 1
    assert_converted(model, X)


def test_a_graph_that_does_not_hold_with_a_pass_is_converted_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that is wrong stands for one that rounds too much: the gate finds it, and it is switched off by name."""

    def spoil(view: Any, known: Any) -> bool:
        for node in view.nodes:
            if node.op_type == "Gemm":
                node.input[1] = view.add_constant(view.constant(node.input[1]) * 1.01)
        return True

    monkeypatch.setitem(passes.PASSES, "spoil", spoil)
    X = matrix(3)
    stages: list[tuple[str, str]] = []
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, X[:, 0])
    conversion = convert(model, data=X, name="spoilt", progress=lambda *stage: stages.append(stage))
    assert any("no steps merged" in detail for _, detail in stages), stages
    np.testing.assert_allclose(edge_infer.load(conversion.data).predict(X), model.predict(X), rtol=1e-5, atol=1e-5)
    operators = [node.op_type for node in onnx.load_from_string(conversion.data).graph.node]
    assert "Div" in operators, "it went without all that rounds differently"


@pytest.mark.parametrize("precision", ["float32", "float64"])
@few
@given(seeds)
def test_products_and_their_sums_are_one_node(precision: str, seed: int) -> None:
    X = matrix(seed, width=4)
    model = make_pipeline(StandardScaler(), Ridge()).fit(X, np.column_stack([X[:, 0], X[:, 1] - X[:, 2], X[:, 3]]))
    fused, apart = (assembled(model, X, precision, off) for off in ((), ("gemm",)))
    assert operators(fused) == ["Gemm"]
    assert operators(apart) == ["MatMul", "Add"]
    feeds = {"numbers": X.astype(precision)}
    close = {"float32": 1e-5, "float64": 1e-12}[precision]
    (got,), (wanted,) = answers(fused, feeds).values(), answers(apart, feeds).values()
    np.testing.assert_allclose(got, wanted, rtol=close, atol=close)


@few
@given(seeds)
def test_probabilities_of_two_classes_are_a_softmax(seed: int) -> None:
    X, y = people(seed)
    for model, data in ((mixed(LogisticRegression()), X), (LogisticRegression(), X[["a", "b", "c"]].fillna(0.0))):
        made = assembled(model.fit(data, y), data)
        assert "softmax" in made.passes
        assert "Exp" not in operators(made)
        assert_converted(model, data)


@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
@few
@given(seeds)
def test_probabilities_of_boosting_are_a_softmax(loss: str, seed: int) -> None:
    X, y = people(seed)
    model = mixed(GradientBoostingClassifier(n_estimators=5, loss=loss), dense=True).fit(X, y)
    made = assembled(model, X)
    assert "softmax" in made.passes
    assert {"Exp", "Neg"}.isdisjoint(operators(made))
    assert_converted(model, X)


def test_far_rows_keep_small_probabilities() -> None:
    """Those of the second class; scikit-learn has 1 − p for the first. One against rest divides by sums of such."""
    X = np.linspace(-1, 1, 80)[:, None] ** 3
    model = LogisticRegression(C=1e4).fit(X, X[:, 0] > 0.01)
    far = np.array([[-20.0], [-3.0], [-1.0], [0.0], [1.0], [3.0], [20.0]]) / abs(model.coef_[0, 0]) * 30
    loaded = edge_infer.load(convert(model, data=X, name="far", precision="float64").data)
    np.testing.assert_allclose(loaded.predict_proba(far), model.predict_proba(far), rtol=0, atol=1e-15)
    for method in ("predict_proba", "predict_log_proba"):
        with np.errstate(divide="ignore"):  # of the first class, by scikit-learn
            got, wanted = getattr(loaded, method)(far), getattr(model, method)(far)
        np.testing.assert_allclose(got[:, 1], wanted[:, 1], rtol=1e-9)
    assert 0 < loaded.predict_proba(far[0])[1] < 1e-200
    rest = OneVsRestClassifier(LogisticRegression()).fit(X, np.repeat([0, 1, 2, 3], 20))
    assert "softmax" not in assembled(rest, X).passes
    assert_converted(rest, X)


def test_two_columns_that_are_no_opposites_stay_as_they_are() -> None:
    """Two labels of their own: 1 / (1 + exp) of two numbers that have nothing to do with each other."""
    X = matrix(5, width=3)
    model = OneVsRestClassifier(LogisticRegression()).fit(X, np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int))
    made = assembled(model, X)
    assert "softmax" not in made.passes
    assert_converted(model, X)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@few
@given(seeds)
def test_a_forest_averages_by_itself(precision: str, seed: int) -> None:
    X = matrix(seed, width=3)
    y = (X[:, 0] > X[:, 1]).astype(int)
    for model in (RandomForestClassifier(7, bootstrap=False, random_state=0), RandomForestRegressor(7, random_state=0)):
        together, apart = (assembled(model.fit(X, y), X, precision, off) for off in ((), ("average",)))
        assert "average" in together.passes
        assert operators(together).count("Div") == operators(apart).count("Div") - 1 == 0
        feeds = {"numbers": X.astype(precision)}
        wanted = answers(apart, feeds)
        for name, got in answers(together, feeds).items():
            if got.dtype.kind == "f":
                np.testing.assert_array_almost_equal_nulp(got, wanted[name], nulp=1 if precision == "float32" else 0)
            else:
                np.testing.assert_array_equal(got, wanted[name])
        assert_converted(model, X)
