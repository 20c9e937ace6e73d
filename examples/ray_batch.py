"""A model in Ray Data: ten thousand penguins, answered by actors that hold the model.

python examples/ray_batch.py     (writes penguins-1.0.0.onnx to the current folder; needs edge-infer[ray])
"""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pyarrow as pa
import ray

from edge_infer.batch.ray import predict_with_ray
from edge_infer_convert import convert
from edge_infer_convert.demo import train


def main() -> None:
    pipeline, X, _ = train()
    convert(pipeline, data=X, name="penguins", version="1.0.0", output="penguins-1.0.0.onnx")
    many = pd.concat([X] * 30, ignore_index=True).assign(id=lambda frame: range(len(frame)))

    ray.init(num_cpus=2, include_dashboard=False)
    dataset = ray.data.from_arrow(pa.Table.from_pandas(many, preserve_index=False))
    answers = predict_with_ray(dataset, "penguins-1.0.0.onnx", keep=["id"])  # nothing has run yet
    rows = sorted(answers.take_all(), key=lambda row: row["id"])
    for row in rows[:3]:
        print(f"penguin {row['id']}: {row['prediction']} ({row['P(Adelie)']:.3f} Adelie)")
    for label, count in sorted(Counter(row["prediction"] for row in rows).items()):
        print(f"{label}: {count:,}")
    ray.shutdown()


if __name__ == "__main__":
    main()
