"""Answers for the rows of a Spark DataFrame, by Spark's workers (extra `spark`): `predict_with_spark`.

A worker needs edge-infer and pyarrow installed, as it needs pyspark; the model's file is sent to it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from edge_infer.extras import needs

with needs("spark", "pyarrow", "Scoring with Spark"):
    import pyarrow as pa

    from edge_infer.batch.engines import Plan, Shipped, fitting, loaded, plan_for, shipped
with needs("spark", "pyspark", "Scoring with Spark"):
    from pyspark import SparkFiles
    from pyspark.sql import functions, types

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from edge_infer.batch.engines import OnMisfit
    from edge_infer.batch.scoring import Scorer
    from edge_infer.model import Model

__all__ = ["predict_with_spark"]

#: Answers' types: Spark has no unsigned numbers and no half precision, so those go to the next that holds all of them.
_TYPES: dict[str, tuple[Any, pa.DataType]] = {
    "string": (types.StringType(), pa.string()),
    "bool": (types.BooleanType(), pa.bool_()),
    "halffloat": (types.FloatType(), pa.float32()),
    "float": (types.FloatType(), pa.float32()),
    "double": (types.DoubleType(), pa.float64()),
    "int8": (types.ByteType(), pa.int8()),
    "int16": (types.ShortType(), pa.int16()),
    "int32": (types.IntegerType(), pa.int32()),
    "int64": (types.LongType(), pa.int64()),
    "uint8": (types.ShortType(), pa.int16()),
    "uint16": (types.IntegerType(), pa.int32()),
    "uint32": (types.LongType(), pa.int64()),
    "uint64": (types.DecimalType(20, 0), pa.decimal128(20, 0)),
}

#: Names of files, by the session that knows them: to add one again does nothing but warn.
_SENT: WeakKeyDictionary[SparkSession, set[str]] = WeakKeyDictionary()


def predict_with_spark(
    frame: DataFrame,
    path: str | os.PathLike[str],
    *,
    methods: Sequence[str] | None = None,
    keep: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    on_error: OnMisfit = "fail",
    identity: str | os.PathLike[str] | None = None,
) -> DataFrame:
    """`frame` with the model's answers; lazy, as all of Spark.

    Args:
        path: the model's file, where this program runs; Spark sends it to its workers.
        methods: what is answered; None: the first one, and probabilities where there are any.
        keep: columns of `frame` that the answers stand beside; None: all.
        inputs: the columns that the model is asked with, in its order, where they have other names than the model's.
        on_error: "fail" (the task fails with every mismatch of its batch) or "null" (a row that does not fit is
            answered by NULL).
        identity: of an encrypted model, see `load`: a file that every worker has; None: EDGE_INFER_IDENTITY.

    Raises:
        InputError: columns that the model needs are not there.
        UsageError: other arguments that make no sense.
        MethodError: the model has no such method.
        ArtifactError, FileNotFoundError: as `load`.
    """
    shipment = shipped(path)
    scorer = loaded(shipment, identity).scorer(methods)
    plan = plan_for(
        scorer, shipment.digest, frame.columns, inputs=inputs, keep=keep, on_error=on_error, identity=identity
    )
    file = _sent(frame.sparkSession, shipment)
    answers = [types.StructField(field.name, _TYPES[str(field.type)][0]) for field in scorer.schema]
    kept = [frame.schema[name] for name in plan.keep]
    return _numbered(frame, plan.columns).mapInArrow(_Task(plan, file), types.StructType([*kept, *answers]))


class _Task:
    """What a worker runs on a partition."""

    def __init__(self, plan: Plan, file: str) -> None:
        self._plan, self._file = plan, file

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = _model_of(self._file, self._plan.digest, self._plan.identity).scorer(self._plan.methods)
        for numbered in batches:
            batch = numbered.rename_columns(self._plan.columns)
            answers = self._plan.answer(scorer, batch)
            yield from fitting(answers, _schema(batch, self._plan, scorer))


@lru_cache(maxsize=4)
def _model_of(file: str, digest: str, identity: str | None) -> Model:
    """One for each file in a worker process, which Spark uses for task after task."""
    with open(SparkFiles.get(file), "rb") as sent:
        return loaded(Shipped(sent.read(), digest), identity)


def _schema(batch: pa.RecordBatch, plan: Plan, scorer: Scorer) -> pa.Schema:
    answers = [pa.field(field.name, _TYPES[str(field.type)][1]) for field in scorer.schema]
    return pa.schema([*(batch.schema.field(name) for name in plan.keep), *answers])


def _numbered(frame: DataFrame, names: Sequence[str]) -> DataFrame:
    """These columns, called by their places: mapInArrow takes a name with a dot for a field of a struct."""
    quoted = ["`" + name.replace("`", "``") + "`" for name in names]
    return frame.select([functions.col(name).alias(f"column_{place}") for place, name in enumerate(quoted)])


@cache
def _folder() -> Path:
    """Of files under way: Spark's workers fetch them from here as long as the program runs."""
    folder = tempfile.mkdtemp(prefix="edge-infer-spark-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _sent(session: SparkSession, shipment: Shipped) -> str:
    """The name of the file that workers are sent: by its digest, since Spark keeps the first file of each name."""
    file = _folder() / f"edge-infer-{shipment.digest}.onnx"
    names = _SENT.setdefault(session, set())
    if file.name not in names:
        file.write_bytes(shipment.data)
        session.addArtifacts(str(file), file=True)
        names.add(file.name)
    return file.name
