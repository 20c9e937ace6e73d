"""Pipelines that end in a net of skorch: one graph, against the original on a thousand rows each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler

import edge_infer
from edge_infer.errors import SchemaError, UnsupportedModelError

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks brings it")
skorch: Any = pytest.importorskip("skorch", reason="skorch is not installed: make frameworks brings it")

from sklearn.compose import make_column_transformer  # noqa: E402  # behind the skips

from edge_infer_convert import convert, preflight  # noqa: E402
from edge_infer_convert.doubt import NONE, SINGLE, TIE  # noqa: E402
from edge_infer_convert.networks.doubts import doubt_of_network  # noqa: E402
from edge_infer_convert.refusals import find_refusal  # noqa: E402
from tests.frameworks.joined_nets import (  # noqa: E402
    ROWS,
    Difference,
    Embedded,
    Pair,
    Weighted,
    columns,
    layers,
    passengers,
)

FRAME, CLASSES = passengers()
MATRIX = np.array(FRAME[["age", "fare"]].fillna(40), np.float32)
QUICK: dict[str, Any] = {"max_epochs": 2, "verbose": 0}


class Case(NamedTuple):
    """data: what the pipeline was fitted on, without the target."""

    estimator: Any
    data: Any
    classes: tuple[Any, ...] | None
    dtype: str


def classifier(inputs: int, outputs: int, **options: Any) -> Any:
    return skorch.NeuralNetClassifier(layers(inputs, outputs), criterion=torch.nn.CrossEntropyLoss, **QUICK, **options)


@cache
def multiclass() -> Case:
    pipeline = make_pipeline(columns(), FunctionTransformer(np.float32), classifier(7, 3))
    return Case(pipeline.fit(FRAME, CLASSES), FRAME, (0, 1, 2), "int64")


def binary() -> Case:
    net = skorch.NeuralNetBinaryClassifier(layers(2, 1), threshold=0.3, **QUICK)
    pipeline = make_pipeline(StandardScaler(), net)  # StandardScaler keeps float32
    return Case(pipeline.fit(MATRIX, (CLASSES > 1).astype(np.float32)), MATRIX, (0, 1), "uint8")


def regression() -> Case:
    """The caller gives float64 at conversion, and gave float32 when it was fitted."""
    frame = FRAME[["age", "fare"]].fillna(40)
    net = skorch.NeuralNetRegressor(layers(2, 1), **QUICK)
    pipeline = make_pipeline(StandardScaler(), net).fit(frame.astype(np.float32), MATRIX[:, :1])
    return Case(pipeline, frame, None, "float32")


def texts_as_labels() -> Case:
    """skorch's nets know no labels of text; a vote of one does."""
    vote = VotingClassifier([("net", classifier(2, 3))], voting="soft")
    labels = np.array(["first", "second", "third"])[CLASSES]
    return Case(make_pipeline(StandardScaler(), vote).fit(MATRIX, labels), MATRIX, ("first", "second", "third"), "<U6")


def embedded() -> Case:
    """Codes for an embedding, a net of the user's own class, a module of two outputs that casts its input itself."""
    prepare = make_column_transformer((OrdinalEncoder(), ["sex"]), (StandardScaler(), ["fare"]))
    torch.manual_seed(0)
    net = Weighted(Embedded, criterion=torch.nn.CrossEntropyLoss, **QUICK)
    return Case(make_pipeline(prepare, net).fit(FRAME, CLASSES), FRAME, (0, 1, 2), "int64")


def bare() -> Case:
    """No pipeline; a criterion of which skorch knows no nonlinearity, and one of the user's own."""
    net = skorch.NeuralNetClassifier(
        layers(2, 3),
        criterion=torch.nn.MultiMarginLoss,
        predict_nonlinearity=lambda scores: torch.softmax(2 * scores, dim=-1),
        **QUICK,
    )
    return Case(net.fit(MATRIX / 40, CLASSES), MATRIX / 40, (0, 1, 2), "int64")


@pytest.mark.parametrize("make", [multiclass, binary, regression, texts_as_labels, embedded, bare])
def test_answers_are_the_originals_on_a_thousand_rows(make: Callable[[], Case]) -> None:
    torch.manual_seed(0)
    case = make()
    made = convert(case.estimator, data=case.data, name="joined")
    model = edge_infer.load(made.data)
    asked = case.data.astype({"age": np.float32, "fare": np.float32}) if make is regression else case.data
    assert len(asked) == ROWS
    got, wanted = model.predict(case.data), case.estimator.predict(asked)
    assert (got.dtype, got.shape) == (case.dtype, wanted.shape)
    if case.classes is None:
        assert hasattr(case.estimator, "predict_proba")  # skorch's regressors have one, which is predict
        assert not hasattr(model, "predict_proba")
        assert model.manifest.missing_methods == {}
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-4)
    else:
        assert model.manifest.outputs[0].classes == (case.classes,)
        assert (got == wanted).all()
        np.testing.assert_allclose(
            model.predict_proba(case.data), case.estimator.predict_proba(asked), rtol=1e-5, atol=1e-5
        )
    assert {"skorch", "torch"} <= set(model.manifest.source.versions)
    assert edge_infer.verify(made.data)


# --- what is refused --------------------------------------------------------------------


def test_a_module_of_two_tensors_is_refused_and_one_with_an_option_is_not() -> None:
    halves = {"a": MATRIX[:, :1], "b": MATRIX[:, 1:]}
    net = skorch.NeuralNetClassifier(Pair, criterion=torch.nn.CrossEntropyLoss, **QUICK).fit(
        halves, (CLASSES > 0).astype(np.int64)
    )
    with pytest.raises(UnsupportedModelError, match=r"takes 2 tensors \(a, b\)(.|\n)*convert\(net\.module_, inputs"):
        convert(net, data=halves, name="pair")
    assert find_refusal(skorch.NeuralNetClassifier(Embedded).initialize(), "") is None


def test_a_net_that_is_not_fitted_is_told_so() -> None:
    net = classifier(2, 3)
    with pytest.raises(SchemaError, match="not initialized"):
        convert(net, data=MATRIX, name="unfitted")
    assert "not fitted" in preflight(net, MATRIX).blockers[0].reason


def test_float64_before_a_network_is_told_with_what_to_do() -> None:
    pipeline = make_pipeline(columns().fit(FRAME), classifier(7, 3).fit(np.zeros((ROWS, 7), np.float32), CLASSES))
    with pytest.raises(SchemaError, match=r"FunctionTransformer\(np\.float32\)"):
        convert(pipeline, data=FRAME, name="double")


def test_classes_that_are_no_positions_are_refused_with_what_to_say() -> None:
    net = classifier(2, 5).fit(MATRIX, 2 * CLASSES)  # 0, 2 and 4 of five outputs
    (blocker,) = preflight(net, MATRIX).blockers
    assert "classes_ are [0, 2, 4]" in blocker.reason
    assert "list(range(5))" in blocker.remedy
    net.classes = list(range(5))
    assert preflight(net, MATRIX).ok


# --- last digits ------------------------------------------------------------------------


def test_rows_that_a_network_keeps_few_digits_of_are_doubtful_and_others_are_not() -> None:
    net = skorch.NeuralNetRegressor(Difference).initialize()
    small, few, none = [3.25, -1.5], [1000.1, 999.1], [1e7 + 1, 1e7]
    assert doubt_of_network(net, np.array([small] * 9 + [few, none])).tolist() == [NONE] * 9 + [SINGLE, TIE]


# --- end to end -------------------------------------------------------------------------

_WITHOUT_FRAMEWORKS = """
import json, sys
for name in ("torch", "skorch", "sklearn", "onnx", "edge_infer_convert"):
    sys.modules[name] = None  # to import it fails
import edge_infer
model = edge_infer.load(sys.argv[1])
rows = json.load(open(sys.argv[2]))
print(json.dumps([model.predict(rows).tolist(), model.predict_proba(rows).tolist()]))
"""


def test_from_a_trusted_pickle_to_answers_where_nothing_of_pytorch_is(tmp_path: Path) -> None:
    """In float64, which the columns are up to the network's door; its answers are float32."""
    case = multiclass()
    joblib.dump(case.estimator, tmp_path / "net.joblib")
    FRAME.assign(survived=CLASSES).to_csv(tmp_path / "train.csv", index=False)
    rows = json.loads(FRAME.to_json(orient="records"))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    command = [sys.executable, "-m", "edge_infer.cli.main", "convert", "net.joblib", "--trust-pickle", "--data"]
    command += ["train.csv", "--target-column", "survived", "-o", "net-1.0.0.onnx", "--precision", "float64"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FutureWarning" not in done.stderr
    command = [sys.executable, "-c", _WITHOUT_FRAMEWORKS, "net-1.0.0.onnx", "rows.json"]
    asked = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=True)
    labels, shares = json.loads(asked.stdout)
    model = edge_infer.load(tmp_path / "net-1.0.0.onnx")
    assert (model.manifest.precision, model.predict_proba(FRAME).dtype) == ("float64", np.float32)
    assert labels == case.estimator.predict(FRAME).tolist()
    np.testing.assert_allclose(shares, case.estimator.predict_proba(FRAME), rtol=1e-5, atol=1e-5)
