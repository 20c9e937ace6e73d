"""What stands before trees goes into their branches: no answer changes in a bit, and the nodes before them are gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from edge_infer.errors import ParityError
from edge_infer_convert.graph.ensemble_node import LEQ, NEQ, EnsembleNode
from edge_infer_convert.passes.trees import largest_that_holds
from edge_infer_convert.structural_proof import prove_trees
from tests.convert.operators.drawn import assert_converted, few, matrix, seeds
from tests.convert.passes.test_passes import answers, assembled, operators, people

ENCODERS = {
    "target": TargetEncoder(),
    "one-hot": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    "one-hot, first dropped": OneHotEncoder(drop="first", sparse_output=False),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal, unknown missing": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
}
SCALERS = {
    "standard": StandardScaler(),
    "between": MinMaxScaler((-1, 3)),
    "robust": RobustScaler(),
    "two in a row": make_pipeline(RobustScaler(), StandardScaler()),
    "imputed, scaled": make_pipeline(SimpleImputer(), StandardScaler()),
    "scaled, imputed": make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0.5)),
}
FORESTS = {
    "forest": RandomForestClassifier(7, random_state=0),
    "votes": RandomForestClassifier(7, bootstrap=False, random_state=0),
    "tree": DecisionTreeClassifier(random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histograms": HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
}
PREPARING = {"Sub", "Div", "Mul", "Add", "Where", "IsNaN", "ReduceSum"}


def _frame(seed: int) -> tuple[pd.DataFrame, Any]:
    """People without gaps in their numbers."""
    X, y = people(seed)
    return X.fillna(1.25), y


def _feeds(seed: int, precision: str, rows: int = 60) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(0, 20, (rows, 3)).astype(precision)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    return {
        "numbers": numbers,
        "strings": rng.choice(np.array(["x", "y", "z", "w", "one", "two", "odd", ""], dtype=object), (rows, 2)),
    }


def _assert_same_bits(model: Any, X: Any, precision: str, seed: int = 0) -> list[str]:
    """The graph with the pass and without it on the same rows; the operators before its trees."""
    moved, plain = (assembled(model, X, precision, off) for off in ((), ("trees",)))
    assert "trees" in moved.passes
    feeds = _feeds(seed, precision)
    wanted = answers(plain, feeds)
    for name, got in answers(moved, feeds).items():
        np.testing.assert_array_equal(got, wanted[name], err_msg=name)
    prove_trees(moved.model, moved.builder, moved.ensembles)
    found = operators(moved)
    return found[: found.index("TreeEnsemble")]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoders_of_texts_before_trees_become_branches_on_codes(encoder: str) -> None:
    X, y = _frame(len(encoder))
    prepared = make_column_transformer((clone(ENCODERS[encoder]), ["t", "u"]), ("passthrough", ["a", "b", "c"]))
    model = make_pipeline(prepared, RandomForestClassifier(5, bootstrap=False, random_state=0)).fit(X, y)
    for precision in ("float32", "float64"):
        found = _assert_same_bits(model, X, precision)
        assert PREPARING.isdisjoint(found), found
    assert_converted(model, X)


@pytest.mark.parametrize("scaler", SCALERS)
@few
@given(seeds, st.sampled_from(sorted(FORESTS)), st.sampled_from(["float32", "float64"]))
def test_scalers_and_imputers_before_trees_become_thresholds(
    scaler: str, seed: int, forest: str, precision: str
) -> None:
    model, X = _scaled(scaler, forest, seed)
    _assert_same_bits(model, X, precision, seed)


@pytest.mark.parametrize(
    ("scaler", "forest"), list(zip([*SCALERS, "robust"], [*FORESTS, "forest", "boosting"], strict=True))
)
def test_what_is_moved_into_trees_answers_as_the_original(scaler: str, forest: str) -> None:
    assert_converted(*_scaled(scaler, forest, 7))


def _scaled(scaler: str, forest: str, seed: int) -> tuple[Any, pd.DataFrame]:
    X, y = people(seed) if "impute" in scaler else _frame(seed)
    numbers = (clone(SCALERS[scaler]), ["a", "b", "c"])
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(make_column_transformer(numbers, (encoder, ["t", "u"])), clone(FORESTS[forest]))
    return model.fit(X, y), X


def test_regressors_that_add_in_float64_read_wider_numbers() -> None:
    X, y = _frame(3)
    prepared = make_column_transformer((StandardScaler(), ["a", "b", "c"]), (OrdinalEncoder(), ["t", "u"]))
    for model in (
        ExtraTreesRegressor(4, random_state=0),
        LGBMRegressor(n_estimators=4, min_child_samples=3, verbose=-1),
    ):
        fitted = make_pipeline(prepared.set_output(transform="default"), model).fit(X, X["a"] + y)
        _assert_same_bits(fitted, X, "float32")
        assert_converted(fitted, X)


def test_columns_that_are_no_scaled_inputs_stay_as_they_are() -> None:
    """Components are computed; beside them, scaled columns go into the branches."""
    X = matrix(4, width=4)
    both = make_column_transformer((PCA(2), [0, 1]), (StandardScaler(), [2, 3]))
    model = make_pipeline(both, RandomForestClassifier(4, random_state=0)).fit(X, X[:, 0] > X[:, 3])
    made = assembled(model, X)
    assert "Div" not in operators(made)
    assert_converted(model, X)
    turned = make_pipeline(FunctionTransformer(np.negative), RandomForestClassifier(4, random_state=0))
    kept = assembled(turned.fit(X, X[:, 0] > X[:, 3]), X)
    assert "trees" not in kept.passes, "x ≤ t would become x ≥ t"
    assert_converted(turned, X)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_flags_of_gaps_stay_beside_scaled_columns(precision: str) -> None:
    """A flag is a boolean that is cast, which is no column of numbers to bisect."""
    X = matrix(8, gaps=0.2)
    prepared = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    for before in (prepared, SimpleImputer(add_indicator=True)):
        model = make_pipeline(before, ExtraTreesRegressor(3, random_state=0)).fit(
            X, np.isnan(X[:, 1]) + np.nan_to_num(X[:, 0])
        )
        made = assembled(model, X, precision)
        prove_trees(made.model, made.builder, made.ensembles)
        assert_converted(model, X, precision="float64")


def test_detectors_and_several_ensembles_are_moved_too() -> None:
    X = matrix(5, width=4)
    for final in (IsolationForest(n_estimators=5, random_state=0), RandomForestClassifier(3, random_state=0)):
        model = make_pipeline(StandardScaler(), final).fit(X, np.arange(len(X)) % 3)
        assert "trees" in assembled(model, X).passes
        assert_converted(model, X)


def test_no_branch_is_an_equality() -> None:
    """onnxruntime 1.32 makes a set of branches x = code in a row, and loses rows."""
    rng = np.random.default_rng(0)
    words = [f"w{i:03}" for i in range(200)]
    X = pd.DataFrame({"t": rng.choice(words, 3000)})
    shuffled = dict(zip(words, rng.permutation(200), strict=True))
    y = X["t"].map(shuffled) % 7 > 3
    for encoder, allowed in ((OneHotEncoder(sparse_output=False), {LEQ, NEQ}), (OrdinalEncoder(), {LEQ})):
        model = make_pipeline(make_column_transformer((encoder, ["t"])), DecisionTreeClassifier(random_state=0))
        made = assembled(model.fit(X, y), X)
        (node,) = [node for node in made.model.graph.node if node.op_type == "TreeEnsemble"]
        assert set(EnsembleNode(node).mode.tolist()) <= allowed


def test_codes_in_no_order_are_looked_up_and_mixed_encodings_stay_as_they_are() -> None:
    """A set of codes is never written: onnxruntime 1.21 loses rows of them."""
    X = pd.DataFrame({"t": list("abcdef") * 20})
    model = make_pipeline(TargetEncoder(), DecisionTreeClassifier(random_state=0))
    made = assembled(model.fit(X, X["t"].isin(list("ace"))), X)
    found = operators(made)
    assert found[found.index("TreeEnsemble") - 1] == "Gather", "a number for each code"
    assert "ReduceSum" not in found
    assert_converted(model, X)
    both = make_column_transformer((TargetEncoder(), ["t"]), (OneHotEncoder(sparse_output=False), ["t"]))
    mixed = make_pipeline(both, RandomForestClassifier(30, max_features=1, random_state=0))
    assert "trees" not in assembled(mixed.fit(X, X["t"].isin(list("ace"))), X).passes
    assert_converted(mixed, X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.data())
def test_bisection_finds_the_last_float_that_holds(dtype: Any, data: Any) -> None:
    width = np.dtype(dtype).itemsize * 8
    floats = st.floats(width=width, allow_nan=False)
    limits = np.array(data.draw(st.lists(floats, min_size=1, max_size=20)), dtype)
    shift, scale = (dtype(data.draw(st.floats(low, 1e3, width=32))) for low in (-1e3, 2.0**-20))

    def image(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return (x - shift) / scale

    found = largest_that_holds(lambda x: image(x) <= limits, np.dtype(dtype), len(limits))
    with np.errstate(over="ignore"):
        above = np.nextafter(found, dtype(np.inf))
    none = np.isnan(found)
    assert (image(np.full(none.sum(), -np.inf, dtype)) > limits[none]).all()
    assert (image(found[~none]) <= limits[~none]).all()
    inner = ~none & np.isfinite(found)
    assert (image(above[inner]) > limits[inner]).all()


@pytest.mark.parametrize("part", ["roots", "leaf_weights"])
def test_a_change_of_trees_or_leaves_behind_the_pass_is_found(part: str) -> None:
    X = matrix(6)
    model = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)).fit(X, X[:, 0] > X[:, 1])
    made = assembled(model, X)
    prove_trees(made.model, made.builder, made.ensembles)
    changes: dict[str, Callable[[Any], None]] = {
        "roots": lambda node: node.attribute[_place(node, "tree_roots")].ints.reverse(),
        "leaf_weights": lambda node: node.attribute[_place(node, "leaf_weights")].t.CopyFrom(
            _doubled(node.attribute[_place(node, "leaf_weights")].t)
        ),
    }
    changes[part](next(node for node in made.model.graph.node if node.op_type == "TreeEnsemble"))
    with pytest.raises(ParityError, match="changed as branches were rewritten"):
        prove_trees(made.model, made.builder, made.ensembles)


def _place(node: Any, name: str) -> int:
    return [attribute.name for attribute in node.attribute].index(name)


def _doubled(tensor: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(numpy_helper.to_array(tensor) * 2)
