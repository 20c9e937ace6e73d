"""The gate: what is not equal is not written, and the message says where to look."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_infer
from edge_infer.errors import EdgeInferError, ParityError, UnsupportedModelError, UsageError
from edge_infer.options import ENVIRONMENT
from edge_infer_convert import convert, register_converter, to_onnx
from edge_infer_convert.demo import train
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators import registry
from edge_infer_convert.operators.scaling import standard_scaler
from edge_infer_convert.probes import make_probes
from edge_infer_convert.schema import make_schema
from tests.convert.judging import assert_same
from tests.convert.pipelines import fitted


def _slightly_wrong(builder: GraphBuilder, scaler: Any, reads: str) -> dict[str, list[str]]:
    [right] = standard_scaler(builder, scaler, reads)["transform"]
    return {"transform": [builder.node("Mul", right, builder.constant(1.001))]}


@pytest.fixture
def wrong_scaler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._OPERATORS, StandardScaler, [(_slightly_wrong, lambda scaler: True)])


@pytest.mark.usefixtures("wrong_scaler")
def test_wrong_step_fails_the_conversion_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    estimator, X, _ = train()
    with pytest.raises(ParityError, match=r"to blame: .*standardscaler.*StandardScaler") as caught:
        convert(estimator, data=X, name="p", output=tmp_path / "p.onnx")
    assert list(tmp_path.iterdir()) == []
    lines = caught.value.table.splitlines()
    assert 2 <= len(lines) <= 20
    assert max(map(len, lines[:-1])) <= 104
    assert any(line.endswith("…") for line in lines[1:-2]), "a row that does not fit shows that it is cut"
    word, _, row = lines[-1].partition(": ")
    assert word == "the worst row"
    assert set(json.loads(row)) == set(X.columns), "with every column, so that the row can be asked again"
    assert lines[0].split() == ["row", "kind", "method", "original", "converted", "input"]
    assert "float32 fails too" in str(caught.value)


@pytest.mark.usefixtures("wrong_scaler")
def test_existing_artifact_survives_a_failed_conversion(tmp_path: Path) -> None:
    (tmp_path / "p.onnx").write_bytes(b"the old one")
    estimator, X, _ = train()
    with pytest.raises(ParityError):
        convert(estimator, data=X, name="p", output=tmp_path / "p.onnx", precision="float32")
    assert (tmp_path / "p.onnx").read_bytes() == b"the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["p.onnx"]


def test_far_probes_on_a_boundary_are_counted_as_borderline_not_dropped() -> None:
    """Two equal columns of opposite weight: every row lies on the boundary, and rounding decides."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) * 1e3
    model = LogisticRegression().fit(X, rng.integers(2, size=200))
    model.coef_ = np.array([[1 / 3, -1 / 3]])
    model.intercept_ = np.array([0.0])
    X[:, 1] = X[:, 0] * (1 + 1e-9)
    certificate = convert(model, data=X, name="b", precision="float32").certificate
    assert certificate["borderline"] > 0
    assert certificate["rows"] >= 600
    assert certificate["outputs"]["predict"]["differing"] == 0


def test_float64_is_chosen_with_the_reason_where_float32_does_not_hold() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), RandomForestRegressor(20, random_state=0)).fit(X, y)
    conversion = convert(model, data=X, name="f")
    assert conversion.manifest.precision == "float64"
    with pytest.raises(ParityError) as forced:
        convert(model, data=X, name="f", precision="float32")
    assert forced.value.rows > 0
    assert f" in {forced.value.rows:,} of " in str(forced.value)
    reason = f"float32 does not hold: {forced.value.rows:,} probe rows get other answers"
    assert conversion.manifest.precision_reason == reason, "the same count in both"


def test_float32_that_holds_without_margin_is_told_apart_from_float32_that_fails() -> None:
    estimator, X, _ = train()
    chosen, forced = (convert(estimator, data=X, name="p", precision=precision) for precision in ("auto", "float32"))
    worst = max(comparison.worst for comparison in forced.parity.comparisons)
    assert 1e-6 < worst < 1e-5, "this pipeline is a close call"
    assert (chosen.manifest.precision, forced.manifest.precision) == ("float64", "float32")
    for made in (chosen, forced):
        assert "does not hold" not in made.manifest.precision_reason
        assert f"its worst difference is {worst:.2g}, and auto takes at most 1e-06" in made.manifest.precision_reason


def test_a_conversion_and_its_parity_show_themselves_in_a_line(tmp_path: Path) -> None:
    estimator, X, _ = train()
    made = convert(estimator, data=X, name="p", output=tmp_path / "p.onnx")
    rows, ties = made.certificate["rows"], made.certificate["borderline"]
    assert ties
    told = f"{rows - ties:,} of {rows:,} probe rows equal, the others near ties"
    assert repr(made) == f"<Conversion p 1.0.0: float64, {told} → {tmp_path / 'p.onnx'}>"
    assert repr(made.parity) == f"<Parity: {told}>"
    X, y = load_iris(return_X_y=True)
    made = convert(LinearRegression().fit(X, y), data=X, name="q")
    rows = made.certificate["rows"]
    assert repr(made) == f"<Conversion q 1.0.0: {made.manifest.precision}, {rows:,} probe rows equal>"


def test_whole_numbers_beyond_2_to_24_go_to_float64_and_stay_apart() -> None:
    import edge_infer

    X = pd.DataFrame({"id": np.arange(2**24, 2**24 + 100), "x": np.linspace(0, 1, 100)})
    model = LinearRegression().fit(X, X["id"] - 2**24)
    conversion = convert(model, data=X, name="n")
    assert conversion.manifest.precision == "float64"
    assert "'id'" in conversion.manifest.precision_reason
    answers = edge_infer.load(conversion.data).predict(X)
    np.testing.assert_allclose(answers, model.predict(X), rtol=1e-9, atol=1e-6)


def test_strict_privacy_refuses_models_that_carry_training_rows() -> None:
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(3, weights="uniform")).fit(X, y)
    with pytest.raises(UnsupportedModelError, match=r"kneighborsclassifier.*150 training rows"):
        convert(model, data=X, name="k", strict_privacy=True)
    estimator, data = fitted("neighbours")
    assert convert(estimator, data=data, name="k").manifest.training_rows == len(data)


def test_strict_privacy_lets_models_pass_that_carry_no_rows() -> None:
    estimator, X, _ = train()
    assert convert(estimator, data=X, name="p", strict_privacy=True).manifest.training_rows == 0


def test_step_that_has_no_converter_is_named_with_reason_and_remedy() -> None:
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(Doubler(), LogisticRegression(max_iter=500)).fit(X, y)
    with pytest.raises(UnsupportedModelError, match=r"'doubler'.*\n?.*Replace it by") as caught:
        convert(model, data=X, name="f")
    assert len(str(caught.value)) < 1000


class Doubler(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator that nobody has a converter for."""

    def fit(self, X: Any, y: Any = None) -> Doubler:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 2


@pytest.mark.parametrize("variable", [*ENVIRONMENT, "EDGE_INFER_TUNED"])
def test_a_proof_does_not_depend_on_variables_of_the_runtime(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that makes no sense stops each load that reads it."""
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    wanted = convert(model, data=X, name="iris").data
    monkeypatch.setenv(variable, "nonsense")
    with pytest.raises(UsageError, match=variable):
        edge_infer.load(wanted)
    assert convert(model, data=X, name="iris").data == wanted


@pytest.fixture
def doubler_by(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Registers a converter of `Doubler` for one test."""
    monkeypatch.setattr(registry, "_OPERATORS", dict(registry._OPERATORS))
    return lambda converter: register_converter(Doubler, converter)


def test_registered_converter_converts_an_estimator_of_the_users(doubler_by: Any) -> None:
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(Doubler(), LogisticRegression(max_iter=500)).fit(X, y)
    with pytest.raises(UnsupportedModelError, match="'doubler'"):
        convert(model, data=X, name="d")
    doubler_by(lambda b, estimator, reads: {"transform": [b.node("Add", reads, reads)]})
    assert_same(convert(model, data=X, name="d"), model, X)


def test_registered_converter_that_is_wrong_is_caught_by_the_gate(doubler_by: Any) -> None:
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(Doubler(), LogisticRegression(max_iter=500)).fit(X, y)
    doubler_by(lambda b, estimator, reads: {"transform": [b.node("Mul", reads, b.constant(2.01))]})
    with pytest.raises(ParityError, match=r"to blame: doubler \(Doubler\)"):
        convert(model, data=X, name="d")


def test_graph_that_no_onnxruntime_runs_is_refused_as_unsupported(doubler_by: Any) -> None:
    X = load_iris().data
    doubler_by(lambda b, estimator, reads: {"transform": [b.node("NoSuchOperator", reads)]})
    with pytest.raises(UnsupportedModelError, match="cannot be"):
        convert(Doubler().fit(X), data=X, name="d")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (None, "None instead of tensors by method"),
        ({}, "instead of tensors by method"),
        ({"transform": "name"}, "instead of a list of tensors' names"),
        ({"transform": ["nowhere"]}, "'nowhere' for transform, which no node of it writes"),
        ({"transfrom": ["nowhere"]}, "unknown method 'transfrom'"),
    ],
)
def test_registered_converter_that_returns_nonsense_is_told_what_is_wrong(
    doubler_by: Any, written: Any, told: str
) -> None:
    X = load_iris().data
    doubler_by(lambda b, estimator, reads: written)
    with pytest.raises(UnsupportedModelError, match=re.escape(told)):
        convert(Doubler().fit(X), data=X, name="d")


def test_registered_converter_that_raises_is_named_with_its_error(doubler_by: Any) -> None:
    def convert_doubler(builder: Any, estimator: Any, reads: str) -> Any:
        return {"transform": [builder.node("Mul", reads, estimator.no_such_attribute)]}

    X = load_iris().data
    doubler_by(convert_doubler)
    with pytest.raises(UnsupportedModelError, match=r"convert_doubler raised AttributeError.*no_such_attribute"):
        convert(Doubler().fit(X), data=X, name="d")


def test_float32_that_differs_is_told_whole_where_float64_has_no_converter(doubler_by: Any, tmp_path: Path) -> None:
    def wrong(builder: GraphBuilder, estimator: Any, reads: str) -> dict[str, list[str]]:
        if builder.dtype == np.float64:
            raise UnsupportedModelError("not in double")
        return {"transform": [builder.node("Mul", reads, builder.constant(2.01))]}

    X, y = load_iris(return_X_y=True)
    doubler_by(wrong)
    model = make_pipeline(Doubler(), LogisticRegression(max_iter=500)).fit(X, y)
    with pytest.raises(ParityError, match=r"to blame: doubler \(Doubler\)"):
        convert(model, data=X, name="d", report=tmp_path / "report.html")
    assert (tmp_path / "report.html").exists()


class Same(Doubler):
    def transform(self, X: Any) -> Any:
        return np.asarray(X)


def test_registered_converter_may_pass_its_input_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_OPERATORS", dict(registry._OPERATORS))
    register_converter(Same, lambda b, estimator, reads: {"transform": [reads]})
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(Same(), LogisticRegression(max_iter=500)).fit(X, y)
    assert_same(convert(model, data=X, name="s"), model, X)


def test_registered_converter_takes_a_class() -> None:
    with pytest.raises(TypeError, match="expected a class"):
        register_converter(Doubler(), lambda b, e, r: {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "../up"},
        {"name": "p", "version": "1/2"},
        {"name": "p", "precision": "float16"},
    ],
)
def test_wrong_argument_is_a_usage_error_before_any_work(arguments: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        convert(None, **arguments)  # type: ignore[arg-type]


def test_stages_are_announced_in_order() -> None:
    estimator, X, _ = train()
    stages: list[str] = []
    conversion = convert(
        estimator, data=X, name="p", precision="float64", progress=lambda stage, detail: stages.append(stage)
    )
    assert stages == ["schema", "convert", "probe", "package"]
    assert set(conversion.seconds) == set(stages)


def test_methods_that_cannot_be_converted_are_listed_with_a_reason() -> None:
    X, y = load_iris(return_X_y=True)
    lines = [("a", LogisticRegression(max_iter=500)), ("b", LogisticRegression(C=0.1, max_iter=500))]
    model = VotingClassifier(lines, voting="soft", flatten_transform=False).fit(X, y)
    assert list(convert(model, data=X, name="a").manifest.missing_methods) == ["transform"]


def test_graph_alone_has_no_metadata() -> None:
    estimator, X, _ = train()
    assert not to_onnx(estimator, X).metadata_props


@pytest.mark.parametrize("estimator", [None, 3, "model", object(), LogisticRegression, LogisticRegression(), {}])
def test_what_is_no_fitted_estimator_is_refused_with_a_typed_error(estimator: Any) -> None:
    for data in (None, np.zeros((5, 2))):
        with pytest.raises(EdgeInferError):
            convert(estimator, data=data, name="x")


def test_a_model_of_no_columns_is_refused() -> None:
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame({"only": ["a", "a"]})
    with pytest.raises(UnsupportedModelError, match="no columns"):
        convert(OneHotEncoder(drop="first").fit(frame), data=frame, name="empty")


def test_rows_of_a_float32_sample_are_plain_numbers_and_gaps() -> None:
    """numpy's own float32 is no float of Python, by which gaps and negative numbers are told."""
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    X[::5, 1] = np.nan
    model = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=2).fit(X, X[:, 0])
    probes = make_probes(make_schema(model, X))
    cells = [cell for row, kind in zip(probes.rows, probes.kinds, strict=True) if kind == "sample" for cell in row]
    assert {type(cell) for cell in cells} == {float, type(None)}
    assert cells.count(None) == 8
