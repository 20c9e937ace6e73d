"""Spark in local mode, with a process for each worker. `make engines` brings it; Java must be there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_infer
from edge_infer.errors import InputError, UsageError
from edge_infer_convert import convert
from tests.engines.dying import deaths, deaths_left, dying_task
from tests.engines.rows import Rows, assert_same, many_rows

pytest.importorskip("pyspark", reason="needs Spark: run `make engines`")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("java") is None and "JAVA_HOME" not in os.environ,
        reason="Spark needs Java 17 or newer: apt-get install openjdk-17-jre-headless, then `make engines`",
    ),
]

LOADS = "process long, loads long"


def told_loads(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """How often this worker process has loaded a model."""
    from edge_infer.batch.spark import _model_of

    for _ in batches:
        yield pa.record_batch(
            [pa.array([os.getpid()]), pa.array([_model_of.cache_info().misses])], ["process", "loads"]
        )


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """Two workers; a task may fail three times."""
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    builder = SparkSession.builder.master("local[2,4]").config(map=settings)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def predicted(frame: Any, path: Path, **options: Any) -> pa.Table:
    from edge_infer.batch.spark import predict_with_spark

    return predict_with_spark(frame, path, **options).toArrow()


def test_a_million_rows_are_answered_as_on_one_machine(spark: Any, rows: Rows, wanted: pa.Table) -> None:
    frame = spark.read.parquet(str(rows.folder))
    assert_same(predicted(frame, rows.path, keep=["id"]), wanted)


def test_a_worker_that_dies_is_run_again_and_no_row_is_doubled(
    spark: Any, rows: Rows, wanted: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_infer.batch import spark as module

    monkeypatch.setattr(module, "_Task", dying_task(module._Task))
    frame = spark.read.parquet(str(rows.folder))
    deaths(2)
    module.predict_with_spark(frame, rows.path, keep=["id"]).write.parquet(str(tmp_path / "out"))
    assert deaths_left() == 0
    assert_same(pq.read_table(tmp_path / "out"), wanted)


def test_all_columns_are_kept_unless_some_are_named(spark: Any, rows: Rows) -> None:
    frame = spark.createDataFrame(many_rows(100))
    found = predicted(frame, rows.path).sort_by("id")
    assert found.select(frame.columns).to_pylist() == many_rows(100).to_pylist()
    answers = edge_infer.load(rows.path).scorer()(many_rows(100))
    assert found.select(answers.schema.names).to_pylist() == answers.to_pylist()


def test_a_row_that_does_not_fit_fails_with_the_reason(spark: Any, rows: Rows) -> None:
    frame = spark.createDataFrame(many_rows(100)).selectExpr("* except (fare)", "if(id = 42, 'much', null) fare")
    with pytest.raises(Exception, match="column 'fare': expected a number, got text 'much'"):
        predicted(frame, rows.path)


def test_a_row_that_does_not_fit_is_answered_by_null(spark: Any, rows: Rows, wanted: pa.Table) -> None:
    infinite = "if(id = 42, double('Infinity'), fare) fare"
    frame = spark.createDataFrame(many_rows(100)).selectExpr("* except (fare)", infinite)
    found = predicted(frame, rows.path, keep=["id"], on_error="null").sort_by("id").to_pylist()
    assert [row["id"] for row in found if row["prediction"] is None] == [42]
    answers = edge_infer.load(rows.path).scorer()(many_rows(100)).to_pylist()
    assert [row for row in found if row["id"] != 42] == [
        {"id": place, **answer} for place, answer in enumerate(answers) if place != 42
    ]


def test_columns_that_are_not_there_are_told_before_anything_runs(spark: Any, rows: Rows) -> None:
    frame = spark.createDataFrame(many_rows(10)).drop("fare")
    with pytest.raises(InputError, match=r"column 'fare': .*no such column"):
        predicted(frame, rows.path)
    with pytest.raises(UsageError, match="keep"):
        predicted(frame.withColumn("fare", frame["age"]), rows.path, keep=["name"])
    with pytest.raises(UsageError, match="on_error"):
        predicted(frame.withColumn("fare", frame["age"]), rows.path, on_error="drop")


@pytest.mark.parametrize("dtype", ["uint8", "uint64", "int16", "bool"])
def test_labels_of_types_that_spark_lacks_keep_their_values(spark: Any, tmp_path: Path, dtype: str) -> None:
    numbers = np.random.default_rng(0).normal(size=(200, 2))
    largest = 1 if dtype == "bool" else min(np.iinfo(dtype).max, 2**40)
    labels = np.where(numbers[:, 0] > 0, largest, 0).astype(dtype)
    file = tmp_path / "m-1.0.0.onnx"
    forest = RandomForestClassifier(5, random_state=0).fit(numbers, labels)
    convert(forest, data=numbers, name="m", version="1.0.0", output=file)
    frame = spark.createDataFrame(pa.table({"a.b": numbers[:, 0], "id": range(200), "c": numbers[:, 1]}))
    found = predicted(frame, file, keep=["id"], inputs=["a.b", "c"], methods=["predict"]).sort_by("id")
    assert [int(label) for label in found["prediction"].to_pylist()] == forest.predict(numbers).astype(int).tolist()


def test_two_releases_answer_side_by_side(spark: Any, rows: Rows, tmp_path: Path) -> None:
    """Each is sent by the name of its digest."""
    from tests.engines.rows import model_file

    other = model_file(tmp_path, RandomForestClassifier(5, random_state=0))
    frame = spark.createDataFrame(many_rows(500))
    for path in (rows.path, other, rows.path):
        answers = edge_infer.load(path).scorer()(many_rows(500))
        found = predicted(frame, path, keep=["id"]).sort_by("id").drop_columns("id")
        assert found.to_pylist() == answers.to_pylist()


def test_a_worker_process_loads_a_model_once(spark: Any, tmp_path: Path) -> None:
    from tests.engines.rows import model_file

    def loads() -> dict[int, int]:
        """By process; what a process has not told has not loaded."""
        return {row.process: row.loads for row in spark.range(0, 64, 1, 16).mapInArrow(told_loads, LOADS).collect()}

    path = model_file(tmp_path, RandomForestClassifier(3, random_state=1))
    before = loads()
    predicted(spark.createDataFrame(many_rows(4000)).repartition(16), path, keep=["id"])
    after = loads()
    assert after
    assert max(count - before.get(process, 0) for process, count in after.items()) == 1


def test_kept_columns_of_any_type_come_back_as_they_went(spark: Any, rows: Rows) -> None:
    more = {
        "m": "map('a', id)",
        "a": "array(id, null)",
        "s": "struct(id AS x, 'é' AS y)",
        "t": "timestamp'2024-05-01 12:00:00'",
        "n": "timestamp_ntz'2024-05-01 12:00:00'",
        "d": "date'2024-05-01'",
        "c": "12.50BD",
        "b": "binary('é')",
    }
    frame = spark.createDataFrame(many_rows(20))
    frame = frame.selectExpr("*", *[f"{expression} AS {name}" for name, expression in more.items()])
    found = predicted(frame, rows.path, keep=["id", *more]).sort_by("id")
    assert found.select(["id", *more]).to_pylist() == frame.select("id", *more).toArrow().sort_by("id").to_pylist()


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_times_with_and_without_a_zone(spark: Any, tmp_path: Path, zone: str | None) -> None:
    """TIMESTAMP has a zone, TIMESTAMP_NTZ has none."""
    at = pd.date_range("2024-01-01", periods=60, freq="1671min", tz=zone).astype(
        f"datetime64[us, {zone}]" if zone else "datetime64[us]"
    )
    frame = pd.DataFrame({"at": at, "age": np.arange(60.0)})
    prepare = make_column_transformer((StandardScaler(), ["at"]), remainder="passthrough")
    pipeline = make_pipeline(prepare, LinearRegression()).fit(frame, np.arange(60.0))
    convert(pipeline, data=frame, name="times", version="1.0.0", output=tmp_path / "times.onnx")
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "rows.parquet")
    found = predicted(spark.read.parquet(str(tmp_path / "rows.parquet")), tmp_path / "times.onnx").sort_by("age")
    assert found["prediction"].to_pylist() == edge_infer.load(tmp_path / "times.onnx").predict(frame).tolist()
