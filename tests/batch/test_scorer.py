"""`Model.scorer` answers rows of Arrow as the model's methods answer them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

import edge_infer
from edge_infer import InputError, Model
from edge_infer.errors import MethodError
from edge_infer_convert import convert
from tests.batch.passengers import passengers

ROWS = passengers(3000, seed=1)


def _table(frame: pd.DataFrame = ROWS) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _column(answers: pa.RecordBatch, name: str) -> np.ndarray:
    return answers.column(answers.schema.names.index(name)).to_numpy(zero_copy_only=False)


@pytest.mark.parametrize("kind", ["text", "dictionary", "batch"])
def test_answers_are_the_models(model: Model, kind: str) -> None:
    rows = _table()
    if kind == "dictionary":
        for name in ("sex", "port"):
            rows = rows.set_column(rows.schema.names.index(name), name, rows[name].dictionary_encode())
    answers = model.scorer()(rows.combine_chunks().to_batches()[0] if kind == "batch" else rows)
    assert answers.schema.names == ["prediction", "P(no)", "P(yes, saved)"]
    assert (_column(answers, "prediction") == model.predict(ROWS)).all()
    proba = np.stack([_column(answers, name) for name in answers.schema.names[1:]], axis=1)
    assert np.array_equal(proba, model.predict_proba(ROWS))


def test_methods_can_be_chosen(model: Model) -> None:
    answers = model.scorer(["decision_function"])(_table())
    assert np.array_equal(_column(answers, "decision_function"), model.decision_function(ROWS))
    with pytest.raises(MethodError):
        model.scorer(["transform"])


def test_no_rows_give_no_answers_of_the_same_columns(model: Model) -> None:
    scorer = model.scorer()
    assert scorer(_table().slice(0, 0)).schema == scorer.schema


def test_rows_that_do_not_fit_are_told_and_the_others_answered(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(200, 3))
    file = tmp_path / "m-1.0.0.onnx"
    forest = RandomForestClassifier(5, random_state=0).fit(numbers, numbers[:, 0] > 0)
    convert(forest, data=numbers, name="m", version="1.0.0", output=file)
    model = edge_infer.load(file)
    numbers[7, 1] = np.inf
    table = pa.table({name: numbers[:, place] for place, name in enumerate("abc")})
    scored = model.scorer().score(table)
    assert list(scored.misfits) == [7]
    assert scored.answers.num_rows == 199
    wanted = model.predict(np.delete(numbers, 7, axis=0))
    assert (_column(scored.answers, "prediction") == wanted).all()
    assert scored.answers.schema.field("prediction").type == pa.bool_()
    with pytest.raises(InputError, match="row 7"):
        model.scorer()(table)


def test_a_column_that_is_not_there_is_an_error_and_no_misfit(model: Model) -> None:
    with pytest.raises(InputError, match=r"'fare'.*no such column"):
        model.scorer().score(_table(ROWS.drop(columns="fare")))


@pytest.mark.parametrize("estimator", [LinearRegression(), PCA(2)])
def test_numbers_and_transformed_rows(tmp_path: Path, estimator: object) -> None:
    numbers = np.random.default_rng(0).normal(size=(300, 3))
    estimator.fit(numbers, numbers[:, :2]) if isinstance(estimator, LinearRegression) else estimator.fit(numbers)
    file = tmp_path / "m-1.0.0.onnx"
    convert(estimator, data=numbers, name="m", version="1.0.0", output=file)
    model = edge_infer.load(file)
    method = "predict" if isinstance(estimator, LinearRegression) else "transform"
    answers = model.scorer([method])(pa.table({name: numbers[:, place] for place, name in enumerate("abc")}))
    wanted = model.predict(numbers) if isinstance(estimator, LinearRegression) else model.transform(numbers)
    found = np.stack([_column(answers, name) for name in answers.schema.names], axis=1)
    assert np.array_equal(found, wanted)


def test_a_monitor_counts_what_a_scorer_answers(path: Path, tmp_path: Path) -> None:
    monitor = edge_infer.Monitor(tmp_path / "watched", rows_per_second=100_000)
    with edge_infer.load(path, monitor=monitor) as model:
        model.scorer()(_table())
    (window,) = monitor.windows("titanic")
    assert window.summary.calls == {"predict": 1, "predict_proba": 1}
    assert window.summary.columns["age"].missing > 0


def test_loading_and_predicting_import_no_pyarrow(path: Path) -> None:
    code = (
        "import sys, edge_infer; model = edge_infer.load(sys.argv[1]); "
        "model.predict({'age': 1.0, 'fare': 2.0, 'siblings': 0, 'alone': True, 'sex': 'male', 'port': None}); "
        "print('pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
