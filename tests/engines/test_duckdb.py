"""A model as a function of DuckDB's SQL. `make engines` brings it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_infer
from edge_infer.errors import MethodError, UsageError
from edge_infer_convert import convert
from tests.engines.rows import Rows, assert_same

pytest.importorskip("duckdb", reason="needs DuckDB: run `make engines`")

ARGUMENTS = "age, fare, siblings, alone, sex, port"


@pytest.fixture
def connection(rows: Rows) -> Any:
    import duckdb

    made = duckdb.connect()
    made.execute(f"CREATE VIEW people AS FROM read_parquet('{rows.folder}/*.parquet')")
    return made


def test_a_million_rows_are_answered_as_on_one_machine(connection: Any, rows: Rows, wanted: pa.Table) -> None:
    from edge_infer.batch.duckdb import register

    register(connection, edge_infer.load(rows.path))
    register(connection, rows.path, "chances", methods=["predict_proba"])
    chances = ", ".join(f'c."{name}"' for name in wanted.schema.names[2:])
    query = f"SELECT id, predict({ARGUMENTS}) AS prediction, chances({ARGUMENTS}) AS c FROM people"
    assert_same(connection.sql(f"SELECT id, prediction, {chances} FROM ({query})").to_arrow_table(), wanted)


def test_rows_can_be_chosen_by_what_is_predicted(connection: Any, rows: Rows, wanted: pa.Table) -> None:
    from edge_infer.batch.duckdb import register

    register(connection, rows.path)
    where = f"age IS NULL AND id < 5000 AND predict({ARGUMENTS}) = 'no'"
    found = connection.sql(f"SELECT id FROM people WHERE {where} ORDER BY id").fetchall()
    labels = wanted["prediction"].slice(0, 5000).to_pylist()
    ages = rows.table["age"].slice(0, 5000).to_pylist()
    assert [row[0] for row in found] == [
        place for place, label in enumerate(labels) if label == "no" and ages[place] is None
    ]
    assert found


def test_null_and_unknown_texts_reach_the_model(connection: Any, rows: Rows) -> None:
    from edge_infer.batch.duckdb import register

    register(connection, rows.path)
    ((found,),) = connection.sql("SELECT predict(NULL, 7.25, 1, true, 'male', 'Nowhere')").fetchall()
    record = {"age": None, "fare": 7.25, "siblings": 1, "alone": True, "sex": "male", "port": "Nowhere"}
    assert found == edge_infer.load(rows.path).predict(record)


@pytest.mark.parametrize("on_error", ["fail", "null"])
def test_a_row_that_does_not_fit(connection: Any, rows: Rows, on_error: Any) -> None:
    import duckdb

    from edge_infer.batch.duckdb import register

    register(connection, rows.path, on_error=on_error)
    fare = "CASE WHEN id = 42 THEN 'Infinity'::DOUBLE ELSE fare END"
    predict = f"predict(age, {fare}, siblings, alone, sex, port)"
    query = connection.sql(f"SELECT id, {predict} AS p FROM people WHERE id < 99")
    if on_error == "null":
        assert [row[0] for row in query.fetchall() if row[1] is None] == [42]
        return
    with pytest.raises(duckdb.Error, match="column 'fare': expected a finite number, got inf"):
        query.fetchall()


def test_numbers_and_structs(tmp_path: Any) -> None:
    import duckdb

    from edge_infer.batch.duckdb import register

    numbers = np.random.default_rng(0).normal(size=(50, 3))
    regression = make_pipeline(StandardScaler(), LinearRegression()).fit(numbers, numbers[:, :2])
    convert(regression, data=numbers, name="m", version="1.0.0", output=tmp_path / "m-1.0.0.onnx")
    connection = duckdb.connect()
    model = edge_infer.load(tmp_path / "m-1.0.0.onnx")
    register(connection, model, "both_numbers")
    ((found,),) = connection.sql("SELECT both_numbers(0.5, 1, -2)").fetchall()
    assert found == dict(zip(["prediction_0", "prediction_1"], model.predict([[0.5, 1, -2]])[0].tolist(), strict=True))


def test_arguments_that_make_no_sense(connection: Any, rows: Rows) -> None:
    from edge_infer.batch.duckdb import register

    with pytest.raises(MethodError):
        register(connection, rows.path, methods=["transform"])
    with pytest.raises(UsageError, match="on_error"):
        register(connection, rows.path, on_error="drop")  # type: ignore[arg-type]


@pytest.mark.parametrize(("unit", "zone"), [("us", None), ("us", "Europe/Berlin"), ("ns", None)])
def test_times_with_and_without_a_zone(tmp_path: Any, unit: str, zone: str | None) -> None:
    import duckdb

    from edge_infer.batch.duckdb import register

    at = pd.date_range("2024-01-01", periods=60, freq="1671min", tz=zone).astype(
        f"datetime64[{unit}, {zone}]" if zone else f"datetime64[{unit}]"
    )
    frame = pd.DataFrame({"at": at, "age": np.arange(60.0)})
    prepare = make_column_transformer((StandardScaler(), ["at"]), remainder="passthrough")
    pipeline = make_pipeline(prepare, LinearRegression()).fit(frame, np.arange(60.0))
    convert(pipeline, data=frame, name="times", version="1.0.0", output=tmp_path / "times.onnx")
    connection = duckdb.connect()
    register(connection, tmp_path / "times.onnx")
    connection.register("trips", pa.Table.from_pandas(frame, preserve_index=False))
    found = connection.sql('SELECT predict("at", age) FROM trips').fetchall()
    assert [row[0] for row in found] == edge_infer.load(tmp_path / "times.onnx").predict(frame).tolist()
