"""A model in Spark: ten thousand penguins, answered by Spark's workers.

python examples/spark_batch.py     (writes penguins-1.0.0.onnx to the current folder; needs Java and edge-infer[spark])
"""

from __future__ import annotations

import os
import sys

import pandas as pd
from pyspark.sql import SparkSession

from edge_infer.batch.spark import predict_with_spark
from edge_infer_convert import convert
from edge_infer_convert.demo import train


def main() -> None:
    pipeline, X, _ = train()
    convert(pipeline, data=X, name="penguins", version="1.0.0", output="penguins-1.0.0.onnx")
    many = pd.concat([X] * 30, ignore_index=True).astype(object)
    rows = many.where(many.notna(), None).assign(id=range(len(many)))

    os.environ["PYSPARK_PYTHON"] = sys.executable  # what Spark starts its workers with
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    numbers = "bill_length_mm double, bill_depth_mm double, flipper_length_mm double, body_mass_g double"
    frame = spark.createDataFrame(
        rows[[*X.columns, "id"]].to_dict("records"), f"island string, sex string, {numbers}, id long"
    ).repartition(4)

    answers = predict_with_spark(frame, "penguins-1.0.0.onnx", keep=["id"])  # nothing has run yet
    for row in answers.orderBy("id").limit(3).collect():
        print(f"penguin {row['id']}: {row['prediction']} ({row['P(Adelie)']:.3f} Adelie)")
    for row in answers.groupBy("prediction").count().orderBy("prediction").collect():
        print(f"{row['prediction']}: {row['count']:,}")
    spark.stop()


if __name__ == "__main__":
    main()
